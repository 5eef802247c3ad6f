"""Faults of the real kernel: errors and kills at each write and sync, and a full file system.

strace puts them in place, at the N-th call of one kind. After each the container must open with its
old records or with the new one too, its file system must be clean, and the next append must work.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pyext2fs.fsck import fsck
from sifprov.capture import append_to
from sifprov.create import create_data
from sifprov.errors import FileError
from sifprov.identity import identify
from sifprov.model.record import CREATE, Origin, Record
from sifprov.trail import read_carrier

DIGEST = "tree-v1:" + "0" * 64
CODE = """
import sys
from sifprov.capture import append_to
from sifprov.errors import FileError
from sifprov.model.record import Record

with open(sys.argv[2], "rb") as file:
    record = Record.from_bytes(file.read())
try:
    append_to(sys.argv[1], record)
except FileError as error:
    sys.exit(f"FileError: {error}")
"""


def a_record(container: UUID, source: str = "/somewhere") -> Record:
    return Record(
        id=uuid4(),
        container=container,
        previous=None,
        recorded="2026-01-02T03:04:05Z",
        captured_by=CREATE,
        version="0.1.0",
        run=None,
        origin=Origin(source=source, digest=DIGEST),
        containers=(),
        replays=None,
    )


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A data container with one file and two records."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").write_text("1\n")
    path = tmp_path / "a.sif"
    made = create_data(str(path), mount="/Inputs", source=str(tmp_path / "data"))
    append_to(str(path), a_record(made.uuid))
    return path


def ids(path: Path) -> list[UUID]:
    carrier = read_carrier(str(path))
    assert all(s.error is None for s in carrier.records), carrier.records
    return [record.id for _, record in carrier.good]


def append_under(path: Path, inject: str) -> tuple[UUID, subprocess.CompletedProcess[str]]:
    """Appends a record in another process, with a fault injected into its system calls."""
    identity = identify(str(path))
    assert identity.uuid
    record = a_record(identity.uuid)
    file = path.with_name("record.json")
    file.write_bytes(record.to_bytes())
    call = inject.partition(":")[0]
    argv = [
        "strace",
        "-f",
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        f"trace={call}",
        "-e",
        f"inject={inject}",
    ]
    done = subprocess.run(
        [*argv, sys.executable, "-c", CODE, path, file],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    return record.id, done


def check(path: Path, before: list[UUID], new: UUID, *, may_be_new: bool) -> None:
    now = ids(path)
    assert now == before or (may_be_new and now == [*before, new])
    identity = identify(str(path))
    assert identity.partition and identity.uuid
    assert fsck(path, identity.partition.offset, "check").clean
    # Nothing stands in the way of the next one.
    append_to(str(path), a_record(identity.uuid))
    assert ids(path)[: len(now)] == now
    assert len(ids(path)) == len(now) + 1


# Data, descriptor, used byte, header: from the used byte on the record is there.
@pytest.mark.parametrize("which", [1, 2, 3, 4])
@pytest.mark.parametrize("call", ["pwrite64", "fdatasync"])
@pytest.mark.parametrize("fault", ["error=EIO", "error=ENOSPC", "signal=KILL"])
def test_a_fault_at_each_step_of_an_append(
    container: Path, call: str, fault: str, which: int
) -> None:
    before = ids(container)
    new, done = append_under(container, f"{call}:{fault}:when={which}")
    if fault.startswith("signal"):
        assert done.returncode == -9 or done.returncode == 137, done
    else:
        # What was not committed is not reported as written.
        assert done.returncode == 1, done
        assert re.search("FileError: .*cannot write", done.stderr), done.stderr
    check(container, before, new, may_be_new=which >= 3)


def test_an_append_makes_no_more_steps_than_the_test_above_breaks(container: Path) -> None:
    for call in ("pwrite64", "fdatasync"):
        _, done = append_under(container, f"{call}:error=EIO:when=5")
        assert done.returncode == 0, done.stderr


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A file system of 4 MiB."""
    if os.getuid() != 0:
        pytest.skip("mounting a small file system needs root")
    point = Path(tempfile.mkdtemp(prefix="sifprov-disk-"))
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "sifprov", point], check=True, timeout=30
    )
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True, timeout=30)
        point.rmdir()


def fill(folder: Path) -> Path:
    """Takes every byte that is left."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while True:
                file.write(b"x" * 4096)
        except OSError:
            return ballast


def test_a_full_disk_leaves_the_container_as_it_was(container: Path, small_disk: Path) -> None:
    path = small_disk / "a.sif"
    shutil.copy(container, path)
    identity = identify(str(path))
    assert identity.uuid
    before = path.read_bytes()
    ballast = fill(small_disk)
    # Larger than what the last block still has room for.
    record = a_record(identity.uuid, source="/" + "x" * 20_000)
    with pytest.raises(FileError, match="No space left"):
        append_to(str(path), record)
    assert path.read_bytes() == before
    ballast.unlink()
    append_to(str(path), record)
    assert ids(path)[-1] == record.id


def test_a_full_disk_leaves_nothing_of_a_new_container(tmp_path: Path, small_disk: Path) -> None:
    source = tmp_path / "data"
    source.mkdir()
    (source / "a").write_bytes(os.urandom(6 * 1024 * 1024))
    with pytest.raises(FileError, match=r"a\.sif"):
        create_data(str(small_disk / "a.sif"), mount="/Inputs", source=str(source))
    assert list(small_disk.iterdir()) == []
