"""What the containers of a run carry of their ancestors: collected while the application runs, so
that each output embeds it.

Records name records by their digests. Only what can be reached so from the run's own record is
taken, the nearest first, so what else a hostile container holds stays there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from sifprov.capture.bound import Bound
from sifprov.capture.shelf import Shelf
from sifprov.content import Deadline, TooLateError
from sifprov.embedded import MAX_DOCUMENT, MAX_EMBEDDED, Lineage, links, named_lists
from sifprov.errors import RecordError, SifprovError
from sifprov.frozen import dataclass, replace
from sifprov.identity import describe
from sifprov.model.canonical import record_digest
from sifprov.model.files import key_of
from sifprov.model.record import INPUT, OUTPUT, Container, Record
from sifprov.model.timestamp import to_ns
from sifprov.placement import newest_in, place_for, prepare
from sifprov.room import MARK
from sifprov.whereabouts import remembered

# What is unpacked of all containers of a run, in bytes; and how many documents it embeds.
MAX_READ = 256 * 1024 * 1024
MAX_COUNT = 1 << 16
TOO_MUCH = "the records of all ancestors are too many; the oldest are left out"


@dataclass(frozen=True)
class Source:
    """A record that a run's record names, and the paths of the files in which it may stand."""

    digest: str
    paths: tuple[str, ...]


def carried(container: Container, metadata: str) -> Container:
    """Returns an input with the newest record that speaks of it as its `record`, where that stands
    in the place `metadata`, or in one that the user named before, and not in the container."""
    if container.role != INPUT or container.uuid is None:
        return container
    places = _places(container, metadata)
    for place in places:
        with suppress(SifprovError, OSError):
            there = newest_in(place, container.uuid)
            if there and not _is_older(there, container.record, (container.path, *places)):
                container = replace(container, record=there)
    return container


def _places(container: Container, metadata: str) -> tuple[str, ...]:
    """Where else its records may stand."""
    known = remembered(container.uuid) if container.uuid else ()
    return tuple(dict.fromkeys((*((metadata,) if metadata else ()), *known)))


def _is_older(one: str, other: str | None, paths: tuple[str, ...]) -> bool:
    if other is None:
        return False
    search, shelves = _Search(Deadline()), tuple(map(Shelf, paths))
    try:
        first, second = (
            Record.from_bytes(search.find(digest, shelves) or b"") for digest in (one, other)
        )
    except RecordError:
        return False
    return to_ns(first.recorded) < to_ns(second.recorded)


def sources(containers: Iterable[Container], metadata: str) -> list[Source]:
    """Returns the records that a run's record names. A single output is left out where its own
    records are there already."""
    several = tuple(containers)
    outputs = [c for c in several if c.role == OUTPUT]
    own = outputs if len(outputs) == 1 and not metadata else []
    return [
        Source(c.record, (c.path, *_places(c, metadata)))
        for c in several
        if c.record and c not in own
    ]


def lineage_of(
    bounds: Sequence[Bound], metadata: str, also: tuple[Source, ...], deadline: Deadline
) -> Lineage:
    """Returns what a run that has begun will embed, prepared for what seem to be its outputs.
    Raises nothing."""
    containers = [carried(describe(_seems(b), b.identity, None), metadata) for b in bounds]
    lineage = gather((*sources(containers, metadata), *also), deadline)
    for container in containers:
        if container.role == OUTPUT:
            prepare(place_for(container, metadata), lineage)
    return lineage


def _seems(bound: Bound) -> str:
    declared = bound.identity.declaration
    return OUTPUT if bound.writable and not (declared and declared.role == INPUT) else INPUT


def completed(
    lineage: Lineage,
    containers: tuple[Container, ...],
    metadata: str,
    also: tuple[Source, ...],
    deadline: Deadline,
) -> Lineage:
    """Returns the lineage of a run that has ended: what was collected, unless what was an input or
    an output turned out otherwise."""
    wanted = (*sources(containers, metadata), *also)
    if lineage.roots.issuperset(s.digest for s in wanted):
        return lineage
    return gather(wanted, deadline)


