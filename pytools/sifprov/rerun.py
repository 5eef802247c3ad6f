"""Replays what made a container, in a fresh output, and compares the two file by file."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from types import SimpleNamespace

from sifprov import capture
from sifprov.capture.facts.isolation import of_command_line, with_names
from sifprov.capture.facts.resources import of_usage
from sifprov.capture.lineage import Source
from sifprov.compare import SAME, FileVerdict, compare
from sifprov.content import Deadline
from sifprov.create import create_data
from sifprov.errors import FileError, MissingError, ReplayError
from sifprov.frozen import dataclass
from sifprov.identity import identify
from sifprov.locate import digest_now
from sifprov.model.annotation import VARIABLES
from sifprov.model.environment import DEFAULT, FOR_HELPER, allowed, pick
from sifprov.model.record import (
    EXITED,
    OUTPUT,
    PROVISIONAL,
    SIGNALED,
    WRAPPER,
    Container,
    Replay,
    Run,
)
from sifprov.model.request import Bind, BoundImage, CaptureEnd, CaptureRequest
from sifprov.model.timestamp import from_ns
from sifprov.plan import Plan
from sifprov.runtime.argv import is_image_bind, parse
from sifprov.runtime.conf import find_conf
from sifprov.sif import FsType
from sifprov.version import VERSION
from sifprov.wrapper.line import CAPTURED

# For each file of a replay whose original is sealed: a block, an inode and a name, and to spare.
_ROOM_PER_FILE = 16 * 1024
_BIND_VARIABLES = (
    "SINGULARITY_BIND",
    "SINGULARITY_BINDPATH",
    "APPTAINER_BIND",
    "APPTAINER_BINDPATH",
    "SINGULARITY_MOUNT",
    "APPTAINER_MOUNT",
)


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
        where = (plan.original, *((plan.metadata,) if plan.metadata else ()))
        also = (Source(plan.record_digest, where),)
        started = capture.begin(_request(plan, started_ns), Deadline(), trees=known, also=also)
        end, code = _run(plan, app_stdout)
        replays = Replay(plan.record_digest, plan.record.id)
        finished = capture.finish(started, end, Deadline(), replays=lambda uuid: replays)
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
    outside = _environment(plan)
    asked = of_command_line(
        plan.argv,
        outside,
        apptainer=plan.runtime.name == "apptainer",
        conf=find_conf(plan.runtime.path),
    )
    recorded = [name for name, _ in plan.run.environment]
    return CaptureRequest(
        captured_by=WRAPPER,
        version=VERSION,
        runtime_name=plan.runtime.name,
        runtime_version=plan.runtime.version,
        argv=plan.argv,
        command=line.args if line else (),
        cwd=plan.cwd,
        started=from_ns(started_ns),
        environment=pick(outside, (*DEFAULT, *recorded)),
        image=os.path.abspath(plan.application.path),
        binds=tuple(binds),
        images=tuple(BoundImage(b.source, not b.read_only) for b in binds),
        timeout=0,
        metadata=plan.metadata,
        facts=(with_names(asked, outside),),
        # Words are about the run that was, not about its replay.
        variables=tuple(v for v in pick(outside, FOR_HELPER) if v[0] not in VARIABLES),
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
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
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
    facts = (of_usage(_since(used), "runtime"),)
    if code < 0:
        return CaptureEnd(ended, SIGNALED, None, -code, facts), 128 - code
    return CaptureEnd(ended, EXITED, code, None, facts), code


def _since(before: resource.struct_rusage) -> SimpleNamespace:
    """What our children have used since; the peak of memory is of the largest, whenever it ran."""
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    counted = ("ru_utime", "ru_stime", "ru_inblock", "ru_oublock")
    used = {name: getattr(now, name) - getattr(before, name) for name in counted}
    return SimpleNamespace(ru_maxrss=now.ru_maxrss, **used)


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
    # What a provisional record says was not the last word.
    final = recorded and recorded.digest and PROVISIONAL not in recorded.marks
    if recorded and final and recorded.digest != digest:
        changed = f"{plan.original}: its content is {digest}, not the recorded {recorded.digest}"
    spooled = next((w.warning for w in finished.written if w.warning), None)
    return Verdict(plan, into, code, compare(first, second), changed, second.digest, spooled)
