"""Grow or shrink a filesystem that is a file of its own, with resize2fs.

There is no offset: resize2fs 1.47.0 takes one, but then cuts the file to the length of the
filesystem alone, and so destroys the filesystem's end and whatever stands behind.
"""

from __future__ import annotations

import os

from pyext2fs._run import device, opened, run
from pyext2fs.superblock import Superblock, read_superblock


def resize(
    path: str | bytes | os.PathLike[str], blocks: int | None = None, *, timeout: float | None = None
) -> Superblock:
    """Resize to `blocks` blocks, or to the fewest that hold the content; the file gets that length.

    The filesystem must be unmounted and clean. Raises NoSpace where the content needs more.
    """
    with opened(path, writable=True) as fd:
        found = read_superblock(fd, 0)
        length = os.fstat(fd).st_size
        wanted = ["-M", device(fd)] if blocks is None else [device(fd), str(blocks)]
        if blocks is not None and length < blocks * found.block_size:
            os.ftruncate(fd, blocks * found.block_size)
        run("resize2fs", ["-f", *wanted], fd, timeout=timeout)
        found = read_superblock(fd, 0)
        os.ftruncate(fd, found.size)
    return found
