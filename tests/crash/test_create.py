"""A making that is ended, or whose disk is full, leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

MIB = 1 << 20
ENTRY = "from sifprov.cli import entry; entry()"
# As `sifprov`, but it says when a step begins, and waits there for a signal.
WAITING = """\
import sys, time
from sifprov.commands.data import create
import contextlib
stop = int(sys.argv.pop())
seen = 0
@contextlib.contextmanager
def steps():
    def show(text):
        global seen
        if seen == stop:
            print(text, flush=True)
            time.sleep(60)
        seen += 1
    yield show
create.steps = steps
from sifprov.cli import entry
entry()
"""
# ext3 and squashfs: measuring, building, (naming), reading back.
STEPS = {"ext3": 4, "squashfs": 4}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "data").write_bytes(os.urandom(2 * MIB))
    return folder


def argv(script: str, out: Path, source: Path, *more: str) -> list[str]:
    create = ["data", "create", str(out), "--from", str(source), "--mount", "/Inputs"]
    return [sys.executable, "-c", script, *create, *more]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(("fs", "step"), [(f, s) for f, n in STEPS.items() for s in range(n)])
def test_a_signal_at_each_step(
    source: Path, tmp_path: Path, fs: str, step: int, number: signal.Signals
) -> None:
    out = tmp_path / "out" / "x.sif"
    out.parent.mkdir()
    script = argv(WAITING, out, source, "--fs", fs, "--reproducible", str(step))
    with subprocess.Popen(
        script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), "there is no such step"
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number, errors
    assert list(out.parent.iterdir()) == []
    assert b"Traceback" not in errors


@pytest.mark.parametrize(("fs", "step"), [(f, s) for f, n in STEPS.items() for s in range(n)])
def test_a_kill_at_each_step(source: Path, tmp_path: Path, fs: str, step: int) -> None:
    """What is left then goes with the next making; while it was being made, it stayed."""
    out, other = tmp_path / "out" / "x.sif", tmp_path / "out" / "y.sif"
    out.parent.mkdir()
    script = argv(WAITING, out, source, "--fs", fs, "--reproducible", str(step))
    with subprocess.Popen(script, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline(), "there is no such step"
        (left,) = out.parent.iterdir()
        inode = left.stat().st_ino
        subprocess.run(argv(ENTRY, other, source, "--fs", fs), check=True, timeout=60)
        # The tools write into it, and put no other file in its place: that would have no lock.
        assert left.stat().st_ino == inode
        process.kill()
        process.communicate(timeout=30)
    other.unlink()
    assert list(out.parent.iterdir()) == [left]
    subprocess.run(argv(ENTRY, other, source, "--fs", fs), check=True, timeout=60)
    assert list(out.parent.iterdir()) == [other]


@pytest.mark.parametrize("fs", STEPS)
def test_a_signal_while_the_tool_works(source: Path, tmp_path: Path, fs: str) -> None:
    """The program that makes the file system ends with it."""
    (source / "more").write_bytes(os.urandom(1 * MIB))
    out = tmp_path / "out" / "x.sif"
    out.parent.mkdir()
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    for tool in ("mke2fs", "mksquashfs"):
        # It says so, and never ends.
        (bin_folder / tool).write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 60\n")
        (bin_folder / tool).chmod(0o755)
    env = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    script = argv(ENTRY, out, source, "--fs", fs)
    with subprocess.Popen(script, env=env, stderr=subprocess.PIPE) as process:
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text()):
            assert process.poll() is None
            os.sched_yield()
        time.sleep(0.3)  # Python, too, has to notice that it has started the tool
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
    assert process.returncode == 143
    assert list(out.parent.iterdir()) == []
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.parametrize("fs", STEPS)
@pytest.mark.parametrize("limit", [0, 30 * 1024, 600 * 1024, 1536 * 1024])
def test_a_file_that_may_not_grow(source: Path, tmp_path: Path, fs: str, limit: int) -> None:
    """As a full disk: writing fails at some byte."""
    out = tmp_path / "out" / "x.sif"
    out.parent.mkdir()
    limited = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n" + ENTRY
    )
    done = subprocess.run(
        argv(limited, out, source, "--fs", fs), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 2, done
    assert str(out).encode() in done.stderr and b"Traceback" not in done.stderr
    assert list(out.parent.iterdir()) == []
