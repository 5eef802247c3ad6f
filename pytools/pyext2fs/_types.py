"""What both readers say of a file: the one that asks debugfs, and the one that reads itself."""

from __future__ import annotations

import stat as _stat

from pyext2fs._named import NamedTuple

FAST_LINK = 60  # bytes that fit into the inode, with a NUL
NOT_BLOCK_MAPPED = 0x80000 | 0x10000000  # extents, inline data
TYPES = {
    b"regular": _stat.S_IFREG,
    b"directory": _stat.S_IFDIR,
    b"symlink": _stat.S_IFLNK,
    b"FIFO": _stat.S_IFIFO,
    b"socket": _stat.S_IFSOCK,
    b"block special": _stat.S_IFBLK,
    b"character special": _stat.S_IFCHR,
}


class Entry(NamedTuple):
    """One name in a folder. `mode` includes the type; `size` is 0 for a folder."""

    ino: int
    mode: int
    uid: int
    gid: int
    name: bytes
    size: int

    @property
    def is_dir(self) -> bool:
        return _stat.S_ISDIR(self.mode)


class Stat(NamedTuple):
    """An inode. Times in nanoseconds since 1970; `dtime` in seconds, 0 for a living file.

    `extents`: (first block of the file, first block of the image, how many), ascending, without
    holes. `target`: of a symbolic link that stands in the inode itself.
    """

    ino: int
    mode: int
    uid: int
    gid: int
    size: int
    links: int
    flags: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    dtime: int
    rdev: int
    extents: tuple[tuple[int, int, int], ...]
    target: bytes | None
