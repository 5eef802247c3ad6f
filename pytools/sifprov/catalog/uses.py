"""What runs used: the rows of `used` that one transaction adds and moves."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from sifprov.catalog.bulk import Bulk
from sifprov.catalog.tables import used
from sifprov.catalog.told import Named
from sifprov.model.container import CHANGED_OUTSIDE

_COLUMNS = (
    "execution_id", "state_id", "mount", "name", "path", "marks", "content_id", "by_content",
)  # fmt: skip
_KEY = ("execution_id", "state_id", "mount")
_READ = (
    "u.execution_id, u.state_id, u.mount, u.name, u.path, u.marks, u.content_id, u.by_content,"
    " e.uuid, c.digest, s.key, s.record, s.data_container_id"
)
_FROM = (
    "used u JOIN execution e ON e.id = u.execution_id JOIN state s ON s.id = u.state_id"
    " LEFT JOIN content c ON c.id = u.content_id"
)


class Used(NamedTuple):
    """One row, with the key of the execution and what is told of the state."""

    execution_id: int
    state_id: int
    mount: str
    name: str | None
    path: str | None
    marks: str | None
    content_id: int | None
    by_content: bool | None
    execution: str
    content: str | None
    state: str
    record: str | None
    container_id: int

    @property
    def named(self) -> Named:
        """How the run named the container, with the record of the state that it is taken to be
        in."""
        who = self.state.partition("#")[0]
        return Named(
            who, None if self.by_content else self.record, self.content,
            CHANGED_OUTSIDE in (self.marks or ""), not who.startswith("path-"), self.name,
            self.path, self.mount, self.marks, None, None,
        )  # fmt: skip


class Uses:
    """Adds and moves what runs used."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._new: dict[tuple[int, int, str], tuple[object, ...]] = {}
        self._gone: dict[tuple[int, int, str], None] = {}

    def of_states(self, ids: Collection[int]) -> list[Used]:
        """Returns what runs used of these states, as it stands in the catalog."""
        return [Used(*row) for row in self._bulk.rows(_READ, _FROM, "u.state_id", ids)]

    def by_content(self, containers: Collection[int]) -> list[Used]:
        """Returns what of these containers is known by its content alone."""
        if not self._bulk.run("SELECT 1 FROM used WHERE by_content LIMIT 1"):
            return []
        more = " AND u.by_content"
        rows = self._bulk.rows(_READ, _FROM, "s.data_container_id", containers, more)
        return [Used(*row) for row in rows]

    def add(
        self, execution: int, state: int, it: Named, content: int | None, *, by_content: bool
    ) -> None:
        """Adds that a run used a state."""
        key = (execution, state, it.mount or "")
        row = (*key, it.name, it.path, it.marks, content, by_content or None)
        self._new.setdefault(key, row)

    def move(self, row: Used, state: int, *, by_content: bool) -> None:
        """Says that a run used another state."""
        if (row.state_id, bool(row.by_content)) != (state, by_content):
            self._gone[row[:3]] = None
            self.add(row.execution_id, state, row.named, row.content_id, by_content=by_content)

    def has(self, states: Collection[int]) -> set[int]:
        """Returns which of these states some run used, with what was added and moved."""
        there = self._bulk.rows("execution_id, state_id, mount", "used", "state_id", states)
        left = {row[1] for row in there if tuple(row) not in self._gone}
        return left | {key[1] for key in self._new if key[1] in states}

    def write(self) -> None:
        """Writes what was added and moved."""
        self._bulk.delete_each(used, _KEY, list(self._gone))
        self._bulk.insert(used, _COLUMNS, list(self._new.values()), missing=True)
        self._new, self._gone = {}, {}
