"""The program that the plugin starts: a capture request on standard input, the record in the
output.

It uses the standard library alone, for it runs as `python3 -I -S`, and it starts on the user's
clock.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from uuid import uuid4

from sifprov import capture
from sifprov.capture.facts.resources import of_container
from sifprov.content import Deadline
from sifprov.errors import SifprovError
from sifprov.frozen import replace
from sifprov.model.request import (
    LOST,
    CaptureEnd,
    CaptureRequest,
    dump_request,
    is_running,
    parse_end,
    parse_request,
    running_process,
)
from sifprov.model.timestamp import to_ns
from sifprov.settings import Settings, load_or_default
from sifprov.spool import journaled
from sifprov.terminal import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from sifprov.telemetry.sampler import Sampler

MAX_LINE = 1024 * 1024
# A run of fewer seconds is over before anything would be gained by keeping its request meanwhile.
_SHORT = 1.0


def main() -> int:
    """Records one run. Returns 0 when it was recorded, or changed no container; else 1."""
    # The user's ^C is for the application; the plugin bounds our time.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP):
        signal.signal(number, signal.SIG_IGN)
    source = sys.stdin.buffer
    return guarded(lambda: _serve(source.readline(MAX_LINE), source))


def _serve(line: bytes, source: BinaryIO) -> int:
    request = parse_request(line)
    runtime = os.getppid()
    if b'"site_log"' not in line:
        return follow(request, source, live=True, runtime=runtime)
    from sifprov.sitelog import log_run, wanted  # only who wants it pays for it

    log = wanted(line)

    def on_end(end: CaptureEnd) -> None:
        if log:
            log_run(log, request, end)

    return follow(request, source, live=True, on_end=on_end, runtime=runtime)


def guarded(work: Callable[[], int]) -> int:
    """Does the work; an error of ours is one line on standard error, and 1."""
    try:
        return work()
    except (SifprovError, OSError) as error:
        return _warn(str(error), 1)


def follow(
    request: CaptureRequest,
    source: BinaryIO,
    *,
    live: bool,
    on_end: Callable[[CaptureEnd], None] = lambda end: None,
    measure: Callable[[int, int, int], Sampler] | None = None,
    runtime: int | None = None,
) -> int:
    """Records a run whose further lines come from `source`; `live` as in `capture.finish`.

    One without binds or folders is only followed to its end. `on_end` hears of the end before
    anything is recorded. `measure` starts the telemetry of the process that runs: its number, the
    interval in microseconds, and the run's start since 1970 in nanoseconds. `runtime` is the
    process that runs it, for reports. Returns 0 when it was
    recorded, or changed no container. Raises SifprovError, OSError.
    """
    if request.live and request.id is None:
        request = replace(request, id=uuid4())
    touches = bool(request.binds or request.folders)
    with _kept_meanwhile(request) if touches else nullcontext():
        return _record(request, source, touches, live, on_end, measure or _measure, runtime)


def _measure(process: int, interval_us: int, began_ns: int) -> Sampler:
    from sifprov.telemetry.sampler import Sampler  # only who wants it pays for it

    # The starter, our parent, started the container too.
    return Sampler(lambda: process, os.getppid(), interval_us, began_ns)


@contextmanager
def _kept_meanwhile(request: CaptureRequest) -> Iterator[None]:
    """Lets the request wait in the spool until the run is recorded, or somebody else keeps it."""
    over = threading.Event()

    def keep() -> None:
        if not over.wait(_SHORT):
            with journaled(dump_request(request)):
                over.wait()

    keeper = threading.Thread(target=keep, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _record(
    request: CaptureRequest,
    source: BinaryIO,
    touches: bool,
    live: bool,
    on_end: Callable[[CaptureEnd], None],
    measure: Callable[[int, int, int], Sampler],
    runtime: int | None,
) -> int:
    deadline = Deadline()
    lines: list[bytes] = []
    samplers: list[Sampler] = []
    settings = load_or_default({**os.environ, **dict(request.variables)})

    def wait_for_end() -> None:
        # In a thread of its own, for hashing large inputs may outlast a short run.
        line = source.readline(MAX_LINE)
        if is_running(line):
            lines.append(line)
            if touches and settings.telemetry and (process := running_process(line)):
                with suppress(OSError, RuntimeError):  # no thread or descriptor is left
                    samplers.append(measure(process, settings.telemetry, to_ns(request.started)))
            line = source.readline(MAX_LINE)
        deadline.start(request.timeout)
        for sampler in samplers:
            sampler.stop()
        lines.append(line)

    waiter = threading.Thread(target=wait_for_end, daemon=True)
    waiter.start()
    tell = _reporter(request, settings, runtime)
    started = capture.begin(request, deadline, settings=settings, ahead=True) if touches else None
    waiter.join()
    how = parse_end(lines[-1]) if lines else LOST
    if how.ended is None and len(lines) < 2:
        # The runtime gave up before anything ran in the container.
        tell(None, None, None)
        return 0
    on_end(how)
    if started is None:
        tell(how, None, None)
        return 0
    sampler = samplers[0] if samplers else None
    if sampler:
        sampler.settle(of_container(how))
    try:
        finished = capture.finish(started, how, deadline, live=live, sampler=sampler)
    except (SifprovError, OSError) as error:
        tell(how, None, str(error))
        raise
    tell(how, finished, None)
    said, code = [*settings.warnings, *finished.warnings], 0
    for written in finished.written:
        if written.warning:
            # Where no spool took it, the plugin is to try.
            code = code if written.kept else 1
            said.append(written.warning)
    # The plugin hands on one line.
    return _warn("; ".join(said), code) if said else code


def _reporter(
    request: CaptureRequest, settings: Settings, runtime: int | None
) -> Callable[[CaptureEnd | None, capture.Finished | None, str | None], None]:
    """Reports that the run starts, where that is wanted; returns what reports its end."""
    if not request.live:
        return lambda end, finished, reason: None
    from sifprov.capture.live import Reporter  # only who wants it pays for it

    return Reporter(request, settings, runtime).ended


def _warn(text: str, code: int) -> int:
    print(printable(text), file=sys.stderr)
    return code
