"""Whether a command was started: shell scripts stand for the runtime here, real runtimes in
tests/real."""

from __future__ import annotations

import os
import shlex
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sifprov.wrapper import starts
from sifprov.wrapper.starts import Starts, Verdict
from sifprov.wrapper.supervise import WATCHED

# A runtime that forks without a program of its own, as one that cannot find the command.
FORKS = "import os, sys; p = os.fork() or os._exit(255); os.waitpid(p, 0); os._exit(255)"


# A child that ends by a signal, and one whose other threads end behind it.
KILLS = "import os, time; p = os.fork() or time.sleep(60); os.kill(p, 9); os._exit(255)"
THREADS = (
    "import os, threading, time\n"
    "for _ in range(4): threading.Thread(target=time.sleep, args=(60,)).start()\n"
    "os._exit(255)"
)


def run(argv: list[str], *, looks: float = 0.0) -> Verdict:
    watch = Starts()
    pid = os.posix_spawnp(argv[0], argv, dict(os.environ))
    watch.began(pid)
    end = time.monotonic() + looks
    while time.monotonic() < end:
        time.sleep(0.05)
        watch.look()
    _, status = os.waitpid(pid, 0)
    return watch.verdict(status)


@pytest.fixture
def events() -> None:
    """Needs the kernel's process events; one that comes late is no sign that there are none."""
    if all(run(["sh", "-c", "/bin/false"]).started is None for _ in range(5)):
        pytest.skip("this kernel, or this namespace, tells nobody of process events")


@pytest.mark.parametrize("code", [0, 3, 7, 126, 254])
def test_a_code_that_no_runtime_gives(code: int) -> None:
    assert run(["sh", "-c", f"exit {code}"]) == Verdict(True, "exit code")


RAN = Verdict(True, "process events")


@pytest.mark.parametrize("code", [1, 2, 255])
def test_a_quick_command_with_a_runtimes_own_code(events: None, code: int) -> None:
    script = f"{sys.executable} -c 'import os; os._exit({code})'; exit $?"
    assert [run(["sh", "-c", script]) for _ in range(5)] == [RAN] * 5


def test_what_others_do_meanwhile_is_theirs(events: None) -> None:
    """Their parents are faster than the kernel's event at times, so that it names none."""
    watch = Starts()
    watch.began(10)
    watch._executed = {10, 20}
    watch._ended = {20: (255 << 8, 0), 10: (255 << 8, 1)}
    assert watch.verdict(255 << 8) == Verdict(False, "process events", refused=True)


def test_a_runtime_that_started_nothing(events: None) -> None:
    for _ in range(5):
        assert run([sys.executable, "-c", FORKS]) == Verdict(False, "process events")


def test_a_runtime_that_refused(events: None) -> None:
    refused = Verdict(False, "process events", refused=True)
    # There was nobody, or who was there was taken along.
    assert run(["sh", "-c", "exit 1"]) == refused
    assert run([sys.executable, "-c", KILLS]) == refused


def test_a_command_of_many_threads(events: None) -> None:
    script = f"{sys.executable} -c {shlex.quote(THREADS)}; exit 255"
    assert [run(["sh", "-c", script]) for _ in range(5)] == [RAN] * 5


def test_a_parent_that_is_not_known_is_not_guessed() -> None:
    watch = Starts()
    watch.close()
    watch._overflow = False
    watch.began(10)
    for executed in (True, False):
        watch._executed = {10, 20} if executed else {10}
        watch._ended = {20: (255 << 8, 0), 10: (255 << 8, 1)}
        verdict = watch.verdict(255 << 8)
        assert verdict.started is (None if executed else False)
        assert not verdict.refused


def test_a_helper_of_the_runtime_is_no_command(events: None) -> None:
    verdict = run(["sh", "-c", "/bin/false; exit 255"])
    assert verdict == Verdict(False, "process events", refused=True)


def test_a_command_below_a_process_of_the_runtimes(events: None) -> None:
    script = "(sh -c 'exit 255'; exit 255); exit 255"
    assert run(["sh", "-c", script]) == RAN


def test_an_end_that_is_not_told_is_not_guessed(events: None) -> None:
    """The kernel tells the parent first; what it tells us then may come late, or never."""
    watch = Starts()
    pid = os.posix_spawnp("sh", ["sh", "-c", "exit 255"], dict(os.environ))
    watch.began(pid)
    _, status = os.waitpid(pid, 0)
    gone = subprocess.Popen(["true"])
    gone.wait()
    watch.look()
    watch._below.add(gone.pid)
    watch._executed.add(gone.pid)
    watch._gone.discard(gone.pid)
    assert watch.verdict(status) == Verdict(None, "a command may have ended so, with 255")


