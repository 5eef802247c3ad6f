"""Debugfs, superblock, fsck, resize: right on good images, bounded on hostile ones."""

from __future__ import annotations

import os
import random
import struct
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.unit.ext2trees import OFFSET, build, odd_tree, tree_of_folder, tree_of_image

from pyext2fs import CorruptFilesystem, Ext2fsError, ToolMissing, _run
from pyext2fs._inodes import Inodes
from pyext2fs.debugfs import Debugfs
from pyext2fs.fsck import fsck
from pyext2fs.nest import nest
from pyext2fs.owner import set_owner
from pyext2fs.superblock import superblock


@pytest.fixture
def image(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "folder" / "inner").mkdir(parents=True)
    (source / "folder" / "file").write_bytes(b"some bytes")
    (source / "data").write_bytes(bytes(range(256)) * 2000)
    os.symlink("short", source / "short")
    os.symlink("long" * 50, source / "long")
    build(source, tmp_path / "image")
    return tmp_path / "image"


def inode_of(image: Path, path: bytes) -> int:
    with Debugfs(image, OFFSET) as fs:
        return next(entry.ino for at, entry in fs.walk() if at == path)


def patch_inode(image: Path, path: bytes, at: int, raw: bytes) -> int:
    ino = inode_of(image, path)
    with _run.opened(image, writable=True) as fd:
        inodes = Inodes(fd, OFFSET)
        inode = inodes.read(ino)
        inode[at : at + len(raw)] = raw
        inodes.write(ino, inode)
    return ino


def patch_bytes(image: Path, old: bytes, new: bytes) -> None:
    raw = image.read_bytes()
    assert len(old) == len(new)
    assert old in raw
    image.write_bytes(raw.replace(old, new))


def test_reading_and_statting(image: Path) -> None:
    with Debugfs(image, OFFSET) as fs:
        inodes = {path: entry.ino for path, entry in fs.walk()}
        assert b"".join(fs.read(inodes[b"data"])) == bytes(range(256)) * 2000
        assert b"".join(fs.read(inodes[b"folder/file"], limit=10)) == b"some bytes"
        assert fs.readlink(inodes[b"short"]) == b"short"
        assert fs.readlink(inodes[b"long"]) == b"long" * 50
        with pytest.raises(CorruptFilesystem, match="claims 512000 bytes"):
            fs.read(inodes[b"data"], limit=1000)
        with pytest.raises(Ext2fsError, match="not a symbolic link"):
            fs.readlink(inodes[b"data"])
        with pytest.raises(Ext2fsError, match="not a file"):
            fs.read(inodes[b"folder"])


@pytest.mark.parametrize("name", ["odd?offset=1", "-w", "new\nline", "qu'o\"te $(x)", "ümlaut"])
def test_odd_paths(image: Path, name: str) -> None:
    odd = image.rename(image.with_name(name))
    assert b"data" in tree_of_image(odd)
    assert fsck(odd, OFFSET).clean
    assert fsck(odd, OFFSET, "preen").clean
    set_owner(odd, OFFSET, 5, 6)
    nest(odd, OFFSET, b"/Inputs")
    assert b"Inputs/data" in tree_of_image(odd)


def test_times_with_nanoseconds_and_beyond_2038(image: Path) -> None:
    seconds = 5_000_000_000
    ino = patch_inode(image, b"data", 16, struct.pack("<I", seconds & 0xFFFFFFFF))
    patch_inode(image, b"data", 136, struct.pack("<I", 123_456_789 << 2 | 1))
    with Debugfs(image, OFFSET) as fs:
        assert fs.stat(ino).mtime_ns == seconds * 10**9 + 123_456_789


def test_times_before_1970(image: Path) -> None:
    ino = patch_inode(image, b"data", 16, struct.pack("<i", -1))
    with Debugfs(image, OFFSET) as fs:
        assert fs.stat(ino).mtime_ns // 10**9 == -1


