"""Replays what made a container, in a fresh output, and compares the two file by file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sifprov import capture
from sifprov.compare import SAME, FileVerdict, compare
from sifprov.content import Deadline
from sifprov.create import create_data
from sifprov.errors import FileError, MissingError, NoRecordError, ReplayError
from sifprov.identity import identify
from sifprov.locate import Found, digest_now, locate
from sifprov.model.environment import allowed, pick
from sifprov.model.record import (
    APPLICATION,
    EXITED,
    INPUT,
    OUTPUT,
    SIGNALED,
    WRAPPER,
    Container,
    Record,
    Replay,
    Run,
)
from sifprov.model.request import Bind, BoundImage, CaptureEnd, CaptureRequest
from sifprov.model.timestamp import from_ns
from sifprov.records import Stored
from sifprov.runtime.argv import CommandLine, image_bind, is_image_bind, parse, without_image_binds
from sifprov.runtime.find import Runtime, find_runtime
from sifprov.sif import FsType
from sifprov.terminal import printable
from sifprov.trail import read_carrier
from sifprov.version import VERSION

# For each file of a replay whose original is sealed: a block, an inode and a name, and to spare.
_ROOM_PER_FILE = 16 * 1024
# Tells the plugin that this run is captured already (plugin/, adaptor).
CAPTURED = "SIFPROV_CAPTURED"
_BIND_VARIABLES = (
    "SINGULARITY_BIND",
    "SINGULARITY_BINDPATH",
    "APPTAINER_BIND",
    "APPTAINER_BINDPATH",
)


@dataclass(frozen=True)
class Plan:
    """What a replay will do: `argv` in `cwd`, with `outputs` (recorded container, fresh path)."""

    original: str
    record: Record
    record_digest: str
    run: Run
    runtime: Runtime
    application: Found
    inputs: tuple[Found, ...]
    outputs: tuple[tuple[Container, str], ...]
    argv: tuple[str, ...]
    cwd: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Verdict:
    """What a replay showed. `code` is the application's exit code, as a shell gives it."""

    plan: Plan
    into: str
    code: int
    files: tuple[FileVerdict, ...]
    original_changed: str | None
    digest: str
    spooled: str | None = None

    @property
    def same(self) -> bool:
        """Whether every file came out the same, and is what the record says."""
        return self.original_changed is None and all(f.verdict == SAME for f in self.files)


@dataclass
class Options:
    """What the user chose."""

    into: str | None = None
    search: tuple[str, ...] = ()
    runtime: str | None = None
    force: bool = False
    on_note: Callable[[str], None] = field(default=lambda text: None)
    on_step: Callable[[str], None] = field(default=lambda text: None)


def last_run(path: str) -> tuple[Stored, Record, Run]:
    """Returns the newest run recorded in the container at `path`. Raises NoRecordError."""
    carrier = read_carrier(path)
    for stored, record in reversed(carrier.good):
        if record.run:
            return stored, record, record.run
    broken = [s for s in carrier.records if s.error]
    what = "only a broken record" if broken else "no record of a run"
    raise NoRecordError(f"{path}: carries {what}, so there is nothing to replay")


def plan(path: str, options: Options) -> Plan:
    """Finds everything that a replay of the container at `path` needs. Raises MissingError,
    naming what is not there."""
    stored, record, run = last_run(path)
    if run.redacted:
        places = ", ".join(str(i + 1) for i in run.redacted)
        raise MissingError(
            f"{path}: argument {places} of the recorded command held a secret and was not recorded",
            hint="run the command again by hand",
        )
    folders = [os.path.dirname(os.path.abspath(path)), *options.search]
    found = _locate_all(record, folders, options)
    application = next((f for f in found if f.container.role == APPLICATION), None)
    if application is None:
        raise MissingError(f"{path}: its record names no application container")
    inputs = tuple(f for f in found if f.container.role == INPUT)
    into = options.into or _fresh_name(path)
    outputs = _outputs(record, into)
    runtime = find_runtime(options.runtime or _recorded_runtime(run))
    return Plan(
        original=path,
        record=record,
        record_digest=stored.digest,
        run=run,
        runtime=runtime,
        application=application,
        inputs=inputs,
        outputs=outputs,
        argv=_argv(run, runtime, application, inputs, outputs),
        cwd=run.cwd if os.path.isdir(run.cwd) else os.getcwd(),
        notes=_notes(path, record, run, runtime),
    )


