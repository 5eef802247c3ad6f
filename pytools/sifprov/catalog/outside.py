"""Records that stand outside of the containers that they speak of, by the content that they tell:
by them a run's input is known that carried no record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sifprov.catalog.bulk import Bulk
from sifprov.catalog.executions import Execution
from sifprov.catalog.resolve import Candidate
from sifprov.catalog.told import Told

Pair = tuple[str, str]
_FOUND = (
    "s.key, c.digest, r.recorded_us, r.digest, e.uuid",
    "content c JOIN state s ON s.content_id = c.id AND s.generated_by IS NOT NULL"
    " JOIN record r ON r.digest = s.record AND NOT r.is_inside"
    " JOIN execution e ON e.id = s.generated_by",
)


class Outside:
    """The records of a transaction and of the catalog that stand outside, by container and
    content."""

    def __init__(
        self,
        bulk: Bulk,
        made: Iterable[Told],
        inside: Collection[str],
        executions: Mapping[str, Execution],
    ) -> None:
        self._bulk = bulk
        self._new: dict[Pair, list[Candidate]] = {}
        for told in made:
            content = told.made.content if told.made else None
            if content and told.digest not in inside:
                it = Candidate(told.recorded_us, told.digest, executions[told.digest].key)
                self._new.setdefault((told.container, content), []).append(it)

    @property
    def new(self) -> Collection[Pair]:
        """The containers and contents that new records tell."""
        return self._new.keys()

    def candidates(self, pairs: Collection[Pair]) -> dict[Pair, list[Candidate]]:
        """Returns the records that tell these contents of these containers."""
        found = {pair: list(self._new.get(pair, ())) for pair in pairs}
        for key, content, *rest in self._bulk.rows(
            *_FOUND, "c.digest", {content for _, content in pairs}
        ):
            it = Candidate(*rest)
            who = key.partition("#")[0]
            if (who, content) in found and key == f"{who}#{it.digest}":
                found[who, content].append(it)
        return found
