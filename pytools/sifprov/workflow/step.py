"""One step of a workflow, in a process of its own that Snakemake starts, maybe on another node.

    up to date? ── yes ── says so
        │ no
    `sifprov exec --atomic` with the four variables that name the workflow
        │
    its outputs are there under their names, with their records: done; else failed

An output of an earlier run of the step is `.NAME.old` meanwhile, and back under its name when the
step fails.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import FrameType

from sifprov.errors import FileError, SifprovError, StepError
from sifprov.inuse import refuse_users
from sifprov.model.environment import allowed
from sifprov.model.workflowpart import ACTIVITY, COMPOSITION, ID, NAME
from sifprov.newfile import publish
from sifprov.runtime.program import find_program, is_apptainer
from sifprov.workflow.document import Step
from sifprov.workflow.metrics import note_metrics
from sifprov.workflow.plan import Plan, Target
from sifprov.workflow.uptodate import Looks, Made, is_ours, made, stale
from sifprov.workflow.work import DONE, FAILED, RUNNING, UP_TO_DATE, Result, State, Steps
from sifprov.wrapper.atomic import failed_name, part_of

_OLD = ".old"
# Seconds until a signal is handed on to a run that did not get it by itself.
_PATIENCE = 1.0
_LOOK = 0.05
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What would make the run another one than the workflow says.
_NOT_HANDED_ON = ("SIFPROV_CAPTURED", "SINGULARITY_SIFPROV_CAPTURED")


def carry_out(plan: Plan, number: int, steps: Steps, environ: Mapping[str, str]) -> State:
    """Carries out a step (counted from 1) where it is not up to date, and keeps how it went. Raises
    StepError where it fails; SifprovError where it cannot be tried."""
    step = plan.step(number)
    steps.make()
    began = time.monotonic()
    base = State(number, step.activity, RUNNING, execution=plan.id or environ.get(ID) or None)

    def state(word: str, why: str = "", code: int | None = None) -> State:
        took = round((time.monotonic() - began) * 1000)
        outputs = _results(plan, step) if word != FAILED else ()
        return State(number, step.activity, word, why, code, took, base.execution, tuple(outputs))

    try:
        looks = Looks()
        why = stale(plan, step, looks)
        looks.save()
        if why is None:
            found = state(UP_TO_DATE)
        else:
            steps.write(State(number, step.activity, RUNNING, why, execution=base.execution))
            found = _run(plan, step, steps.path(number, "log"), environ, state, why)
        if found.state != FAILED:
            note_metrics(plan, step)
    except (SifprovError, OSError) as error:
        steps.write(state(FAILED, str(error)))
        if isinstance(error, OSError):
            raise FileError(f"{error.filename or plan.folder}: {error.strerror}") from error
        raise
    steps.write(found)
    if found.state == FAILED:
        raise StepError(f"step {step.activity!r}: {found.why}")
    steps.mark(number)
    return found


def _run(
    plan: Plan,
    step: Step,
    log: str,
    environ: Mapping[str, str],
    state: Callable[[str, str, int], State],
    why: str,
) -> State:
    targets = plan.targets(step)
    _make_folders(targets)
    _clear(plan, step, targets)
    aside = _put_aside(targets)
    code = 255
    try:
        argv = command_line(plan, step, targets)
        code = _wait(argv, plan.folder, _environment(plan, step, environ), log)
        there = all(os.path.lexists(target.path) for target in targets)
    finally:
        missing = [t for t in targets if not os.path.lexists(t.path)]
        for target in targets:
            old = aside.get(target.path)
            if old and target in missing:
                os.rename(old, target.path)
            elif old and not missing:
                os.unlink(old)
    if code == 0 and there:
        return state(DONE, why, 0)
    return state(FAILED, _words(code, targets), code)


def _words(code: int, targets: Sequence[Target]) -> str:
    names = ", ".join(t.name for t in targets)
    if code == 0:
        return f"nothing was recorded in {names}: did the command write there?"
    if code > 128:
        return f"ended by signal {code - 128}"
    return f"ended with {code}"


def command_line(plan: Plan, step: Step, targets: Sequence[Target]) -> list[str]:
    """Returns the command line of a step: a list from end to end."""
    argv = [*program(), step.action, "--atomic"]
    if plan.runtime:
        argv += ["--runtime", plan.runtime]
    for source in plan.sources(step):
        argv += ["--in", f"{source.path}:{source.mount}" if source.mount else source.path]
    for target in targets:
        argv += ["--out", f"{target.path}:{target.mount}", "--size", str(target.free)]
    for name, value in step.tags:
        argv += ["--tag", f"{name}={value}"]
    return [*argv, *plan.options, *step.options, plan.path(step.application), *step.command]


def program() -> list[str]:
    """Returns what starts `sifprov` again: the program that runs now, where it is that."""
    if os.path.basename(sys.argv[0]) == "sifprov" and os.path.isfile(sys.argv[0]):
        return [sys.executable, os.path.abspath(sys.argv[0])]
    # Not by -m: Python would look for modules in the current folder, which is the workflow's.
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    return [sys.executable, os.path.join(package, "__main__.py")]


def _environment(plan: Plan, step: Step, environ: Mapping[str, str]) -> dict[str, str]:
    """What the run gets: ours, the step's variables, and who it is. The record goes into the
    output, whatever the user's settings say of other runs."""
    found = {n: v for n, v in environ.items() if n not in _NOT_HANDED_ON}
    apptainer = is_apptainer(find_program(plan.runtime))
    prefix = "APPTAINERENV_" if apptainer else "SINGULARITYENV_"
    for name, value in step.environment:
        found[name if allowed(name) else prefix + name] = value
    found |= {NAME: plan.workflow.name, ACTIVITY: step.activity, COMPOSITION: plan.composition}
    execution = plan.id or environ.get(ID)
    if execution:
        found[ID] = execution
    return found | {"SIFPROV_METADATA": ""}


