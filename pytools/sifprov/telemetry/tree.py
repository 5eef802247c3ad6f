"""The processes of a container by /proc, and what they have used so far.

A process belongs to it that was started by one that does, or whose root is the container's. Time
and input and output of one that has ended are in the numbers of the parent that waited for it, so
nothing is lost between two looks, but for what nobody waited for. Names are not read: a process may
call itself anything.
Sources: proc(5), the kernel's kernel/exit.c (what a parent inherits).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

_TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MAX_STAT = 4096
_IO = (b"rchar", b"wchar", b"read_bytes", b"write_bytes")
_IO_COLUMNS = ("read_bytes", "write_bytes", "storage_read_bytes", "storage_write_bytes")

Counts = tuple[int, ...]


class Seen(NamedTuple):
    """A process as it was seen last: when it started (which tells it from another of its number);
    the ticks, user and system, that it used itself (`own`) and that children left to it (`left`);
    pages of memory; its `io` with that of such children, None where we may not know."""

    parent: str
    started: str
    own: Counts
    left: Counts
    pages: int
    io: Counts | None


class Tree:
    """The processes of one container, whose first one is `first`; `parent` started that, and
    inherits what it used. `joined`: the container runs others too, so its root says nothing."""

    def __init__(
        self, first: int, parent: int, *, proc: str = "/proc", joined: bool = False
    ) -> None:
        self._proc = proc
        self._first, self._parent = str(first), str(parent)
        self._root = None if joined else self._root_of(self._first)
        self._members: dict[str, Seen] = {}
        # Who was there before cannot have been started by it.
        self._known = self._older(first)
        self._began = False
        self._heir: Seen | None = None
        self._owed: dict[str, tuple[Counts, Counts]] = {}
        self._ticks: Counts = (0, 0)
        self._io: Counts | None = None
        self.pages = 0
        self.processes = 0

    @property
    def gone(self) -> bool:
        """Whether the first process has ended."""
        return self._first not in self._members

    @property
    def waits(self) -> bool:
        """Whether its parent has not waited for it yet, so that what it used is nowhere."""
        return self._parent in self._owed

    def read(self) -> dict[str, int]:
        """Looks at every process once; returns the columns."""
        names = set(os.listdir(self._proc))
        before = self._members
        # A parent is read before what it started: what ends in between is then counted once.
        heir = self._look(self._parent) if self._parent else None
        now = {}
        for name, old in before.items():
            seen = self._look(name) if name in names else None
            if seen and seen.started == old.started:
                now[name] = seen
        now.update(self._newcomers(names, now))
        if not self._began and self._first in now:
            self._began = True
            if now[self._first].parent != self._parent:
                self._parent = ""  # it has another one by now, who inherits from many
        self._known = names
        self._count(before, now, heir)
        self._members = now
        self._heir = heir or self._heir
        self.pages = sum(seen.pages for seen in now.values())
        self.processes = len(now)
        found = {
            "user_us": self._ticks[0] * _TICK_US,
            "system_us": self._ticks[1] * _TICK_US,
            "memory_bytes": self.pages * _PAGE,
            "processes": self.processes,
        }
        if self._io is not None:
            found.update(zip(_IO_COLUMNS, self._io, strict=True))
        return found

    def _newcomers(self, names: set[str], members: dict[str, Seen]) -> Iterator[tuple[str, Seen]]:
        found = {}
        children: dict[str, list[str]] = {}
        todo = []
        for name in names - self._known:
            if name.isdigit() and name not in members and (seen := self._look(name)):
                found[name] = seen
                children.setdefault(seen.parent, []).append(name)
        if self._first in found:
            todo.append(self._first)
        for parent in [p for p in children if p in members]:
            todo += children[parent]
        if self._root:
            todo += [n for n, s in found.items() if s.parent not in found and self._has_root(n)]
        while todo:
            name = todo.pop()
            if name in found:
                yield name, found.pop(name)
                todo += children.get(name, ())

    def _count(self, before: dict[str, Seen], now: dict[str, Seen], heir: Seen | None) -> None:
        """Adds what was used since the last look."""
        ended = {name: seen for name, seen in before.items() if name not in now}
        owed: dict[str, tuple[Counts, Counts]] = {}
        for name, who in self._heirs(ended, now):
            ticks, io = owed.get(who, ((0, 0), (0, 0, 0, 0)))
            seen = ended[name]
            owed[who] = (_sum(ticks, seen.own, seen.left), _sum(io, seen.io or (0, 0, 0, 0)))
        for name, seen in now.items():
            old = before.get(name)
            if seen == old:
                continue  # most are idle; what one is owed waits for the next look
            self._ticks = _sum(self._ticks, _grown(seen.own, old.own if old else (0, 0)))
            self._inherit(name, seen, old, owed)
        if heir and self._heir and self._began and self._first not in now:
            # Of the parent's own only some input and output is in that, since the look before.
            self._inherit(self._parent, heir, self._heir, owed)
        self._owed = owed

    def _inherit(
        self, name: str, seen: Seen, old: Seen | None, owed: dict[str, tuple[Counts, Counts]]
    ) -> None:
        """Adds what children that have ended left to a process, but for what was counted when they
        were alive. Where a parent has not waited for one yet, it is owed until the next look."""
        known, known_io = owed.get(name, ((0, 0), (0, 0, 0, 0)))
        late, late_io = self._owed.get(name, ((0, 0), (0, 0, 0, 0)))
        grown = _grown(seen.left, old.left if old else (0, 0))
        self._ticks = _sum(self._ticks, _grown(grown, _sum(known, late)))
        rest, rest_io = _grown(known, grown), known_io
        if seen.io is not None:
            grown = _grown(seen.io, (old and old.io) or (0, 0, 0, 0))
            more = _grown(grown, _sum(known_io, late_io))
            self._io = _sum(self._io or (0, 0, 0, 0), more)
            rest_io = _grown(known_io, grown)
        if any(rest) or any(rest_io):
            owed[name] = rest, rest_io
        else:
            owed.pop(name, None)

    def _heirs(self, ended: dict[str, Seen], now: dict[str, Seen]) -> Iterator[tuple[str, str]]:
        """Each process that has ended, with the nearest one above it that goes on."""
        known: dict[str, str | None] = {}
        for name in ended:
            way: list[str] = []
            at = name
            while at in ended and at not in known and at not in way[-1:]:
                way.append(at)
                known[at] = None  # numbers that lead in a circle end here
                at = ended[at].parent
            who = known.get(at) if at in ended else at if at in now or at == self._parent else None
            known.update(dict.fromkeys(way, who))
            if who:
                yield name, who

    def _older(self, first: int) -> set[str]:
        names = set(os.listdir(self._proc))
        with suppress(OSError, ValueError, LookupError), open(f"{self._proc}/loadavg", "rb") as f:
            newest = int(f.read().split()[4])
            if newest >= first:  # else the numbers have begun anew
                return {n for n in names if not n.isdigit() or int(n) < first}
        return {n for n in names if not n.isdigit()}

    def _look(self, name: str) -> Seen | None:
        """Returns a process, None where it is gone."""
        try:
            # pid (comm) state ppid …; comm may hold anything.
            fields = _read(f"{self._proc}/{name}/stat").rpartition(b")")[2].split()
            return Seen(
                fields[1].decode("ascii"),
                fields[19].decode("ascii"),
                (int(fields[11]), int(fields[12])),
                (int(fields[13]), int(fields[14])),
                int(fields[21]),
                self._io_of(name),
            )
        except (OSError, ValueError, LookupError):
            return None

    def _io_of(self, name: str) -> Counts | None:
        try:
            lines = dict(line.split(b": ") for line in _lines(f"{self._proc}/{name}/io"))
            return tuple(int(lines[key]) for key in _IO)
        except (OSError, ValueError, LookupError):
            return None

    def _root_of(self, name: str) -> tuple[int, int] | None:
        with suppress(OSError):
            status = os.stat(f"{self._proc}/{name}/root")
            host = os.stat(f"{self._proc}/self/root")
            if not os.path.samestat(status, host):
                return status.st_dev, status.st_ino
        return None

    def _has_root(self, name: str) -> bool:
        with suppress(OSError):
            status = os.stat(f"{self._proc}/{name}/root")
            return (status.st_dev, status.st_ino) == self._root
        return False


def _read(path: str) -> bytes:
    """Reads a file of the kernel in one go, which takes half the time of a file object."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, _MAX_STAT)
    finally:
        os.close(file)


def _lines(path: str) -> list[bytes]:
    return _read(path).splitlines()


def _sum(*several: Counts) -> Counts:
    return tuple(map(sum, zip(*several, strict=True)))


def _grown(now: Iterable[int], before: Iterable[int]) -> Counts:
    return tuple(max(n - b, 0) for n, b in zip(now, before, strict=True))
