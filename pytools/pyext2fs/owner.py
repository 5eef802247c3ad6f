"""Give every file of a filesystem to one user."""

from __future__ import annotations

import os

from pyext2fs._inodes import Inodes, owner, put_owner
from pyext2fs._run import opened


def set_owner(path: str | bytes | os.PathLike[str], offset: int, uid: int, gid: int) -> int:
    """Make `uid`:`gid` own every inode of the unmounted ext3 filesystem; how many were changed."""
    if not (0 <= uid < 2**32 - 1 and 0 <= gid < 2**32 - 1):
        raise ValueError(f"not a user and group: {uid}:{gid}")
    changed = 0
    with opened(path, writable=True) as fd:
        inodes = Inodes(fd, offset)
        for ino in inodes.used():
            inode = inodes.read(ino)
            if owner(inode) != (uid, gid):
                put_owner(inode, uid, gid)
                inodes.write(ino, inode)
                changed += 1
    return changed
