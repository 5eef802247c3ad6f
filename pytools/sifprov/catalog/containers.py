"""Data containers: one row for each UUID, with the name that was first told of it."""

from __future__ import annotations

from collections.abc import Iterable

from sifprov.catalog.bulk import Bulk
from sifprov.catalog.intern import Interned
from sifprov.catalog.tables import data_container
from sifprov.catalog.told import Named

_MOST = 100_000


class Containers(Interned):
    """The rows of data containers by what they are known by (`who`)."""

    def __init__(self) -> None:
        super().__init__(data_container, "uuid", "name", "created_us")
        self._described: set[str] = set()
        self._now: set[str] = set()

    def put(self, bulk: Bulk, named: Iterable[Named], bare: Iterable[str] = ()) -> dict[str, int]:
        """Returns the ids of containers that records name, and of those of which no more than that
        is known (`bare`)."""
        told: dict[str, tuple[str | None, int | None]] = {}
        for it in named:
            if it.name and it.who not in told:
                told[it.who] = (it.name, it.created_us)
            elif it.who not in told:
                told[it.who] = (None, None)
        for who in bare:
            told.setdefault(who, (None, None))
        fresh = {w for w, (name, _) in told.items() if name and w not in self._described}
        there = bulk.rows("id, uuid, name, created_us", "data_container", "uuid", fresh)
        updates = []
        for number, who, name, created in there:
            said = told[who]
            if name is None or (created is None and said[1] is not None):
                updates.append((number, name or said[0], created or said[1]))
        bulk.update(data_container, "id", ("name", "created_us"), updates)
        self._now |= fresh
        return self.ids(bulk, told)

    def rows_of(self, bulk: Bulk, who: Iterable[str]) -> dict[str, int]:
        """Returns the ids of containers."""
        return self.ids(bulk, dict.fromkeys(who, (None, None)))

    def begin(self) -> None:
        """As of `Interned`."""
        super().begin()
        self._now.clear()

    def forget(self) -> None:
        """As of `Interned`."""
        super().forget()
        self._described.clear()

    def commit(self) -> None:
        """As of `Interned`."""
        super().commit()
        if len(self._described) > _MOST:
            self._described.clear()
        self._described |= self._now
        self._now.clear()
