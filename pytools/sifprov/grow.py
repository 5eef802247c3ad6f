"""Enlarges or trims the ext3 partition of a data container, although records stand behind it.

resize2fs works only on a file that is nothing but the file system. So:

    1. the partition is copied, sparsely, to a scratch file; e2fsck mends it; resize2fs changes it
    2. a new container is put together beside the old one: all bytes before the partition, the
       other partition, all bytes behind it, moved by as many whole pages; in the table only
       the partition's size and the offsets behind it differ
    3. it is checked (e2fsck, tree digest, every other object byte for byte), synced, and takes the
       old one's name in one step

A crash at any point leaves the old container or the new one, whole. The append lock and the
partition's lock are held all the while.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from pyext2fs import Ext2fsError, ToolMissing
from pyext2fs.fsck import fsck
from pyext2fs.resize import resize
from pyext2fs.superblock import read_superblock, superblock
from sifprov.content import Deadline
from sifprov.errors import FileError, FormatError, MissingError, SifprovError
from sifprov.exchange import object_digest, put_in_place, refuse_other_names
from sifprov.frozen import dataclass, replace
from sifprov.groups import signed_groups
from sifprov.inuse import partition_lock, refuse_users
from sifprov.newfile import scratch_beside
from sifprov.partition import scan_partition
from sifprov.sif import Descriptor, FsType, Image, Partition, data_partition, load
from sifprov.sif.format import HEADER_SIZE, PAGE, align
from sifprov.sif.image import open_file
from sifprov.sif.write import locked
from sifprov.sparse import allocated, copy_range
from sifprov.terminal import size as in_units

# What resize2fs and the file system of the host may need beyond the data itself.
_MARGIN = 8 << 20


@dataclass(frozen=True)
class Grown:
    """What became of a container: sizes of the partition in bytes, then what is free in it.

    `broken` are the groups whose signatures do not hold any more.
    """

    path: str
    before: int
    after: int
    free_bytes: int
    free_inodes: int
    broken: tuple[int, ...]


def grow(
    path: str,
    size: int,
    *,
    now: int,
    break_signatures: bool = False,
    on_step: Callable[[str], None] = lambda text: None,
) -> Grown:
    """Enlarges the partition of the container `path` to at least `size` bytes; `now` in seconds.

    The path keeps its identity, mode, owner and every object. Refuses while anybody uses it, when
    it has several names, and, unless `break_signatures`, when a signature covers the partition.
    Raises FileError, MissingError; the container is then as it was.
    """
    return _changed(path, size, now, break_signatures, on_step)


def trim(path: str, *, now: int, on_step: Callable[[str], None] = lambda text: None) -> Grown:
    """Makes the partition of the container `path` as small as its content; else as `grow`."""
    return _changed(path, None, now, False, on_step)


def _changed(
    path: str,
    size: int | None,
    now: int,
    break_signatures: bool,
    on_step: Callable[[str], None],
) -> Grown:
    real = os.path.realpath(path)
    with open_file(real, write=True) as file, locked(file, path):
        try:
            image = load(file)
            item = _check(path, image, size)
            broken = _broken(path, image, item, allowed=break_signatures)
            refuse_users(real)
            with partition_lock(file, path, item.offset, item.size):
                _grow(file, path, real, image, item, size, now, on_step)
        except FormatError as error:
            raise FileError(f"{path}: {error}") from error
        except ToolMissing as error:
            raise MissingError(str(error)) from error
        except (Ext2fsError, EOFError) as error:
            raise FileError(f"{path}: {error}") from error
        except OSError as error:
            raise FileError(f"{path}: {error.strerror or error}") from error
    with open_file(real) as file:
        grown = data_partition(load(file))
        if grown is None:
            raise FileError(f"{path}: somebody else replaced it just now")
        found = read_superblock(file.fileno(), grown.offset)
    free = found.free_blocks * found.block_size
    return Grown(path, item.size, grown.size, free, found.free_inodes, broken)


def _check(path: str, image: Image, size: int | None) -> Descriptor:
    item = data_partition(image)
    if item is None or item.partition is None:
        raise FileError(f"{path}: it has no data partition")
    if item.partition[0] != FsType.EXT3:
        raise FileError(f"{path}: it is sealed", hint="only an ext3 container can grow")
    if size is not None and size <= item.size:
        raise SifprovError(
            f"{path}: its partition has {in_units(item.size)} already",
            hint="name a larger size; a container does not shrink",
        )
    return item


def _broken(path: str, image: Image, item: Descriptor, *, allowed: bool) -> tuple[int, ...]:
    """Returns the groups whose signatures will break: the partition's, when it is signed."""
    broken = tuple({item.group} & signed_groups(image))
    if broken and not allowed:
        raise SifprovError(
            f"{path}: growing changes the partition and breaks the signature of group {item.group}",
            hint="give --break-signatures, and sign again afterwards",
        )
    return broken


