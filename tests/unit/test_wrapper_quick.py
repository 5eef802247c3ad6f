"""What is read of a container before the start agrees with the thorough readers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sifprov.create import create_data
from sifprov.identity import identify
from sifprov.sif import FsType
from sifprov.wrapper.quick import EXT3, SQUASHFS, is_plain_folder, look


@pytest.mark.parametrize("fs", ["ext3", "squashfs"])
@pytest.mark.parametrize("role", ["input", "output"])
def test_it_sees_what_identify_sees(tmp_path: Path, fs: str, role: str) -> None:
    source = tmp_path / "data"
    source.mkdir()
    (source / "a").write_text("a")
    path = str(tmp_path / "c.sif")
    create_data(path, mount="/Some/Where", role=role, source=str(source), fs=fs)
    quick, full = look(path), identify(path)
    assert quick and full.declaration and full.partition
    assert (quick.role, quick.mount) == (full.declaration.role, full.declaration.mount)
    assert (quick.fs, quick.offset) == (int(full.partition.fs), full.partition.offset)
    assert (int(FsType.EXT3), int(FsType.SQUASHFS)) == (EXT3, SQUASHFS)
    assert look(path, "1") == quick
    assert look(path, "2") is None


def test_what_is_no_data_container(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    for data in (b"", b"x" * 40000, b"x" * 32 + b"SIF_MAGIC\0" + b"\xff" * 40000):
        plain.write_bytes(data)
        assert look(str(plain)) is None
    os.mkfifo(tmp_path / "fifo")
    assert look(str(tmp_path / "fifo")) is None
    assert look(str(tmp_path)) is None
    assert look(str(tmp_path / "none")) is None


@pytest.mark.parametrize("block_size", [1024, 4096])
def test_plain_folders_are_known_and_nothing_else_is(tmp_path: Path, block_size: int) -> None:
    source = tmp_path / "data"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "file").write_text("a")
    (source / "link").symlink_to("deep")
    # Beyond what it reads, and still found by the thorough reader.
    (source / "wide").mkdir()
    for number in range(900):
        (source / "wide" / f"a-long-name-that-fills-the-folder-{number:04}").mkdir()
    path = str(tmp_path / "c.sif")
    create_data(path, mount="/In/puts", source=str(source), block_size=block_size)
    quick = look(path)
    assert quick
    for folder, plain in {
        "/": True, "": True, "/In": True, "/In/puts": True, "In//puts/./deep/er/": True,
        "/In/puts/file": False, "/In/puts/link": False, "/In/puts/link/er": False,
        "/In/puts/none": False, "/In/../In": False, "/In/puts/file/x": False,
    }.items():  # fmt: skip
        assert is_plain_folder(path, quick.offset, folder) is plain, folder


def test_bytes_that_are_no_file_system(tmp_path: Path) -> None:
    path = tmp_path / "c.sif"
    create_data(str(path), mount="/In")
    quick = look(str(path))
    assert quick
    good = path.read_bytes()
    for at in range(1024, 1160, 2):
        broken = bytearray(good)
        broken[quick.offset + at] ^= 0xFF
        broken[quick.offset + at + 1] ^= 0xFF
        path.write_bytes(broken)
        # Whatever it says, it ends; a wrong size of things can only make it unsure.
        assert is_plain_folder(str(path), quick.offset, "/In/none") is False
    path.write_bytes(good[: quick.offset + 1100])
    assert is_plain_folder(str(path), quick.offset, "/In") is False