def gather(wanted: Iterable[Source], deadline: Deadline) -> Lineage:
    """Returns all documents that can be reached from these records. Raises nothing."""
    several = tuple(wanted)
    shelves = {path: Shelf(path) for source in several for path in source.paths}
    search = _Search(deadline)
    try:
        for source in several:
            search.want(source.digest, tuple(shelves[path] for path in source.paths))
        search.take_records()
        search.take_lists()
    except TooLateError:
        search.reason = "not all records of ancestors were read in the time granted"
    return Lineage(search.taken, frozenset(s.digest for s in several), search.reason)


class _Search:
    """A walk, breadth first, along the digests that records name, over shelves that are read as far
    as something is missing."""

    def __init__(self, deadline: Deadline) -> None:
        self.taken: dict[str, bytes] = {}
        self.reason: str | None = None
        self._deadline = deadline
        self._room, self._unread = MAX_EMBEDDED, MAX_READ
        self._known: dict[str, bytes] = {}
        self._lists: dict[str, list[str]] = {}
        self._places: dict[str, list[tuple[Shelf, ...]]] = {}
        self._home: dict[str, tuple[Shelf, ...]] = {}
        self._next: list[str] = []
        self._lost: set[str] = set()

    def want(self, digest: str, shelves: tuple[Shelf, ...]) -> None:
        """Notes that a record is wanted, which may stand on these shelves."""
        if digest in self._lost or digest not in self._places:
            self._lost.discard(digest)
            self._next.append(digest)
        self._places.setdefault(digest, []).append(shelves)

    def take_records(self) -> None:
        """Takes the wanted records, and those that they lead to."""
        for digest in self._next:  # which grows meanwhile
            data = self._known.get(digest)
            while data is None and self._places[digest]:
                self._home[digest] = self._places[digest].pop()
                data = self.find(digest, self._home[digest])
            if data is None:
                self._lost.add(digest)
            elif digest not in self.taken and MARK in data:
                if not self._take(digest, data):
                    return
                if digest not in self._home:
                    self._home[digest] = self._places[digest][-1]
                for link in links(data):
                    self.want(link, self._home[digest])

    def take_lists(self) -> None:
        """Takes the lists of files that the records name, and those that they are told against."""
        done: set[str] = set()
        for digest, record in tuple(self.taken.items()):
            asked = list(named_lists(record))
            for name in asked:
                if name in done:
                    continue
                self._read_until(name, self._lists, self._home[digest])
                for one in self._lists.get(name, ()):
                    done.add(name)
                    data = self._known[one]
                    key = key_of(data)
                    if one in self.taken:
                        continue
                    if not self._take(one, data):
                        return
                    if key and key[1]:
                        asked.append(key[1])

    def find(self, digest: str, shelves: tuple[Shelf, ...]) -> bytes | None:
        """Returns a document, which is read where it is not known yet."""
        self._read_until(digest, self._known, shelves)
        return self._known.get(digest)

    def _read_until(
        self, name: str, index: dict[str, bytes] | dict[str, list[str]], shelves: tuple[Shelf, ...]
    ) -> None:
        for shelf in shelves:
            while name not in index:
                self._deadline.check()
                if self._unread <= 0:
                    self.reason = TOO_MUCH
                    return
                pieces = shelf.more()
                if pieces is None:
                    break
                for piece in pieces:
                    self._add(piece)

    def _add(self, piece: bytes) -> None:
        self._unread -= len(piece)
        digest, key = record_digest(piece), key_of(piece)
        if digest in self._known:
            return
        self._known[digest] = piece
        if key:
            self._lists.setdefault(key[0], []).append(digest)
        if digest in self._lost:
            # Another container has what was looked for in vain.
            self._lost.discard(digest)
            self._next.append(digest)

    def _take(self, digest: str, data: bytes) -> bool:
        if len(data) > MAX_DOCUMENT or len(data) > self._room or len(self.taken) >= MAX_COUNT:
            self.reason = TOO_MUCH
            return False
        self._room -= len(data)
        self.taken[digest] = data
        return True
