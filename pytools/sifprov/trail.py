"""Reads the record trail: from a container back to its origins, as far as they can be seen."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from sifprov.errors import FileError, NoRecordError
from sifprov.identity import Identity, identify_image
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.record import Container, Record
from sifprov.records import Stored, read_records
from sifprov.sif import open_image
from sifprov.signatures import Signature, changed_after_signing, signatures

SCHEMA = "sifprov.trail/1"
# Hostile records may name containers without end.
MAX_CONTAINERS = 10_000


@dataclass(frozen=True)
class Carrier:
    """A container and the records that it carries, oldest first."""

    identity: Identity
    records: tuple[Stored, ...]
    signatures: tuple[Signature, ...] = ()
    changed_after_signing: bool = False

    def is_signed(self, stored: Stored) -> bool:
        """Whether a signature speaks of this record's group; nothing here verifies it."""
        return any(s.group == stored.group for s in self.signatures)

    @property
    def good(self) -> tuple[tuple[Stored, Record], ...]:
        """The records that could be read."""
        return tuple((s, s.record) for s in self.records if s.record)


@dataclass(frozen=True)
class Trail:
    """A container with its records, and the ancestors that were found, by UUID."""

    start: Carrier
    ancestors: dict[UUID, Carrier]

    def to_json(self) -> Json:
        """Returns the JSON document that `sifprov trail --json` prints."""
        return {
            "ancestors": [_carrier_json(c) for c in self.ancestors.values()],
            "container": _carrier_json(self.start),
            "schema": SCHEMA,
        }


def _carrier_json(carrier: Carrier) -> Json:
    identity = carrier.identity
    declared = identity.declaration
    return {
        "changed_after_signing": carrier.changed_after_signing,
        "created": identity.created,
        "modified": identity.modified,
        "mount": text_to_json(declared.mount) if declared else None,
        "name": text_to_json(identity.name),
        "path": text_to_json(identity.path),
        "records": [
            {
                "digest": s.digest or None,
                "error": s.error,
                "object": s.object_id,
                "record": s.record.to_json() if s.record else None,
                "signed": carrier.is_signed(s),
            }
            for s in carrier.records
        ],
        "role": declared.role if declared else None,
        "signatures": [
            {"covers": s.covers, "created": s.created, "group": s.group, "object": s.object_id}
            for s in carrier.signatures
        ],
        "uuid": str(identity.uuid) if identity.uuid else None,
    }


def read_carrier(path: str) -> Carrier:
    """Reads a container's identity and records. Raises FileError when it is no SIF."""
    with open_image(path) as (file, image):
        records = read_records(file, image)
        good = [(s.object_id, s.record) for s in records if s.record]
        return Carrier(
            identify_image(path, file, image),
            records,
            signatures(image),
            changed_after_signing(image, good),
        )


def read_trail(path: str, search: Iterable[str] = ()) -> Trail:
    """Reads the trail of the container at `path`. Raises FileError, NoRecordError.

    Ancestors are looked for where the record says, beside the container, and in the folders
    `search`; one counts only when its UUID is the recorded one.
    """
    start = read_carrier(path)
    if not start.records:
        raise NoRecordError(
            f"{path}: carries no record",
            hint="a record is written when a run that is captured writes into the container",
        )
    folders = [os.path.dirname(os.path.abspath(path)), *search]
    seen: set[UUID] = {start.identity.uuid} if start.identity.uuid else set()
    ancestors: dict[UUID, Carrier] = {}
    todo = deque(_named(start))
    while todo and len(seen) < MAX_CONTAINERS:
        wanted = todo.popleft()
        if wanted.uuid is None or wanted.uuid in seen:
            continue
        seen.add(wanted.uuid)
        carrier = _find(wanted, folders)
        if carrier:
            ancestors[wanted.uuid] = carrier
            todo.extend(_named(carrier))
    return Trail(start, ancestors)


def _named(carrier: Carrier) -> list[Container]:
    return [c for _, record in carrier.good for c in record.containers]


def _find(wanted: Container, folders: list[str]) -> Carrier | None:
    for path in (wanted.path, *(os.path.join(f, os.path.basename(wanted.name)) for f in folders)):
        try:
            carrier = read_carrier(path)
        except FileError:
            continue
        if carrier.identity.uuid == wanted.uuid:
            return carrier
    return None
