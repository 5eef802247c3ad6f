"""Which run or making an export of one container speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from sifprov.errors import NoRecordError, SifprovError
from sifprov.frozen import dataclass
from sifprov.model.container import Container
from sifprov.model.graph import APPLICATION, Activity, Entity, Graph, Usage
from sifprov.model.record import Record


@dataclass(frozen=True)
class Made:
    """A container as it stood behind a record, and the run or making that left it so."""

    graph: Graph
    entity: Entity
    activity: Activity
    record: Record

    @property
    def container(self) -> Container:
        """The container as that run or making names it."""
        usages = self.activity.generated
        its = (u.container for u in usages if u.entity == self.entity.key)
        return next(its, self.entity.container)

    @property
    def application(self) -> Usage | None:
        """The application that ran; None for a making."""
        return next((u for u in self.activity.used if u.container.role == APPLICATION), None)

    @property
    def inputs(self) -> tuple[Usage, ...]:
        """What else was read, in the record's order."""
        return tuple(u for u in self.activity.used if u.container.role != APPLICATION)

    def entity_of(self, usage: Usage) -> Entity:
        """The container that was used or made."""
        return self.graph.entities[usage.entity]


def made(
    graph: Graph, name: str, wanted: str = "", records: Mapping[str, Record] = MappingProxyType({})
) -> Made:
    """Returns the newest run or making of the container that a graph leads to, or the one whose
    record's id begins with `wanted`. `name` is what the user called it; `records` has them by their
    digests: a run has one in each output, and that of this container is taken.

    Raises NoRecordError where no record tells of it, SifprovError where several would do.
    """
    targets = [graph.entities[key] for key in graph.targets if key in graph.entities]
    if not wanted:
        found = [
            m for entity in targets if (m := _made_by(graph, entity, entity.generated_by, records))
        ]
        if not found:
            raise NoRecordError(
                f"{name}: no record tells what left it as it stands",
                hint=f"'sifprov trail {name}' shows what is known; --record ID chooses a run",
            )
    else:
        uuids = {entity.uuid for entity in targets}
        keys = [key for key in graph.activities if key.startswith(wanted.lower())]
        found = [
            m
            for key in keys
            for usage in graph.activities[key].generated
            if graph.entities[usage.entity].uuid in uuids
            if (m := _made_by(graph, graph.entities[usage.entity], key, records))
        ]
        if not found:
            raise NoRecordError(
                f"{name}: no run or making of it has a record whose id begins with {wanted!r}",
                hint=f"'sifprov trail {name}' shows them",
            )
        if len({m.activity.key for m in found}) > 1:
            raise SifprovError(
                f"{name}: several records have an id that begins with {wanted!r}",
                hint="give more of it",
            )
    return found[0]


def _made_by(
    graph: Graph, entity: Entity, key: str | None, records: Mapping[str, Record]
) -> Made | None:
    activity = graph.activities.get(key) if key else None
    own = records.get(entity.record or "")
    record = own or activity.record if activity else None
    return Made(graph, entity, activity, record) if activity and record else None
