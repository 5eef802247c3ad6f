"""Signals to the whole process group, and to us alone: each reaches the runtime once."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.real.harness import kill_tree

# Tells of every signal, until USR2 comes.
RUNTIME = """
import signal
watched = {signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGCONT, signal.SIGUSR2}
signal.pthread_sigmask(signal.SIG_BLOCK, watched)
print("ready", flush=True)
while (number := signal.sigwaitinfo(watched).si_signo) != signal.SIGUSR2:
    print(signal.Signals(number).name, flush=True)
"""
SUPERVISOR = f"""
import os, sys
from sifprov.wrapper import group
from sifprov.wrapper.supervise import Process, end_as
group._TOGETHER, group._ONE_BY_ONE = map(float, sys.argv[1:])
end_as(Process((sys.executable, "-c", {RUNTIME!r}), os.environ).wait().status)
"""


class Group:
    """A supervisor in a group of its own, with its runtime and its witness."""

    def __init__(self, together: float, one_by_one: float) -> None:
        argv = [sys.executable, "-c", SUPERVISOR, str(together), str(one_by_one)]
        self.process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, start_new_session=True, text=True
        )
        assert self.process.stdout
        self.output = self.process.stdout
        assert self.output.readline() == "ready\n"
        self.pid = self.process.pid
        wait_for(lambda: len(children(self.pid)) == 2)
        self.runtime, self.witness = children(self.pid)
        # The witness listens when its output is no longer ours.
        wait_for(lambda: len(os.listdir(f"/proc/{self.witness}/fd")) == 2)

    def said(self) -> str:
        return self.output.readline().strip()

    def rest(self) -> list[str]:
        """Ends the runtime; returns what it had not told by then."""
        # What is handed on comes by the signals' numbers, and this one is the last.
        os.kill(self.pid, signal.SIGUSR2)
        assert self.process.wait(20) == 0
        return self.output.read().split()

    def close(self) -> None:
        self.output.close()
        if self.process.poll() is None:
            kill_tree(self.pid)
            self.process.wait(20)


Start = Callable[..., Group]


@pytest.fixture
def start() -> Iterator[Start]:
    made: list[Group] = []

    def one(together: float = 20.0, one_by_one: float = 0.003) -> Group:
        made.append(Group(together, one_by_one))
        return made[-1]

    yield one
    for group in made:
        group.close()


def children(pid: int) -> list[int]:
    try:
        return [int(w) for w in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def status(pid: int, field: str) -> str:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(line.split("\t")[1] for line in lines if line.startswith(f"{field}:"))


def is_stopped(pid: int) -> bool:
    return status(pid, "State")[0] == "T"


def pending(pid: int) -> int:
    """The signals that a process has not taken yet, as the kernel's bits."""
    return int(status(pid, "ShdPnd"), 16)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_signal_to_the_group_comes_once(start: Start) -> None:
    group = start()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        # We are late, so that a second one would not become one with the first.
        os.kill(group.pid, signal.SIGSTOP)
        wait_for(partial(is_stopped, group.pid))
        os.killpg(group.pid, number)
        assert group.said() == number.name
        os.kill(group.pid, signal.SIGCONT)
        assert group.said() == "SIGCONT"
    assert group.rest() == []


def test_a_signal_to_us_alone_is_handed_on(start: Start) -> None:
    group = start()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT):
        os.kill(group.pid, number)
        assert group.said() == number.name
    assert group.rest() == []


def test_one_to_us_beside_one_to_the_group_is_handed_on(start: Start) -> None:
    group = start()
    os.killpg(group.pid, signal.SIGINT)
    assert group.said() == "SIGINT"
    wait_for(lambda: not pending(group.pid))
    os.kill(group.pid, signal.SIGINT)
    assert group.said() == "SIGINT"
    assert group.rest() == []


def test_a_sender_that_goes_from_process_to_process(start: Start) -> None:
    group = start(one_by_one=3.0)
    for pid in (group.pid, group.runtime, group.witness):
        os.kill(pid, signal.SIGINT)
    assert group.said() == "SIGINT"
    assert group.rest() == []


def test_what_came_to_the_others_long_before_is_another_signal(start: Start) -> None:
    group = start(together=0.2)
    for pid in (group.runtime, group.witness):
        os.kill(pid, signal.SIGINT)
    assert group.said() == "SIGINT"
    time.sleep(0.3)
    os.kill(group.pid, signal.SIGINT)
    assert group.said() == "SIGINT"
    assert group.rest() == []


def test_after_a_stop_of_the_group_all_is_as_before(start: Start) -> None:
    group = start()
    os.killpg(group.pid, signal.SIGSTOP)
    for pid in (group.pid, group.runtime, group.witness):
        wait_for(partial(is_stopped, pid))
    os.killpg(group.pid, signal.SIGINT)
    # Only we are woken: that is handed on, and what waited comes once.
    os.kill(group.pid, signal.SIGCONT)
    assert sorted((group.said(), group.said())) == ["SIGCONT", "SIGINT"]
    os.killpg(group.pid, signal.SIGTERM)
    assert group.said() == "SIGTERM"
    assert group.rest() == []


def test_without_the_witness_no_signal_is_lost(start: Start) -> None:
    group = start()
    os.kill(group.witness, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        os.kill(group.pid, number)
        assert group.said() == number.name
    # Nor does one come of our own pipe, which nobody reads.
    assert group.rest() == []


def test_the_witness_ends_with_us(start: Start) -> None:
    group = start()
    witness = os.pidfd_open(group.witness)
    try:
        group.process.kill()
        assert select.select([witness], [], [], 20)[0]
    finally:
        os.close(witness)
        os.kill(group.runtime, signal.SIGKILL)


def test_nothing_of_it_is_left_behind(start: Start) -> None:
    group = start()
    assert group.rest() == []
    assert not Path(f"/proc/{group.witness}").exists()
