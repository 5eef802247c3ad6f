"""What doctor says of a file system's locks."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from sifprov.doctor import Level
from sifprov.doctor.locks import file_system, locks

MOUNTS = """\
20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 20 0:40 / {folder} rw - {kind} server:/x {options}
31 20 0:41 / {folder}-other rw - tmpfs tmpfs rw
"""


@pytest.fixture
def mounts(tmp_path: Path) -> Any:
    def write(kind: str, options: str = "rw") -> Path:
        path = tmp_path / "mountinfo"
        folder = str(tmp_path / "data").replace(" ", "\\040")
        path.write_text(MOUNTS.format(folder=folder, kind=kind, options=options))
        return path

    (tmp_path / "data").mkdir()
    return write


def test_locks_are_tried_and_nothing_is_left(tmp_path: Path) -> None:
    check = locks(tmp_path)
    assert check.level is Level.OK and "tried" in check.text
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "options", "level", "said"),
    [
        ("ext4", "rw", Level.OK, "(ext4): tried"),
        ("nfs4", "rw,vers=4.2", Level.OK, "over NFS"),
        ("nfs", "rw,nolock", Level.WARN, "this node only"),
        ("nfs", "rw,local_lock=all", Level.WARN, "this node only"),
        ("lustre", "rw,flock", Level.OK, "Lustre"),
        ("lustre", "rw,localflock", Level.WARN, "this node only"),
    ],
)
def test_remarks(
    tmp_path: Path, mounts: Any, kind: str, options: str, level: Level, said: str
) -> None:
    check = locks(tmp_path / "data", mounts=mounts(kind, options))
    assert check.level is level
    assert said in check.text


def test_the_nearest_mount_counts(tmp_path: Path, mounts: Any) -> None:
    path = mounts("beegfs")
    (tmp_path / "data-other").mkdir()
    assert file_system(tmp_path / "data", path)[0] == "beegfs"
    assert file_system(tmp_path / "data-other", path)[0] == "tmpfs"
    assert file_system(tmp_path, path)[0] == "ext4"
    assert file_system(tmp_path, tmp_path / "none")[0] == "unknown file system"


def test_a_space_in_a_mount_point(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    path = tmp_path / "mountinfo"
    path.write_text(f"1 1 0:1 / {tmp_path}/a\\040b rw - cifs //s/x rw\nbroken line\n")
    assert file_system(folder, path)[0] == "cifs"


@pytest.mark.parametrize("refused", ["all", "posix"])
def test_a_file_system_without_locks_is_bad(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    real = fcntl.fcntl

    def fake(file: int, command: int, argument: Any = 0) -> Any:
        if refused == "all" or command == fcntl.F_SETLK:
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        return real(file, command, argument)

    monkeypatch.setattr("sifprov.doctor.locks.fcntl.fcntl", fake)
    check = locks(tmp_path)
    assert check.level is Level.BAD
    assert "No locks available" in check.text


def test_locks_that_exclude_nobody_are_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sifprov.doctor.locks.fcntl.fcntl", lambda *arguments: b"")
    check = locks(tmp_path)
    assert check.level is Level.BAD and "exclude nobody" in check.text


def test_a_folder_where_nothing_can_be_made(tmp_path: Path) -> None:
    assert locks(tmp_path / "none").level is Level.SKIP
