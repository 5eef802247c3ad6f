"""What is made beside its place (create, seal, grow) gets its name only when it is whole and
synced.

strace writes down every system call of the program and of the tools that it starts. All bytes of
the new file come before a sync of it, the sync before the one call that gives it its name, and a
sync of the folder behind that. So whatever a crash cuts off, and however the kernel reorders what
stands between two syncs, the name leads to the old file (or to none) or to the whole new one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

WRITES = {"write", "pwrite64", "writev", "pwritev", "ftruncate", "fallocate", "copy_file_range"}
WRITES |= {"sendfile"}
SYNCS = {"fsync", "fdatasync"}
NAMES = {"link", "linkat", "rename", "renameat", "renameat2"}
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)")


def trace(folder: Path, *argv: str) -> list[tuple[str, str]]:
    """Runs `sifprov` under strace; returns (name, arguments) of its calls, files by their paths."""
    log = folder / "strace.log"
    wanted = ",".join(sorted(WRITES | SYNCS | NAMES | {"open", "openat", "truncate", "mmap"}))
    program = "from sifprov.cli import entry; entry()"
    done = subprocess.run(
        [
            "strace",
            "-f",
            "-y",
            "-qq",
            "-s",
            "0",
            "-e",
            f"trace={wanted}",
            "-o",
            str(log),
            sys.executable,
            "-c",
            program,
            *argv,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = log.read_text(errors="replace").splitlines()
    return [m.groups() for m in map(CALL.match, lines) if m]  # type: ignore[misc]


def check_order(calls: list[tuple[str, str]], target: Path) -> None:
    naming = [
        i
        for i, (name, arguments) in enumerate(calls)
        if name in NAMES and re.search(rf'"(?:{re.escape(str(target))}|{target.name})"', arguments)
    ]
    assert len(naming) == 1, [calls[i] for i in naming]
    at = naming[0]
    # The new file's name until then.
    match = re.search(r'"([^"]*)"', calls[at][1])
    assert match
    new = f"{target.parent / match.group(1)}>"
    writes = [i for i, (n, a) in enumerate(calls) if n in WRITES and new in a.split(",")[0]]
    syncs = [i for i, (n, a) in enumerate(calls) if n in SYNCS and new in a]
    # A mapping that could write would pass by everything that is looked at here.
    assert not [a for n, a in calls if n == "mmap" and new in a and "PROT_WRITE" in a]
    before = [i for i in writes if i < at]
    assert before, "nothing was written into the new file"
    assert any(max(before) < sync < at for sync in syncs), "its name comes before its sync"
    after = [i for i in writes if i > at and str(target) in calls[i][1]]
    assert not after, [calls[i] for i in after]
    folders = [i for i, (n, a) in enumerate(calls) if n in SYNCS and f"<{target.parent}>" in a]
    assert any(i > at for i in folders), "the folder is not synced"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_bytes(os.urandom(100_000))
    return tmp_path


@pytest.mark.parametrize("kind", ["ext3", "squashfs"])
def test_create(folder: Path, kind: str) -> None:
    argv = ["data", "create", "a.sif", "--from", "data", "--mount", "/Inputs", "--fs", kind]
    check_order(trace(folder, *argv), folder / "a.sif")


def test_seal(folder: Path) -> None:
    trace(folder, "data", "create", "a.sif", "--from", "data", "--mount", "/Inputs")
    check_order(trace(folder, "data", "seal", "a.sif", "b.sif"), folder / "b.sif")


def test_grow_leaves_the_old_file_alone_until_the_new_one_has_its_name(folder: Path) -> None:
    target = folder / "a.sif"
    trace(folder, "data", "create", "a.sif", "--from", "data", "--mount", "/Inputs")
    calls = trace(folder, "data", "grow", "a.sif", "--to", "8M")
    check_order(calls, target)
    at = next(i for i, (n, a) in enumerate(calls) if n in NAMES and "a.sif" in a)
    early = [c for c in calls[:at] if c[0] in WRITES and f"<{target}>" in c[1].split(",")[0]]
    assert not early, early
