"""Runs and makings: what they used, what they made, by which command, in which container."""

from __future__ import annotations

from collections.abc import Sequence

from prov.constants import (
    PROV_ATTR_ACTIVITY,
    PROV_ATTR_ENTITY,
    PROV_GENERATION,
    PROV_USAGE,
)

from sifprov.export import attributes
from sifprov.export.agents import add_agents, associate, recorder
from sifprov.export.attributes import MAX_LABEL, name_of
from sifprov.export.clock import Clock, Times
from sifprov.export.containers import content, specialize
from sifprov.export.facts import Facts
from sifprov.export.process import add_command, add_command_text, add_process
from sifprov.export.relations import attribute, derive, member, revise
from sifprov.export.statements import Statements
from sifprov.export.vocabulary import by_digest, by_value, named, text
from sifprov.model.foreign import Foreign
from sifprov.model.graph import APPLICATION, Activity, Graph, Usage
from sifprov.model.record import Origin, Record, Run
from sifprov.model.workflowpart import WorkflowPart
from sifprov.terminal import command

# Up to so many derivations for each container of a run; with more, through a collection.
_MANY = 32


class Runs:
    """States the activities of a graph, oldest first."""

    def __init__(self, s: Statements, graph: Graph) -> None:
        self._s = s
        self._graph = graph
        self._clock = Clock()
        self._made: set[str] = set()
        self._awaited = {u.entity for a in graph.activities.values() for u in a.generated}
        self._settled: set[str] = set()
        # What the workflow as a whole has: plans, users and batch jobs in their order, and time.
        self.commands: dict[str, None] = {}
        self.users: dict[str, None] = {}
        self.jobs: dict[str, None] = {}
        self.elapsed_us: int | None = None
        # The runs of each workflow that a run says it was part of: name and start command.
        self.parts: dict[tuple[str, str | None], list[tuple[str, Run, str]]] = {}

    def add(self, activity: Activity) -> str:
        """States an activity; returns its name."""
        used = [u for u in activity.used if self._stands(u.entity)]
        made = [u for u in _once(activity.generated) if self._is_new(u.entity, activity.key)]
        for key in (*(u.entity for u in used), *(self._revises(u.entity) for u in made)):
            self.settle(key)
        before = [u.entity for u in used]
        before += [e for u in made if (e := self._revises(u.entity)) is not None]
        late = (
            "used before it was made, or while: left out"
            if len(used) < len(activity.used)
            else None
        )
        user = None
        if activity.record and activity.record.run:
            name, times, user = self._run(activity, activity.record.run, before, late)
        elif activity.record:
            name, times = self._making(activity, activity.record, before, late)
        elif activity.foreign:
            name, times = self._foreign(activity, activity.foreign, late)
        else:
            raise ValueError("an activity without a record")
        self._use(name, activity.key, used)
        self._generate(name, activity.key, made, times, user)
        self._derive(activity.key, used, made)
        for usage in made:
            self._clock.note(usage.entity, times, before)
            self._made.add(usage.entity)
        return name

    def settle(self, key: str | None) -> None:
        """States of what it is a revision, for an entity that no activity made: one that was
        changed by no recorded run, say. In hostile records such a chain may be a circle."""
        entities = self._graph.entities
        chain: dict[str, None] = {}
        while key and not any(key in known for known in (self._awaited, self._settled, chain)):
            chain[key] = None
            key = entities[key].revision_of
        for later in reversed(chain):
            earlier = entities[later].revision_of
            if earlier and (earlier in self._made or earlier in self._settled):
                revise(self._s, name_of(entities[later]), name_of(entities[earlier]))
                self._clock.note(later, Times(None, None, None), [earlier])
            self._settled.add(later)

    # -- the three kinds

    def _run(
        self, activity: Activity, run: Run, before: Sequence[str], late: str | None
    ) -> tuple[str, Times, str | None]:
        s, key, facts = self._s, activity.key, Facts(run.facts)
        times = self._clock.run(run.started, run.ended, before)
        name = s.activity(
            named("run", key),
            "Execution",
            command(run.command or run.argv)[:MAX_LABEL],
            times.start,
            times.end,
            {
                **attributes.execution(activity.record, run, facts),
                "problem": [p for p in (times.problem, late) if p],
            },
        )
        job, elapsed = facts.word("batch", "job"), attributes.elapsed_us(run, facts)
        if job:
            self.jobs[text(job)] = None
        if elapsed is not None:
            self.elapsed_us = (self.elapsed_us or 0) + elapsed
        plan = add_command(s, run)
        self.commands[plan] = None
        if part := WorkflowPart.from_json(facts.value("workflow")):
            self.parts.setdefault((part.name, part.id), []).append((name, run, plan))
        user = add_agents(s, name, key, run, facts, plan)
        if user:
            self.users[user] = None
        used = [self._graph.entities[u.entity] for u in activity.used if self._stands(u.entity)]
        images = [name_of(entity) for entity in used if entity.kind == APPLICATION]
        add_process(s, name, key, images, facts)
        if activity.record and activity.record.replays:
            replayed = by_digest("record", activity.record.replays.record)
            formal = {PROV_ATTR_ACTIVITY: name, PROV_ATTR_ENTITY: replayed}
            s.relation(PROV_USAGE, formal, name=named("use", key) + "-replayed", role="replayed")
        return name, times, user

    def _making(
        self, activity: Activity, record: Record, before: Sequence[str], late: str | None
    ) -> tuple[str, Times]:
        s, times = self._s, self._clock.making(record.recorded, before)
        origin = record.origin
        name = s.activity(
            named("making", activity.key),
            "Making",
            text(f"made from {origin.source}") if origin else None,
            times.start,
            times.end,
            {"id": str(record.id), "problem": [p for p in (times.problem, late) if p]},
        )
        associate(s, name, recorder(s, record), named("association", activity.key))
        if origin and not activity.used:
            self._folder(name, activity, origin)
        return name, times

    def _foreign(self, activity: Activity, it: Foreign, late: str | None) -> tuple[str, Times]:
        s = self._s
        name = s.activity(
            named("run" if it.is_run else "making", activity.key),
            "Execution" if it.is_run else "Making",
            text(it.command)[:MAX_LABEL],
            None,
            None,
            {
                **attributes.foreign(it),
                "problem": [text(p) for p in it.problems] + ([late] if late else []),
            },
        )
        if it.is_run:
            plan = add_command_text(s, it.command)
            self.commands[plan] = None
            associate(s, name, None, named("association", activity.key), plan)
        return name, Times(None, None, None)

    # -- what belongs to a making

    def _folder(self, making: str, activity: Activity, origin: Origin) -> None:
        """The folder that a data container was made from."""
        s = self._s
        path = text(origin.source)
        value = {"digest": origin.digest, "path": path, "making": activity.key}
        name = s.entity(by_value("source", value), "SourceFolder", path, {"path": path})
        specialize(s, name, content(s, origin.digest))
        s.relation(PROV_USAGE, {PROV_ATTR_ACTIVITY: making, PROV_ATTR_ENTITY: name})
        for usage in activity.generated:
            if self._is_new(usage.entity, activity.key):
                derive(s, name_of(self._graph.entities[usage.entity]), name)

    # -- what was used and made

    def _use(self, activity: str, key: str, used: Sequence[Usage]) -> None:
        for place, usage in enumerate(used):
            entity, it = self._graph.entities[usage.entity], usage.container
            self._s.relation(
                PROV_USAGE,
                {PROV_ATTR_ACTIVITY: activity, PROV_ATTR_ENTITY: name_of(entity)},
                name=f"{named('use', key)}-{place + 1}",
                role=it.role,
                attributes=attributes.bound(it, entity),
            )

    def _generate(
        self, activity: str, key: str, made: Sequence[Usage], times: Times, user: str | None
    ) -> None:
        for place, usage in enumerate(made):
            entity, it = self._graph.entities[usage.entity], usage.container
            name = name_of(entity)
            self._s.relation(
                PROV_GENERATION,
                {PROV_ATTR_ENTITY: name, PROV_ATTR_ACTIVITY: activity},
                name=f"{named('generation', key)}-{place + 1}",
                at_ns=times.made,
                role=it.role,
                attributes=attributes.bound(it, entity),
            )
            if user:
                attribute(self._s, name, user)
            earlier = self._revises(usage.entity)
            if earlier:
                revise(self._s, name, name_of(self._graph.entities[earlier]))

    def _derive(self, key: str, used: Sequence[Usage], made: Sequence[Usage]) -> None:
        """States that each result came of each input, as far as a container's content goes."""
        s, entities = self._s, self._graph.entities
        inputs = [name_of(e) for u in used if (e := entities[u.entity]).kind != APPLICATION]
        if len(inputs) * len(made) > _MANY * (len(inputs) + len(made)):
            # Every pair would be more than all the rest.
            name = s.entity(named("inputs", key), "Inputs prov:Collection")
            for each in inputs:
                member(s, name, each)
            inputs = [name]
        for usage in made:
            for each in inputs:
                derive(s, name_of(entities[usage.entity]), each)

    def _stands(self, entity: str) -> bool:
        """Whether an entity is there already. In hostile records some would be used before."""
        return entity not in self._awaited or entity in self._made

    def _is_new(self, entity: str, activity: str) -> bool:
        by = self._graph.entities[entity].generated_by
        return entity not in self._made and by in (None, activity)

    def _revises(self, entity: str) -> str | None:
        """The same container before, where that is there already."""
        earlier = self._graph.entities[entity].revision_of
        return earlier if earlier and earlier != entity and self._stands(earlier) else None


def _once(usages: Sequence[Usage]) -> list[Usage]:
    """Returns the first of each entity's."""
    return list({u.entity: u for u in reversed(usages)}.values())[::-1]
