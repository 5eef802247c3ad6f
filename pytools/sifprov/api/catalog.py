"""The catalog of many containers, from Python."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sifprov.model.answer import Answer

PathLike = str | os.PathLike[str]


class Catalog:
    """What the records of many containers say: the catalog at `place` (a file or a URL), by default
    the user's own.

    Each method returns an `Answer`: `dicts()` are its rows, `columns` what they hold, `more` says
    that a limit left some out. `pandas.DataFrame(answer.dicts())` is a table.
    """

    def __init__(self, place: str | None = None) -> None:
        self.place = place

    def __repr__(self) -> str:
        return f"sifprov.Catalog({'' if self.place is None else repr(self.place)})"

    def find(self, *conditions: str, limit: int | None = None) -> Answer:
        """Returns the runs that fulfil all conditions, newest first, as `sifprov find` does. Raises
        SifprovError, MissingError where there is no catalog."""
        from sifprov.catalog.conditions import parse_all
        from sifprov.catalog.find import find
        from sifprov.catalog.store import open_catalog

        wanted = parse_all(conditions)
        with open_catalog(self.place, read_only=True) as opened, opened.reading() as connection:
            return find(connection, wanted, limit)

    def impact(
        self,
        *things: PathLike,
        where: Iterable[str] = (),
        depth: int | None = None,
        copies: bool = True,
    ) -> Answer:
        """Returns what was derived from containers (paths, names, UUIDs, digests), as `sifprov
        impact` does. Raises MissingError for what the catalog does not know."""
        from sifprov.catalog.conditions import parse_all
        from sifprov.catalog.impact import impact
        from sifprov.catalog.store import open_catalog

        wanted = parse_all(tuple(where))
        named = [os.fspath(thing) for thing in things]
        with open_catalog(self.place, read_only=True) as opened, opened.reading() as connection:
            return impact(connection, named, where=wanted, depth=depth, copies=copies)

    def query(self, name: str, **asked: Any) -> Answer:
        """Returns the answer to one of the eight questions, `q1` … `q8`; `asked` are the options of
        `sifprov query`, as of `sifprov.catalog.questions.Asked`. Raises SifprovError."""
        from sifprov.catalog.questions import Asked, ask
        from sifprov.catalog.store import open_catalog

        where = asked.get("where", ())
        asked["where"] = (where,) if isinstance(where, str) else tuple(where)
        with open_catalog(self.place, read_only=True) as opened, opened.reading() as connection:
            return ask(connection, name, Asked(**asked))

    def sql(self, statement: str, *, seconds: float = 60.0, limit: int | None = None) -> Answer:
        """Returns the rows of a statement that only reads, as `sifprov sql` does. Raises
        SifprovError for what the database refuses."""
        from sifprov.catalog.sql import ask_sql
        from sifprov.catalog.store import open_catalog

        with open_catalog(self.place, read_only=True) as opened:
            return ask_sql(opened, statement, seconds=seconds, limit=limit)
