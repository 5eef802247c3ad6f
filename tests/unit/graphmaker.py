"""Makes graphs for the tests, and the records that they are made of, with fixed UUIDs and times."""

from __future__ import annotations

from uuid import UUID

from sifprov.carrier import Carrier
from sifprov.frozen import replace
from sifprov.identity import Identity
from sifprov.model.annotation import Annotation
from sifprov.model.canonical import record_digest
from sifprov.model.container import APPLICATION, INPUT, OUTPUT, Container
from sifprov.model.fact import Fact
from sifprov.model.graph import (
    APPLICATION as PROGRAM,
)
from sifprov.model.graph import (
    DATA,
    EMBEDDED,
    FOUND,
    MISSING,
    Activity,
    Entity,
    Graph,
    Usage,
    entity_key,
)
from sifprov.model.record import (
    ANNOTATE,
    CREATE,
    EXITED,
    PLUGIN,
    RERUN,
    Origin,
    Record,
    Replay,
    Run,
)
from sifprov.model.timestamp import from_ns, to_ns
from sifprov.model.verdict import DIFFERS, Verdict
from sifprov.records import Stored, in_order
from sifprov.trail import Trail, Walk

_BEGIN = 1_780_000_000_000_000_000
_MINUTE = 60_000_000_000


class Sample:
    """Makes records and, beside them, the graph that they should come to.

    `store` has the records' bytes by their digest. Every call is a minute later.
    """

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}
        self.activities: dict[str, Activity] = {}
        self.store: dict[str, bytes] = {}
        self._count = 0
        self._now = _BEGIN

    def uuid(self) -> UUID:
        """The next UUID."""
        self._count += 1
        return UUID(f"00000000-0000-4000-8000-{self._count:012x}")

    def put(self, record: Record) -> str:
        """Stores a record; returns its digest."""
        data = record.to_bytes()
        self.store[record_digest(data)] = data
        return record_digest(data)

    def application(self, name: str = "app.sif") -> Entity:
        """An application container."""
        it = self._container(APPLICATION, name)
        return self._add(Entity(entity_key(it), PROGRAM, it, None, None, None, EMBEDDED))

    def plain(self, name: str) -> Entity:
        """A data container that carries no record."""
        it = self._container(INPUT, name)
        return self._add(Entity(entity_key(it), DATA, it, None, None, None, EMBEDDED))

    def missing(self, name: str) -> Entity:
        """A data container whose record is nowhere at hand."""
        it = replace(self._container(INPUT, name), record="sha256:" + f"{self._count:064x}")
        return self._add(Entity(entity_key(it), DATA, it, it.record, None, None, MISSING))

    def made(self, name: str, source: str = "/home/ada/data") -> Entity:
        """A data container that was made from a folder."""
        it = self._container(INPUT, name)
        record = self._record(it.uuid, captured_by=CREATE, origin=Origin(source, it.digest or ""))
        digest = self.put(record)
        it = replace(it, record=digest)
        key = str(record.id)
        made = self._add(Entity(entity_key(it), DATA, it, digest, key, None, EMBEDDED))
        used = Usage(made.key, replace(it, role=OUTPUT, mount=None, source=None))
        self.activities[key] = Activity(key, record, (digest,), (), (used,))
        return made

    def run(
        self,
        app: Entity,
        inputs: tuple[Entity, ...],
        *outputs: str | Entity,
        argv: tuple[str, ...] | None = None,
        facts: tuple[Fact, ...] = (),
        annotation: Annotation | None = None,
        exit_code: int = 0,
        replays: Entity | None = None,
        command: tuple[str, ...] = ("sh", "-c", "cat /Inputs/* > /Outputs/result.csv"),
    ) -> tuple[Entity, ...]:
        """A run that wrote `outputs`: new containers by name, or ones that were there before.
        `replays` is what another run made, of which this is the replay."""
        self._now += _MINUTE
        before = [o if isinstance(o, Entity) else None for o in outputs]
        written = [
            replace(
                self._container(OUTPUT, o) if isinstance(o, str) else o.container,
                role=OUTPUT, mount="/Outputs", source="/Outputs", writable=True,
                record=o.record if isinstance(o, Entity) else None, digest=self._tree(),
            )
            for o in outputs
        ]  # fmt: skip
        program = replace(app.container, role=APPLICATION, mount=None, source=None, writable=False)
        read = [
            replace(e.container, role=INPUT, mount="/Inputs", source="/Inputs", writable=False)
            for e in inputs
        ]
        took = Run(
            action="exec",
            argv=argv or _argv(program, read, written),
            command=command,
            redacted=(),
            cwd="/home/ada",
            started=from_ns(self._now - 30_250_000_000),
            ended=from_ns(self._now - 1_000_000_000),
            outcome=EXITED,
            exit_code=exit_code,
            signal=None,
            environment=(("LANG", "C.UTF-8"),),
            runtime_name="singularity-ce",
            runtime_version="4.3.3",
            facts=facts,
        )
        all_of_it = (program, *read, *written)
        first = self._record(None, run=took, containers=all_of_it, annotation=annotation)
        first = replace(first, replays=self._replay(replays) if replays else None)
        key = str(first.id)
        made = []
        for it, old in zip(written, before, strict=True):
            record = replace(
                first, container=it.uuid or UUID(int=0), previous=old.record if old else None
            )
            digest = self.put(record)
            it = replace(it, record=digest)
            revises = old.key if old else None
            made.append(Entity(entity_key(it), DATA, it, digest, key, revises, EMBEDDED))
        self.activities[key] = Activity(
            key,
            replace(
                first,
                container=written[0].uuid or UUID(int=0),
                previous=before[0].record if before[0] else None,
            ),
            tuple(e.record for e in made if e.record),
            (
                Usage(app.key, program),
                *(Usage(e.key, c) for e, c in zip(inputs, read, strict=True)),
            ),
            tuple(Usage(e.key, c) for e, c in zip(made, written, strict=True)),
        )
        return tuple(self._add(e) for e in made)

    def at(self, time: str) -> None:
        """What follows begins then."""
        self._now = to_ns(time)

    def say(self, about: Entity, *notes: str, **tags: str) -> Record:
        """Words that came later, about the run that made an entity."""
        activity = self.activities[about.generated_by or ""]
        assert activity.record
        record = self._record(
            about.uuid,
            captured_by=ANNOTATE,
            previous=about.record,
            annotation=Annotation(notes=notes, tags=tuple(tags.items())),
            annotates=Replay(about.record or "", activity.record.id),
        )
        self.put(record)
        self.activities[activity.key] = replace(activity, words=(*activity.words, record))
        return record

    def judge(self, replay: Entity, original: Entity, verdict: Verdict | None = None) -> Record:
        """The verdict of the run that made `replay`, in it, with what made `original` replayed."""
        activity = self.activities[replay.generated_by or ""]
        assert activity.record
        about = Replay(replay.record or "", activity.record.id)
        content = (original.digest or "", replay.digest or "")
        newest = record_digest(activity.words[-1].to_bytes()) if activity.words else replay.record
        record = replace(
            self._record(replay.uuid, captured_by=RERUN, previous=newest),
            replays=self._replay(original),
            verdict=verdict or Verdict(DIFFERS, about, *content, (2, 1, 1, 0, 0)),
        )
        self.put(record)
        self.activities[activity.key] = replace(activity, words=(*activity.words, record))
        return record

    def _replay(self, of: Entity) -> Replay:
        record = self.activities[of.generated_by or ""].record
        assert record
        return Replay(of.record or "", record.id)

    def graph(self, *targets: Entity, problems: tuple[str, ...] = ()) -> Graph:
        """The graph of all that was made, with these targets, which are found beside us."""
        there = {t.uuid: t.container.path for t in targets}
        for key, entity in self.entities.items():
            if entity.uuid in there:
                path = there[entity.uuid]
                self.entities[key] = replace(entity, standing=FOUND, path=path)
        keys = tuple(t.key for t in targets)
        return Graph(keys, dict(self.entities), dict(self.activities), problems)

    def _add(self, entity: Entity) -> Entity:
        self.entities[entity.key] = entity
        return entity

    def _tree(self) -> str:
        self._count += 1
        return f"tree-v1:{self._count:064x}"

    def _container(self, role: str, name: str) -> Container:
        program = role == APPLICATION
        uuid = self.uuid()
        return Container(
            role=role,
            name=name,
            path=f"/home/ada/{name}",
            uuid=uuid,
            created="2026-05-28T20:00:00Z",
            modified="2026-05-28T20:00:00Z",
            mount=None if program else "/Inputs",
            source=None if program else "/Inputs",
            writable=False,
            read_only_added=False,
            digest=f"image-v1:{self._count:064x}" if program else self._tree(),
            reason=None,
            record=None,
        )

    def _record(
        self,
        container: UUID | None,
        *,
        captured_by: str = PLUGIN,
        previous: str | None = None,
        run: Run | None = None,
        origin: Origin | None = None,
        containers: tuple[Container, ...] = (),
        annotation: Annotation | None = None,
        annotates: Replay | None = None,
    ) -> Record:
        if run is None:
            self._now += _MINUTE
        return Record(
            id=self.uuid(),
            container=container or UUID(int=0),
            previous=previous,
            recorded=from_ns(self._now),
            captured_by=captured_by,
            version="0.1.0",
            run=run,
            origin=origin,
            containers=containers,
            replays=None,
            annotation=annotation,
            annotates=annotates,
        )


