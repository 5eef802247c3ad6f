"""The runtimes that a replay starts, and what ends them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sifprov.errors import MissingError
from sifprov.replay import interrupt
from sifprov.replay.interrupt import Interrupts
from sifprov.replay.process import Running, Runtimes, Streams

SHELL = "/bin/sh"


def start(runtimes: Runtimes, script: str, folder: Path) -> Running:
    return runtimes.start([SHELL, "-c", script], str(folder), os.environ, Streams())


def until(path: Path) -> None:
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.01)


def test_how_a_runtime_ended_and_what_it_used(tmp_path: Path) -> None:
    runtimes = Runtimes()
    try:
        running = start(
            runtimes, "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; exit 7", tmp_path
        )
        ended = running.wait()
    finally:
        runtimes.close()
    assert os.waitstatus_to_exitcode(ended.status) == 7
    assert ended.started.started is True  # a code that no runtime gives of its own
    # Its own, whatever other children have used.
    assert 0 < ended.usage.ru_utime < 5


def test_a_runtime_that_is_not_there(tmp_path: Path) -> None:
    runtimes = Runtimes()
    with pytest.raises(MissingError, match="/nowhere: No such file"):
        runtimes.start(["/nowhere"], str(tmp_path), os.environ, Streams())
    runtimes.close()


def test_a_signal_reaches_each_of_them_and_what_starts_later(tmp_path: Path) -> None:
    runtimes = Runtimes()
    script = "trap 'exit 5' TERM; touch {}; while :; do sleep 0.02; done"
    first = start(runtimes, script.format("one"), tmp_path)
    until(tmp_path / "one")
    runtimes.signal(signal.SIGTERM)
    second = start(runtimes, "sleep 60", tmp_path)
    codes = [os.waitstatus_to_exitcode(running.wait().status) for running in (first, second)]
    runtimes.close()
    assert codes == [5, -signal.SIGTERM]


# The first lets the signal pass, and is killed in the end; the second ends in its own way.
KILLED = """
import os, signal, sys
from sifprov.replay.process import Runtimes, Streams
runtimes = Runtimes()
for script in sys.argv[1:]:
    runtimes.start(["/bin/sh", "-c", script], os.getcwd(), os.environ, Streams())
while not (os.path.exists("one") and os.path.exists("two")):
    pass
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_runtimes_end_when_we_are_killed(tmp_path: Path) -> None:
    gently = "trap 'sleep 0.2; touch cleaned; exit' TERM; touch {}; while :; do sleep 0.02; done"
    plainly = "echo $$ > pid; touch {}; sleep 60"
    argv = [sys.executable, "-c", KILLED, gently.format("one"), plainly.format("two")]
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "pytools")}
    done = subprocess.run(argv, cwd=tmp_path, env=env, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    until(tmp_path / "cleaned")
    state = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    end = time.monotonic() + 20
    while state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < end, "it lives on"
        time.sleep(0.02)


def test_what_is_not_ended_by_an_interrupt_is_killed_by_a_second_one(tmp_path: Path) -> None:
    runtimes = Runtimes()
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with Interrupts(runtimes) as interrupts:
        script = "trap 'touch asked' INT; touch ready; while :; do sleep 0.02; done"
        running = start(runtimes, script, tmp_path)
        until(tmp_path / "ready")
        os.kill(os.getpid(), signal.SIGINT)
        until(tmp_path / "asked")
        assert interrupts.number == signal.SIGINT
        assert not interrupts.lost_patience()
        os.kill(os.getpid(), signal.SIGTERM)
        assert os.waitstatus_to_exitcode(running.wait().status) == -signal.SIGKILL
    runtimes.close()
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == before
    # The first one says how we end.
    with pytest.raises(KeyboardInterrupt):
        interrupts.leave()


def test_patience_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "_GRACE", 0.05)
    monkeypatch.setattr(interrupt, "_MORE", 0.05)
    runtimes = Runtimes()
    with Interrupts(runtimes) as interrupts:
        running = start(
            runtimes, "trap '' TERM; touch ready; while :; do sleep 0.02; done", tmp_path
        )
        until(tmp_path / "ready")
        os.kill(os.getpid(), signal.SIGTERM)
        end = time.monotonic() + 10
        while not interrupts.lost_patience():
            assert time.monotonic() < end
            time.sleep(0.01)
        assert os.waitstatus_to_exitcode(running.wait().status) == -signal.SIGKILL
    runtimes.close()
    with pytest.raises(SystemExit) as raised:
        interrupts.leave()
    assert raised.value.code == 143


def test_a_signal_that_is_ignored_stays_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts(Runtimes()) as interrupts:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0.01)
            assert interrupts.number == 0
        interrupts.leave()
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_takes_no_signals() -> None:
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def other() -> None:
        with Interrupts(Runtimes()):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert seen == [before]
