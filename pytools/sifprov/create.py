"""Makes data containers: a SIF with one ext3 partition, built by `mke2fs -d` in its final place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID, uuid4

from pyext2fs import Ext2fsError, NoSpace, ToolMissing
from pyext2fs.mkfs import mkfs
from pyext2fs.nest import nest
from pyext2fs.owner import set_owner
from pyext2fs.sizing import Sizing, estimate, size_for
from sifprov.capture import append_to
from sifprov.content import Deadline, Tree
from sifprov.errors import FileError, MissingError
from sifprov.model.record import CREATE, INPUT, OUTPUT, Origin, Record
from sifprov.model.timestamp import from_ns
from sifprov.newfile import new_file
from sifprov.partition import scan_partition
from sifprov.roles import Declaration, check_mount
from sifprov.sif import FsType, Partition, PartType, add_partition, begin, pack_partition
from sifprov.sif.format import PAGE, align
from sifprov.version import VERSION

# Small blocks keep small containers small. In large ones they cost time, and a file could not be
# larger than 16 GiB.
_SMALL, _LARGE = 1024, 4096
_LARGE_FROM = 1024**3
# One inode for each 16 KiB of free space, as mke2fs does by default.
_BYTES_PER_INODE = 16 * 1024
_SPARE_INODES = 16
_ATTEMPTS = 6


@dataclass(frozen=True)
class Made:
    """A new data container: its declaration, its partition's size in bytes, its content."""

    path: str
    uuid: UUID
    declaration: Declaration
    partition: Partition
    tree: Tree


def create_data(
    path: str,
    *,
    mount: str,
    role: str | None = None,
    source: str | None = None,
    free: int = 0,
    partition_size: int | None = None,
    on_step: Callable[[str], None] = lambda text: None,
) -> Made:
    """Makes the data container `path` with the content of the folder `source` under `mount`.

    `free` bytes stay free for what a run writes; `partition_size` is the least size of the
    partition. The role is `input` when there is a source, else `output`, unless given. Refuses
    to overwrite; leaves nothing behind when it fails. Raises FileError, MissingError.
    """
    declaration = Declaration(role or (INPUT if source else OUTPUT), check_mount(mount))
    if source is not None and not os.path.isdir(source):
        raise FileError(f"{source}: no such folder")
    uuid = uuid4()
    try:
        with new_file(path) as temporary:
            on_step("measuring the content")
            partition = _make(
                temporary, uuid, declaration, source, free, partition_size or 0, on_step
            )
            on_step("reading it back")
            tree = scan_partition(temporary, partition, Deadline())
            if source is not None:
                append_to(temporary, _origin(uuid, source, tree))
    except ToolMissing as error:
        raise MissingError(str(error)) from error
    except Ext2fsError as error:
        raise FileError(f"{path}: {error}") from error
    return Made(path, uuid, declaration, partition, tree)


def _make(
    path: str,
    uuid: UUID,
    declaration: Declaration,
    source: str | None,
    free: int,
    least: int,
    on_step: Callable[[str], None],
) -> Partition:
    now = time.time_ns() // 1_000_000_000
    offset = begin(path, uuid=uuid, now=now)
    levels = declaration.mount.count("/")
    for block in (_SMALL, _LARGE):
        sizing = _measure(source, levels, block)
        inodes = sizing.inodes + _SPARE_INODES + free // _BYTES_PER_INODE
        size = align(max(size_for(sizing._replace(inodes=inodes), free), least), PAGE)
        if size < _LARGE_FROM:
            break
    for attempt in range(_ATTEMPTS):
        on_step("building the file system")
        try:
            _fill(path, offset, size, inodes, block, declaration, source)
            break
        except NoSpace:
            # The estimate is an upper bound; should it ever be wrong, the next one is larger.
            if attempt == _ATTEMPTS - 1:
                raise
            os.truncate(path, offset)
            size, inodes = align(size + size // 4, PAGE), inodes + inodes // 4
    item = add_partition(
        path,
        name=declaration.to_name(),
        size=size,
        extra=pack_partition(FsType.EXT3, PartType.DATA, b"00\0"),
        now=now,
    )
    return Partition(item.id, item.offset, item.size, FsType.EXT3)


def _measure(source: str | None, levels: int, block: int) -> Sizing:
    if source is None:
        return Sizing(2 * levels + 2, levels + 1, block)
    return estimate(source, levels=levels, block_size=block)


def _fill(
    path: str,
    offset: int,
    size: int,
    inodes: int,
    block: int,
    declaration: Declaration,
    source: str | None,
) -> None:
    me = (os.getuid(), os.getgid())
    # Every file belongs to whoever makes the container, or they could not write into an output.
    mkfs(path, offset=offset, size=size, inodes=inodes, block_size=block, source=source, owner=me,
         root_mode=None if source else 0o755)  # fmt: skip
    own = source is not None and os.path.isdir(os.path.join(source, "lost+found"))
    nest(path, offset, os.fsencode(declaration.mount), own_lost_found=own)
    set_owner(path, offset, *me)


def _origin(uuid: UUID, source: str, tree: Tree) -> Record:
    return Record(
        id=uuid4(),
        container=uuid,
        previous=None,
        recorded=from_ns(time.time_ns()),
        captured_by=CREATE,
        version=VERSION,
        run=None,
        origin=Origin(source=os.path.abspath(source), digest=tree.digest),
        containers=(),
        replays=None,
    )