def _locate_all(record: Record, folders: list[str], options: Options) -> list[Found]:
    found = []
    for container in (*record.with_role(APPLICATION), *record.with_role(INPUT)):
        options.on_step(f"looking for {printable(container.name)} and reading it")
        item = locate(container, folders)
        if item.changed and not options.force:
            raise MissingError(item.changed, hint="--force runs it all the same")
        if item.changed:
            options.on_note(item.changed)
        found.append(item)
    return found


def _notes(path: str, record: Record, run: Run, runtime: Runtime) -> tuple[str, ...]:
    notes = []
    before = record.previous
    if before:
        notes.append(
            f"{path} held earlier records when this run began; "
            "the replay starts from an empty output"
        )
    now = f"{runtime.name} {runtime.version}"
    if now != f"{run.runtime_name} {run.runtime_version}":
        notes.append(f"runtime: {run.runtime_name} {run.runtime_version} then, {now} now")
    if not os.path.isdir(run.cwd):
        notes.append(f"the recorded working directory {run.cwd} is not there; using {os.getcwd()}")
    return tuple(notes)


def _recorded_runtime(run: Run) -> str | None:
    """The program that ran then, where it was named by its path and is still there."""
    program = run.argv[0] if run.argv else ""
    if os.path.isabs(program) and os.access(program, os.X_OK):
        return program
    return None


def _fresh_name(path: str) -> str:
    stem, suffix = os.path.splitext(path)
    number = 1
    while os.path.lexists(f"{stem}.rerun-{number}{suffix}"):
        number += 1
    return f"{stem}.rerun-{number}{suffix}"


def _outputs(record: Record, into: str) -> tuple[tuple[Container, str], ...]:
    """The fresh path of every output: `into` for the one that is replayed, names beside it for
    others."""
    stem, suffix = os.path.splitext(into)
    planned = []
    for container in record.with_role(OUTPUT):
        own = container.uuid == record.container
        name = os.path.splitext(os.path.basename(container.name))[0]
        planned.append((container, into if own else f"{stem}.{name}{suffix}"))
    return tuple(planned)


def _argv(
    run: Run,
    runtime: Runtime,
    application: Found,
    inputs: tuple[Found, ...],
    outputs: tuple[tuple[Container, str], ...],
) -> tuple[str, ...]:
    line = parse(run.argv) or _from_command(run)
    argv = [runtime.path]
    for option in line.globals:
        argv += option.tokens
    argv += [line.action, *without_image_binds(line.options)]
    for item in inputs:
        c = item.container
        argv += image_bind(
            os.path.abspath(item.path), c.mount or "/", c.source or "/", read_only=True
        )
    for container, path in outputs:
        argv += image_bind(
            os.path.abspath(path), container.mount or "/", container.source or "/", read_only=False
        )
    return (*argv, os.path.abspath(application.path), *line.args)


def _from_command(run: Run) -> CommandLine:
    """For a run whose command line is no plain `exec`: what ran in the container, by `exec`."""
    command = run.command
    if command and command[0].startswith("/.singularity.d/actions/"):
        action = os.path.basename(command[0])
        return CommandLine(
            "", (), action if action in ("run", "shell") else "exec", (), "", command[1:]
        )
    if not command:
        raise MissingError("the record holds no command line, so it cannot be replayed")
    return CommandLine("", (), "exec", (), "", command)


def execute(plan: Plan, *, app_stdout: int | None = None) -> Verdict:
    """Carries a plan out. Raises ReplayError when the application fails otherwise than then.

    Nothing that exists is written to. `app_stdout` is where the application's output goes
    (default: ours).
    """
    made: list[str] = []
    try:
        for container, path in plan.outputs:
            _make_output(plan, container, path)
            made.append(path)
        started_ns = time.time_ns()
        known = {f.path: f.tree for f in plan.inputs if f.tree}
        started = capture.begin(_request(plan, started_ns), Deadline(), trees=known)
        end, code = _run(plan, app_stdout)
        replays = Replay(plan.record_digest, plan.record.id)
        finished = capture.finish(started, end, Deadline(), replays=replays)
    except BaseException:
        for path in made:
            os.unlink(path)
        raise
    if code != (plan.run.exit_code if plan.run.outcome == EXITED else 128 + (plan.run.signal or 0)):
        raise ReplayError(
            f"the replayed application ended with {code}, the recorded one with {_ended(plan.run)}",
            hint=f"what it wrote is in {_into(plan)}",
        )
    return _verdict(plan, code, finished)


