"""The recorded runs behind a container, and what ties one to the other: states. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from sifprov.frozen import dataclass, replace
from sifprov.lineage import CHANGED, build
from sifprov.lineage.order import states
from sifprov.model.canonical import record_digest
from sifprov.model.container import APPLICATION, FOLDER, INPUT, Container
from sifprov.model.graph import Activity, Graph, Usage
from sifprov.model.record import Record, Run
from sifprov.model.timestamp import to_ns
from sifprov.trail import Trail


@dataclass(frozen=True)
class Read:
    """A container that a run read. `state` is the one that it was in, where a run at hand made it;
    `origin` the record of its making, where it still was as it was made, with that one's digest.
    `untracked`: after that, it had been changed by no recorded run."""

    container: Container
    state: str | None = None
    origin: tuple[str, Record] | None = None
    untracked: bool = False


@dataclass(frozen=True)
class Written:
    """An output of a run: `record`, whose digest is `state`, tells what the run made of it.

    `before` is the record of the state that it was in, of a run or of a making; None where it held
    no record, or, when it is `lost`, where that one is not at hand. `late`: by its time, but not by
    the records, another run came between.
    """

    container: Container
    state: str
    record: Record
    before: Record | None = None
    before_state: str | None = None
    lost: bool = False
    late: bool = False


@dataclass(frozen=True)
class Past:
    """A recorded run. `key` is its record's id (with more behind it where hostile records share
    one); `application` None where the record names none."""

    key: str
    record: Record
    run: Run
    application: Container | None
    inputs: tuple[Read, ...]
    outputs: tuple[Written, ...]

    @property
    def began(self) -> int:
        """When it began, in ns since 1970."""
        return to_ns(self.run.started)

    @property
    def needed(self) -> Iterator[str]:
        """The states that it started from, as far as runs made them."""
        yield from (r.state for r in self.inputs if r.state)
        yield from (w.before_state for w in self.outputs if w.before_state and _is_run(w.before))


class Ancestry:
    """The runs of a trail. Takes n log n of the records and the containers in them."""

    def __init__(self, trail: Trail) -> None:
        self.records = dict(trail.records)
        self._graph: Graph = build(trail)
        self._states = states(trail.records)
        self._makers: dict[str, str] = {}
        self._pasts: dict[str, Past] = {}
        for key, activity in self._graph.activities.items():
            self._makers.update(dict.fromkeys(activity.digests, key))
        for key, activity in self._graph.activities.items():
            if activity.record and activity.run:
                self._pasts[key] = self._past(key, activity, activity.record, activity.run)
        self._mark_late()
        self._place = {key: number for number, key in enumerate(self._graph.activities)}

    @property
    def problems(self) -> tuple[str, ...]:
        """What the graph had to leave out."""
        return self._graph.problems

    def maker(self, state: str) -> Past | None:
        """Returns the run that made a state; None where none at hand did."""
        return self._pasts.get(self._makers.get(state, ""))

    def in_order(self, keys: Iterable[str]) -> list[str]:
        """Returns the keys of runs, each behind those whose states it needs."""
        return sorted(keys, key=lambda key: self._place[key])

    def behind(self, state: str, *, inputs: bool) -> dict[str, Past]:
        """Returns the run that made `state` and those that made what its outputs held before; with
        `inputs` those too that made what was read, all the way back."""
        first = self.maker(state)
        found: dict[str, Past] = {}
        todo = [first] if first else []
        while todo:
            past = todo.pop()
            if past.key in found:
                continue
            found[past.key] = past
            read = {r.state for r in past.inputs}
            for needed in past.needed:
                maker = self.maker(needed)
                if maker and (inputs or needed not in read):
                    todo.append(maker)
        return found

    def _past(self, key: str, activity: Activity, record: Record, run: Run) -> Past:
        application = next(iter(record.with_role(APPLICATION)), None)
        inputs = tuple(self._read(u) for u in activity.used if u.container.role == INPUT)
        outputs = tuple(self._written(u, record) for u in activity.generated)
        for written in outputs:
            self._makers.setdefault(written.state, key)
        return Past(key, record, run, application, inputs, outputs)

    def _read(self, usage: Usage) -> Read:
        """What a run read. What was sealed has the content of what it was sealed from."""
        entity, untracked = self._graph.entities[usage.entity], False
        origin = None
        seen = set()
        while entity.key not in seen:
            seen.add(entity.key)
            untracked = untracked or entity.problem == CHANGED
            maker = self._graph.activities.get(entity.generated_by or "")
            if maker is None or untracked:
                break
            if maker.run:
                return Read(usage.container, entity.record)
            if maker.record and entity.record and _tells(maker.record, usage.container):
                origin = entity.record, maker.record
            source = self._sealed_from(maker)
            if source is None:
                break
            entity = self._graph.entities[source.entity]
        return Read(usage.container, None, origin, untracked)

    @staticmethod
    def _sealed_from(making: Activity) -> Usage | None:
        origin = making.record.origin if making.record else None
        if origin is None or len(making.used) != 1:
            return None
        (usage,) = making.used
        same = usage.container.digest == origin.digest
        return usage if same and FOLDER not in usage.container.marks else None

    def _written(self, usage: Usage, record: Record) -> Written:
        state = self._graph.entities[usage.entity].record
        if state is None or state not in self.records:
            # Another output of the run: its own record differs in these two fields, at least.
            it = usage.container
            record = replace(record, container=it.uuid or UUID(int=0), previous=it.record)
            state = record_digest(record.to_bytes())
            self.records[state] = record
        record = self.records[state]
        return self._with_before(Written(record.itself() or usage.container, state, record))

    def _mark_late(self) -> None:
        """Where two runs began with one state of a container, the later one may have begun with
        what the other made: that one's record was delivered late. Or the file was copied."""
        first: dict[tuple[UUID, str | None], int] = {}
        for past in self._pasts.values():
            for w in past.outputs:
                key = w.record.container, w.before_state
                first[key] = min(first.get(key, past.began), past.began)
        for name, past in self._pasts.items():
            outputs = tuple(
                replace(w, late=True)
                if first[w.record.container, w.before_state] < past.began
                or (w.before and w.before.run and to_ns(w.before.run.started) > past.began)
                else w
                for w in past.outputs
            )
            self._pasts[name] = replace(past, outputs=outputs)

    def _with_before(self, written: Written) -> Written:
        lost = False
        # They differ where records of the container stand in two places.
        for named in dict.fromkeys((written.container.record, written.record.previous)):
            state = self._states.get(named, named) if named else None
            if state is None:
                continue
            before = self.records.get(state)
            if before and before.container == written.record.container:
                return replace(written, before=before, before_state=state)
            lost = True
        return replace(written, lost=lost)


def content(record: Record) -> str | None:
    """Returns the content digest that a record tells of its container."""
    if record.origin:
        return record.origin.digest
    it = record.itself()
    return it.digest if it else None


def _tells(making: Record, container: Container) -> bool:
    return making.origin is not None and making.origin.digest == container.digest


def _is_run(record: Record | None) -> bool:
    return record is not None and record.run is not None
