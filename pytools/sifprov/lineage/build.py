"""The trail as a graph: which container, in which state, was made by which run from which others.

What holds the graph together is digests. A record names by its digest the record before it, and
the newest one of each container that it used: that is a state of that container. Where a container
carried no record, a record elsewhere may know it by its UUID and content digest.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from uuid import UUID

from sifprov.carrier import Carrier
from sifprov.frozen import replace
from sifprov.identity import Identity, describe
from sifprov.lineage.foreign import with_foreign
from sifprov.lineage.found import ANOTHERS, CHANGED, MORE, Standings
from sifprov.lineage.order import grouped, in_order, states
from sifprov.model.container import (
    APPLICATION,
    CHANGED_OUTSIDE,
    INPUT,
    OUTPUT,
    PROVISIONAL,
    Container,
)
from sifprov.model.container import FOLDER as FOLDER_MARK
from sifprov.model.graph import APPLICATION as PROGRAM
from sifprov.model.graph import (
    DATA,
    EMBEDDED,
    FOLDER,
    Activity,
    Entity,
    Graph,
    Usage,
    entity_key,
)
from sifprov.model.record import Record
from sifprov.model.timestamp import to_ns
from sifprov.trail import Trail


def build(trail: Trail) -> Graph:
    """Returns the graph of a trail. Takes n log n of the records and of the containers in them."""
    return with_foreign(_Build(trail).graph(), trail)


class _Build:
    """The tables of one graph. Activities come oldest first, so that what one used is there."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self._records = trail.records
        self._states = states(trail.records)
        self._entities: dict[str, Entity] = {}
        self._activities: dict[str, Activity] = {}
        self._activity_of: dict[str, str] = {}
        self._standings = Standings(trail)
        self._problems: list[str] = []

    def graph(self) -> Graph:
        for key, digests in self._groups().items():
            self._activities[key] = self._activity(key, digests)
            self._activity_of.update(dict.fromkeys(digests, key))
        words = self._add_words()
        targets = self._targets()
        return Graph(
            targets,
            {key: self._standings.of(entity) for key, entity in self._entities.items()},
            {key: self._with_names(activity) for key, activity in self._activities.items()},
            (*self._standings.broken(), *self._trail.problems, *self._problems),
            words,
        )

    def _groups(self) -> dict[str, list[str]]:
        """The digests of each activity's records by its key, oldest first."""
        groups = grouped(self._records)
        order = in_order(groups, self._records, self._needs)
        if order is None:
            # Digests alone make no circle: it takes outputs of one run that need each other.
            self._problems.append("outputs of one run lead to each other: each is shown by itself")
            groups = grouped(self._records, apart=True)
            order = in_order(groups, self._records, self._needs) or []
        return {key: groups[key] for key in order}

    def _needs(self, digest: str) -> Iterator[str]:
        record = self._records[digest]
        for named in (record.previous, *(c.record for c in record.containers)):
            state = self._state(named)
            if state and state in self._records and not self._records[state].about:
                yield state

    def _state(self, digest: str | None) -> str | None:
        return self._states.get(digest, digest) if digest else None

    def _activity(self, key: str, digests: list[str]) -> Activity:
        record = self._records[digests[0]]
        used = [
            Usage(self._used(container, record, key), container)
            for role in (APPLICATION, INPUT)
            for container in record.with_role(role)
        ]
        made = {self._records[d].container: self._made(d, key) for d in digests}
        generated = [
            Usage(made.pop(c.uuid) if c.uuid in made else self._sibling(c, key), c)
            for c in record.with_role(OUTPUT)
        ]
        # An origin record does not describe its own container.
        generated += [Usage(k, self._entities[k].container) for k in made.values()]
        return Activity(key, record, tuple(digests), tuple(used), tuple(generated))

    def _made(self, digest: str, key: str) -> str:
        record = self._records[digest]
        it = replace(_described(record), record=digest)
        return self._add(it, by=key, before=self._before(record))

    def _sibling(self, container: Container, key: str) -> str:
        """Another output of the run, whose own record is not at hand. Its content does not tell it
        from what another run made of it."""
        key_of_it = entity_key(replace(container, record=None, digest=None), key)
        return self._add(replace(container, record=None), by=key, key=key_of_it)

    def _before(self, record: Record) -> str | None:
        """The state of a record's container before it."""
        state = self._state(record.previous)
        earlier = self._records.get(state) if state else None
        if state is None or (earlier and earlier.container != record.container):
            return None  # a sealed container goes on behind the records that it took over
        if earlier is None and record.origin and record.containers:
            return None
        told = _content(earlier) if earlier else None
        it = replace(_described(record), record=state, digest=told, marks=())
        return self._add(replace(it, reason=None if told else "its record is not at hand"))

    def _used(self, container: Container, record: Record, activity: str) -> str:
        """The entity that a run used: a state that a record tells, or what there is to say."""
        if container.record is None:
            known = self._known_by_content(container, record)
            return known or self._add(container, activity=activity)
        container = replace(container, record=self._state(container.record) or container.record)
        state = container.record or ""
        earlier = self._records.get(state)
        if earlier is None or earlier.about:
            return self._add(container)
        if earlier.container != container.uuid:
            return self._add(container, problem=ANOTHERS)
        told = _content(earlier)
        differs = told and container.digest and told != container.digest
        if not differs and CHANGED_OUTSIDE not in container.marks:
            return self._add(container)
        it = earlier.itself()
        more = it and PROVISIONAL in it.marks and CHANGED_OUTSIDE not in container.marks
        before = self._add(replace(container, digest=told, marks=()))
        key = f"{before}#{container.digest or 'in:' + activity}"
        return self._add(container, key=key, before=before, problem=MORE if more else CHANGED)

    def _known_by_content(self, container: Container, record: Record) -> str | None:
        """The newest state with this content that was recorded before a run that names no record,
        as those do whose inputs have their records elsewhere. What stands in the container itself
        it would have carried."""
        if container.uuid is None or container.digest is None:
            return None
        times = self._by_content.get((container.uuid, container.digest), [])
        place = bisect_right(times, (to_ns(record.recorded), "~")) - 1
        # One that comes later all the same: hostile times could lead in a circle.
        if place < 0 or times[place][1] not in self._activity_of:
            return None
        return entity_key(replace(container, record=times[place][1]))

    @cached_property
    def _by_content(self) -> dict[tuple[UUID, str], list[tuple[int, str]]]:
        """When (ns since 1970) which record told this content of this container, oldest first."""
        found: dict[tuple[UUID, str], list[tuple[int, str]]] = {}
        for digest, record in self._records.items():
            content = _content(record)
            if content and digest not in self._standings.inside:
                told = (to_ns(record.recorded), digest)
                found.setdefault((record.container, content), []).append(told)
        for times in found.values():
            times.sort()
        return found

    def _add(
        self,
        container: Container,
        *,
        by: str | None = None,
        before: str | None = None,
        problem: str | None = None,
        activity: str = "",
        key: str = "",
    ) -> str:
        """Adds an entity, or to one what was not known of it; returns its key."""
        key = key or entity_key(container, activity)
        old = self._entities.get(key)
        if old is None:
            kind = _kind(container)
            self._entities[key] = Entity(
                key, kind, container, container.record, by, before, EMBEDDED, None, problem
            )
        elif not old.container.name or (old.generated_by is None and old.digest is None):
            digest = old.digest or container.digest
            it = replace(container, digest=digest, reason=None if digest else container.reason)
            self._entities[key] = replace(old, container=it)
        return key

    def _add_words(self) -> tuple[Record, ...]:
        """Gives words to the activities that they are about; returns those about none at hand."""
        words: dict[str, list[Record]] = {}
        loose: list[Record] = []
        for record in self._records.values():
            if record.about:
                about = self._activity_of.get(record.about.record, str(record.about.id))
                (words.setdefault(about, []) if about in self._activities else loose).append(record)
        for key, said in words.items():
            said.sort(key=lambda r: (to_ns(r.recorded), r.id))
            self._activities[key] = replace(self._activities[key], words=tuple(said))
        return tuple(loose)

    def _targets(self) -> tuple[str, ...]:
        """The newest states of what the trail was asked for, newest first."""
        start = self._trail.start
        if not start.of_many:
            return self._heads(start) or (self._newest(start),)
        used = {u.entity for a in self._activities.values() for u in a.used}
        parts = [key for part in start.parts() for key in self._heads(part)]
        ends = tuple(key for key in parts if key not in used) or tuple(parts)
        return ends or (self._add(_of_identity(start.identity)),)

    def _heads(self, carrier: Carrier) -> tuple[str, ...]:
        """The states of a container that none came behind: one, unless its records make several
        chains."""
        uuid = carrier.identity.uuid
        told = ((s.digest, r) for s, r in carrier.good if not r.about)
        own = [(d, r) for d, r in told if r.container == uuid and d in self._activity_of]
        passed = {self._state(r.previous) for _, r in own}
        it = _of_identity(carrier.identity)
        return tuple(self._add(replace(it, record=d)) for d, _ in reversed(own) if d not in passed)

    def _newest(self, carrier: Carrier) -> str:
        """A container none of whose records tells its content."""
        it = _of_identity(carrier.identity)
        for stored, record in reversed(carrier.good):
            if record.about or stored.digest not in self._activity_of:
                it = replace(it, record=it.record or stored.digest)
                continue
            before = entity_key(replace(it, uuid=record.container, record=stored.digest))
            return self._add(replace(it, record=stored.digest), before=before, problem=ANOTHERS)
        return self._add(it)

    def _with_names(self, activity: Activity) -> Activity:
        """An origin record does not say what its container is called; others do, later."""
        if not any(not u.container.name for u in activity.generated):
            return activity
        generated = []
        for usage in activity.generated:
            it = self._entities[usage.entity].container
            it = replace(it, role=OUTPUT, mount=None, source=None)
            generated.append(usage if usage.container.name else Usage(usage.entity, it))
        return replace(activity, generated=tuple(generated))


def _content(record: Record) -> str | None:
    """The content digest that a record tells of its container."""
    if record.origin:
        return record.origin.digest
    it = record.itself()
    return it.digest if it else None


def _described(record: Record) -> Container:
    """A record's own container, as far as the record describes it."""
    it = record.itself()
    if it:
        return it
    bare = describe(OUTPUT, Identity("", record.container), _content(record))
    return replace(bare, reason=None if bare.digest else "no record tells it")


def _of_identity(identity: Identity) -> Container:
    """What a file's own header tells of it."""
    return replace(describe(OUTPUT, identity, None, "not read"), record=None)


def _kind(container: Container) -> str:
    if FOLDER_MARK in container.marks:
        return FOLDER
    return PROGRAM if container.role == APPLICATION else DATA