def _into(plan: Plan) -> str:
    return next(p for c, p in plan.outputs if c.uuid == plan.record.container)


def _ended(run: Run) -> str:
    return f"signal {run.signal}" if run.outcome == SIGNALED else f"{run.exit_code}"


def _make_output(plan: Plan, container: Container, path: str) -> None:
    original = identify(plan.original)
    partition, mount = original.partition, container.source or "/"
    if partition and partition.fs == FsType.SQUASHFS:
        # Its compressed size says nothing of the room that the run needs: its files do.
        tree, _ = digest_now(original, OUTPUT)
        free = 2 * tree.size + _ROOM_PER_FILE * len(tree.entries) if tree else 0
        create_data(path, mount=mount, role=OUTPUT, free=free)
        return
    size = partition.size if partition else None
    create_data(path, mount=mount, role=OUTPUT, partition_size=size)


def _request(plan: Plan, started_ns: int) -> CaptureRequest:
    binds = [
        Bind(
            os.path.abspath(f.path), f.container.mount or "/", f.container.source, None, True, False
        )
        for f in plan.inputs
    ]
    binds += [
        Bind(os.path.abspath(p), c.mount or "/", c.source, None, False, False)
        for c, p in plan.outputs
    ]
    line = parse(plan.argv)
    return CaptureRequest(
        captured_by=WRAPPER,
        version=VERSION,
        runtime_name=plan.runtime.name,
        runtime_version=plan.runtime.version,
        argv=plan.argv,
        command=line.args if line else (),
        cwd=plan.cwd,
        started=from_ns(started_ns),
        environment=pick(_environment(plan)),
        image=os.path.abspath(plan.application.path),
        binds=tuple(binds),
        images=tuple(BoundImage(b.source, not b.read_only) for b in binds),
        timeout=0,
    )


def _environment(plan: Plan) -> Mapping[str, str]:
    """Today's environment, but what the record lists as it was then, and no other images bound."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not allowed(name) and not (name in _BIND_VARIABLES and is_image_bind(value))
    }
    return {**kept, **dict(plan.run.environment), CAPTURED: "1"}


def _run(plan: Plan, app_stdout: int | None) -> tuple[CaptureEnd, int]:
    """Runs the plan's command; ^C goes to it, as at a prompt, and not to us."""
    # A handler that does nothing, for the child would inherit a signal that is ignored.
    before = {
        n: signal.signal(n, lambda number, frame: None) for n in (signal.SIGINT, signal.SIGQUIT)
    }
    try:
        sys.stdout.flush()
        process = subprocess.Popen(
            plan.argv, cwd=plan.cwd, env=dict(_environment(plan)), stdout=app_stdout
        )
        code = _wait(process)
    except OSError as error:
        raise MissingError(f"{plan.argv[0]}: {error.strerror}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    ended = from_ns(time.time_ns())
    if code < 0:
        return CaptureEnd(ended, SIGNALED, None, -code), 128 - code
    return CaptureEnd(ended, EXITED, code, None), code


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Waits for the runtime; when we are to end, it is to end too."""
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        raise


def _verdict(plan: Plan, code: int, finished: capture.Finished) -> Verdict:
    into = _into(plan)
    original = identify(plan.original)
    recorded = plan.record.itself()
    first, digest = digest_now(original, OUTPUT)
    second = finished.tree_of(into)
    if first is None or second is None:
        raise FileError(f"{into}: its content cannot be read")
    changed = None
    if recorded and recorded.digest and recorded.digest != digest:
        changed = f"{plan.original}: its content is {digest}, not the recorded {recorded.digest}"
    spooled = next((w.spooled for w in finished.written if w.spooled), None)
    return Verdict(plan, into, code, compare(first, second), changed, second.digest, spooled)
