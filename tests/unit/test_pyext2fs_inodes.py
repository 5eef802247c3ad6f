"""What a superblock claims costs no more than what somebody has written."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import pytest

from pyext2fs import CorruptFilesystem
from pyext2fs._inodes import Inodes
from pyext2fs.changes import last_change

CTIME = 1_700_000_000


def image(path: Path, *, groups: int, tables: list[int], size: int, per_group: int = 8) -> Path:
    """A sparse ext3 of 1 KiB blocks, its superblock and descriptors alone; inodes of 1 KiB."""
    blocks = size // 1024
    raw = bytearray(1024)
    struct.pack_into("<7I", raw, 0, groups * per_group, blocks, 0, 0, 0, 1, 0)
    struct.pack_into("<3I", raw, 32, -(-(blocks - 1) // groups), 0, per_group)
    struct.pack_into("<HH", raw, 56, 0xEF53, 1)
    struct.pack_into("<I", raw, 76, 1)
    struct.pack_into("<IH", raw, 84, 11, 1024)
    struct.pack_into("<3I", raw, 92, 4, 2, 1)
    with path.open("wb") as file:
        file.seek(1024)
        file.write(raw)
        file.write(b"".join(struct.pack("<3I20x", 3, 4, table) for table in tables))
        file.truncate(size)
    return path


def change(path: Path, table: int, index: int) -> None:
    with path.open("r+b") as file:
        file.seek(table * 1024 + index * 1024 + 12)
        file.write(struct.pack("<I", CTIME))


def test_a_change_is_found_behind_a_hole(tmp_path: Path) -> None:
    path = image(tmp_path / "i", groups=2, tables=[100, 5000], size=16 << 20, per_group=4000)
    with path.open("rb") as file:
        assert last_change(file.fileno(), 0) == 0
    change(path, 5000, 3500)
    with path.open("rb") as file:
        assert last_change(file.fileno(), 0) == CTIME * 10**9
        assert last_change(file.fileno(), 0, before_ns=CTIME * 10**9) == 0


@pytest.mark.parametrize("tables", [[100, 100], [100, 107], [107, 100]])
def test_tables_that_overlap_are_refused(tmp_path: Path, tables: list[int]) -> None:
    path = image(tmp_path / "i", groups=2, tables=tables, size=4 << 20)
    with path.open("rb") as file, pytest.raises(CorruptFilesystem, match="overlap"):
        Inodes(file.fileno(), 0)


@pytest.mark.parametrize("tables", [[100, 0], [100], [100, 4096]])
def test_a_descriptor_that_nobody_wrote_or_that_leads_out(
    tmp_path: Path, tables: list[int]
) -> None:
    path = image(tmp_path / "i", groups=2, tables=tables, size=4 << 20)
    with path.open("rb") as file, pytest.raises(CorruptFilesystem, match="outside"):
        Inodes(file.fileno(), 0)


READ = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv[2]),) * 2)
from pyext2fs.changes import last_change
from pyext2fs import Ext2fsError
try:
    with open(sys.argv[1], "rb") as file:
        print(last_change(file.fileno(), 0))
except Ext2fsError as error:
    print(error)
"""


def reading(path: Path) -> str:
    """Within 300 MB and 10 seconds."""
    argv = [sys.executable, "-c", READ, str(path), str(300 << 20)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_billions_of_groups_in_a_hole_cost_nothing(tmp_path: Path) -> None:
    groups = 2**29 - 1
    path = image(tmp_path / "i", groups=groups, tables=[9], size=(2**30 - 1) * 1024)
    assert "outside the filesystem" in reading(path)


def test_long_tables_in_a_hole_cost_nothing(tmp_path: Path) -> None:
    """A quarter of a terabyte of tables."""
    groups, per_group = 65_536, 4096
    tables = [3000 + n * 8000 for n in range(groups)]
    size = 1024 * (groups * 8000 + 1)
    path = image(tmp_path / "i", groups=groups, tables=tables, size=size, per_group=per_group)
    assert reading(path) == "0\n"
