"""Lines about workflows for people."""

from __future__ import annotations

from collections.abc import Iterator

from sifprov.render.clock import local_time
from sifprov.render.colour import Palette
from sifprov.terminal import counted, printable
from sifprov.workflow.engine import Due
from sifprov.workflow.history import COMPLETE, NOT_RUN, WorkflowRun
from sifprov.workflow.plan import Plan
from sifprov.workflow.work import DONE, FAILED, RUNNING, UP_TO_DATE, State

_WORDS = {DONE: "done", UP_TO_DATE: "up to date", FAILED: "failed", NOT_RUN: "not run"}
_WIDTH = max(map(len, _WORDS.values()))


def due_lines(plan: Plan, due: tuple[Due, ...], paint: Palette) -> Iterator[str]:
    """Yields a line for each step that says whether it has to run, and why."""
    for each in due:
        name = printable(each.activity)
        if not each.runs:
            yield f"  {paint.good('up to date'.ljust(_WIDTH))}  {name}"
            continue
        behind = ", ".join(plan.step(n).activity for n in each.behind)
        why = f"behind {behind}" if behind else each.why or ""
        yield f"  {paint.odd('to run'.ljust(_WIDTH))}  {name}: {printable(why)}"


def state_line(state: State, total: int, ended: int, paint: Palette) -> str | None:
    """Returns the line about a step that has ended; None for one that runs."""
    if state.state == RUNNING:
        return None
    how = paint.bad if state.state == FAILED else paint.good
    text = f"[{ended}/{total}] {how(_WORDS[state.state])} {printable(state.activity)}"
    took = f", {state.milliseconds / 1000:.2f} s"
    return text + (f": {printable(state.why)}" if state.state == FAILED else took)


def run_lines(run: WorkflowRun, paint: Palette) -> Iterator[str]:
    """Yields the lines about an execution."""
    how = paint.good if run.state == COMPLETE else paint.bad
    name, version, executor = run.engine
    yield (f"{paint.strong(printable(run.workflow.name))}  execution {run.id}: {how(run.state)}")
    yield (
        f"  {local_time(run.started)} to {local_time(run.ended)}, {run.composition},"
        f" by {printable(f'{name} {version}, {executor}')}"
    )
    for step in run.steps:
        colour = {FAILED: paint.bad, NOT_RUN: paint.odd}.get(step.state, paint.good)
        word = colour(_WORDS[step.state].ljust(_WIDTH))
        took = f", {step.milliseconds / 1000:.2f} s" if step.state == DONE else ""
        why = f": {printable(step.why)}" if step.state == FAILED else ""
        yield f"  {word}  {printable(step.activity)}{took}{why}"
        for each in step.results:
            ident = paint.faint(each.record[:8])
            yield f"  {' ' * _WIDTH}    {printable(each.path)}  {ident}"


def summary(run: WorkflowRun) -> str:
    """Returns what came of an execution, in one line."""
    done = sum(step.state == DONE for step in run.steps)
    fresh = sum(step.state == UP_TO_DATE for step in run.steps)
    text = f"{counted(done, 'step')} run"
    return text + (f", {fresh} up to date" if fresh else "")