def test_an_end_counts_from_whichever_queue_tells_it_first(events: None) -> None:
    watch = Starts()
    watch.began(10)
    watch._executed, watch._below = {10, 20}, {20}
    told = struct.pack("=IIIIII", 20, 20, 255 << 8, signal.SIGCHLD, 10, 10)
    watch._take_birth(starts._EXIT, told)
    assert watch.verdict(255 << 8) == RAN


def test_a_program_that_lives_on_is_not_waited_for(events: None) -> None:
    begin = time.monotonic()
    verdict = run(["sh", "-c", "sleep 1 & exit 255"])
    assert time.monotonic() - begin < starts._LATE
    assert verdict == Verdict(False, "process events", refused=True)


def test_births_that_were_dropped(events: None) -> None:
    """Then a parent is known by what the end tells."""
    watch = Starts()
    assert watch._births
    watch._births.close()
    watch._births = None
    watch.began(10)
    watch._executed = {10, 20, 30}
    watch._ended = {30: (255 << 8, 20), 20: (255 << 8, 10), 10: (255 << 8, 1)}
    assert watch.verdict(255 << 8) == RAN


def test_a_long_command_is_seen_without_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "_listen", lambda events, knock: None)
    script = "sleep 0.5; exit 255"
    assert run(["sh", "-c", script], looks=0.3) == Verdict(True, "process table")
    quick = run(["sh", "-c", "/bin/false; exit 255"])
    assert quick.started is None
    assert "with 255" in quick.why
    killed = run(["sh", "-c", "kill -9 $$"])
    assert (killed.started, killed.alone) == (None, True)
    assert "by signal 9" in killed.why


def test_a_killed_runtime_whose_command_lives_on() -> None:
    watch = Starts()
    process = subprocess.Popen(["sh", "-c", "sleep 63 & echo $!; wait"], stdout=subprocess.PIPE)
    assert process.stdout
    command = int(process.stdout.readline())
    watch.began(process.pid)
    for _ in range(40):
        watch.look()
        if watch.settled:
            break
        time.sleep(0.05)
    try:
        process.kill()
        _, status = os.waitpid(process.pid, 0)
        process.returncode = -9
        assert watch.verdict(status) == Verdict(True, "process table", alone=True)
    finally:
        os.kill(command, signal.SIGKILL)
        process.stdout.close()


def test_events_that_were_dropped_are_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = Starts()
    watch._overflow = True
    pid = os.posix_spawnp("sh", ["sh", "-c", "exit 255"], dict(os.environ))
    watch.began(pid)
    _, status = os.waitpid(pid, 0)
    assert watch.verdict(status).started is None


def test_every_signal_but_ours_is_watched() -> None:
    assert {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGCONT} <= WATCHED
    assert not {signal.SIGKILL, signal.SIGSTOP, signal.SIGSEGV} & WATCHED
    assert Path("/proc/self/task").exists()


def supervised(argv: list[str]) -> Starts:
    """As the supervisor waits, but that it looks at /proc only when the kernel knocks."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
    watch = Starts()
    try:
        pid = os.posix_spawnp(argv[0], argv, dict(os.environ))
        watch.began(pid)
        while True:
            info = signal.sigtimedwait(WATCHED, 20)
            assert info
            if watch.is_knock(info):
                watch.look(knocked=True)
            elif os.waitpid(pid, os.WNOHANG)[0]:
                return watch
    finally:
        watch.close()
        while signal.sigtimedwait(WATCHED, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def test_the_mounts_of_a_quick_command_are_seen(events: None) -> None:
    seen = [supervised(["sh", "-c", "sleep 0.01; exit 0"]).mounts for _ in range(10)]
    assert sum(b" / " in table for table in seen) >= 8, "a busy machine may be late"


def test_programs_of_others_are_not_looked_at(
    events: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []

    def looking(runtime: int) -> int:
        looks.append(runtime)
        return 0

    monkeypatch.setattr(starts, "_command_below", looking)
    watch = supervised(["setsid", "-w", "sh", "-c", "sleep 0.01; sleep 0.01; exit 0"])
    # setsid itself begins in our group, if it is told in time.
    assert len(looks) <= 1
    assert not watch.settled


def test_the_kernel_knocks_only_for_a_while(events: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starts, "_MOST_KNOCKS", 3)
    monkeypatch.setattr(starts, "_command_below", lambda runtime: 0)
    quick = "; ".join(["/bin/true"] * 50)
    assert supervised(["sh", "-c", quick])._knocks <= 4


def test_a_signal_of_somebody_is_no_knock() -> None:
    watch = Starts()
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGURG})
    try:
        watch.close()
        os.kill(os.getpid(), signal.SIGURG)
        info = signal.sigwaitinfo({signal.SIGURG})
        assert not watch.is_knock(info)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