def _argv(app: Container, inputs: list[Container], outputs: list[Container]) -> tuple[str, ...]:
    binds = [f"{c.name}:/Inputs:image-src=/Inputs" for c in inputs[:3]]
    binds += [f"{c.name}:/Outputs:image-src=/Outputs" for c in outputs]
    tail = (app.name, "sh", "-c", "cat /Inputs/* > /Outputs/result.csv")
    return ("singularity", "exec", *(t for b in binds for t in ("-B", b)), *tail)


def documents(graph: Graph) -> dict[str, bytes]:
    """The bytes of all records of a graph that a Sample has made, by record digest."""
    found: list[bytes] = [word.to_bytes() for a in graph.activities.values() for word in a.words]
    for activity in graph.activities.values():
        for usage in activity.generated:
            uuid = graph.entities[usage.entity].uuid or UUID(int=0)
            if activity.record is None:
                continue
            record = replace(activity.record, container=uuid)
            if record.run:
                record = replace(record, previous=usage.container.record)
            found.append(record.to_bytes())
    return {record_digest(data): data for data in found}


def trail_of(graph: Graph) -> Trail:
    """The trail of a graph's first target: its own records stand in it, the others are embedded."""
    target = graph.entities[graph.targets[0]]
    own: list[Stored] = []
    embedded: dict[str, bytes] = {}
    for digest, data in documents(graph).items():
        record = Record.from_bytes(data)
        if record.container == target.uuid:
            own.append(Stored(len(own) + 2, 2, digest, record, None))
        else:
            embedded[digest] = data
    records = in_order(own)
    identity = Identity(target.path or "", target.uuid, record=records[-1].digest)
    start = Carrier(identity, records, embedded=embedded)
    walk = Walk(start, lambda container: None)
    walk.run()
    return Trail(start, walk.found, walk.records, None, tuple(walk.problems))
