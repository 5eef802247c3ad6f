"""What the prototype recorded (model/foreign.py), as a part of the graph.

Its documents name containers by UUID alone. So they tell one state of a container from another
only by the documents that the container itself holds, and may lead in a circle.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator
from uuid import UUID

from sifprov.carrier import Carrier
from sifprov.foreign import StoredForeign
from sifprov.frozen import replace
from sifprov.identity import Identity, describe
from sifprov.model.container import APPLICATION, INPUT, OUTPUT, Container
from sifprov.model.foreign import Named
from sifprov.model.graph import APPLICATION as PROGRAM
from sifprov.model.graph import DATA, EMBEDDED, FOUND, Activity, Entity, Graph, Usage
from sifprov.trail import Trail

BY_UUID = "named by its UUID alone, by another program: what it held then is not known"
NOT_TOLD = "another program's record tells no content digest"
# Hostile documents may name containers without end.
MAX_NAMED = 100_000


def with_foreign(graph: Graph, trail: Trail) -> Graph:
    """Returns the graph with what the prototype's documents in the found containers tell, oldest
    first. Takes time in proportion to the documents and what they name."""
    carriers = [c for c in (trail.start, *trail.ancestors.values()) if c.foreign]
    return _Foreign(graph, trail, carriers).graph() if carriers else graph


class _Foreign:
    def __init__(self, graph: Graph, trail: Trail, carriers: list[Carrier]) -> None:
        self._graph = graph
        self._trail = trail
        self._carriers = carriers
        self._entities: dict[str, Entity] = {}
        self._activities: dict[str, Activity] = {}
        self._left = MAX_NAMED

    def graph(self) -> Graph:
        for carrier in self._carriers:
            self._add_states(carrier)
        for carrier in self._carriers:
            for stored in carrier.foreign:
                self._add_activity(carrier, stored)
        old = self._graph
        activities = {**dict(self._ordered()), **old.activities}
        entities = {**self._entities, **{k: self._behind(e) for k, e in old.entities.items()}}
        targets = old.targets
        start = self._trail.start
        if start.foreign and not start.good:
            # What stood for the container as it is now is what its document tells.
            entities = {k: e for k, e in entities.items() if k not in targets}
            targets = (_state(start, start.foreign[-1]),)
        problems = old.problems
        if self._left <= 0:
            problems = (*problems, f"more than {MAX_NAMED} containers are named: some are left out")
        return replace(
            old, targets=targets, entities=entities, activities=activities, problems=problems
        )

    def _add_states(self, carrier: Carrier) -> None:
        """The container as each of its documents left it."""
        before = None
        for stored in carrier.foreign:
            key = _state(carrier, stored)
            application = not stored.foreign.is_run and _is_application(carrier)
            it = _found(APPLICATION if application else OUTPUT, carrier)
            kind = PROGRAM if application else DATA
            path = carrier.identity.path
            by = _activity(stored)
            self._entities[key] = Entity(key, kind, it, None, by, before, FOUND, path)
            before = key

    def _add_activity(self, carrier: Carrier, stored: StoredForeign) -> None:
        foreign, made = stored.foreign, self._entities[_state(carrier, stored)]
        used = [self._use(APPLICATION, foreign.application)] if foreign.application else []
        for named in foreign.inputs:
            if self._left <= 0:
                break
            used.append(self._use(INPUT, named))
        key = _activity(stored)
        known = self._activities.get(key)
        # The same document in two files: one of them is a copy of the other.
        generated = (*(known.generated if known else ()), Usage(made.key, made.container))
        self._activities[key] = Activity(
            key, None, (stored.digest,), tuple(used), generated, foreign=foreign
        )

    def _use(self, role: str, named: Named) -> Usage:
        self._left -= 1
        carrier = self._carrier(named.uuid)
        if carrier and carrier.foreign:
            return Usage(_state(carrier, carrier.foreign[-1]), _found(role, carrier))
        key = self._add_named(role, named)
        return Usage(key, replace(self._entities[key].container, role=role))

    def _add_named(self, role: str, named: Named) -> str:
        """A container of which no more is known than what names it."""
        name = hashlib.sha256(named.name.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        key = f"{named.uuid or 'name-' + name}#foreign"
        if key in self._entities:
            return key
        carrier = self._carrier(named.uuid)
        it = _found(role, carrier) if carrier else _described(role, named)
        kind, path = PROGRAM if role == APPLICATION else DATA, it.path or None
        standing = FOUND if carrier else EMBEDDED
        self._entities[key] = Entity(key, kind, it, None, None, None, standing, path, BY_UUID)
        return key

    def _behind(self, entity: Entity) -> Entity:
        """A container that a run of ours found without a record, behind what is told of it here;
        and one that a run of ours wrote into first, where the other document stands before."""
        carrier = self._carrier(entity.uuid)
        if not carrier or not carrier.foreign or entity.revision_of:
            return entity
        newest = carrier.foreign[-1]
        own = [s.object_id for s, _ in carrier.good if s.place is None]
        if entity.record and (not entity.generated_by or newest.object_id > min(own, default=0)):
            return entity
        return replace(entity, revision_of=_state(carrier, newest))

    def _carrier(self, uuid: UUID | None) -> Carrier | None:
        start = self._trail.start
        if uuid and uuid == start.identity.uuid:
            return start
        return self._trail.ancestors.get(uuid) if uuid else None

    def _ordered(self) -> Iterator[tuple[str, Activity]]:
        """Yields the activities so that each stands behind those that made what it used."""
        by = {u.entity: a.key for a in self._activities.values() for u in a.generated}
        needs = {
            key: {m for u in a.used if (m := by.get(u.entity))}
            for key, a in self._activities.items()
        }
        wanted: dict[str, list[str]] = {}
        for key, makers in needs.items():
            for maker in makers:
                wanted.setdefault(maker, []).append(key)
        waiting = deque(self._activities)
        ready = deque(key for key, makers in needs.items() if not makers)
        done: set[str] = set()
        while len(done) < len(self._activities):
            if ready:
                key = ready.popleft()
            else:
                # All that are left lead in circles: one of them has to go first.
                while waiting[0] in done:
                    waiting.popleft()
                key = waiting.popleft()
            if key in done:
                continue
            yield key, self._cut(self._activities[key], by, done)
            done.add(key)
            for other in wanted.get(key, ()):
                needs[other].discard(key)
                if not needs[other]:
                    ready.append(other)

    def _cut(self, activity: Activity, by: dict[str, str], done: set[str]) -> Activity:
        """Without what is made by none that came before: it is named by its UUID alone."""
        used = []
        for usage in activity.used:
            maker = by.get(usage.entity)
            if maker is not None and maker not in done:
                named = Named(usage.container.name, usage.container.uuid)
                usage = Usage(self._add_named(usage.container.role, named), usage.container)
            used.append(usage)
        return replace(activity, used=tuple(used))


def _activity(stored: StoredForeign) -> str:
    return stored.digest.partition(":")[2]


def _state(carrier: Carrier, stored: StoredForeign) -> str:
    return f"{carrier.identity.uuid}#foreign:{stored.digest.partition(':')[2]}"


def _is_application(carrier: Carrier) -> bool:
    return bool(carrier.identity.system)


def _found(role: str, carrier: Carrier) -> Container:
    it = describe(role, carrier.identity, None, NOT_TOLD)
    return replace(it, record=None)


def _described(role: str, named: Named) -> Container:
    it = describe(role, Identity("", named.uuid), None, NOT_TOLD)
    return replace(it, name=named.name)
