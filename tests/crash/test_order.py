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
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from pyext2fs.fsck import fsck
from sifprov.content import Deadline
from sifprov.partition import scan_partition
from sifprov.sif import FsType
from sifprov.trail import read_carrier

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


def states(calls: list[tuple[str, str]], target: Path) -> Iterator[set[str]]:
    """Replays every prefix of the calls; yields what the name may lead to when it ends there.

    `old` is what the name led to before (or nothing), `new` the whole new file, `torn` a new
    file of which some write, not synced by then, may be missing, and `touched` an old file that was
    written to. Between two syncs the kernel may do anything in any order: a write or a name
    that no sync has settled may be on the disk or not.
    """
    found = {"old"}
    named_by = f'"(?:{re.escape(str(target))}|{re.escape(target.name)})"$'
    # The file that gets the name, by its name until then.
    naming = [a for n, a in calls if n in NAMES and re.search(named_by, a.partition(")")[0])]
    assert len(naming) == 1, naming
    first = re.search(r'"([^"]*)"', naming[0])
    assert first
    new = f"<{target.parent / first.group(1)}>"
    pending = 0
    for name, arguments in calls:
        file = arguments.split(",")[0]
        if name in WRITES and new in file:
            pending += 1
            if "new" in found:
                found = (found - {"new"}) | {"torn"}
        elif name in WRITES and f"<{target}>" in file:
            # What lost its name may be written to once the folder's sync has settled that.
            if "(deleted)" not in file or "old" in found:
                found |= {"touched"}
        elif name in SYNCS and new in file:
            pending = 0
        elif name in NAMES and arguments is naming[0]:
            found |= {"torn"} if pending else {"new"}
        elif name in SYNCS and f"<{target.parent}>" in file and found - {"old"}:
            found -= {"old"}
        # A mapping that could write would pass by everything that is looked at here.
        assert not (name == "mmap" and new in arguments and "PROT_WRITE" in arguments)
        yield set(found)


def check_order(calls: list[tuple[str, str]], target: Path) -> None:
    seen = list(states(calls, target))
    assert seen[0] == {"old"}
    assert all(state <= {"old", "new"} for state in seen), next(
        calls[i] for i, state in enumerate(seen) if not state <= {"old", "new"}
    )
    # In the end it is settled.
    assert seen[-1] == {"new"}


def check_whole(path: Path, records: list[UUID]) -> None:
    """The new file itself: it opens, has its records, and its file system is clean."""
    carrier = read_carrier(str(path))
    assert [record.id for _, record in carrier.good] == records
    partition = carrier.identity.partition
    assert partition
    if partition.fs == FsType.EXT3:
        assert fsck(path, partition.offset, "check").clean
    scan_partition(str(path), partition, Deadline())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_bytes(os.urandom(100_000))
    return tmp_path


def ids(path: Path) -> list[UUID]:
    return [record.id for _, record in read_carrier(str(path)).good]


@pytest.mark.parametrize("kind", ["ext3", "squashfs"])
def test_create(folder: Path, kind: str) -> None:
    argv = ["data", "create", "a.sif", "--from", "data", "--mount", "/Inputs", "--fs", kind]
    check_order(trace(folder, *argv), folder / "a.sif")
    assert len(ids(folder / "a.sif")) == 1
    check_whole(folder / "a.sif", ids(folder / "a.sif"))


def test_seal(folder: Path) -> None:
    trace(folder, "data", "create", "a.sif", "--from", "data", "--mount", "/Inputs")
    before = ids(folder / "a.sif")
    check_order(trace(folder, "data", "seal", "a.sif", "b.sif"), folder / "b.sif")
    assert ids(folder / "b.sif")[:-1] == before
    check_whole(folder / "b.sif", ids(folder / "b.sif"))


def test_grow(folder: Path) -> None:
    target = folder / "a.sif"
    trace(folder, "data", "create", "a.sif", "--from", "data", "--mount", "/Inputs")
    before = ids(target)
    check_order(trace(folder, "data", "grow", "a.sif", "--to", "8M"), target)
    check_whole(target, before)


def test_grow_the_table(folder: Path) -> None:
    target = folder / "a.sif"
    trace(folder, "data", "create", "a.sif", "--from", "data", "--mount", "/Inputs")
    before = ids(target)
    check_order(trace(folder, "data", "grow", "a.sif", "--records", "200"), target)
    check_whole(target, before)


WRITE, SYNC, NAME = ("pwrite64", "3</d/.n>, ..."), ("fsync", "3</d/.n>) = 0"), (
    "link", '".n", "a.sif") = 0',
)  # fmt: skip
FOLDER = ("fsync", "4</d>) = 0")


@pytest.mark.parametrize(
    "calls",
    [
        [WRITE, NAME, FOLDER],  # never synced
        [WRITE, SYNC, WRITE, NAME, FOLDER],  # not all of it
        [WRITE, SYNC, NAME, FOLDER, WRITE],  # written to afterwards
        [WRITE, SYNC, NAME],  # its name is not settled
        [WRITE, SYNC, ("pwrite64", "5</d/a.sif>, ..."), NAME, FOLDER],  # the old one is touched
        [WRITE, SYNC, NAME, ("pwrite64", "5</d/a.sif>(deleted), ..."), FOLDER],  # too early
    ],
)
def test_a_wrong_order_is_found(calls: list[tuple[str, str]]) -> None:
    check_order([WRITE, SYNC, NAME, FOLDER], Path("/d/a.sif"))
    with pytest.raises(AssertionError):
        check_order(calls, Path("/d/a.sif"))
