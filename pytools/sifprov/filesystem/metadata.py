"""The bytes of a squashfs 4.0 image: its superblock, its metadata, its data blocks.

Little-endian (linux/fs/squashfs/squashfs_fs.h). Positions are bytes from the image's start.

    0   magic "hsqs"    4 inodes    8 made at   12 block size   16 fragments   20 compressor u16
    22  log2(block size) u16   24 flags u16   26 ids u16   28 version 4, 0 (u16 each)
    32  root inode   40 bytes used   48 ids at   56 xattrs at   64 inodes at   72 folders at
    80  fragments at   88 exports at            (u64 each)

Metadata (inodes, folders, fragments, ids) stands in blocks of at most 8 KiB, each behind a u16:
its size, with bit 15 where it is not compressed. A reference to an inode is
(block, from the table's start) << 16 | (byte in the uncompressed block).
"""

from __future__ import annotations

import os
import struct
from collections import OrderedDict

from sifprov.filesystem import CorruptImageError
from sifprov.filesystem.compress import decompressor
from sifprov.frozen import NamedTuple
from sifprov.sif import Partition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    _K = TypeVar("_K")
    _V = TypeVar("_V")

_SUPERBLOCK = struct.Struct("<IIIIIHHHHHHQQQQQQQQ")
_MAGIC = 0x73717368
_METADATA = 8192
_UNCOMPRESSED_METADATA = 1 << 15
UNCOMPRESSED = 1 << 24
_CACHED = 512


class Superblock(NamedTuple):
    """What the image says about itself."""

    magic: int
    inodes: int
    made: int
    block_size: int
    fragments: int
    compressor: int
    block_log: int
    flags: int
    ids: int
    major: int
    minor: int
    root: int
    used: int
    ids_at: int
    xattrs_at: int
    inodes_at: int
    folders_at: int
    fragments_at: int
    exports_at: int


class Place(NamedTuple):
    """A byte in the metadata: a block's position, and the byte in it."""

    block: int
    byte: int


class Metadata:
    """The image in `partition` of the open file `fd`. Every method raises CorruptImageError for
    what lies outside the image or is not what it must be."""

    def __init__(self, fd: int, partition: Partition) -> None:
        self._fd, self._offset = fd, partition.offset
        self.superblock = read_superblock(fd, partition)
        self._decompress = decompressor(self.superblock.compressor)
        self._blocks: OrderedDict[int, tuple[bytes, int]] = OrderedDict()

    def data(self, position: int, packed: int, limit: int) -> bytes:
        """One block of data of at most `limit` bytes."""
        size = packed & ~UNCOMPRESSED
        if size > self.superblock.block_size:
            raise CorruptImageError("a block is larger than the image's blocks")
        raw = self._bytes(position, size)
        data = raw if packed & UNCOMPRESSED else self._decompress(raw, limit)
        if len(data) > limit:
            raise CorruptImageError("a block holds more than it may")
        return data

    def _bytes(self, position: int, size: int) -> bytes:
        if position + size > self.superblock.used:
            raise CorruptImageError(f"{size} bytes at {position} are outside the image")
        raw = os.pread(self._fd, size, self._offset + position)
        if len(raw) != size:
            raise CorruptImageError("the file is shorter than its file system")
        return raw

    def _block(self, position: int) -> tuple[bytes, int]:
        """The metadata block at `position`, and the position behind it."""
        found = self._blocks.get(position)
        if found is None:
            (head,) = struct.unpack("<H", self._bytes(position, 2))
            size = head & ~_UNCOMPRESSED_METADATA
            if not 0 < size <= _METADATA:
                raise CorruptImageError(f"the metadata block at {position} has {size} bytes")
            raw = self._bytes(position + 2, size)
            data = raw if head & _UNCOMPRESSED_METADATA else self._decompress(raw, _METADATA)
            found = data, position + 2 + size
            remember(self._blocks, position, found, _CACHED)
        else:
            self._blocks.move_to_end(position)
        return found

    def take(self, place: Place, size: int) -> tuple[bytes, Place]:
        """The `size` bytes of metadata at `place`, and the place behind them."""
        block, byte = place
        data, behind = self._block(block)
        if byte + size <= len(data):
            return data[byte : byte + size], Place(block, byte + size)
        parts = []
        while True:
            if byte > len(data) or not data:
                raise CorruptImageError("a place outside its metadata block")
            part = data[byte : byte + size]
            parts.append(part)
            size -= len(part)
            if not size:
                return b"".join(parts), Place(block, byte + len(part))
            block, byte = behind, 0
            data, behind = self._block(block)

    def entry(self, table: int, number: int, size: int) -> bytes:
        """An entry of a table: u64 positions of metadata blocks, each full of entries."""
        block, index = divmod(number, _METADATA // size)
        (position,) = struct.unpack("<Q", self._bytes(table + 8 * block, 8))
        return self.take(Place(position, index * size), size)[0]


def read_superblock(fd: int, partition: Partition) -> Superblock:
    """Reads and checks the superblock of a squashfs partition. Raises CorruptImageError."""
    raw = os.pread(fd, _SUPERBLOCK.size, partition.offset)
    if len(raw) < _SUPERBLOCK.size or len(raw) > partition.size:
        raise CorruptImageError("the partition is too small for a squashfs")
    found = Superblock(*_SUPERBLOCK.unpack(raw))
    if found.magic != _MAGIC or (found.major, found.minor) != (4, 0):
        raise CorruptImageError("the partition holds no squashfs 4.0")
    if not 12 <= found.block_log <= 20 or found.block_size != 1 << found.block_log:
        raise CorruptImageError(f"the squashfs has blocks of {found.block_size} bytes")
    if found.used > partition.size:
        raise CorruptImageError(f"the squashfs claims {found.used} bytes of {partition.size}")
    return found


def remember(cache: OrderedDict[_K, _V], key: _K, value: _V, most: int) -> None:
    cache[key] = value
    if len(cache) > most:
        cache.popitem(last=False)
