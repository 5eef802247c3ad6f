"""Inodes of a plain ext3 filesystem, read straight from its tables.

`Debugfs.stat` asks a process and reads its answer; where a tree has many files, that is most of
the work. The layout of an inode stands in `_inodes`; block[15] holds twelve blocks of the file,
then the block that lists more of them, one that lists such lists, and one that lists those.
"""

from __future__ import annotations

import os
import stat as _stat
import struct
from collections.abc import Iterator

from pyext2fs._inodes import Inodes
from pyext2fs._run import CorruptFilesystem
from pyext2fs._types import FAST_LINK, NOT_BLOCK_MAPPED, TYPES, Stat
from pyext2fs.folders import read_folder

__all__ = ["ROOT", "InodeReader", "Stat"]

ROOT = 2
_TYPES = frozenset(TYPES.values())
_DIRECT = 12
_MAX_EXTENTS = 1 << 22
_HEAD = struct.Struct("<HHIIIIIHHII")


class InodeReader(Inodes):
    """The inodes of the plain ext3 filesystem at `offset` of the open file `fd`."""

    def stat(self, ino: int) -> Stat:
        """As `Debugfs.stat`. Raises CorruptFilesystem."""
        raw = self.read(ino)
        (mode, uid, size, atime, ctime, mtime, dtime, gid, links, _sectors, flags) = (
            _HEAD.unpack_from(raw)
        )
        if _stat.S_IFMT(mode) not in _TYPES:
            raise CorruptFilesystem(f"inode <{ino}>: no type of file")
        uid_high, gid_high = struct.unpack_from("<HH", raw, 120)
        if _stat.S_ISREG(mode):
            size |= int.from_bytes(raw[108:112], "little") << 32
        extra = raw[128:144] if len(raw) > 128 else bytes(16)
        known, _sum, ctime_extra, mtime_extra, atime_extra = struct.unpack("<HHIII", extra)
        rdev, target = 0, None
        extents: tuple[tuple[int, int, int], ...] = ()
        if _stat.S_ISCHR(mode) or _stat.S_ISBLK(mode):
            rdev = _device(raw)
        elif _stat.S_ISLNK(mode) and 0 < size < FAST_LINK:
            target = bytes(raw[40 : 40 + size])
            if b"\0" in target:
                raise CorruptFilesystem(f"symbolic link <{ino}>: not {size} bytes")
        elif flags & NOT_BLOCK_MAPPED:
            raise CorruptFilesystem(f"inode <{ino}>: not mapped by blocks, so not ext3")
        elif _stat.S_ISREG(mode) or _stat.S_ISDIR(mode) or _stat.S_ISLNK(mode):
            extents = self._extents(ino, raw)
        return Stat(
            ino=ino,
            mode=mode,
            uid=uid | uid_high << 16,
            gid=gid | gid_high << 16,
            size=size,
            links=links,
            flags=flags,
            atime_ns=_time(atime, atime_extra if known >= 16 else 0),
            mtime_ns=_time(mtime, mtime_extra if known >= 12 else 0),
            ctime_ns=_time(ctime, ctime_extra if known >= 8 else 0),
            dtime=dtime,
            rdev=rdev,
            extents=extents,
            target=target,
        )

    def listdir(self, folder: Stat) -> dict[bytes, int]:
        """The names in a folder and their inodes; see `folders.read_folder`."""
        return read_folder(self, folder)

    def _extents(self, ino: int, raw: bytearray) -> tuple[tuple[int, int, int], ...]:
        found: list[tuple[int, int, int]] = []
        limit = self.superblock.blocks_count
        total = 0
        for place, block, length in self._runs(ino, raw):
            total += length
            # No file has more blocks than the filesystem: a map that leads back into itself ends.
            if block + length > limit or total > limit or len(found) > _MAX_EXTENTS:
                raise CorruptFilesystem(f"inode <{ino}>: a list of blocks that cannot be")
            if found:
                first, begin, count = found[-1]
                if place == first + count and block == begin + count:
                    found[-1] = (first, begin, count + length)
                    continue
            found.append((place, block, length))
        return tuple(found)

    def _runs(self, ino: int, raw: bytearray) -> Iterator[tuple[int, int, int]]:
        """(Block of the file, block of the image, how many), ascending, without holes."""
        top = struct.unpack_from("<15I", raw, 40)
        yield from ((place, block, 1) for place, block in enumerate(top[:_DIRECT]) if block)
        fan = self.superblock.block_size // 4
        place = _DIRECT
        budget = [self.superblock.blocks_count]
        for level in (1, 2, 3):
            yield from self._mapped(ino, top[_DIRECT + level - 1], level, place, budget)
            place += fan**level

    def _mapped(
        self, ino: int, block: int, level: int, place: int, budget: list[int]
    ) -> Iterator[tuple[int, int, int]]:
        if not block:
            return
        budget[0] -= 1
        if block >= self.superblock.blocks_count or budget[0] < 0:
            raise CorruptFilesystem(f"inode <{ino}>: a list of blocks that cannot be")
        fan = self.superblock.block_size // 4
        below = struct.unpack(f"<{fan}I", self.read_block(block))
        # In a large file most lists are full, and their blocks neighbours.
        if level == 1 and below[0] and below == tuple(range(below[0], below[0] + fan)):
            yield place, below[0], fan
            return
        for number, pointer in enumerate(below):
            if pointer and level == 1:
                yield place + number, pointer, 1
            elif pointer:
                here = place + number * fan ** (level - 1)
                yield from self._mapped(ino, pointer, level - 1, here, budget)


def _device(raw: bytearray) -> int:
    """The device numbers: block[0] in the old form, else block[1] in the new one."""
    old, new = struct.unpack_from("<II", raw, 40)
    if old:
        return os.makedev(old >> 8 & 0xFF, old & 0xFF)
    return os.makedev((new & 0xFFF00) >> 8, (new & 0xFF) | (new >> 12 & 0xFFF00))


def _time(low: int, extra: int) -> int:
    seconds = (low ^ 2**31) - 2**31 + ((extra & 3) << 32)
    return seconds * 10**9 + (extra >> 2)
