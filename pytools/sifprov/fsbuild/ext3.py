"""The ext3 partition of a new container: sized by its content, made by `mke2fs -d` in place."""

from __future__ import annotations

import os
from collections.abc import Callable
from uuid import NAMESPACE_URL, uuid5

from pyext2fs import NoSpace
from pyext2fs.mkfs import mkfs
from pyext2fs.nest import nest
from pyext2fs.owner import set_owner
from pyext2fs.resize import shrink_inside
from pyext2fs.sizing import Sizing, estimate, size_for
from sifprov.fsbuild import Content
from sifprov.fsbuild.watch import watched
from sifprov.sif.format import PAGE, align
from sifprov.sparse import release

# Small blocks keep small containers small. Writing a file into them takes the processor more
# than twice as long, though: from some size on it is large ones, unless many small files would then
# take more room; and from a further size on always.
SMALL, LARGE = 1024, 4096
_LARGE_FROM, _ALWAYS_LARGE_FROM = 64 * 1024**2, 256 * 1024**2
# One inode for each 16 KiB of free space, as mke2fs does by default.
_BYTES_PER_INODE = 16 * 1024
_SPARE_INODES = 16
_ATTEMPTS = 6


def build_ext3(path: str, offset: int, content: Content, on_step: Callable[[str], None]) -> int:
    """Makes the file system at `offset`, the end of the file; returns its size in bytes.

    Raises Ext2fsError.
    """
    on_step("measuring the content")
    sizing, block = _measure(content)
    needed = size_for(sizing, content.free)
    size, inodes = max(needed, content.least), sizing.inodes
    free = content.free + size - needed
    for attempt in range(_ATTEMPTS):
        size = align(size, PAGE)
        try:
            with watched(path, sizing.blocks * block, "building the file system", on_step):
                _fill(path, offset, size, inodes, block, free, content)
            break
        except NoSpace:
            # The estimate is an upper bound; should it ever be wrong, the next one is larger.
            if attempt == _ATTEMPTS - 1:
                raise
            os.truncate(path, offset)
            size, inodes = size + size // 4, inodes + inodes // 4
    wanted = align(max(size_for(sizing, content.free, shrunk=True), content.least), PAGE)
    size = _shrink(path, offset, size, wanted, block, content.timestamp)
    # The journal is zero until it is used, but mke2fs has reserved its place on the disk.
    with open(path, "r+b", buffering=0) as file:
        release(file.fileno(), offset, size)
    return size


def _measure(content: Content) -> tuple[Sizing, int]:
    """Returns what the content needs, and the block size."""
    small = _sizing(content, content.block_size or SMALL)
    size = max(size_for(small, content.free), content.least)
    if content.block_size or size < _LARGE_FROM:
        return small, small.block_size
    large = _sizing(content, LARGE)
    dear = size_for(large, content.free) > size + size // 8
    if dear and size < _ALWAYS_LARGE_FROM:
        return small, SMALL
    return large, LARGE


def _sizing(content: Content, block: int) -> Sizing:
    """What the content needs in blocks of this size, with the inodes of what runs will write."""
    levels = len(content.folders)
    if content.source is None:
        sizing = Sizing(2 * levels + 2, levels + 1, block)
    else:
        sizing = estimate(content.source, levels=levels, block_size=block)
    inodes = sizing.inodes + _SPARE_INODES + content.free // _BYTES_PER_INODE
    return sizing._replace(inodes=max(inodes, content.inodes))


def _fill(
    path: str, offset: int, size: int, inodes: int, block: int, free: int, content: Content
) -> None:
    source, now = content.source, content.timestamp
    # A reproducible file system has no identity of its own; nothing mounts it by its UUID.
    identity = str(uuid5(NAMESPACE_URL, "sifprov:ext3")) if now is not None else None
    mkfs(
        path,
        offset=offset,
        size=size,
        free=free,
        inodes=inodes,
        block_size=block,
        source=source,
        owner=content.owner,
        root_mode=None if source else 0o755,
        uuid=identity,
        hash_seed=identity,
        timestamp=now,
    )
    if content.folders:
        own = source is not None and os.path.isdir(os.path.join(source, "lost+found"))
        nest(path, offset, os.fsencode(content.mount), own_lost_found=own, timestamp=now)
    # Every file belongs to whoever makes the container, or they could not write into an output.
    set_owner(path, offset, *content.owner)


def _shrink(
    path: str, offset: int, size: int, wanted: int, block: int, timestamp: int | None
) -> int:
    """Takes away what mke2fs wanted only for making the journal. Returns the new size."""
    if wanted >= size or block != SMALL:
        return size
    try:
        return shrink_inside(path, offset, wanted // block, timestamp=timestamp).size
    except NoSpace:
        return size
