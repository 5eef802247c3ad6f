"""What carries records: a container, a plain folder by its sidecar, or a place that holds those of
many."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from uuid import UUID

from sifprov.embedded import NOTHING, Embedded, read_embedded
from sifprov.errors import FileError
from sifprov.foreign import StoredForeign, read_foreign
from sifprov.frozen import dataclass, replace
from sifprov.identity import Identity, identify_image
from sifprov.model.record import FOLDER, Record
from sifprov.placement import (
    CONTAINER,
    METADATA,
    SIDECAR,
    is_metadata,
    named,
    read_place,
    read_place_embedded,
)
from sifprov.records import Stored, read_records
from sifprov.sidecar import EXTENSION, beside, read_sidecar, read_sidecar_embedded
from sifprov.sif import open_image
from sifprov.signatures import Signature, changed_after_signing, signatures

Elsewhere = Mapping[UUID, tuple[Stored, ...]]


@dataclass(frozen=True)
class Carrier:
    """A container or folder and the records that speak of it, oldest first.

    `kind` is CONTAINER or FOLDER; or METADATA or SIDECAR for a place, whose records speak of
    others. Records that stand in a place, not in the container itself, name it as their `place`.
    `embedded` are the documents of ancestors that it holds, by the SHA-256 of their bytes, which
    was checked; `embedded_errors` the objects of them (in a sidecar the lines) that cannot be read.
    `foreign` is what the thesis's prototype recorded in it, in the order of the file.
    """

    identity: Identity
    records: tuple[Stored, ...]
    signatures: tuple[Signature, ...] = ()
    changed_after_signing: bool = False
    kind: str = CONTAINER
    embedded: Mapping[str, bytes] = MappingProxyType({})
    embedded_errors: tuple[tuple[int, str], ...] = ()
    foreign: tuple[StoredForeign, ...] = ()

    def is_signed(self, stored: Stored) -> bool:
        """Whether a signature speaks of this record's group; nothing here verifies it."""
        return stored.place is None and any(s.group == stored.group for s in self.signatures)

    @property
    def good(self) -> tuple[tuple[Stored, Record], ...]:
        """The records that could be read."""
        return tuple((s, s.record) for s in self.records if s.record)

    @property
    def of_many(self) -> bool:
        """Whether its records are those of others."""
        return self.kind in (METADATA, SIDECAR)

    def as_elsewhere(self) -> Elsewhere:
        """Returns the records of a place by the container that they speak of."""
        return _grouped(self.identity.path, self.records) if self.of_many else {}

    def parts(self) -> Iterator[Carrier]:
        """Yields the others whose records a place holds, the one with the newest record first; then
        what could not be read, under no UUID."""
        for uuid, records in reversed(_by_container(self.records).items()):
            it = next((r.itself() for s in reversed(records) if (r := s.record)), None)
            path = it.path if it else ""
            yield Carrier(Identity(path, uuid), tuple(records))
        broken = tuple(s for s in self.records if s.record is None)
        if broken:
            yield Carrier(Identity(self.identity.path), broken)


def _by_container(records: tuple[Stored, ...]) -> dict[UUID, list[Stored]]:
    """The good records by the container that they speak of, which come as their newest ones do."""
    found: dict[UUID, list[Stored]] = {}
    for stored in records:
        if stored.record:
            uuid = stored.record.container
            found[uuid] = found.pop(uuid, [])
            found[uuid].append(stored)
    return found


def elsewhere(metadata: str) -> Elsewhere:
    """Returns the records in the place that `metadata` names, by container; none where it is
    empty, or nothing is there yet. Raises FileError."""
    if not metadata or not os.path.lexists(metadata):
        return {}
    return _grouped(metadata, read_place(named(metadata)))


def _grouped(place: str, records: tuple[Stored, ...]) -> Elsewhere:
    found = _by_container(records)
    return {u: tuple(replace(s, place=place) for s in several) for u, several in found.items()}


def embedded_elsewhere(metadata: str) -> Embedded:
    """Returns what the place that `metadata` names embeds; nothing where it is empty, or nothing is
    there yet. Raises FileError."""
    if not metadata or not os.path.lexists(metadata):
        return NOTHING
    return read_place_embedded(named(metadata))


def read_carrier(path: str, others: Elsewhere | None = None, *, embedded: bool = True) -> Carrier:
    """Reads what carries records at `path`, with those that stand elsewhere, and unless `embedded`
    is False what it embeds. Raises FileError when it is no SIF, sidecar or folder."""
    others = others or {}
    if os.path.isdir(path):
        return _folder(path, others, embedded)
    if path.endswith(EXTENSION):
        more = read_sidecar_embedded(path) if embedded else NOTHING
        return _with(more, Carrier(Identity(path), read_sidecar(path), kind=SIDECAR))
    with open_image(path) as (file, image):
        records = read_records(file, image)
        good = [(s.object_id, s.record) for s in records if s.record]
        newest = next((s.digest for s in reversed(records) if s.digest), None)
        kind = CONTAINER
        if is_metadata(image) and any(r.container != image.header.uuid for _, r in good):
            kind = METADATA
        found = Carrier(
            replace(identify_image(path, file, image, with_record=False), record=newest),
            _merged(records, others.get(image.header.uuid, ())),
            signatures(image),
            changed_after_signing(image, good),
            kind,
            foreign=read_foreign(file, image),
        )
        return _with(read_embedded(file, image) if embedded else NOTHING, found)


def _with(embedded: Embedded, carrier: Carrier) -> Carrier:
    return replace(carrier, embedded=embedded.documents, embedded_errors=embedded.errors)


def from_elsewhere(path: str, uuid: UUID, others: Elsewhere) -> Carrier | None:
    """Returns what is known elsewhere of a container that is not found itself."""
    records = others.get(uuid)
    return Carrier(Identity(path, uuid, reason="not found"), records) if records else None


def _folder(path: str, others: Elsewhere, embedded: bool) -> Carrier:
    whole, sidecar = os.path.abspath(path), beside(path)
    has_own = os.path.lexists(sidecar)
    own = read_sidecar(sidecar) if has_own else ()
    more: list[Stored] = []
    for records in others.values():
        its = [r.itself() for s in records if (r := s.record)]
        if any(it and FOLDER in it.marks and it.path == whole for it in its):
            more += records
    found = _merged(tuple(replace(s, place=sidecar) for s in own), tuple(more))
    if not found and not has_own:
        raise FileError(
            f"{path}: a folder without a sidecar ({os.path.basename(sidecar)})",
            hint="name a container, or with --metadata the place that has its records",
        )
    uuid = next((s.record.container for s in reversed(found) if s.record), None)
    lineage = read_sidecar_embedded(sidecar) if has_own and embedded else NOTHING
    return _with(lineage, Carrier(Identity(whole, uuid), found, kind=FOLDER))


def _merged(own: tuple[Stored, ...], more: tuple[Stored, ...]) -> tuple[Stored, ...]:
    """Two chains as one: by the time of recording, but each in its own order."""
    known = {s.digest for s in own if s.digest}
    rest = [s for s in more if s.digest not in known]
    return tuple(heapq.merge(own, rest, key=lambda s: s.record.recorded if s.record else ""))


def split_reference(reference: str) -> tuple[str, str]:
    """Takes `PATH@ID`, which names a record at a path, apart; without an id that is empty. A name
    that holds an @ counts as it is where it is there."""
    path, at, wanted = reference.rpartition("@")
    if at and not os.path.lexists(reference) and os.path.lexists(path):
        return path, wanted.lower()
    return reference, ""
