"""The end of an index: which of the files that are not where they were have moved, which of the new
ones are copies, and what has vanished."""

from __future__ import annotations

import os
from collections.abc import Sequence

from sqlalchemy import Connection

from sifprov.catalog.bulk import Bulk
from sifprov.catalog.locations import Twin
from sifprov.catalog.read import METADATA, VANISHED, Seen
from sifprov.catalog.store import Catalog
from sifprov.catalog.tables import location, record
from sifprov.catalog.texts import on_disk, path
from sifprov.catalog.walk import Walk, host_name

Place = tuple[str, str, str]
_CHUNK = 1000
_LAST = chr(ord("/") + 1)


class Finish:
    """`gone` are the rows of files that were not found, with host, folder and name; `twins` the new
    files beside others of the same container."""

    def __init__(self, catalog: Catalog, walk: Walk) -> None:
        self._catalog, self._walk = catalog, walk
        self.gone: dict[int, Place] = {}
        self.twins: list[Twin] = []
        # Files that are no containers of their own are known again by their inode alone.
        self._fresh: dict[tuple[int, int], tuple[str, str]] = {}

    def fresh(self, seen: Seen) -> None:
        """Takes up a file that is new in the catalog."""
        if seen.uuid is None or seen.kind == METADATA:
            self._fresh[seen.state.device, seen.state.inode] = seen.file.folder, seen.file.key

    def run(self, bulk: Bulk, *, prune: bool) -> dict[str, int]:
        """Writes what has become of the files; returns how many have `moved`, were `copied`, have
        `vanished`, and were `forgotten`."""
        self._below_roots(bulk)
        moved, copied = self._sort_twins()
        moved.update(self._by_inode(bulk, moved))
        for old in moved:
            self.gone.pop(old, None)
        self._write_moved(list(moved.items()))
        gone = list(self.gone)
        for at in range(0, len(gone), _CHUNK):
            part = [(number, VANISHED) for number in gone[at : at + _CHUNK]]
            self._catalog.write(lambda c, part=part: _do(c, part))  # type: ignore[misc]
        forgotten = self._prune(bulk) if prune else 0
        return {
            "moved": len(set(moved.values())),
            "copied": len(copied),
            "vanished": len(gone),
            "forgotten": forgotten,
        }

    def _below_roots(self, bulk: Bulk) -> None:
        """Finds the rows in folders that are not there any more."""
        closed = [f for f, is_listed in self._walk.folders.items() if not is_listed]
        for root in self._walk.roots:
            key = path(root)
            if os.path.isfile(root):
                continue
            for host in {host_name(), ""}:
                if root in self._walk.missing:
                    folder, name = os.path.split(root)
                    one = " AND folder = ? AND name = ? AND status <> ?"
                    rows = bulk.rows_with(
                        _PLACE, "location", "host", [host], one, (path(folder), name, VANISHED)
                    )
                    self.gone.update((number, tuple(place)) for number, *place in rows)
                for folder in self._folders(bulk, host, key):
                    inside = any(folder == c or folder.startswith(c + "/") for c in closed)
                    if folder in self._walk.folders or inside:
                        continue
                    rows = bulk.rows_with(
                        _PLACE, "location", "host", [host], " AND folder = ? AND status <> ?",
                        (folder, VANISHED),
                    )  # fmt: skip
                    self.gone.update((number, tuple(place)) for number, *place in rows)

    @staticmethod
    def _folders(bulk: Bulk, host: str, root: str) -> Sequence[str]:
        start = root.rstrip("/")
        below = bulk.run(
            "SELECT DISTINCT folder FROM location WHERE host = ? AND (folder = ? OR"
            " (folder >= ? AND folder < ?))",
            host, root, start + "/", start + _LAST,
        )  # fmt: skip
        return [folder for (folder,) in below]

    def _sort_twins(self) -> tuple[dict[int, int], set[int]]:
        """The rows of what has moved, each with its new one, and the new rows of copies."""
        ours = {host_name(), ""}
        moved: dict[int, int] = {}
        there: set[int] = set()
        copied: set[int] = set()
        linked: set[int] = set()
        for twin in sorted(self.twins, key=lambda t: (not t.is_same_inode, t.old, t.new)):
            host, folder, name = twin.old_path
            if host not in ours or twin.new in self.gone:
                continue
            if twin.old not in self.gone and _is_there(folder, name):
                (linked if twin.is_same_inode else copied).add(twin.new)
            elif (
                (twin.is_same_inode or twin.old_state == twin.new_state)
                and twin.old not in moved
                and twin.new not in there
            ):
                moved[twin.old] = twin.new
                there.add(twin.new)
        # Another name of one file is no copy of it.
        return moved, copied - there - linked

    def _by_inode(self, bulk: Bulk, moved: dict[int, int]) -> dict[int, int]:
        if not self._fresh:
            return {}
        found: dict[int, int] = {}
        left = [number for number in self.gone if number not in moved]
        for number, device, inode in bulk.rows("id, device, inode", "location", "id", left):
            place = self._fresh.get((device, inode))
            if place:
                more = " AND name = ?"
                rows = bulk.rows_with("id", "location", "folder", [path(place[0])], more, place[1:])
                found.update((number, new) for (new,) in rows)
        return found

    def _write_moved(self, moved: list[tuple[int, int]]) -> None:
        for at in range(0, len(moved), _CHUNK):
            part = moved[at : at + _CHUNK]

            def work(connection: Connection, part: list[tuple[int, int]] = part) -> None:
                bulk = Bulk(connection)
                to = dict(part)
                rows = bulk.rows("id, location_id", "record", "location_id", to)
                bulk.update(record, "id", ("location_id",), [(i, to[old]) for i, old in rows])
                bulk.delete(location, "id", list(to))

            self._catalog.write(work)

    def _prune(self, bulk: Bulk) -> int:
        """Forgets all that has vanished below the roots."""
        count = 0
        for host in {host_name(), ""}:
            for root in self._walk.roots:
                for folder in (*self._folders(bulk, host, path(root)), path(os.path.dirname(root))):
                    more = " AND folder = ? AND status = ?"
                    if folder == path(os.path.dirname(root)):
                        more += " AND name = ?"
                        rest: tuple[str, ...] = (folder, VANISHED, os.path.basename(root))
                    else:
                        rest = folder, VANISHED
                    rows = bulk.rows_with("id", "location", "host", [host], more, rest)
                    count += self._forget([number for (number,) in rows])
        return count

    def _forget(self, numbers: list[int]) -> int:
        def work(connection: Connection) -> None:
            bulk = Bulk(connection)
            bulk.clear(record, "location_id", numbers)
            bulk.delete(location, "id", numbers)

        if numbers:
            self._catalog.write(work)
        return len(numbers)


def _is_there(folder: str, name: str) -> bool:
    """Whether there is a file by this name; true where the name is too long to be known."""
    places = on_disk(folder), on_disk(name)
    return None in places or os.path.lexists(os.path.join(*filter(None, places)))


_PLACE = "id, host, folder, name"


def _do(connection: Connection, part: list[tuple[int, str]]) -> None:
    Bulk(connection).update(location, "id", ("status",), part)
