"""Signals to the runtime, to its process group, stops and continuations."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.real.exactly.case import Case
from tests.real.exactly.conftest import Compare
from tests.real.exactly.live import Live

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1)
HANDLED = ("INT", "TERM", "HUP", "QUIT", "USR1")
# A shell signals its jobs as groups.
JOB = 'set -m; "$@" </dev/null & read x; kill -TERM %1; wait %1'
QUIET = 'ulimit -c 0; exec "$@"'  # QUIT leaves no core file
NOHUP = "trap '' HUP INT; exec \"$@\""
SLEEPER = ("sh", "-c", "echo x > /Outputs/a; echo ready $$; exec sleep 60")
# The runtimes begin to hand signals on some time after the command began; until then one ends them.
PAUSE = "sleep 1; "
TRAPS = (
    "sh",
    "-c",
    "echo x > /Outputs/a; "
    + "".join(f"trap 'echo got {name}' {name}; " for name in HANDLED)
    + f"trap 'echo got USR2; exit 43' USR2; {PAUSE}echo ready $$; while :; do sleep 0.05; done",
)
ONE_TRAP = (
    "sh",
    "-c",
    # The signal comes twice: to the group, and handed on by the runtime.
    "echo x > /Outputs/a; trap 'trap \"\" INT TERM; exit 44' INT TERM; "
    f"{PAUSE}echo ready $$; while :; do sleep 0.05; done",
)


def to_pid(number: int, *, trapped: bool = False) -> Callable[[Live], None]:
    def send(live: Live) -> None:
        _ = live.ready() if trapped else live.asleep()
        os.kill(live.pid, number)

    return send


def to_group(number: int, *, trapped: bool = False) -> Callable[[Live], None]:
    def send(live: Live) -> None:
        _ = live.ready() if trapped else live.asleep()
        os.killpg(live.pid, number)

    return send


def begun(live: Live) -> None:
    live.ready()


def one_by_one(live: Live) -> None:
    live.ready()
    for name in (*HANDLED, "USR2"):
        os.kill(live.pid, signal.Signals[f"SIG{name}"])
        live.until(f"got {name}".encode())


def stop_and_go(live: Live) -> None:
    """The runtime stops. So would the application, were there a job control above it."""
    app = live.asleep()
    os.kill(live.pid, signal.SIGTSTP)
    live.note(f"stopped {live.is_in(live.pid, 'T')}, application {live.state(app) in 'RS'}")
    os.kill(live.pid, signal.SIGCONT)
    live.note(f"goes on {live.is_in(app, 'SR')} {live.is_in(live.pid, 'SR')}")
    os.kill(live.pid, signal.SIGTERM)


def hard_stop(live: Live) -> None:
    """SIGSTOP reaches the runtime alone."""
    app = live.asleep()
    os.kill(live.pid, signal.SIGSTOP)
    live.note(f"stopped {live.is_in(live.pid, 'T')}, application {live.state(app) in 'RS'}")
    os.kill(live.pid, signal.SIGCONT)
    live.note(f"goes on {live.is_in(live.pid, 'SR')}")
    os.kill(live.pid, signal.SIGTERM)


def killed_inside(live: Live) -> None:
    os.kill(live.asleep(), signal.SIGKILL)


def namespaced(live: Live) -> None:
    """The application's id is another one outside."""
    live.until(b"ready ")
    live.seen = b""
    os.kill(live.pid, signal.SIGTERM)


CASES = (
    *(
        Case(f"pid-{number.name}", SLEEPER, code=-number, line=QUIET, during=to_pid(number))
        for number in ENDING
    ),
    Case("group-INT", SLEEPER, code=-signal.SIGINT, during=to_group(signal.SIGINT)),
    Case("group-TERM", SLEEPER, code=-signal.SIGTERM, during=to_group(signal.SIGTERM)),
    Case("group-trap", ONE_TRAP, code=44, during=to_group(signal.SIGINT, trapped=True)),
    # The shell tells of the `sleep` that the signal ended, where there was one just then.
    Case(
        "job-trap",
        ONE_TRAP,
        code=44,
        line=JOB,
        stdin=b"\n",
        during=begun,
        scrub=((b"Terminated\n", b""),),
    ),
    Case("pid-trap", ONE_TRAP, code=44, during=to_pid(signal.SIGTERM, trapped=True)),
    Case("handled", TRAPS, code=43, during=one_by_one),
    Case("stop", SLEEPER, code=-signal.SIGTERM, during=stop_and_go),
    Case("hard-stop", SLEEPER, code=-signal.SIGTERM, during=hard_stop),
    # The runtimes take back what nohup does.
    Case("nohup-pid", SLEEPER, code=None, line=NOHUP, during=to_pid(signal.SIGINT)),
    Case("nohup-group", SLEEPER, code=None, line=NOHUP, during=to_group(signal.SIGHUP)),
    Case("app-KILL", SLEEPER, code=-signal.SIGKILL, during=killed_inside),
    Case("app-SEGV", ("sh", "-c", "kill -SEGV $$"), code=-signal.SIGSEGV, line=QUIET),
    Case("pid-namespace", SLEEPER, code=None, options=("--pid",), during=namespaced),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_signals_do_what_they_do_without_us(case: Case, compare: Compare) -> None:
    compare(case, CASES)
