"""Trails of carriers that stand in no file, for the tests of graphs."""

from __future__ import annotations

from uuid import UUID

from tests.unit.graphmaker import Sample

from sifprov.carrier import Carrier
from sifprov.frozen import replace
from sifprov.identity import Identity
from sifprov.model.canonical import record_digest
from sifprov.model.container import INPUT, Container
from sifprov.model.graph import Entity
from sifprov.model.record import Record
from sifprov.records import Stored
from sifprov.trail import Trail, Walk

OTHER = UUID(int=999)


def plain(entity: Entity) -> tuple[object, ...]:
    """What must agree; the description is the fullest that there is, in any role."""
    it = replace(entity.container, role="", mount=None, source=None, writable=False, marks=())
    return (
        entity.key, entity.kind, it, entity.record, entity.generated_by, entity.revision_of,
        entity.standing, entity.path, entity.problem,
    )  # fmt: skip


def stored(*records: Record) -> tuple[Stored, ...]:
    """Records as they stand in a container, oldest first."""
    return tuple(
        Stored(n + 2, 2, record_digest(r.to_bytes()), r, None) for n, r in enumerate(records)
    )


def carrier(entity: Entity, *records: Record, place: str | None = None) -> Carrier:
    """A container on disk, with these records; or with a place that has them."""
    its = tuple(replace(s, place=place) for s in stored(*records))
    newest = its[-1].digest if its and place is None else None
    return Carrier(Identity(entity.container.path, entity.uuid, record=newest), its)


def read(start: Carrier, *found: Carrier) -> Trail:
    """The trail of what is on disk."""
    there = {c.identity.uuid: c for c in found}
    walk = Walk(start, lambda wanted: there.get(wanted.uuid))
    walk.run()
    return Trail(start, walk.found, walk.records, None, tuple(walk.problems), walk.documents)


def record_of(sample: Sample, entity: Entity) -> Record:
    """The record that stands in an entity."""
    return Record.from_bytes(sample.store[entity.record or ""])


def with_input(record: Record, change: Container) -> Record:
    """The record with another description of its (only) input."""
    return replace(
        record, containers=tuple(change if c.role == INPUT else c for c in record.containers)
    )
