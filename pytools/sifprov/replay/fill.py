"""Makes the containers in which replays begin. Each is written to a path that is not there yet.

Files come out of a container into a hidden folder beside the new one, and from there into its file
system, as `sifprov data create` does it: no mount, no root, and holes stay holes. A whole ext3
partition is copied as it is.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from uuid import UUID, uuid4

from pyext2fs import Ext2fsError, ToolMissing
from pyext2fs.owner import set_owner
from pyext2fs.superblock import superblock
from sifprov.content import Deadline, Tree
from sifprov.create import EXT3, create_data, make_data
from sifprov.embedded import Lineage
from sifprov.errors import FileError, MissingError
from sifprov.extract import extract_files, remove_tree
from sifprov.frozen import replace
from sifprov.fsbuild import BuildError, Content
from sifprov.identity import Identity, identify
from sifprov.model.container import OUTPUT, Container
from sifprov.model.files import store
from sifprov.partition import scan_partition
from sifprov.records import append_record
from sifprov.replay.layout import Layout, layout, make_folders
from sifprov.replay.steps import Copied, Fresh, Kept, Refilled, Target
from sifprov.seal import origin_of
from sifprov.sif import FsType, Partition, PartType, add_partition, begin, pack_partition
from sifprov.sparse import copy_range
from sifprov.terminal import size

_Step = Callable[[str], None]
# <linux/fs.h>
_FICLONE = 0x40049409
_PIECE = 64 << 20


def fresh(path: str, container: Container, start: Fresh, on_step: _Step) -> None:
    """Makes an empty container. Raises FileError, MissingError."""
    with _new(path), _folder(path) as folder:
        make_folders(folder, container, start.like)
        _from_folder(path, folder, layout(container, start.like, start.room), on_step)


def kept(path: str, target: Target, start: Kept, on_step: _Step) -> None:
    """Makes a container of those files of another that are an earlier state of it. Raises
    FileError, MissingError."""
    plan = layout(target.container, start.path, start.room)
    with _new(path), _folder(path) as folder:
        extract_files(start.path, folder, start.tree.entries, on_step=on_step)
        uuid, partition = _from_folder(path, folder, plan, on_step)
        tree = _proved(path, partition, start.tree.digest, start.path, on_step)
        then = replace(identify(start.path), record=target.record.previous)
        _add_origin(path, uuid, then, tree)


def copied(path: str, target: Target, start: Copied, on_step: _Step) -> None:
    """Makes a writable container of the files of another. Raises FileError, MissingError."""
    source = start.found.path
    identity = identify(source)
    if identity.partition is None or start.found.digest is None:
        raise FileError(f"{source}: {identity.reason or 'no data partition'}")
    plan = layout(target.container, start.like or source, start.room)
    with _new(path):
        if _has_layout(source, identity.partition, plan):
            uuid, partition = _whole(path, source, identity.partition, plan, on_step)
        else:
            entries = (start.found.tree or _scan(source, identity.partition)).entries
            with _folder(path) as folder:
                extract_files(source, folder, entries, on_step=on_step)
                uuid, partition = _from_folder(path, folder, plan, on_step)
        tree = _proved(path, partition, start.found.digest, source, on_step)
        _add_origin(path, uuid, identity, tree)


def refilled(path: str, container: Container, start: Refilled, on_step: _Step) -> None:
    """Makes a container of a folder once more. Raises FileError, MissingError."""
    plan = layout(container, start.like, start.room)
    made = create_data(
        path,
        mount=start.mount,
        role=OUTPUT,
        source=start.origin.source,
        free=plan.free,
        partition_size=plan.size,
        descriptors=plan.descriptors,
        block_size=plan.block_size,
        inodes=plan.inodes,
        on_step=on_step,
    )
    if made.tree.digest != start.origin.digest:
        os.unlink(path)
        raise _changed(start.origin.source)


def continued(path: str, source: str, on_step: _Step) -> None:
    """Makes a copy of a container, with all that is in it. Raises FileError."""
    with _new(path), open(source, "rb", buffering=0) as old, open(path, "r+b", buffering=0) as new:
        try:
            fcntl.ioctl(new, _FICLONE, old.fileno())
        except OSError:
            length = os.fstat(old.fileno()).st_size
            _copy(old.fileno(), 0, length, new.fileno(), 0, on_step)


@contextmanager
def _new(path: str) -> Iterator[None]:
    """Makes an empty file for what happens inside, and removes it when that fails; tells of errors
    as this program does."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    try:
        yield
    except BaseException as error:
        with suppress(OSError):
            os.unlink(path)
        if isinstance(error, ToolMissing):
            raise MissingError(str(error)) from error
        if isinstance(error, (Ext2fsError, BuildError)):
            raise FileError(f"{path}: {error}") from error
        if isinstance(error, EOFError):
            raise FileError(f"{path}: {error}: somebody changes what is copied") from error
        if isinstance(error, OSError):
            raise FileError(f"{path}: {error.strerror or error}") from error
        raise


