"""Reads the record trail: from a container back to its origins, as far as they can be seen."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from types import MappingProxyType
from uuid import UUID

from sifprov.carrier import (
    Carrier,
    Elsewhere,
    elsewhere,
    embedded_elsewhere,
    from_elsewhere,
    read_carrier,
)
from sifprov.changes import Standing, standing
from sifprov.errors import FileError, NoRecordError, RecordError
from sifprov.foreign import named_in
from sifprov.frozen import dataclass
from sifprov.model.canonical import record_digest
from sifprov.model.container import FOLDER, Container
from sifprov.model.record import Record
from sifprov.places import Place, Places
from sifprov.sidecar import EXTENSION

__all__ = ["Carrier", "Trail", "Walk", "read_carrier", "read_trail"]

# Hostile records may name containers without end, and own and embedded ones may be millions.
MAX_CONTAINERS = 10_000
MAX_RECORDS = 100_000
MAX_ENTRIES = 1_000_000


@dataclass(frozen=True)
class Trail:
    """A container with its records, and what is known of where they lead.

    `ancestors` are the other containers that were found, by UUID; `records` all that the
    container's own ones lead to, by record digest; `standing` its content as it is now. `problems`
    say what was left out. `documents` is what is embedded, lists of files among it, by the SHA-256
    of its bytes: whoever uses one checks that.
    """

    start: Carrier
    ancestors: Mapping[UUID, Carrier]
    records: Mapping[str, Record]
    standing: Standing | None = None
    problems: tuple[str, ...] = ()
    documents: Mapping[str, bytes] = MappingProxyType({})


def read_trail(
    path: str,
    search: Iterable[str] = (),
    metadata: str = "",
    *,
    on_step: Callable[[str], None] = lambda text: None,
    below: Callable[[UUID], Iterable[str]] | None = None,
) -> Trail:
    """Reads the trail of what is at `path`. Raises FileError, NoRecordError.

    Ancestors are looked for where the record says, beside the container, and in the folders
    `search` and below them; one counts only when its UUID is the recorded one. `metadata` names a
    place that holds records of many. `below` returns the paths of the files with a UUID below
    `search`, for who looks there anyway.
    """
    search = tuple(search)
    others = elsewhere(metadata)
    start = read_carrier(path, others)
    if not start.records and not start.foreign:
        raise NoRecordError(
            f"{path}: carries no record",
            hint="a record is written when a run that is captured writes into the container",
        )
    others = {**others, **start.as_elsewhere()}
    folders = [os.path.dirname(os.path.abspath(path)), *search]
    places = Places([Place(folder, True) for folder in search], on_step)
    below = below or places.with_uuid
    walk = Walk(start, lambda wanted: _find(wanted, folders, below, others), _embedded)
    walk.take_embedded(embedded_elsewhere(metadata).documents)
    walk.run()
    newest_first = (record for _, record in reversed(start.good))
    now = standing(start.identity, newest_first, metadata)
    problems = (*walk.problems, *places.notes)
    return Trail(start, walk.found, walk.records, now, problems, walk.documents)


class Walk:
    """Follows the digests that records name, through all records at hand.

    A record counts when one that counts names its digest: in `previous`, or as what a container of
    the run carried. So it needs no trust where it comes from. A container that carried none is
    followed into the records that stand in it now; whoever reads them judges whether they fit.
    """

    def __init__(
        self,
        start: Carrier,
        find: Callable[[Container], Carrier | None],
        embedded: Callable[[Carrier], Mapping[str, bytes]] = lambda carrier: {},
    ) -> None:
        """`find` looks for a container; `embedded` reads what one that it found embeds."""
        self.found: dict[UUID, Carrier] = {}
        self.records: dict[str, Record] = {}
        self.problems: list[str] = [f"{start.identity.name}: {e}" for e in start.embedded_errors]
        self._find = find
        self._read_embedded = embedded
        self._seen = {start.identity.uuid}
        self._opened: set[UUID] = set()
        self._parsed: dict[str, Record] = {}
        self.documents: dict[str, bytes] = {}
        self._asked: set[str] = set()
        self._unmet: list[tuple[str, UUID]] = []
        self._deep: set[UUID] = set()
        self._entries = 0
        self._todo: deque[str] = deque()
        self._named: deque[Container] = deque()
        self._take(start)
        self.take_embedded(start.embedded)
        for stored, record in start.good:
            self._ask(stored.digest, record.container)

    def run(self) -> None:
        """Goes all the way. Takes time in proportion to the records and the containers in them."""
        while True:
            self._go()
            # What a found container embeds is read when a record of it names what is not at hand.
            at_hand = (self.records, self.documents)
            unmet = dict.fromkeys(
                by for digest, by in self._unmet if not any(digest in those for those in at_hand)
            )
            self._unmet = []
            for uuid in unmet:
                if uuid in self.found and uuid not in self._deep:
                    self._deep.add(uuid)
                    self.take_embedded(self._read_embedded(self.found[uuid]))
            if not self._todo or self._is_full:
                break
        self._add_beside()

    def take_embedded(self, documents: Mapping[str, bytes]) -> None:
        """Adds documents, by digest, to what is at hand."""
        self._todo.extend(d for d in documents if d in self._asked and d not in self.documents)
        self.documents.update(documents)

    def _go(self) -> None:
        while self._todo or self._named:
            if self._named:
                container = self._named.popleft()
                if container.uuid:
                    self._look(container, container.uuid)
                continue
            if self._is_full:
                limit = f"{MAX_RECORDS} records, or {MAX_ENTRIES} containers in them"
                self.problems.append(f"more than {limit}: the rest was left out")
                return
            digest = self._todo.popleft()
            record = self._read(digest)
            if record is None:
                continue
            self.records[digest] = record
            self._entries += len(record.containers)
            if record.previous:
                self._ask(record.previous, record.container)
            for container in record.containers:
                if container.record:
                    self._ask(container.record, record.container)
                if container.uuid:
                    self._look(container, container.uuid)

    def _take(self, carrier: Carrier) -> None:
        """Adds a carrier's records to those at hand."""
        self._parsed.update((s.digest, r) for s, r in carrier.good)
        self._todo.extend(s.digest for s, _ in carrier.good if s.digest in self._asked)
        for stored in carrier.foreign:
            self._named.extend(named_in(stored.foreign, carrier.identity.path))

    def _ask(self, digest: str, by: UUID) -> None:
        """Wants a record, which one of the container `by` names."""
        if digest not in self._asked:
            self._asked.add(digest)
            if digest in self._parsed or digest in self.documents:
                self._todo.append(digest)
            else:
                self._unmet.append((digest, by))

    @property
    def _is_full(self) -> bool:
        return len(self.records) >= MAX_RECORDS or self._entries > MAX_ENTRIES

    def _read(self, digest: str) -> Record | None:
        if digest in self.records:
            return None
        if digest in self._parsed:
            return self._parsed[digest]
        data = self.documents[digest]
        try:
            if record_digest(data) != digest:
                raise RecordError("", "its bytes have another digest")
            return Record.from_bytes(data)
        except RecordError as error:
            self.problems.append(f"embedded record {digest}: {error}")
            return None

    def _look(self, container: Container, uuid: UUID) -> None:
        """Looks for a container once; what it carries helps whoever named it by digest."""
        if uuid not in self._seen and len(self._seen) < MAX_CONTAINERS:
            self._seen.add(uuid)
            carrier = self._find(container)
            if carrier:
                self.found[uuid] = carrier
                self._take(carrier)
        if container.record is None and uuid in self.found and uuid not in self._opened:
            self._opened.add(uuid)
            for stored, record in self.found[uuid].good:
                self._ask(stored.digest, record.container)

    def _add_beside(self) -> None:
        """What nobody's digest names, but belongs to what is named: words that were added later,
        and the records of the same runs in their other outputs."""
        ids = {r.id for r in self.records.values() if not r.about}
        for carrier in self.found.values():
            for stored, record in carrier.good:
                about = record.about and record.about.record in self.records
                if about or (not record.about and record.id in ids):
                    self.records.setdefault(stored.digest, record)


def _find(
    wanted: Container,
    folders: list[str],
    below: Callable[[UUID], Iterable[str]],
    others: Elsewhere,
) -> Carrier | None:
    near = (os.path.join(f, os.path.basename(wanted.name)) for f in folders)
    far = below(wanted.uuid) if wanted.uuid else ()
    for path in chain((wanted.path,), near, far):
        if os.path.isdir(path) != (FOLDER in wanted.marks) or path.endswith(EXTENSION):
            continue
        try:
            carrier = read_carrier(path, others, embedded=False)
        except FileError:
            continue
        if carrier.identity.uuid == wanted.uuid:
            return carrier
    return from_elsewhere(wanted.path, wanted.uuid, others) if wanted.uuid else None


def _embedded(carrier: Carrier) -> Mapping[str, bytes]:
    if carrier.identity.reason:
        return {}
    try:
        return read_carrier(carrier.identity.path).embedded
    except FileError:
        return {}
