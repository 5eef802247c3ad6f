"""Signals, terminals and violent ends: as without `sifprov exec`, and no record is lost."""

from __future__ import annotations

import os
import pty
import pwd
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.real.harness import (
    SYSTEM_PATH,
    descendants,
    image_drivers,
    kill_all,
    kill_tree,
    leads_session,
    parent_of,
    words_of,
)
from tests.real.job import COPY
from tests.real.wrapjob import WrapJob

OUTPUT = ("-B", "output.sif:/Outputs:image-src=/Outputs")
# Tells on standard output when it runs; a signal that it catches is told too.
TRAPS = (
    "trap 'echo got INT; exit 21' INT; trap 'echo got TERM; exit 22' TERM; "
    "trap 'echo got HUP; exit 23' HUP; echo begun > /Outputs/a; sleep 1; echo ready; "
    "i=0; while [ $i -lt 900 ]; do sleep 0.1; i=$((i+1)); done"
)


class Console:
    """A program on a terminal of its own."""

    def __init__(self, argv: list[str], job: WrapJob) -> None:
        master, slave = pty.openpty()
        account = pwd.getpwnam(job.run.user)
        other = account.pw_uid != os.getuid()
        os.fchown(slave, account.pw_uid, account.pw_gid)

        def own() -> None:
            os.setsid()
            import fcntl
            import termios

            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, cwd=job.run.folder, preexec_fn=own,
            env={"PATH": SYSTEM_PATH, "TERM": "dumb", "PS1": "$ ", **job.env()},
            user=account.pw_uid if other else None, group=account.pw_gid if other else None,
            extra_groups=[] if other else None,
        )  # fmt: skip
        os.close(slave)
        self.master = master
        self.text = ""

    def type(self, text: str) -> None:
        os.write(self.master, text.encode())

    def expect(self, words: str, timeout: float = 60) -> str:
        """Reads until `words` come; returns what came before, and forgets it."""
        end = time.monotonic() + timeout
        while words not in self.text:
            left = end - time.monotonic()
            assert left > 0, f"no {words!r} in {self.text!r}"
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.text += os.read(self.master, 4096).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"the end before {words!r}: {self.text!r}") from None
        before, _, self.text = self.text.partition(words)
        return before

    def close(self) -> None:
        kill_tree(self.process.pid)
        self.process.wait()
        os.close(self.master)


@contextmanager
def bash(job: WrapJob) -> Iterator[Console]:
    console = Console(["bash", "--norc", "--noprofile", "-i"], job)
    try:
        console.type("stty -echo; echo re''ady1\n")
        console.expect("ready1")
        yield console
    finally:
        console.close()


@contextmanager
def started(argv: list[str], job: WrapJob) -> Iterator[subprocess.Popen[str]]:
    """A program in the background, which has said `ready`."""
    account = pwd.getpwnam(job.run.user)
    other = account.pw_uid != os.getuid()
    process = subprocess.Popen(
        argv, cwd=job.run.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={"PATH": SYSTEM_PATH, "SIFPROV_CAPTURED": "1", **job.env()},
        user=account.pw_uid if other else None, group=account.pw_gid if other else None,
        extra_groups=[] if other else None,
    )  # fmt: skip
    try:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        kill_tree(process.pid)
        process.communicate(timeout=60)


def line_of(job: WrapJob, script: str) -> str:
    return shlex.join(job.wrapped("exec", *OUTPUT, job.app, "sh", "-c", script))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_us_alone_reaches_the_application(
    wrap_job: WrapJob, number: signal.Signals
) -> None:
    bare = [wrap_job.runtime, "exec", *wrap_job.flags, *OUTPUT, wrap_job.app, "sh", "-c", TRAPS]
    with started(bare, wrap_job) as process:
        process.send_signal(number)
        said, _ = process.communicate(timeout=60)
        expected = (process.returncode, said)
    with started(wrap_job.wrapped("exec", *OUTPUT, wrap_job.app, "sh", "-c", TRAPS), wrap_job) as p:
        p.send_signal(number)
        said, _ = p.communicate(timeout=60)
        assert (p.returncode, said) == expected
    run = wrap_job.last()["run"]
    assert run["outcome"] == "exited"
    assert run["exit_code"] == expected[0]


def test_an_interrupt_at_the_terminal(wrap_job: WrapJob) -> None:
    with bash(wrap_job) as console:
        console.type(line_of(wrap_job, TRAPS) + "; echo code $?.\n")
        console.expect("ready")
        console.type("\x03")
        said = console.expect("code ")
        assert console.expect(".") == "21"
        assert said.count("got INT") == 1
    assert wrap_job.last()["run"]["exit_code"] == 21


def test_an_application_that_an_interrupt_ends(wrap_job: WrapJob) -> None:
    with bash(wrap_job) as console:
        console.type(line_of(wrap_job, "echo x > /Outputs/a; echo ready; sleep 57") + "\n")
        console.expect("ready")
        console.type("\x03")
        console.type("echo code $?.\n")
        console.expect("code ")
        assert console.expect(".") == "130"
    run = wrap_job.last()["run"]
    assert (run["outcome"], run["signal"]) in [("signaled", 2), ("exited", None)]


