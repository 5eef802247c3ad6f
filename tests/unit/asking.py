"""A catalog that holds given records, and what is asked of it."""

from __future__ import annotations

from collections.abc import Iterable

from tests.catalogs import Opened

from sifprov.catalog.conditions import parse_all
from sifprov.catalog.find import files, find, uuids
from sifprov.catalog.impact import impact
from sifprov.catalog.ingest import put_records
from sifprov.catalog.questions import Asked, ask
from sifprov.model.answer import Answer


class Asking:
    """Asks an open catalog, into which `records` are put first."""

    def __init__(self, opened: Opened, records: Iterable[bytes]) -> None:
        self.catalog = opened.catalog
        put_records(opened.catalog, records)

    def find(self, *conditions: str, limit: int | None = None) -> Answer:
        """The runs that fulfil conditions."""
        with self.catalog.reading() as connection:
            return find(connection, parse_all(conditions), limit)

    def ids(self, *conditions: str) -> list[str]:
        """Their ids."""
        with self.catalog.reading() as connection:
            return uuids(connection, parse_all(conditions))

    def files(self, *conditions: str) -> list[str]:
        """The files that hold what they left."""
        with self.catalog.reading() as connection:
            return files(connection, parse_all(conditions))

    def impact(
        self,
        *named: str,
        where: tuple[str, ...] = (),
        depth: int | None = None,
        copies: bool = True,
        limit: int | None = None,
    ) -> Answer:
        """What was derived."""
        with self.catalog.reading() as connection:
            return impact(
                connection, named, where=parse_all(where), depth=depth, copies=copies, limit=limit
            )

    def query(self, name: str, **asked: object) -> Answer:
        """One of the eight questions."""
        with self.catalog.reading() as connection:
            return ask(connection, name, Asked(**asked))  # type: ignore[arg-type]

    def left(self, *conditions: str) -> list[str]:
        """The names of what the runs left, sorted."""
        return sorted(texts(self.find(*conditions), "outputs"))


def texts(answer: Answer, column: str) -> list[str]:
    """All texts in a column of lists."""
    return [text for row in answer.column(column) if isinstance(row, tuple) for text in row]


def names(answer: Answer, column: str = "container") -> list[str]:
    """The texts in a column, sorted."""
    return sorted(str(value) for value in answer.column(column))