def test_many_commands_leave_nothing_open(image: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        with Debugfs(image, OFFSET) as fs:
            fs.listdir(2)
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_walk_left_early_ends_the_process(image: Path) -> None:
    with Debugfs(image, OFFSET) as fs:
        process = fs._session._process
        next(fs.walk())
    assert process.returncode is not None


def test_reading_changes_no_byte(image: Path) -> None:
    before = image.read_bytes()
    tree_of_image(image)
    fsck(image, OFFSET)
    assert image.read_bytes() == before


@pytest.mark.parametrize("size", [1 << 40, 1 << 60, (1 << 63) + 5])
def test_a_size_that_cannot_be(image: Path, size: int) -> None:
    ino = patch_inode(image, b"data", 4, struct.pack("<I", size & 0xFFFFFFFF))
    patch_inode(image, b"data", 108, struct.pack("<I", size >> 32))
    with Debugfs(image, OFFSET) as fs, pytest.raises(CorruptFilesystem, match="claims"):
        fs.read(ino)


def test_a_folder_that_stands_in_two_places(image: Path) -> None:
    root = struct.pack("<I", inode_of(image, b"folder"))
    inner = struct.pack("<I", inode_of(image, b"folder/inner"))
    raw = image.read_bytes()
    at = raw.index(b"\x05\x02inner")
    image.write_bytes(raw[: at - 6] + root + raw[at - 2 :])
    assert raw[at - 6 : at - 2] == inner
    with Debugfs(image, OFFSET) as fs, pytest.raises(CorruptFilesystem, match="two places"):
        list(fs.walk())


@pytest.mark.parametrize("name", [b"in/er", b"../..", b"i\nn/r", b"\0nner", b"..\0er", b".\0ner"])
def test_a_name_that_cannot_be(image: Path, name: bytes) -> None:
    patch_bytes(image, b"\x05\x02inner", b"\x05\x02" + name)
    with Debugfs(image, OFFSET) as fs, pytest.raises(CorruptFilesystem):
        list(fs.walk())


def test_a_name_that_stands_twice(image: Path) -> None:
    patch_bytes(image, b"\x05\x07short", b"\x04\x07long\0")
    with Debugfs(image, OFFSET) as fs, pytest.raises(CorruptFilesystem, match="twice"):
        list(fs.walk())


def test_a_block_outside_the_image(image: Path) -> None:
    ino = patch_inode(image, b"data", 44, struct.pack("<I", 0xFFFFFF00))
    with Debugfs(image, OFFSET) as fs, pytest.raises(CorruptFilesystem):
        list(fs.read(ino))


def test_a_block_map_that_points_to_itself(image: Path) -> None:
    """One block as indirect block of all levels: 16 million blocks out of one."""
    ino = inode_of(image, b"data")
    with Debugfs(image, OFFSET) as fs:
        block = fs.stat(ino).extents[0][1]
    patch_inode(image, b"data", 40, struct.pack("<15I", *[block] * 15))
    with image.open("r+b") as file:
        file.seek(OFFSET + block * 1024)
        file.write(struct.pack("<256I", *[block] * 256))
    begin = time.monotonic()
    with Debugfs(image, OFFSET) as fs, pytest.raises(CorruptFilesystem):
        fs.stat(ino)
    assert time.monotonic() - begin < 20


def test_limits_of_the_walk(image: Path) -> None:
    with Debugfs(image, OFFSET) as fs:
        for limits in ({"max_entries": 3}, {"max_depth": 1}, {"max_path": 8}):
            with pytest.raises(CorruptFilesystem, match="than allowed"):
                list(fs.walk(**limits))


@pytest.mark.parametrize("raw", [b"", b"x" * 5000, bytes(1 << 20)])
def test_no_filesystem(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "nothing"
    path.write_bytes(raw)
    for call in (lambda: superblock(path), lambda: tree_of_image(path, 0)):
        with pytest.raises(CorruptFilesystem):
            call()
    with pytest.raises(Ext2fsError, match="e2fsck failed"):
        fsck(path)
    with pytest.raises(Ext2fsError):
        superblock(tmp_path / "missing")


def test_a_truncated_image(image: Path) -> None:
    os.truncate(image, OFFSET + 100_000)
    with pytest.raises(CorruptFilesystem, match="shorter"):
        tree_of_image(image)


def test_fsck_tells_and_mends(image: Path) -> None:
    patch_inode(image, b"data", 26, struct.pack("<H", 7))
    found = fsck(image, OFFSET)
    assert not found.clean
    assert str(image) in found.output
    assert "/proc/self" not in found.output
    mended = fsck(image, OFFSET, "fix")
    assert mended.clean
    assert mended.corrected
    assert fsck(image, OFFSET) == (True, False, 0, fsck(image, OFFSET).output)


def test_a_tool_that_is_missing(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert _run.find_tool("e2fsck").endswith("/e2fsck")
    monkeypatch.setattr(_run, "_SYSTEM_DIRS", ())
    with pytest.raises(ToolMissing, match="Debian package e2fsprogs"):
        fsck(image, OFFSET)


def test_a_tool_that_takes_too_long(image: Path) -> None:
    with pytest.raises(Ext2fsError, match="longer than"):
        fsck(image, OFFSET, timeout=0.00001)


def test_any_damaged_image_is_read_or_refused(tmp_path: Path) -> None:
    """Bytes changed where they matter: superblock, descriptors, inodes, folders."""
    source = tmp_path / "source"
    source.mkdir()
    odd_tree(source)
    image = tmp_path / "image"
    build(source, image)
    expected = tree_of_folder(source)
    assert tree_of_image(image) == expected
    good = image.read_bytes()
    live = [at for at in range(OFFSET, OFFSET + 120_000) if good[at]]
    generator = random.Random(20_260_101)  # noqa: S311 - no secret
    refused = 0
    deadline = time.monotonic() + 120
    for _ in range(250):
        raw = bytearray(good)
        for _ in range(generator.choice((1, 3, 20))):
            at = generator.choice(live)
            raw[at] = generator.choice((0, 255, generator.randrange(256), raw[at] ^ 1))
        image.write_bytes(raw)
        try:
            with Debugfs(image, OFFSET, timeout=20) as fs:
                for _path, entry in fs.walk(max_entries=10_000):
                    info = fs.stat(entry.ino)
                    if entry.mode & 0o170000 == 0o100000 and info.size <= 10 << 20:
                        for _piece in fs.content(info, 10 << 20):
                            pass
        except Ext2fsError:
            refused += 1
        with suppress(Ext2fsError):
            set_owner(image, OFFSET, 1, 1)
        with suppress(Ext2fsError):
            nest(image, OFFSET, b"/Inputs")
        assert time.monotonic() < deadline
    assert 10 < refused < 250
