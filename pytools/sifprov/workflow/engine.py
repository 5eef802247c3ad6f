"""A whole execution of a workflow: what is up to date, Snakemake, the record of it all."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from uuid import uuid4

from sifprov.errors import MissingError, SifprovError, StepError
from sifprov.frozen import dataclass
from sifprov.model.timestamp import from_ns
from sifprov.model.workflowpart import ID
from sifprov.workflow import history, snakemake
from sifprov.workflow.history import COMPLETE, INTERRUPTED, NOT_RUN, StepRun, WorkflowRun
from sifprov.workflow.plan import Plan
from sifprov.workflow.snakefile import snakefile
from sifprov.workflow.snakemake import Engine
from sifprov.workflow.step import program
from sifprov.workflow.uptodate import Looks, made, stale
from sifprov.workflow.work import (
    DONE,
    FAILED,
    RUNNING,
    UP_TO_DATE,
    Result,
    State,
    Work,
    folder_of,
    work_folder,
    write_whole,
)

LOG = "snakemake.log"


@dataclass(frozen=True)
class Due:
    """What is to be done of a step: `why` says why it has to run; None where it is up to date.
    `behind` are the numbers of steps that run before it, so that it may have to run."""

    number: int
    activity: str
    why: str | None
    behind: tuple[int, ...] = ()

    @property
    def runs(self) -> bool:
        """Whether it runs, as far as is known before."""
        return self.why is not None or bool(self.behind)


@dataclass(frozen=True)
class Executed:
    """What an execution did. `record` is None where all was up to date, so that nothing ran."""

    plan: Plan
    due: tuple[Due, ...]
    record: WorkflowRun | None
    history: str


def check(plan: Plan) -> None:
    """Raises MissingError, naming every file that is not there, and SifprovError for a layout that
    cannot be used."""
    missing: dict[str, None] = {}
    for step in plan.workflow.steps:
        plan.targets(step)
        given = [s.path for s in plan.sources(step) if s.maker is None]
        for path in (plan.path(step.application), *given):
            if not os.path.exists(path):
                missing[path] = None
    if missing:
        raise MissingError(f"no such file: {', '.join(missing)}")


def due(plan: Plan, on_step: Callable[[str], None] = lambda text: None) -> tuple[Due, ...]:
    """Returns what has to be done of each step, in an order in which they can run. Raises
    SifprovError for an application or an input that cannot be read."""
    looks, its = Looks(), plan.shape
    runs: set[int] = set()
    found = []
    for at in its.order:
        step = plan.workflow.steps[at]
        on_step(f"looking at what {step.activity} has made")
        behind = tuple(n + 1 for n in its.needs[at] if n in runs)
        why = None
        # An input that is about to be made cannot be looked at.
        if not behind:
            why = stale(plan, step, looks)
        elif not all(os.path.lexists(t.path) for t in plan.targets(step)):
            why = "not there yet"
        if why is not None or behind:
            runs.add(at)
        found.append(Due(at + 1, step.activity, why, behind))
    looks.save()
    return tuple(found)


def execute(
    plan: Plan,
    engine: Engine,
    *,
    environ: Mapping[str, str],
    on_due: Callable[[tuple[Due, ...]], None] = lambda due: None,
    on_state: Callable[[State], None] = lambda state: None,
    on_step: Callable[[str], None] = lambda text: None,
) -> Executed:
    """Carries out a workflow. `on_due` hears what is to be done, `on_state` of each step that
    begins or ends.

    Raises StepError where a step fails, MissingError, FileError; KeyboardInterrupt or SystemExit
    where a signal ends it. What is finished then is not done again by the next execution.
    """
    check(plan)
    version = snakemake.version()
    name, folder = plan.workflow.name, plan.folder
    kept = history.history_of(folder, name)
    with work_folder(folder_of(folder, name)) as work:
        todo = due(plan, on_step)
        on_due(todo)
        document = history.digest_of(plan.workflow)
        unfinished = work.unfinished(document)
        runs = any(each.runs for each in todo)
        # One that was interrupted when all was done is complete, and not recorded as that.
        if not (runs or unfinished):
            work.end()
            return Executed(plan, todo, None, kept)
        execution = unfinished or str(uuid4())
        plan = plan.with_id(execution)
        before = history.last(kept, execution)
        work.begin(execution, document)
        _prepare(plan, work, todo)
        followed = _Followed(plan, work, todo, on_state, before)
        began, state = from_ns(time.time_ns()), INTERRUPTED
        try:
            code = 0
            if runs:
                code = snakemake.run(
                    snakemake.command_line(engine, work.folder), work.folder,
                    os.path.join(work.folder, LOG), {**environ, ID: execution}, followed.look,
                )  # fmt: skip
            state = COMPLETE if code == 0 and followed.complete() else FAILED
        finally:
            record = WorkflowRun(
                id=execution, workflow=plan.workflow, composition=plan.composition,
                folder=folder, engine=("snakemake", version, engine.where),
                started=before.started if before else began, ended=from_ns(time.time_ns()),
                state=state,
                steps=followed.step_runs(),
            )  # fmt: skip
            history.append(kept, record)
        if state == FAILED:
            raise followed.error()
        work.end()
        return Executed(plan, todo, record, kept)


def _prepare(plan: Plan, work: Work, todo: tuple[Due, ...]) -> None:
    """Lays out what Snakemake reads: who is to run has no mark, and all others marks of one age."""
    now = time.time_ns()
    for each in todo:
        if each.runs:
            work.steps.unmark(each.number)
        else:
            work.steps.mark(each.number)
            os.utime(work.steps.path(each.number, "done"), ns=(now, now))
        for suffix in ("json", "log"):
            with suppress(FileNotFoundError):
                os.unlink(work.steps.path(each.number, suffix))
    text = snakefile(plan, program())
    write_whole(os.path.join(work.folder, "Snakefile"), text.encode("ascii"))
    with suppress(FileNotFoundError):
        os.unlink(os.path.join(work.folder, LOG))


class _Followed:
    """What the steps say of themselves while they run."""

    def __init__(
        self,
        plan: Plan,
        work: Work,
        todo: tuple[Due, ...],
        on_state: Callable[[State], None],
        before: WorkflowRun | None,
    ) -> None:
        """`before` is what was recorded of this execution when it was interrupted."""
        self._before = {s.activity: s for s in before.steps if s.state == DONE} if before else {}
        self._plan, self._work, self._todo, self._on_state = plan, work, todo, on_state
        self._states: dict[int, State] = {}

    def look(self) -> None:
        """Tells what is new."""
        for each in self._todo:
            before = self._states.get(each.number)
            if not each.runs or (before and before.state != RUNNING):
                continue
            state = self._work.steps.read(each.number)
            if state is not None and state != before:
                self._states[each.number] = state
                self._on_state(state)

    def complete(self) -> bool:
        """Whether every step that was to run has."""
        self.look()
        ended = (self._states.get(e.number) for e in self._todo if e.runs)
        return all(s is not None and s.state in (DONE, UP_TO_DATE) for s in ended)

    def step_runs(self) -> tuple[StepRun, ...]:
        """Returns how the steps went, in the order of the file."""
        self.look()
        return tuple(map(self._step_run, sorted(self._todo, key=lambda each: each.number)))

    def _step_run(self, each: Due) -> StepRun:
        state = self._states.get(each.number)
        if not each.runs:
            earlier = self._before.get(each.activity)
            if earlier and earlier.results == self._there(each.number):
                return earlier
            return StepRun(each.activity, UP_TO_DATE, "", None, 0, self._there(each.number))
        if state is None:
            return StepRun(each.activity, NOT_RUN, "", None, 0, ())
        word = state.state if state.state != RUNNING else FAILED
        why = state.why if state.state != RUNNING else "it did not say how it ended"
        return StepRun(each.activity, word, why, state.exit_code, state.milliseconds, state.outputs)

    def _there(self, number: int) -> tuple[Result, ...]:
        found = []
        with suppress(SifprovError):
            for target in self._plan.targets(self._plan.step(number)):
                it = made(target.path, target.name)
                if it:
                    found.append(Result(it.name, it.path, str(it.record.id), it.digest, it.content))
        return tuple(found)

    def error(self) -> SifprovError:
        """The error of the step that failed first; else Snakemake's own, with its last lines."""
        failed = [s for s in self._states.values() if s.state == FAILED]
        hint = f"what Snakemake said is in {os.path.join(self._work.folder, LOG)}"
        if not failed:
            unsaid = [s.activity for s in self._states.values() if s.state == RUNNING]
            if unsaid:
                return StepError(f"step {unsaid[0]!r} did not say how it ended", hint=hint)
            return StepError("Snakemake failed before any step did", hint=hint)
        first = failed[0]
        return StepError(
            f"step {first.activity!r}: {first.why}",
            hint=f"what it printed is in {self._work.steps.path(first.number, 'log')}",
        )