@contextmanager
def _folder(path: str) -> Iterator[str]:
    """Yields a new folder beside `path`, and removes it."""
    folder = f"{path}.files"
    os.mkdir(folder, 0o700)
    try:
        yield folder
    finally:
        remove_tree(folder)


def _from_folder(path: str, folder: str, plan: Layout, on_step: _Step) -> tuple[UUID, Partition]:
    content = Content(
        mount="/",
        source=folder,
        owner=(os.getuid(), os.getgid()),
        free=plan.free,
        least=plan.size,
        block_size=plan.block_size,
        inodes=plan.inodes,
    )
    return make_data(path, plan.name, content, EXT3, plan.descriptors, on_step)


def _has_layout(source: str, partition: Partition, plan: Layout) -> bool:
    """Whether a partition can be taken as it is."""
    if partition.fs != FsType.EXT3 or partition.size < plan.size or plan.free:
        return False
    found = superblock(source, partition.offset)
    return found.plain_ext3 and found.inodes_count >= plan.inodes


def _whole(
    path: str, source: str, partition: Partition, plan: Layout, on_step: _Step
) -> tuple[UUID, Partition]:
    """Copies a whole ext3 partition; all files become the user's, who is to write there."""
    uuid, now = uuid4(), time.time_ns() // 10**9
    offset = begin(path, uuid=uuid, now=now, descriptors=plan.descriptors)
    with open(source, "rb", buffering=0) as old, open(path, "r+b", buffering=0) as new:
        _copy(old.fileno(), partition.offset, partition.size, new.fileno(), offset, on_step)
    extra = pack_partition(FsType.EXT3, PartType.DATA, b"00\0")
    item = add_partition(path, name=plan.name, size=partition.size, extra=extra, now=now)
    set_owner(path, item.offset, os.getuid(), os.getgid())
    return uuid, Partition(item.id, item.offset, item.size, FsType.EXT3)


def _copy(source: int, start: int, length: int, target: int, at: int, on_step: _Step) -> None:
    for done in range(0, length, _PIECE):
        on_step(f"copying: {size(done)} of {size(length)}")
        copy_range(source, start + done, min(_PIECE, length - done), target, at + done)


def _scan(path: str, partition: Partition) -> Tree:
    return scan_partition(path, partition, Deadline())


def _proved(path: str, partition: Partition, digest: str, source: str, on_step: _Step) -> Tree:
    on_step("reading it back")
    tree = _scan(path, partition)
    if tree.digest != digest:
        raise _changed(source)
    return tree


def _changed(source: str) -> FileError:
    return FileError(f"{source}: changed since it was looked at", hint="start again")


def _add_origin(path: str, uuid: UUID, source: Identity, tree: Tree) -> None:
    """Appends the record that says whose content the new container began with."""
    record, lists = origin_of(uuid, source, tree)
    lineage = Lineage({}).beside(tuple(store(m).to_bytes() for m in lists.values()))
    append_record(
        path, lambda image, previous: record, now=time.time_ns() // 10**9, lineage=lineage
    )