def test_stop_and_continue_at_the_terminal(wrap_job: WrapJob) -> None:
    with bash(wrap_job) as console:
        console.type(line_of(wrap_job, "echo x > /Outputs/a; echo ready; read x; exit 5") + "\n")
        console.expect("ready")
        console.type("\x1a")
        console.expect("Stopped")
        console.type("jobs; echo at the pro''mpt\n")
        console.expect("at the prompt")
        console.type("fg; echo code $?.\n")
        # bash names the job; from then on what is typed is the application's.
        console.expect("read x")
        console.type("\n")
        console.expect("code ")
        assert console.expect(".") == "5"
    assert wrap_job.last()["run"]["exit_code"] == 5


def test_a_killed_wrapper_leaves_an_unknown_outcome(wrap_job: WrapJob) -> None:
    script = "echo begun > /Outputs/a; echo ready; exec sleep 59"
    argv = wrap_job.wrapped("exec", *OUTPUT, wrap_job.app, "sh", "-c", script)
    with started(argv, wrap_job) as process:
        below = descendants(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        wait_for(lambda: len(wrap_job.records()) == 1)
        run = wrap_job.last()["run"]
        assert (run["outcome"], run["exit_code"], run["ended"]) == ("unknown", None, None)
        output = wrap_job.last()["containers"][-1]
        assert output["digest"] is None
        assert output["reason"]
        kill_all(below)


def test_a_killed_recorder_leaves_a_request_that_flush_delivers(wrap_job: WrapJob) -> None:
    script = f"{COPY}; trap 'exit 6' TERM; sleep 1; echo ready; while :; do sleep 0.1; done"
    words = ("-B", "input.sif:/Inputs:image-src=/Inputs", *OUTPUT, wrap_job.app, "sh", "-c", script)
    with started(wrap_job.wrapped("exec", *words), wrap_job) as process:
        recorder = next(
            pid
            for pid in descendants(process.pid)
            if leads_session(pid) and any(b"sifprov" in word for word in words_of(pid))
        )
        os.kill(recorder, signal.SIGKILL)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 6
    ours = [line for line in errors.splitlines() if line.startswith("sifprov")]
    assert len(ours) == 1
    assert "was ended by signal 9" in ours[0]
    assert "sifprov flush" in ours[0]
    assert wrap_job.records() == []
    assert len(wrap_job.waiting()) == 1
    wrap_job.cli("flush").expect()
    assert wrap_job.waiting() == []
    run = wrap_job.last()["run"]
    assert (run["outcome"], run["exit_code"]) == ("exited", 6)


def test_a_killed_runtime_is_not_taken_for_a_killed_application(wrap_job: WrapJob) -> None:
    script = "echo begun > /Outputs/a; echo ready; exec sleep 61"
    argv = wrap_job.wrapped("exec", *OUTPUT, wrap_job.app, "sh", "-c", script)
    with started(argv, wrap_job) as process:
        wait_for(lambda: sleepers(process.pid, b"61"))
        (app,) = sleepers(process.pid, b"61")
        # A process of ours that is not the recorder is a fork, with our command line.
        ours = words_of(process.pid)
        runtime = next(
            pid
            for pid in descendants(process.pid)
            if words_of(pid) not in ([], ours) and parent_of(pid) == process.pid
        )
        drivers = image_drivers() & set(descendants(process.pid))
        os.kill(runtime, signal.SIGKILL)
        process.communicate(timeout=60)
        assert process.returncode == -signal.SIGKILL
        kill_all(drivers & image_drivers())
        alive = words_of(app) != []
        run = wrap_job.last()["run"]
        if alive:
            kill_all([app])
            assert run["outcome"] == "unknown"
        else:
            assert run["outcome"] in ("unknown", "signaled")


# It takes long, and is no matter of rights.
@pytest.mark.not_for(user="root")
def test_an_interrupt_while_the_record_is_written_loses_nothing(wrap_job: WrapJob) -> None:
    # Much to hash: the recorder still works when the second interrupt comes.
    wrap_job.cli(
        "data", "create", "-q", "big.sif", "--free", "300M", "--mount", "/Outputs"
    ).expect()
    script = "head -c 250000000 /dev/zero > /Outputs/big; echo ready"
    argv = wrap_job.wrapped(
        "exec", "-B", "big.sif:/Outputs:image-src=/Outputs", wrap_job.app, "sh", "-c", script
    )
    with started(argv, wrap_job) as process:
        # Only the recorder is left.
        wait_for(lambda: all(map(leads_session, descendants(process.pid))), every=0.02)
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0
        wait_for(lambda: len(wrap_job.records("big.sif")) == 1)
    assert wrap_job.last("big.sif")["run"]["exit_code"] == 0
    assert errors.count("sifprov: ") <= 1


def sleepers(pid: int, seconds: bytes) -> list[int]:
    """The processes below that are `sleep SECONDS`."""
    return [p for p in descendants(pid) if words_of(p) == [b"sleep", seconds]]


def wait_for(condition: object, timeout: float = 60, every: float = 0.3) -> None:
    assert callable(condition)
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(every)