def _grow(
    file: BinaryIO,
    path: str,
    real: str,
    image: Image,
    item: Descriptor,
    size: int | None,
    now: int,
    on_step: Callable[[str], None],
) -> None:
    before = refuse_other_names(path, file)
    more = 0 if size is None else align(size - item.size, PAGE)
    if item.size + more > 2**44 or image.size + more >= 2**63:
        raise SifprovError(f"{path}: ext3 ends at 16T", hint="name a smaller size")
    _check_room(path, file, item, more)
    old = Partition(item.id, item.offset, item.size, FsType.EXT3)
    clean = not read_superblock(file.fileno(), item.offset).needs_recovery
    on_step("reading the content")
    digest = scan_partition(real, old, Deadline()).digest if clean else None
    # Nobody else's: until it has the old one's owner and mode.
    with scratch_beside(real, 0o600) as scratch:
        on_step("copying the partition")
        with open(scratch, "r+b", buffering=0) as copy:
            copy_range(file.fileno(), item.offset, item.size, copy.fileno(), 0)
        on_step("repairing the copy")
        _mend(path, scratch)
        if digest is None:
            whole = Partition(item.id, 0, item.size, FsType.EXT3)
            digest = scan_partition(scratch, whole, Deadline()).digest
        on_step("resizing the copy")
        if size is None:
            length = resize(scratch).size
            more = align(length, PAGE) - item.size
            if more >= 0:
                return
        else:
            length = _resize(scratch, item.size + more)
        with scratch_beside(real, 0o600) as new:
            on_step("putting the container together")
            _assemble(file, image, item, more, scratch, length, new, now)
            on_step("checking it")
            _verify(path, file, image, item, more, new, digest)
            put_in_place(path, file, before, new, on_step)


def _check_room(path: str, file: BinaryIO, item: Descriptor, more: int) -> None:
    """Raises FileError when the two copies will not fit on the disk."""
    found = read_superblock(file.fileno(), item.offset)
    tables = found.inodes_per_group * found.inode_size + 4 * found.block_size
    groups = -(-more // (found.blocks_per_group * found.block_size))
    total = os.fstat(file.fileno()).st_size
    need = allocated(file.fileno(), item.offset, item.size) + groups * tables
    need = 2 * need + (total - item.size) + _MARGIN
    disk = os.statvfs(os.path.dirname(os.path.realpath(path)))
    there = disk.f_bavail * disk.f_frsize
    if there < need:
        raise FileError(
            f"{path}: growing it needs {in_units(need)} beside it, and {in_units(there)} are free",
            hint="make room, or grow a copy on another disk",
        )


def _mend(path: str, scratch: str) -> None:
    result = fsck(scratch, 0, "preen")
    if not result.clean:
        said = " ".join(result.output.replace(scratch, "it").split())[-300:]
        raise FileError(
            f"{path}: its file system is damaged: {said}",
            hint="repair it first, with e2fsck, on a copy",
        )


def _resize(scratch: str, size: int) -> int:
    """Returns the new size, whole blocks."""
    return resize(scratch, size // superblock(scratch).block_size).size


def _assemble(
    file: BinaryIO,
    image: Image,
    item: Descriptor,
    more: int,
    scratch: str,
    length: int,
    new: str,
    now: int,
) -> None:
    """Writes the new container: see the module's text."""
    source = file.fileno()
    with open(new, "r+b", buffering=0) as target, open(scratch, "rb", buffering=0) as partition:
        out = target.fileno()
        copy_range(source, 0, item.offset, out, 0)
        copy_range(partition.fileno(), 0, length, out, item.offset)
        behind = item.end + more
        copy_range(source, item.end, image.size - item.end, out, behind)
        os.ftruncate(out, image.size + more)
        for moved in _moved(image, item, more, now):
            os.pwrite(out, moved.pack(), image.header.place(moved.slot))
        header = replace(image.header, datalen=image.header.datalen + more, modified=now)
        os.pwrite(out, header.pack()[72:HEADER_SIZE], 72)


def _moved(image: Image, item: Descriptor, more: int, now: int) -> Iterator[Descriptor]:
    """Yields the descriptors that change, as they are to be."""
    for each in image.descriptors:
        if each.id == item.id:
            yield replace(
                each, size=each.size + more, padded=max(each.padded, 0) + more, modified=now
            )
        elif each.offset >= item.end:
            yield replace(each, offset=each.offset + more)


def _verify(
    path: str, file: BinaryIO, image: Image, item: Descriptor, more: int, new: str, digest: str
) -> None:
    with open_file(new) as made:
        after = load(made)
        ids = [d.id for d in image.descriptors]
        same = [d.id for d in after.descriptors] == ids and after.header.uuid == image.header.uuid
        for old, grown in zip(image.descriptors, after.descriptors, strict=False):
            if old.id == item.id:
                found = Partition(grown.id, grown.offset, grown.size, FsType.EXT3)
            else:
                moved = replace(old, offset=grown.offset)
                same = (
                    same
                    and moved == grown
                    and object_digest(file, old) == object_digest(made, grown)
                )
    result = fsck(new, found.offset, "check")
    if not same or result.code or scan_partition(new, found, Deadline()).digest != digest:
        raise FileError(f"{path}: the new copy is not what it should be, so nothing was changed")
