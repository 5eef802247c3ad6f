"""Processes that outlive the command of a run and go on writing."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sifprov.survivors import loops
from tests.real.job import BINDS, Job

OUTPUT = (BINDS[1],)


def late(seconds: float) -> str:
    """A shell's command that leaves a process behind which writes when the time is over."""
    return (
        f"echo early > /Outputs/early; setsid sh -c 'sleep {seconds}; echo late > /Outputs/late' "
        "> /dev/null 2>&1 < /dev/null & sleep 0.3"
    )


@pytest.fixture
def left(either: Job) -> Iterator[Job]:
    """A job whose surviving processes end with the test."""
    yield either
    for pid in survivors(either):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for_free(either)


def survivors(job: Job) -> list[int]:
    """The processes of this user's containers that sleep: other tests, of other users, may run."""
    found = []
    mine = pwd.getpwnam(job.run.user).pw_uid
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            status = (folder / "status").read_text()
            if int(status.partition("Uid:")[2].split()[0]) != mine:
                continue
            words = (folder / "cmdline").read_bytes().split(b"\0")
            table = (folder / "mountinfo").read_text(errors="replace")
            if b"sleep" in b" ".join(words) and " /Outputs /Outputs " in table:
                found.append(int(folder.name))
    return found


def wait_for_free(job: Job, name: str = "output.sif") -> None:
    end = time.monotonic() + 15
    while loops(str(job.path(name))):
        assert time.monotonic() < end, "a loop device is left behind"
        time.sleep(0.05)


def output(job: Job) -> dict[str, Any]:
    (entry,) = [c for c in job.records()[-1]["containers"] if c["role"] == "output"]
    return dict(entry)


def by_fuse(job: Job) -> bool:
    return "--userns" in job.flags


def test_what_is_still_written_is_provisional_and_the_user_is_warned(left: Job) -> None:
    done = left.exec("sh", "-c", late(5), binds=OUTPUT).expect(0)
    (line,) = [text for text in done.stderr.splitlines() if text.startswith("sifprov: ")]
    assert "can still write" in line
    assert "sh" in line or "sleep" in line
    then = output(left)
    assert then["marks"] == ["provisional"]
    assert "could still write" in then["reason"]

    if not by_fuse(left):
        # The runtime is gone, its lock too, and the process writes on.
        shown = left.cli("trail", "output.sif").expect().stdout
        assert "in use" in shown
        refused = left.cli("data", "grow", "output.sif", "--to", "16M")
        assert refused.code == 2
        assert "is using it" in refused.stderr
        time.sleep(5)
    wait_for_free(left)

    # The next reader looks again, and says both.
    shown = left.cli("trail", "output.sif").expect().stdout
    assert "provisional then" in shown
    now = json.loads(left.cli("trail", "--json", "output.sif").expect().stdout)["now"]
    assert now["state"] == "provisional"
    names = left.cli("data", "ls", "output.sif", "/Outputs").expect().stdout.split()
    assert ("late" in names) == (not by_fuse(left))
    assert (now["digest"] == then["digest"]) == by_fuse(left)
    assert output(left) == then
    left.check_file_system("output.sif") if not by_fuse(left) else None


def test_a_process_that_ends_at_once_is_none(either: Job) -> None:
    done = either.exec("sh", "-c", "(sleep 0.1; echo x > /Outputs/x) & exit 0", binds=OUTPUT)
    assert "sifprov: " not in done.expect().stderr
    entry = output(either)
    assert "marks" not in entry
    # The process was waited for, so its file is in.
    assert "x" in either.cli("data", "ls", "output.sif", "/Outputs").expect().stdout


@pytest.mark.timeout(280)
def test_a_normal_run_is_never_provisional(either: Job) -> None:
    runs = int(os.environ.get("SIFPROV_NORMAL_RUNS", "12"))
    pipe = "seq 2000 | sort -r | head -n 3 > /Outputs/n; true &"
    for number in range(runs):
        done = either.exec("sh", "-c", f"{pipe} exit {number % 2}", binds=OUTPUT)
        assert done.code == number % 2
        assert "sifprov: " not in done.stderr
    records = either.records()
    assert len(records) == runs
    assert not [c for r in records for c in r["containers"] if "marks" in c]


# With FUSE the driver ends with the run, so nobody writes after it.
@pytest.mark.not_for(either_runtime="apptainer", user="user")
def test_before_a_second_writer_the_user_is_warned(left: Job) -> None:
    left.exec("sh", "-c", late(12), binds=OUTPUT).expect(0)
    if left.runtime.endswith("apptainer"):
        # What survives holds Apptainer's lock, so that it refuses by itself, and we add nothing.
        done = left.exec("true", binds=OUTPUT).expect(255)
        assert "in use by another process" in done.stderr
        assert "sifprov: " not in done.stderr
        return
    # SingularityCE does not refuse it: its lock went with the first run.
    done = left.exec("true", binds=OUTPUT).expect(0)
    before, after = [text for text in done.stderr.splitlines() if text.startswith("sifprov: ")]
    assert "will lose files" in before
    assert "/dev/loop" in before
    assert "can still write into it" in after
    assert output(left)["marks"] == ["provisional"]

    noted = left.cli("annotate", "output.sif", "--note", "odd").expect(0)
    assert "sifprov: warning: output.sif: process" in noted.stderr
    signed = left.cli("sign", "--runtime", left.runtime, "output.sif")
    assert signed.code == 2
    assert "is using it" in signed.stderr

    argv = [left.sifprov, "exec", "--runtime", left.runtime, *left.flags, "-B", OUTPUT[0]]
    again = left.run([*argv, left.app, "true"], env={"HOME": str(left.path("."))}).expect(0)
    assert "will lose files" in again.stderr
    assert output(left)["marks"] == ["provisional"]
