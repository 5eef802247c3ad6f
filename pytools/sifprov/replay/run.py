"""Carries out one step of a replay: builds what its outputs start with, runs it, records it.

Steps run in threads side by side: nothing here changes the process.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from uuid import uuid4

from sifprov import capture
from sifprov.capture.facts.isolation import of_command_line, with_names
from sifprov.capture.lineage import Source
from sifprov.content import Deadline
from sifprov.errors import FileError, MissingError, ReplayError
from sifprov.frozen import dataclass, replace
from sifprov.hostfs import changed_since
from sifprov.identity import identify
from sifprov.model.annotation import VARIABLES
from sifprov.model.canonical import record_digest
from sifprov.model.environment import DEFAULT, FOR_HELPER, pick
from sifprov.model.record import WRAPPER, Replay
from sifprov.model.request import (
    LOST,
    Bind,
    BoundImage,
    CaptureRequest,
    parse_end,
)
from sifprov.model.timestamp import from_ns
from sifprov.replay import line, start
from sifprov.replay.ending import as_recorded, code_of, words_for
from sifprov.replay.process import Runtimes, Streams
from sifprov.replay.reports import reporting
from sifprov.replay.steps import Done, Found, Made, Plan, Rebuilt, Result, Step, Target
from sifprov.replay.variables import environment
from sifprov.replay.work import Work
from sifprov.runtime.argv import parse
from sifprov.runtime.conf import find_conf
from sifprov.settings import load_or_default
from sifprov.terminal import printable
from sifprov.version import VERSION
from sifprov.wrapper.line import CAPTURED
from sifprov.wrapper.recorder import end_line
from sifprov.wrapper.supervise import Ended, unless_untouched


class StoppedError(Exception):
    """The replay was interrupted before the application had ended."""


@dataclass(frozen=True)
class Around:
    """What a step runs in. `since_ns` is when the plan was carried out first (ns since 1970): what
    changed later is read again."""

    plan: Plan
    work: Work
    runtimes: Runtimes
    environ: Mapping[str, str]
    since_ns: int
    on_step: Callable[[str], None] = lambda text: None
    on_command: Callable[[tuple[str, ...]], None] = lambda argv: None

    def tell(self, text: str) -> None:
        """Tells what is being done. Raises StoppedError where nothing more is to be done."""
        self.check()
        self.on_step(text)

    def check(self) -> None:
        """Raises StoppedError once the replay was interrupted."""
        if self.runtimes.stopped is not None:
            raise StoppedError


def run_step(around: Around, step: Step, made: Mapping[str, Result], streams: Streams) -> Done:
    """Carries out one step; `made` are the states of earlier ones. Raises ReplayError when the
    application ends otherwise than recorded, MissingError, FileError, StoppedError; nothing is left
    of what it made, but for what is set aside of an application that failed."""
    work = around.work
    states = tuple(target.state for target in step.outputs)
    work.begin(states)
    try:
        return _run_step(around, step, made, streams)
    except BrokenPipeError:
        raise  # nobody reads any more what we tell
    except OSError as error:
        where = error.filename or work.folder
        raise FileError(f"{where}: {error.strerror or error}") from error
    finally:
        work.discard(states)


def _run_step(around: Around, step: Step, made: Mapping[str, Result], streams: Streams) -> Done:
    plan, work = around.plan, around.work
    states = [target.state for target in step.outputs]
    files = {state: result.path for state, result in made.items()}
    for target in step.outputs:
        around.tell(f"making {printable(target.container.name)} as it was before the run")
        start.build(target.start, target, work.part(target.state), files, around.tell)
        files[target.state] = work.part(target.state)
    names = {state: work.name_for_good(state) for state in files}
    for number, item in enumerate(step.inputs):
        if isinstance(item, Rebuilt):
            around.tell(f"making {printable(item.container.name)} again")
            path = f"{work.part(states[0])}.input-{number}"
            start.build(item.start, item.target, path, files, around.tell)
            files[item.state] = path
            names[item.state] = os.path.join(work.folder, os.path.basename(item.container.name))
    uuids = {identify(work.part(t.state)).uuid: Replay(t.state, t.record.id) for t in step.outputs}
    argv = line.command(step, files)
    environ = {**environment(step, around.environ), CAPTURED: "1"}
    around.check()
    around.on_command(argv)
    began = time.time_ns()
    settings = load_or_default(around.environ)
    request = replace(
        _request(plan, step, files, argv=argv, environ=environ, began=began),
        live=settings.live,
        id=uuid4() if settings.live else None,
        names=lambda end: {files[state]: name for state, name in names.items()},
    )
    running = around.runtimes.start(argv, step.cwd, environ, streams)
    called = line.command(step, names)
    with reporting(replace(request, argv=called), settings, running.pid) as tell:
        # While the application runs.
        reading = _Reading(around, step, request, made)
        ended = _surely(running.wait(), [work.part(state) for state in states], began)
        end = LOST if ended.started.alone else parse_end(end_line(ended))
        tell(end, None)
        around.check()
        if end.refused:
            raise MissingError(
                f"{step.runtime.name} did not start the command; it ended with {code_of(end)}",
                hint="what it said stands above",
            )
        failed = not as_recorded(step.run, end)
        if failed:
            names |= {state: work.failed_name(state, states) for state in states}
        around.on_step("reading what the run wrote")
        finished = capture.finish(
            reading.result(line.command(step, names)), end, Deadline(), replays=uuids.get
        )
        tell(end, finished)
    results = [_result(plan, t, work.part(t.state), finished) for t in step.outputs]
    if failed:
        for state in states:
            work.set_aside(state, names[state])
        raise ReplayError(
            f"the replayed application {words_for(end)}, the recorded one {words_for(step.run)}",
            hint=f"what it wrote is in {names[states[0]]}",
        )
    work.finish(states)
    placed = tuple(replace(r, path=work.path(r.state)) for r in results)
    return Done(step.key, code_of(end), placed, argv, (ended.ended_ns - began) / 1e9)


class _Reading:
    """The first half of the capture, in a thread of its own."""

    def __init__(
        self, around: Around, step: Step, request: CaptureRequest, made: Mapping[str, Result]
    ) -> None:
        self._started: list[capture.Started] = []
        self._problem: BaseException | None = None
        self._work = partial(self._begin, around, step, request, made)
        self._thread = threading.Thread(target=self._guarded, daemon=True)
        self._thread.start()

    def result(self, argv: tuple[str, ...]) -> capture.Started:
        """Waits for it. `argv` is the command line that the record tells."""
        self._thread.join()
        if self._problem:
            raise self._problem
        (started,) = self._started
        return replace(started, request=replace(started.request, argv=argv))

    def _guarded(self) -> None:
        try:
            self._started.append(self._work())
        except BaseException as error:  # raised again, by whoever waits
            self._problem = error

    @staticmethod
    def _begin(
        around: Around, step: Step, request: CaptureRequest, made: Mapping[str, Result]
    ) -> capture.Started:
        plan, application = around.plan, step.application
        trees = {}
        for item in step.inputs:
            if isinstance(item, Made):
                trees[made[item.state].path] = made[item.state].tree
            elif isinstance(item, Found) and item.tree and _is_as_planned(item, around.since_ns):
                trees[os.path.abspath(item.path)] = item.tree
        where = (plan.original, *((plan.metadata,) if plan.metadata else ()))
        return capture.begin(
            request,
            Deadline(),
            trees=trees,
            ahead=True,
            also=tuple(Source(target.state, where) for target in step.outputs),
            image=application.digest if _is_as_planned(application, around.since_ns) else None,
        )


def _is_as_planned(found: Found, since_ns: int) -> bool:
    return not changed_since(found.path, since_ns)


def _request(
    plan: Plan,
    step: Step,
    files: Mapping[str, str],
    *,
    argv: tuple[str, ...],
    environ: Mapping[str, str],
    began: int,
) -> CaptureRequest:
    sources = [
        (os.path.abspath(i.path) if isinstance(i, Found) else files[i.state], i.container, True)
        for i in step.inputs
    ] + [(files[t.state], t.container, False) for t in step.outputs]
    binds = tuple(
        Bind(path, c.mount or "/", c.source, None, read_only, False)
        for path, c, read_only in sources
    )
    typed = parse(argv)
    asked = of_command_line(
        argv,
        environ,
        apptainer=step.runtime.name == "apptainer",
        conf=find_conf(step.runtime.path),
    )
    recorded = [name for name, _ in step.run.environment]
    return CaptureRequest(
        captured_by=WRAPPER,
        version=VERSION,
        runtime_name=step.runtime.name,
        runtime_version=step.runtime.version,
        argv=argv,
        command=(f"/.singularity.d/actions/{typed.action}", *typed.args) if typed else (),
        cwd=step.cwd,
        started=from_ns(began),
        environment=pick(environ, (*DEFAULT, *recorded)),
        image=os.path.abspath(step.application.path),
        binds=binds,
        images=tuple(BoundImage(b.source, not b.read_only) for b in binds),
        timeout=0,
        metadata=plan.metadata,
        facts=(with_names(asked, environ),),
        # Words are about the run that was, not about its replay.
        variables=tuple(v for v in pick(environ, FOR_HELPER) if v[0] not in VARIABLES),
    )


def _surely(ended: Ended, outputs: list[str], began: int) -> Ended:
    """A container that nobody mounted for writing shows that the runtime refused the run."""
    if ended.started.started or ended.started.alone:
        return ended
    return unless_untouched(ended, outputs, began)


def _result(plan: Plan, target: Target, path: str, finished: capture.Finished) -> Result:
    uuid, tree = identify(path).uuid, finished.tree_of(path)
    written = next((w for w in finished.written if w.record.container == uuid), None)
    if tree is None or written is None:
        raise FileError(f"{path}: what the run wrote cannot be read")
    said = [text for text in (written.warning, *finished.warnings) if text]
    digest = written.digest or record_digest(written.record.to_bytes())
    return Result(
        target.state, path, tree, written.record, digest, plan.metadata, "; ".join(said) or None
    )