def _clear(plan: Plan, step: Step, targets: Sequence[Target]) -> None:
    """Sees to what earlier starts left. Raises FileError for a file that is not ours to replace,
    and for one that is still written."""
    for target in targets:
        old = _old(target.path)
        if os.path.lexists(old):
            if os.path.lexists(target.path):
                os.unlink(old)
            else:
                os.rename(old, target.path)
        part = part_of(target.path)
        if os.path.lexists(part):
            refuse_users(part)
            # A run that was killed with all that knew of it: its request waits in the spool.
            publish(part, failed_name(target.path))
            with suppress(FileNotFoundError):
                os.unlink(part)
        if os.path.lexists(target.path):
            found = _made(target)
            if found is None or not is_ours(plan, step, found):
                raise FileError(
                    f"{target.path}: is there already, and was not made by step"
                    f" {step.activity!r} of this workflow",
                    hint="remove it, or name another path in the workflow",
                )


def _make_folders(targets: Sequence[Target]) -> None:
    for target in targets:
        folder = os.path.dirname(target.path)
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            raise FileError(f"{folder}: {error.strerror}") from error


def _put_aside(targets: Sequence[Target]) -> dict[str, str]:
    aside = {}
    for target in targets:
        if os.path.lexists(target.path):
            os.rename(target.path, _old(target.path))
            aside[target.path] = _old(target.path)
    return aside


def _old(path: str) -> str:
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}{_OLD}")


def _made(target: Target) -> Made | None:
    with suppress(SifprovError):
        return made(target.path, target.name)
    return None


def _results(plan: Plan, step: Step) -> list[Result]:
    found = (made(target.path, target.name) for target in plan.targets(step))
    return [Result(m.name, m.path, str(m.record.id), m.digest, m.content) for m in found if m]


def _wait(argv: Sequence[str], folder: str, environ: Mapping[str, str], log: str) -> int:
    """Runs a command to its end; returns its exit code as a shell gives it. Signals reach it: those
    to our process group by themselves, those to us alone from us."""
    got: list[tuple[int, float]] = []

    def note(number: int, frame: FrameType | None) -> None:
        got.append((number, time.monotonic()))

    before = {number: signal.signal(number, note) for number in _ENDING}
    try:
        with open(log, "wb") as out:
            process = subprocess.Popen(
                argv, cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=out,
                stderr=out,
            )  # fmt: skip
        while True:
            try:
                code = process.wait(timeout=_LOOK)
                return code if code >= 0 else 128 - code
            except subprocess.TimeoutExpired:
                if got and time.monotonic() - got[0][1] > _PATIENCE:
                    process.send_signal(got.pop(0)[0])
    except OSError as error:
        raise FileError(f"{error.filename or argv[0]}: {error.strerror}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
