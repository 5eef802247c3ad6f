"""When a filesystem was changed last, from its inode tables alone: no file is opened, none is read.

Whoever changes a file, a name or a folder through a mount sets a ctime, and who deletes sets the
dtime (whole seconds) of an inode that is free from then on. Times of reading count for nothing, nor
does what the filesystem keeps for itself.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
from collections.abc import Iterable, Iterator

from pyext2fs._inodes import ROOT, Inodes
from pyext2fs.superblock import Superblock

_SECOND = 10**9
# What is read at once: a hostile superblock may claim tables of gigabytes.
_PIECE = 1 << 20
_LITTLE = sys.byteorder == "little"
# In words of 4 bytes; see `_inodes`.
_CTIME, _DTIME, _EXTRA_SIZE, _CTIME_EXTRA = 3, 5, 32, 33


def last_change(fd: int, offset: int, *, before_ns: int | None = None) -> int:
    """Returns the time (ns since 1970) of the last change in the ext3 at `offset` of the open file
    `fd`, of those that were surely before `before_ns`; 0 when there is none.

    It may be mounted meanwhile; what is on its way to the disk is not seen then. Raises
    Ext2fsError.
    """
    inodes = Inodes(fd, offset, mounted=True)
    latest = 0
    for begin, length in _times(inodes):
        if latest < begin and (before_ns is None or begin + length <= before_ns):
            latest = begin
    return latest


def _times(inodes: Inodes) -> Iterator[tuple[int, int]]:
    """Every time of change as (ns, ns that it may have been later)."""
    sb = inodes.superblock
    words = sb.inode_size // 4
    for first, raw in _pieces(inodes):
        values = memoryview(raw).cast("I") if _LITTLE else _swapped(raw)
        for index in _counting(sb, first, values[_CTIME::words], values[_DTIME::words]):
            at = index * words
            ctime, dtime = values[at + _CTIME], values[at + _DTIME]
            if dtime:
                yield dtime * _SECOND, _SECOND
            fine = words > _CTIME_EXTRA and values[at + _EXTRA_SIZE] & 0xFFFF >= 8
            extra = values[at + _CTIME_EXTRA] if fine else 0
            seconds = (ctime ^ 2**31) - 2**31 + ((extra & 3) << 32)
            yield seconds * _SECOND + (extra >> 2), 1 if fine else _SECOND


def _pieces(inodes: Inodes) -> Iterator[tuple[int, bytes]]:
    """The written parts of the inode tables, each with the number of its first inode."""
    sb = inodes.superblock
    most = max(1, _PIECE // sb.inode_size)
    empty = bytes(most * sb.inode_size)
    for group, table in enumerate(inodes.tables):
        index = 0
        while index < sb.inodes_per_group:
            begin = table * sb.block_size + index * sb.inode_size
            hole = _hole(inodes, begin) // sb.inode_size
            if hole:
                index += hole
                continue
            length = min(most, sb.inodes_per_group - index) * sb.inode_size
            raw = inodes.pread(length, begin)
            if not empty.startswith(raw):
                yield group * sb.inodes_per_group + index + 1, raw
            index += most


def _swapped(raw: bytes) -> tuple[int, ...]:
    return struct.unpack(f"<{len(raw) // 4}I", raw)


def _hole(inodes: Inodes, begin: int) -> int:
    """How many bytes from there on nobody ever wrote, as in most of a large new container."""
    try:
        return os.lseek(inodes.fd, inodes.offset + begin, os.SEEK_DATA) - inodes.offset - begin
    except OSError as error:
        # Nothing behind it either, or a file system that does not tell.
        return inodes.superblock.size if error.errno == errno.ENXIO else 0


def _counting(
    sb: Superblock, first: int, ctimes: Iterable[int], dtimes: Iterable[int]
) -> list[int]:
    """The places in a table whose inodes were ever in use and are not the filesystem's own."""
    return [
        index
        for index, (ctime, dtime) in enumerate(zip(ctimes, dtimes, strict=True))
        if (ctime or dtime) and (first + index == ROOT or first + index >= sb.first_inode)
    ]
