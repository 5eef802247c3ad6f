"""How the entities of a trail stand beside the containers that were found."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from uuid import UUID

from sifprov.carrier import Carrier
from sifprov.frozen import replace
from sifprov.model.graph import EMBEDDED, FOUND, MISSING, Entity
from sifprov.trail import Trail

# What does not fit, in an entity's `problem`.
OTHER_RECORDS = "carries other records now than it did then"
ANOTHERS = "the record that it carried speaks of another container"
CHANGED = "had been changed since its newest record, by no recorded run"
MORE = "more was written into it after its newest record was made"


class Standings:
    """Compares entities with what was found, by UUID and record digest."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._carried: dict[UUID, frozenset[str]] = {}

    @cached_property
    def inside(self) -> frozenset[str]:
        """The digests of the records that stand in the very containers that they speak of."""
        carriers = [
            c for c in (self._trail.start, *self._trail.ancestors.values()) if not c.of_many
        ]
        return frozenset(s.digest for c in carriers for s in c.records if s.place is None)

    def of(self, entity: Entity) -> Entity:
        """Returns the entity with its standing, path and problem."""
        carrier = self._carrier(entity.uuid)
        there = carrier if carrier and not carrier.identity.reason else None
        path = there.identity.path if there else None
        if entity.record is None:
            other = there and there.identity.record and entity.generated_by is None
            problem = OTHER_RECORDS if other else entity.problem
            standing = FOUND if there else EMBEDDED
            return replace(entity, standing=standing, path=path, problem=problem)
        if there and entity.record in self._digests(there):
            return replace(entity, standing=FOUND, path=path)
        standing = EMBEDDED if entity.record in self._trail.records else MISSING
        problem = OTHER_RECORDS if there else entity.problem
        return replace(entity, standing=standing, path=path, problem=problem)

    def broken(self) -> Iterator[str]:
        """Yields a line for each record that cannot be read."""
        for carrier in (self._trail.start, *self._trail.ancestors.values()):
            for stored in carrier.records:
                if stored.error:
                    where = f"{carrier.identity.name}: broken record (object {stored.object_id})"
                    yield f"{where}: {stored.error}"

    def _carrier(self, uuid: UUID | None) -> Carrier | None:
        start = self._trail.start
        if uuid and uuid == start.identity.uuid and not start.of_many:
            return start
        return self._trail.ancestors.get(uuid) if uuid else None

    def _digests(self, carrier: Carrier) -> frozenset[str]:
        uuid = carrier.identity.uuid or UUID(int=0)
        if uuid not in self._carried:
            self._carried[uuid] = frozenset(s.digest for s in carrier.records)
        return self._carried[uuid]
