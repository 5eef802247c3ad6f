"""How large a filesystem must be to hold a folder: an upper bound that stays close."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from pyext2fs._run import Ext2fsError

INODE_SIZE = 256  # ext3 has room for nanoseconds only in inodes larger than 128 bytes
RESERVED_INODES = 11  # 1 to 10 are ext3's own, 11 is lost+found
_IN_INODE_XATTRS = INODE_SIZE - 128 - 32 - 4 - 4
_LARGE = 4096
_SLACK = 64  # blocks: mke2fs drops a last group that has less than 50 to give


class Sizing(NamedTuple):
    """What files need: `blocks` for data, folders and block maps; `inodes`, no reserved ones.

    `bytes` is the size of the filesystem that holds just that.
    """

    blocks: int
    inodes: int
    block_size: int

    @property
    def bytes(self) -> int:
        return size_for(self)


def estimate(
    source: str | bytes | os.PathLike[str], *, block_size: int = 1024, levels: int = 0
) -> Sizing:
    """Upper bound for the content of the folder `source`, moved below `levels` new folders.

    Follows no symbolic link. Raises Ext2fsError where a folder or file cannot be looked at.
    """
    inodes = levels + 1
    # `levels` folders; and, while they are moved there, one more lost+found.
    blocks = 2 * levels + 2
    seen: set[tuple[int, int]] = set()
    for path, info, names in walk(os.fsencode(source)):
        if not new_inode(info, seen):
            continue
        inodes += 1
        blocks += _xattr_blocks(path)
        if stat.S_ISREG(info.st_mode):
            blocks += _file_blocks(path, info, block_size)
        elif stat.S_ISDIR(info.st_mode):
            blocks += _folder_blocks(names, block_size)
        elif stat.S_ISLNK(info.st_mode) and info.st_size >= 60:
            blocks += 1
    return Sizing(blocks, inodes, block_size)


def new_inode(info: os.stat_result, seen: set[tuple[int, int]]) -> bool:
    """Whether mke2fs makes an inode for this name: not for a further name of the same file.

    It copies a symbolic link of several names once for each.
    """
    if info.st_nlink == 1 or stat.S_ISDIR(info.st_mode) or stat.S_ISLNK(info.st_mode):
        return True
    before = len(seen)
    seen.add((info.st_dev, info.st_ino))
    return len(seen) > before


def walk(source: bytes) -> Iterator[tuple[bytes, os.stat_result, list[bytes]]]:
    """Path, lstat and (for a folder) sorted names of `source` and of everything below it."""
    waiting = [source]
    while waiting:
        path = waiting.pop()
        try:
            info = os.lstat(path)
            names = sorted(os.listdir(path)) if stat.S_ISDIR(info.st_mode) else []
        except OSError as e:
            raise Ext2fsError(f"{os.fsdecode(path)}: {e.strerror}") from e
        yield path, info, names
        waiting.extend(path + b"/" + name for name in reversed(names))


def size_for(sizing: Sizing, free: int = 0, *, shrunk: bool = False) -> int:
    """Bytes of a filesystem that holds `sizing` and has `free` bytes left for data.

    mke2fs makes none that is so small that its journal takes half of it; `shrunk`: what
    `resize.shrink_inside` can make of it afterwards.
    """
    block_size = sizing.block_size
    first = 1 if block_size == 1024 else 0
    inodes = sizing.inodes + RESERVED_INODES
    data = sizing.blocks + -(-free // block_size)
    data += map_blocks(-(-free // block_size), block_size)
    data += 16384 // block_size  # lost+found
    blocks = files = data
    journal = journal_size(block_size, free) // block_size
    while True:
        data = files + journal + map_blocks(journal, block_size)
        if not shrunk:
            # mke2fs refuses a journal that takes more than half of what is free when it makes it.
            data = max(data, 2 * journal + 16384 // block_size + 8)
        groups, last = divmod(blocks - first, 8 * block_size)
        groups += last > 0
        per_group = _inodes_per_group(inodes, groups, block_size)
        table = 2 + per_group * INODE_SIZE // block_size
        backup = 1 + -(-groups * 32 // block_size)
        overhead = groups * table + sum(backup for n in range(groups) if _has_backup(n))
        need = first + data + overhead
        if 0 < last < table + backup + _SLACK:
            need = max(need, blocks - last + table + backup + _SLACK)
        if per_group <= 8 * block_size and need <= blocks:
            return blocks * block_size
        blocks = max(need, blocks + 1)


def inode_option(inodes: int, size: int, block_size: int) -> int:
    """What to ask `mke2fs -N` for, so that at least `inodes` come out: it rounds down by group."""
    groups = -(-(size // block_size) // (8 * block_size))
    return _inodes_per_group(inodes, groups, block_size) * groups


def journal_size(block_size: int, free: int) -> int:
    """Bytes of the journal of a filesystem with `free` bytes to be written: 1024 blocks, the
    fewest; with large blocks a 32nd of what is free, up to 128 MiB.

    A file of the usual size costs the journal a 30th of its bytes, and whoever has filled it waits
    until all that was written so far is on the disk. It takes no room there before it is used.
    """
    least = 1024 * block_size
    if block_size < _LARGE:
        return least
    return max(least, min(free // 32, 128 << 20) >> 20 << 20)


def map_blocks(count: int, block_size: int) -> int:
    """How many blocks an ext3 block map takes that points to `count` blocks."""
    if count <= 12:
        return 0
    fan = block_size // 4
    total, level = 0, count - 12
    single = -(-level // fan)
    total += single
    if single > 1:
        double = -(-(single - 1) // fan)
        total += double
        if double > 1:
            total += 1 + -(-(double - 1) // fan)
    return total


def _inodes_per_group(inodes: int, groups: int, block_size: int) -> int:
    unit = max(8, block_size // INODE_SIZE)
    return -(-inodes // (groups * unit)) * unit


def _has_backup(group: int) -> bool:
    """sparse_super: backups of the superblock in groups 0, 1 and the powers of 3, 5 and 7."""
    if group < 2:
        return True
    for base in (3, 5, 7):
        power = base
        while power < group:
            power *= base
        if power == group:
            return True
    return False


def _file_blocks(path: bytes, info: os.stat_result, block_size: int) -> int:
    """Blocks of a file: mke2fs leaves out its holes."""
    whole = -(-info.st_size // block_size)
    dense = whole + map_blocks(whole, block_size)
    if info.st_blocks * 512 >= info.st_size:
        return dense
    try:
        with open(path, "rb", buffering=0) as file:
            count, end = 0, 0
            while True:
                try:
                    begin = os.lseek(file.fileno(), end, os.SEEK_DATA)
                except OSError:  # ENXIO: no data any more
                    break
                end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
                count += -(-end // block_size) - begin // block_size
    except OSError as e:
        raise Ext2fsError(f"{os.fsdecode(path)}: {e.strerror}") from e
    return min(dense, count + min(3 * count, map_blocks(whole, block_size)))


def _folder_blocks(names: list[bytes], block_size: int) -> int:
    lengths = [8 + (len(name) + 3) // 4 * 4 for name in names]
    # An entry does not cross a block: at worst, the longest does not fit at the end of each.
    usable = block_size - max(lengths, default=0) + 4
    count = max(1, -(-(24 + sum(lengths)) // usable))
    return count + map_blocks(count, block_size)


def _xattr_blocks(path: bytes) -> int:
    """mke2fs copies extended attributes, into the inode or else into one block."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
        total = sum(
            16 + -(-len(name) // 4) * 4 + -(-len(_xattr(path, name)) // 4) * 4 for name in names
        )
    except OSError:
        return 1
    return 1 if total > _IN_INODE_XATTRS else 0


def _xattr(path: bytes, name: str) -> bytes:
    return os.getxattr(path, name, follow_symlinks=False)
