"""Targets that read file systems: what debugfs prints, ext3's tables, squashfs."""

from __future__ import annotations

import gzip
import random
import stat
from functools import cache
from itertools import islice

from pyext2fs import Ext2fsError
from pyext2fs._parse import parse_entries, parse_stat
from pyext2fs.debugfs import Debugfs
from pyext2fs.inodes import InodeReader
from pyext2fs.superblock import read_superblock
from sifprov.errors import MissingError, SifprovError
from sifprov.filesystem.squashfs import Squashfs
from sifprov.sif import FsType, Partition
from tests.fuzz.target import HERE, Basic, Memory, Target

BLOCKS = 1000
# Of one execution; a few bytes of image may claim any number.
MOST_FILES, MOST_BYTES = 500, 4 << 20
_MEMORY, _EXT3 = Memory(), Memory()


def listing(data: bytes) -> None:
    """What `ls -p` printed gives entries with sound names, or is refused."""
    try:
        entries = parse_entries(2, data)
    except Ext2fsError as error:
        assert str(error)
        return
    names = [e.name for e in entries]
    assert len(set(names)) == len(names)
    assert not any(n in (b"", b".", b"..") or b"/" in n for n in names)


def inode(data: bytes) -> None:
    """What `stat` printed gives an inode within the file system, or is refused."""
    try:
        info = parse_stat(12, data, BLOCKS)
    except Ext2fsError as error:
        assert str(error)
        return
    _sound(info.extents, BLOCKS)
    assert info.target is None or len(info.target) == info.size


def _sound(extents: tuple[tuple[int, int, int], ...], blocks: int) -> None:
    place = 0
    for first, begin, count in extents:
        assert first >= place
        assert count > 0
        assert begin + count <= blocks
        place = first + count


@cache
def ext3_image() -> bytes:
    """A small file system with every kind of file, which inputs are changes of."""
    return gzip.decompress((HERE / "base.ext3.gz").read_bytes())


def patched(data: bytes) -> bytes:
    """The image with changes: each a position (2 bytes), a length (1), and bytes."""
    image = bytearray(ext3_image())
    at = 0
    while at + 3 < len(data):
        place = int.from_bytes(data[at : at + 2], "little")
        piece = data[at + 3 : at + 3 + data[at + 2] % 16 + 1]
        image[place : place + len(piece)] = piece
        at += 3 + len(piece)
    return bytes(image[: len(ext3_image())])


def ext3_tables(data: bytes) -> None:
    """The superblock, every inode and every folder of a damaged file system are read, or
    refused."""
    _EXT3.fill(patched(data))
    try:
        superblock = read_superblock(_EXT3.fd, 0)
        assert superblock.groups >= 1
        assert superblock.inodes_count == superblock.groups * superblock.inodes_per_group
        reader = InodeReader(_EXT3.fd, 0)
    except Ext2fsError as error:
        assert str(error)
        return
    try:
        numbers = list(islice(reader.used(), 64))
    except Ext2fsError:
        numbers = [2]
    for number in numbers:
        try:
            info = reader.stat(number)
        except Ext2fsError:
            continue
        _sound(info.extents, reader.superblock.blocks_count)
        if stat.S_ISDIR(info.mode):
            try:
                names = reader.listdir(info)
            except Ext2fsError:
                continue
            assert not any(n in (b"", b".", b"..") or b"/" in n or b"\0" in n for n in names)
            assert all(0 < ino <= reader.superblock.inodes_count for ino in names.values())


def ext3_debugfs(data: bytes) -> None:
    """The same through debugfs, with the content of every file."""
    _EXT3.fill(patched(data))
    try:
        with Debugfs(_EXT3.path, timeout=20) as fs:
            for _, entry in islice(fs.walk(), MOST_FILES):
                info = fs.stat(entry.ino)
                if stat.S_ISREG(info.mode):
                    read = 0
                    for piece in fs.content(info):
                        read += len(piece)
                        if read > MOST_BYTES:
                            break
                elif stat.S_ISLNK(info.mode):
                    fs.readlink(entry.ino)
    except Ext2fsError as error:
        assert str(error)


def mutate_patches(data: bytes, most: int, dice: random.Random, basic: Basic) -> bytes:
    """Adds a change where the image is not zero: there the tables are."""
    if dice.random() < 0.5:
        return basic(data, most)
    places = _used()
    place = dice.choice(places) + dice.choice((0, 0, 0, -1, 1, 2, 4))
    piece = dice.choice((dice.randbytes(dice.randint(1, 8)), b"\xff" * 4, b"\0" * 4,
                         dice.randrange(70).to_bytes(4, "little")))  # fmt: skip
    change = (place % 65536).to_bytes(2, "little") + bytes([len(piece) - 1]) + piece
    whole = [change, data] if dice.random() < 0.5 else [data, change]
    return b"".join(whole)[:most]


@cache
def _used() -> list[int]:
    image = ext3_image()
    return [n for n in range(min(len(image), 65536)) if image[n]]


def squashfs(data: bytes) -> None:
    """The whole tree of a squashfs is read within its bounds, or refused."""
    _MEMORY.fill(data)
    partition = Partition(1, 0, len(data), FsType.SQUASHFS)
    left = MOST_BYTES
    try:
        with Squashfs(_MEMORY.path, partition) as fs:
            for node in islice(fs.walk(max_entries=MOST_FILES), MOST_FILES):
                assert node.name not in (b"", b".", b"..")
                assert b"\0" not in node.path
                if node.is_link:
                    assert len(fs.readlink(node)) == node.size
                elif node.is_file:
                    place = 0
                    for start, piece in fs.pieces(node):
                        assert start >= place
                        assert 0 < len(piece) <= 1 << 20
                        place, left = start + len(piece), left - len(piece)
                        assert place <= node.size
                        if left < 0:
                            return
    except MissingError:
        raise
    except SifprovError as error:
        assert str(error)


_STAT = ("Inode: ", "Type: ", "regular", "symlink", "directory", "Mode: ", "Flags: 0x",
         "Generation: ", "User: ", "Group: ", " Size: ", "File ACL: ", "Links: ", "ctime: 0x",
         "atime: 0x", "mtime: 0x", "dtime: 0x", "BLOCKS:\\x0a", "(0-3):", "(IND):", "(DIND):",
         "TOTAL: ", "Fast link dest: \\\"", "evice major/minor number: ", "\\x0a")  # fmt: skip

TARGETS = (
    Target("debugfs-ls", listing, 900_000, max_len=256,
           words=("/12/100644/0/0/a/1/\\x0a", "/./", "/../")),
    Target("debugfs-stat", inode, 900_000, max_len=1024, words=_STAT),
    Target("ext3-tables", ext3_tables, 50_000, mutate_patches, max_len=256),
    Target("ext3-debugfs", ext3_debugfs, 5_000, mutate_patches, max_len=256),
    Target("squashfs", squashfs, 500_000, max_len=4096),
)  # fmt: skip
