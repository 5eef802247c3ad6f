"""`pyext2fs.inodes` says of every inode what debugfs says of it."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.unit.ext2trees import OFFSET, build, odd_tree

from pyext2fs import CorruptFilesystem
from pyext2fs.debugfs import ROOT, Debugfs
from pyext2fs.inodes import InodeReader


@contextmanager
def reader(image: Path, writable: bool = False) -> Iterator[InodeReader]:
    fd = os.open(image, os.O_RDWR if writable else os.O_RDONLY)
    try:
        yield InodeReader(fd, OFFSET)
    finally:
        os.close(fd)


@pytest.fixture(params=[1024, 4096])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    odd_tree(source)
    # Blocks behind one, two and three levels of lists, between holes.
    with (source / "levels").open("wb") as file:
        for place in (0, 11, 12, 13, 300, 70_000, 4_000_000):
            file.seek(place * 1024)
            file.write(b"island %d" % place)
    (source / "whole").write_bytes(os.urandom(1_000_000))
    if os.getuid() == 0:
        os.mknod(source / "old", stat.S_IFBLK | 0o600, os.makedev(8, 1))
        os.mknod(source / "new", stat.S_IFCHR | 0o600, os.makedev(300, 70_000))
        os.chown(source / "whole", 70_000, 1 << 20)
    build(source, tmp_path / "image", block_size=request.param)
    return tmp_path / "image"


def test_it_agrees_with_debugfs(image: Path) -> None:
    with Debugfs(image, OFFSET) as fs, reader(image) as inodes:
        seen = {ROOT: fs.stat(ROOT)} | {e.ino: fs.stat(e.ino) for _, e in fs.walk()}
        assert len(seen) > 20
        for ino, want in seen.items():
            found = inodes.stat(ino)
            # debugfs may tell one run of blocks as two, where a list stands between.
            assert blocks(found.extents) == blocks(want.extents)
            assert found._replace(extents=()) == want._replace(extents=())


def blocks(extents: tuple[tuple[int, int, int], ...]) -> dict[int, int]:
    return {first + n: begin + n for first, begin, count in extents for n in range(count)}


def test_a_list_of_blocks_that_leads_back_is_refused(image: Path) -> None:
    with reader(image, writable=True) as inodes:
        with Debugfs(image, OFFSET) as fs:
            ino = next(e.ino for path, e in fs.walk() if path == b"levels")
        raw = inodes.read(ino)
        (single,) = struct.unpack_from("<I", raw, 40 + 4 * 12)
        for level in (13, 14):
            struct.pack_into("<I", raw, 40 + 4 * level, single)
        inodes.write(ino, raw)
        fan = inodes.superblock.block_size // 4
        inodes.write_block(single, bytearray(struct.pack(f"<{fan}I", *[single] * fan)))
        with pytest.raises(CorruptFilesystem):
            inodes.stat(ino)


@pytest.mark.parametrize("ino", [0, 1 << 31])
def test_no_such_inode(image: Path, ino: int) -> None:
    with reader(image) as inodes, pytest.raises(CorruptFilesystem):
        inodes.stat(ino)
