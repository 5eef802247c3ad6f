"""Direct access to the inode tables of a plain ext3 filesystem that nobody has mounted.

For the few changes that debugfs can only make name by name: one pass over the tables costs
milliseconds where a command for each inode costs seconds. A group descriptor has 32 bytes: block
bitmap, inode bitmap, inode table (4 bytes each), free counts. Of an inode, little endian:

    0 mode   2 uid   4 size   8 atime   12 ctime   16 mtime   20 dtime   24 gid   26 links
    28 sectors   32 flags   40 block[15]   104 file ACL   108 size high   120 uid high
    122 gid high   128 extra size   132 ctime extra   136 mtime extra   140 atime extra   144 crtime
    148 crtime extra
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Iterator
from itertools import pairwise

from pyext2fs._run import CorruptFilesystem, Ext2fsError
from pyext2fs.superblock import INCOMPAT_RECOVER, read_superblock

ROOT = 2
_GROUP = struct.Struct("<3I20x")
# What is read at once.
_PIECE = 1 << 16


class Inodes:
    """The inodes of the filesystem at `offset` of the open file `fd`.

    `mounted`: it may be, or its journal may wait, and what its tables say then is enough.
    """

    def __init__(self, fd: int, offset: int, *, mounted: bool = False) -> None:
        self.fd = fd
        self.offset = offset
        self.superblock = sb = read_superblock(fd, offset)
        plain = sb._replace(incompat=sb.incompat & ~INCOMPAT_RECOVER) if mounted else sb
        if not plain.plain_ext3:
            raise Ext2fsError("not a plain ext3 filesystem, or its journal was not replayed")
        if offset + sb.size > os.fstat(fd).st_size:
            raise CorruptFilesystem("the file is shorter than its filesystem")
        # By group: where its bitmap of inodes and its table of inodes stand.
        self.bitmaps, self.tables = array("I"), array("I")
        self._read_groups()

    def _read_groups(self) -> None:
        """A superblock may claim billions of groups, in a file that is a hole: the first piece that
        nobody has written ends it. Tables that overlap would make little data much to read."""
        sb = self.superblock
        most = sb.blocks_count
        begin = (sb.first_data_block + 1) * sb.block_size
        for place in range(0, 32 * sb.groups, _PIECE):
            raw = self.pread(min(_PIECE, 32 * sb.groups - place), begin + place)
            for blocks, bitmap, table in _GROUP.iter_unpack(raw):
                if not (0 < blocks < most and 0 < bitmap < most and 0 < table < most):
                    raise CorruptFilesystem("group descriptor outside the filesystem")
                self.bitmaps.append(bitmap)
                self.tables.append(table)
        length = -(-sb.inodes_per_group * sb.inode_size // sb.block_size)
        ordered = sorted(self.tables)
        if any(b - a < length for a, b in pairwise(ordered)):
            raise CorruptFilesystem("tables of inodes overlap")

    def pread(self, length: int, position: int) -> bytes:
        if position + length > self.superblock.size:
            raise CorruptFilesystem("a block lies outside the filesystem")
        raw = os.pread(self.fd, length, self.offset + position)
        if len(raw) != length:
            raise CorruptFilesystem("the file is shorter than its filesystem")
        return raw

    def pwrite(self, raw: bytes | bytearray, position: int) -> None:
        if position + len(raw) > self.superblock.size:
            raise CorruptFilesystem("a block lies outside the filesystem")
        if os.pwrite(self.fd, raw, self.offset + position) != len(raw):
            raise Ext2fsError("short write")

    def _position(self, ino: int) -> int:
        sb = self.superblock
        if not 1 <= ino <= sb.inodes_count:
            raise CorruptFilesystem(f"inode {ino} does not exist")
        group, index = divmod(ino - 1, sb.inodes_per_group)
        return self.tables[group] * sb.block_size + index * sb.inode_size

    def read(self, ino: int) -> bytearray:
        return bytearray(self.pread(self.superblock.inode_size, self._position(ino)))

    def write(self, ino: int, inode: bytes | bytearray) -> None:
        self.pwrite(inode, self._position(ino))

    def read_block(self, block: int) -> bytearray:
        size = self.superblock.block_size
        if block == 0:
            raise CorruptFilesystem("a folder without its first block")
        return bytearray(self.pread(size, block * size))

    def write_block(self, block: int, raw: bytes | bytearray) -> None:
        self.pwrite(raw, block * self.superblock.block_size)

    def used(self) -> Iterator[int]:
        """The numbers of all inodes in use: the root and everything that is not reserved."""
        sb = self.superblock
        for group, bitmap in enumerate(self.bitmaps):
            bits = self.pread(-(-sb.inodes_per_group // 8), bitmap * sb.block_size)
            for byte, value in enumerate(bits):
                if not value:
                    continue
                for bit in range(8):
                    index = byte * 8 + bit
                    ino = group * sb.inodes_per_group + index + 1
                    if (
                        value >> bit & 1
                        and index < sb.inodes_per_group
                        and (ino == ROOT or ino >= sb.first_inode)
                    ):
                        yield ino


# What fits in 34 bits of seconds: from 1901 to 2446.
_FIRST, _LAST = -(2**31) * 10**9, (2**34 - 2**31) * 10**9 - 1


def owner(inode: bytes | bytearray) -> tuple[int, int]:
    uid, gid = struct.unpack_from("<H", inode, 2)[0], struct.unpack_from("<H", inode, 24)[0]
    uid_high, gid_high = struct.unpack_from("<2H", inode, 120)
    return uid | uid_high << 16, gid | gid_high << 16


def put_owner(inode: bytearray, uid: int, gid: int) -> None:
    struct.pack_into("<H", inode, 2, uid & 0xFFFF)
    struct.pack_into("<H", inode, 24, gid & 0xFFFF)
    struct.pack_into("<2H", inode, 120, uid >> 16, gid >> 16)


def put_time(inode: bytearray, field: str, ns: int) -> None:
    """Set atime, ctime or mtime. Extra field: nanoseconds << 2 | bits 32 and 33 of the seconds."""
    at, extra_at = {"atime": (8, 140), "ctime": (12, 132), "mtime": (16, 136)}[field]
    seconds, nanoseconds = divmod(min(max(ns, _FIRST), _LAST), 10**9)
    low = (seconds + 2**31) % 2**32 - 2**31
    struct.pack_into("<i", inode, at, low)
    if len(inode) > 128 and struct.unpack_from("<H", inode, 128)[0] >= extra_at + 4 - 128:
        struct.pack_into("<I", inode, extra_at, nanoseconds << 2 | (seconds - low) >> 32 & 3)


def copy_mtime_to_atime(inode: bytearray) -> None:
    inode[8:12] = inode[16:20]
    if len(inode) > 128:
        inode[140:144] = inode[136:140]
