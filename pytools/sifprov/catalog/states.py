"""The states that one transaction touches: read once, changed in memory, written once."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sifprov.catalog.bulk import Bulk, Row
from sifprov.catalog.tables import state
from sifprov.catalog.told import Named

_COLUMNS = (
    "key", "data_container_id", "record", "content_id", "generated_by", "revision_of", "name",
    "path", "mount", "files", "marks",
)  # fmt: skip
_READ = "id, " + ", ".join(_COLUMNS)


class State:
    """One state; `is_new` says that it has no row yet."""

    __slots__ = (*_COLUMNS, "id", "is_changed", "is_new")

    def __init__(self, number: int, *values: object, is_new: bool) -> None:
        self.id, self.is_new, self.is_changed = number, is_new, is_new
        self.key: str
        self.data_container_id: int
        self.record: str | None
        self.content_id: int | None
        self.generated_by: int | None
        self.revision_of: int | None
        self.name: str | None
        self.path: str | None
        self.mount: str | None
        self.files: int | None
        self.marks: str | None
        for name, value in zip(_COLUMNS, values, strict=True):
            setattr(self, name, value)

    @property
    def who(self) -> str:
        """What its container is known by."""
        return self.key.partition("#")[0]

    def values(self) -> tuple[object, ...]:
        """Returns the values of all columns but the id."""
        return tuple(getattr(self, name) for name in _COLUMNS)


class States:
    """States by key and by id."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._by_key: dict[str, State] = {}
        self._by_id: dict[int, State] = {}
        self._absent: set[str] = set()
        self._gone: dict[str, State] = {}

    def load(self, keys: Iterable[str]) -> None:
        """Reads those of these states that are there."""
        asked = {k for k in keys if k not in self._by_key and k not in self._absent}
        self._take(self._bulk.rows(_READ, "state", "key", asked))
        self._absent |= asked - self._by_key.keys()

    def with_record(self, digests: Collection[str]) -> list[State]:
        """Returns the states that carried one of these records."""
        return self._take(self._bulk.rows(_READ, "state", "record", digests))

    def behind(self, ids: Collection[int]) -> list[State]:
        """Returns the states that are revisions of these."""
        return self._take(self._bulk.rows(_READ, "state", "revision_of", ids))

    def _take(self, rows: Iterable[Row]) -> list[State]:
        found = []
        for number, *values in rows:
            known = self._by_id.get(number)
            if known is None:
                known = State(number, *values, is_new=False)
                self._by_id[number] = known
                self._by_key[known.key] = known
            found.append(known)
        return found

    def get(self, key: str) -> State | None:
        """Returns a state that was loaded or made."""
        return self._by_key.get(key)

    def __getitem__(self, key: str) -> State:
        return self._by_key[key]

    def earlier(self, ids: Collection[int]) -> set[int]:
        """Returns which of these states others are revisions of."""
        if not ids:
            return set()
        self.behind(ids)
        return {s.revision_of for s in self._by_id.values() if s.revision_of in ids}  # type: ignore[misc]

    def make(self, wanted: dict[str, tuple[int, str | None]]) -> None:
        """Makes the states of these keys that are not there: each with its container's row and the
        digest of the record that it carried."""
        self.load(wanted)
        for key in self._gone.keys() & wanted.keys():
            back = self._gone.pop(key)
            self._by_key[key] = self._by_id[back.id] = back
            self._absent.discard(key)
        new = [key for key in wanted if key not in self._by_key]
        for key, number in zip(new, self._bulk.new_ids(state, len(new)), strict=True):
            container, record = wanted[key]
            made = State(number, key, container, record, *(None,) * 8, is_new=True)
            self._by_key[key] = self._by_id[number] = made
            self._absent.discard(key)

    def describe(self, it: State, told: Named, content: int | None, *, own: bool) -> None:
        """Adds to a state what is told of it; `own`: by the record that left it so, which counts
        more than what others say."""
        if own:
            values = (content, told.name, told.path, told.mount, told.files, told.marks)
        elif it.name is None or (it.generated_by is None and it.content_id is None):
            own_content = it.content_id or content
            # How a run names what it read says nothing of what it was.
            values = (own_content, told.name, told.path, it.mount, it.files, it.marks)
        else:
            return
        before = (it.content_id, it.name, it.path, it.mount, it.files, it.marks)
        merged = tuple(old if new is None else new for old, new in zip(before, values, strict=True))
        if own and told.name is not None:
            merged = (content, *merged[1:])
        if merged != before:
            it.content_id, it.name, it.path, it.mount, it.files, it.marks = merged  # type: ignore[assignment]
            it.is_changed = True

    def set_origin(self, it: State, generated_by: int | None, revision_of: int | None) -> None:
        """Sets what made a state and which one came before it."""
        if (it.generated_by, it.revision_of) != (generated_by, revision_of):
            it.generated_by, it.revision_of, it.is_changed = generated_by, revision_of, True

    def delete(self, gone: Collection[State]) -> None:
        """Gives up states that nothing refers to; `remove` deletes their rows."""
        for it in gone:
            del self._by_key[it.key], self._by_id[it.id]
            self._absent.add(it.key)
            self.set_origin(it, None, None)
            if not it.is_new:
                self._gone[it.key] = it

    def remove(self) -> None:
        """Deletes the rows of what was given up, when nothing names them any more."""
        self._bulk.delete(state, "id", [it.id for it in self._gone.values()])
        self._gone.clear()

    def write(self) -> None:
        """Writes what is new and what has changed."""
        touched = [it for it in self._by_id.values() if it.is_changed]
        new = [it for it in touched if it.is_new]
        self._bulk.insert(state, ("id", *_COLUMNS), [(it.id, *it.values()) for it in new])
        old = [(it.id, *it.values()) for it in touched if not it.is_new]
        self._bulk.update(state, "id", _COLUMNS, old)
        for it in touched:
            it.is_new = it.is_changed = False
