"""Reads the record trail: from a container back to its origins, as far as they can be seen."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from uuid import UUID

from sifprov.carrier import Carrier, Elsewhere, elsewhere, from_elsewhere, read_carrier
from sifprov.changes import Standing, standing
from sifprov.errors import FileError, NoRecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.record import FOLDER, Container
from sifprov.sidecar import EXTENSION

__all__ = ["Carrier", "Trail", "read_carrier", "read_trail"]

SCHEMA = "sifprov.trail/1"
# Hostile records may name containers without end.
MAX_CONTAINERS = 10_000


@dataclass(frozen=True)
class Trail:
    """A container with its records, and the ancestors that were found, by UUID. `standing`: its
    content as it is now."""

    start: Carrier
    ancestors: dict[UUID, Carrier]
    standing: Standing | None = None

    def to_json(self) -> Json:
        """Returns the JSON document that `sifprov trail --json` prints."""
        return {
            "ancestors": [_carrier_json(c) for c in self.ancestors.values()],
            "container": _carrier_json(self.start),
            "now": self.standing.to_json() if self.standing else None,
            "schema": SCHEMA,
        }


def _carrier_json(carrier: Carrier) -> Json:
    identity = carrier.identity
    declared = identity.declaration
    return {
        "changed_after_signing": carrier.changed_after_signing,
        "created": identity.created,
        "kind": carrier.kind,
        "modified": identity.modified,
        "mount": text_to_json(declared.mount) if declared else None,
        "name": text_to_json(identity.name),
        "path": text_to_json(identity.path),
        "records": [
            {
                "digest": s.digest or None,
                "error": s.error,
                "object": s.object_id,
                "place": text_to_json(s.place) if s.place else None,
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


def read_trail(path: str, search: Iterable[str] = (), metadata: str = "") -> Trail:
    """Reads the trail of what is at `path`. Raises FileError, NoRecordError.

    Ancestors are looked for where the record says, beside the container, and in the folders
    `search`; one counts only when its UUID is the recorded one. `metadata` names a place that holds
    records of many.
    """
    others = elsewhere(metadata)
    start = read_carrier(path, others)
    if not start.records:
        raise NoRecordError(
            f"{path}: carries no record",
            hint="a record is written when a run that is captured writes into the container",
        )
    others = {**others, **start.as_elsewhere()}
    folders = [os.path.dirname(os.path.abspath(path)), *search]
    seen: set[UUID] = {start.identity.uuid} if start.identity.uuid else set()
    ancestors: dict[UUID, Carrier] = {}
    todo = deque(_named(start))
    while todo and len(seen) < MAX_CONTAINERS:
        wanted = todo.popleft()
        if wanted.uuid is None or wanted.uuid in seen:
            continue
        seen.add(wanted.uuid)
        carrier = _find(wanted, folders, others)
        if carrier:
            ancestors[wanted.uuid] = carrier
            todo.extend(_named(carrier))
    newest_first = (record for _, record in reversed(start.good))
    return Trail(start, ancestors, standing(start.identity, newest_first, metadata))


def _named(carrier: Carrier) -> list[Container]:
    return [c for _, record in carrier.good for c in record.containers]


def _find(wanted: Container, folders: list[str], others: Elsewhere) -> Carrier | None:
    for path in (wanted.path, *(os.path.join(f, os.path.basename(wanted.name)) for f in folders)):
        if os.path.isdir(path) != (FOLDER in wanted.marks) or path.endswith(EXTENSION):
            continue
        try:
            carrier = read_carrier(path, others)
        except FileError:
            continue
        if carrier.identity.uuid == wanted.uuid:
            return carrier
    return from_elsewhere(wanted.path, wanted.uuid, others) if wanted.uuid else None
