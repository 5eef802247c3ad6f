"""Grow or shrink a filesystem that is a file of its own, with resize2fs.

There is no offset: resize2fs 1.47.0 takes one, but then cuts the file to the length of the
filesystem alone, and so destroys the filesystem's end and whatever stands behind.
"""

from __future__ import annotations

import os
import tempfile

from pyext2fs._run import Ext2fsError, device, fake_time, opened, run
from pyext2fs.superblock import Superblock, read_superblock

_PIECE = 4096


def resize(
    path: str | bytes | os.PathLike[str],
    blocks: int | None = None,
    *,
    timestamp: int | None = None,
    timeout: float | None = None,
) -> Superblock:
    """Resize to `blocks` blocks, or to the fewest that hold the content; the file gets that length.

    The filesystem must be unmounted and clean. `timestamp`: the present, in seconds since 1970.
    Raises NoSpace where the content needs more.
    """
    with opened(path, writable=True) as fd:
        found = read_superblock(fd, 0)
        length = os.fstat(fd).st_size
        wanted = ["-M", device(fd)] if blocks is None else [device(fd), str(blocks)]
        if blocks is not None and length < blocks * found.block_size:
            os.ftruncate(fd, blocks * found.block_size)
        run("resize2fs", ["-f", *wanted], fd, timeout=timeout, env=fake_time(timestamp))
        found = read_superblock(fd, 0)
        os.ftruncate(fd, found.size)
    return found


def shrink_inside(
    path: str | bytes | os.PathLike[str], offset: int, blocks: int, *, timestamp: int | None = None
) -> Superblock:
    """Shrink the small filesystem at `offset`, the last thing in its file, which is cut behind it.

    It is copied to a nameless file and back: mke2fs makes none below 2048 blocks (with a journal),
    resize2fs can. On an error (NoSpace) the filesystem is as it was.
    """
    folder = os.path.dirname(os.path.abspath(os.fsdecode(path)))
    with opened(path, writable=True) as fd, tempfile.TemporaryFile(dir=folder) as scratch:
        before = read_superblock(fd, offset)
        scratch.write(_read(fd, before.size, offset))
        scratch.flush()
        after = resize(device(scratch.fileno()), blocks, timestamp=timestamp)
        small = _read(scratch.fileno(), after.size, 0)
        # What is zero, as the journal is, takes no room.
        os.ftruncate(fd, offset)
        os.ftruncate(fd, offset + after.size)
        for at in range(0, after.size, _PIECE):
            piece = small[at : at + _PIECE]
            if any(piece) and os.pwrite(fd, piece, offset + at) != len(piece):
                raise Ext2fsError(f"{os.fsdecode(path)}: short write")
    return after


def _read(fd: int, length: int, offset: int) -> bytes:
    data = os.pread(fd, length, offset)
    if len(data) != length:
        raise Ext2fsError("the file is shorter than its filesystem")
    return data
