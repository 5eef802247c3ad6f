"""Gives a container a larger descriptor table.

For one that is full of what cannot be bundled: signed records and foreign objects. The data stands
right behind the table, so a new container is put together beside the old one:

    1. the header with its new counts; the old table as it is, and empty slots behind it
    2. all data, moved by whole pages; in the table only the offsets differ
    3. it is checked (every object, byte for byte), synced, and takes the old one's name in one step

Signatures stay valid: they cover the objects' bytes, and of a descriptor neither offset nor slot
(github.com/sylabs/sif/v2, `Descriptor.GetIntegrityReader`), of the header neither counts nor
offsets. A crash at any point leaves the old container or the new one, whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack
from typing import BinaryIO

from sifprov.errors import FileError, FormatError, SifprovError
from sifprov.exchange import object_digest, put_in_place, refuse_other_names
from sifprov.frozen import dataclass, replace
from sifprov.inuse import partition_lock, refuse_users
from sifprov.newfile import scratch_beside
from sifprov.sif import Descriptor, Image, load
from sifprov.sif.format import DESCRIPTOR_SIZE, MAX_DESCRIPTORS, PAGE, Header, align
from sifprov.sif.image import open_file
from sifprov.sif.write import locked
from sifprov.sparse import allocated, copy_range
from sifprov.terminal import size as in_units

_MARGIN = 1 << 20


@dataclass(frozen=True)
class GrownTable:
    """For how many objects a container's table had and has room, and how many are in it."""

    path: str
    before: int
    after: int
    used: int


def grow_table(
    path: str, records: int, *, now: int, on_step: Callable[[str], None] = lambda text: None
) -> GrownTable:
    """Gives the container at `path` room for `records` objects more than it holds; `now` in
    seconds.

    The path keeps its identity, mode, owner, every object and every signature. Refuses while
    anybody uses it, and when it has several names. Raises FileError; the container is then as it
    was.
    """
    real = os.path.realpath(path)
    with open_file(real, write=True) as file, locked(file, path), ExitStack() as locks:
        try:
            image = load(file)
            wanted = _check(path, image, records)
            before = refuse_other_names(path, file)
            refuse_users(real)
            for item in image.descriptors:
                if item.partition and item.size:
                    locks.enter_context(partition_lock(file, path, item.offset, item.size))
            _check_room(path, file)
            with scratch_beside(real, 0o600) as new:
                on_step("putting the container together")
                with open(new, "r+b", buffering=0) as made:
                    _assemble(file, image, wanted, made, now)
                    on_step("checking it")
                    _verify(path, file, image, wanted, made)
                put_in_place(path, file, before, new, on_step)
        except FormatError as error:
            raise FileError(f"{path}: {error}") from error
        except EOFError as error:
            raise FileError(f"{path}: {error}") from error
        except OSError as error:
            raise FileError(f"{path}: {error.strerror or error}") from error
    return GrownTable(path, image.header.dtotal, wanted, len(image.descriptors))


def _check(path: str, image: Image, records: int) -> int:
    """Returns the new number of slots."""
    wanted = len(image.descriptors) + records
    if wanted <= image.header.dtotal:
        free = image.header.dtotal - len(image.descriptors)
        raise SifprovError(
            f"{path}: its table has room for {free} objects more already",
            hint="name a larger number; a table does not shrink",
        )
    if wanted > MAX_DESCRIPTORS:
        raise SifprovError(f"{path}: no table has room for more than {MAX_DESCRIPTORS} objects")
    return wanted


def _check_room(path: str, file: BinaryIO) -> None:
    total = os.fstat(file.fileno()).st_size
    need = allocated(file.fileno(), 0, total) + MAX_DESCRIPTORS * DESCRIPTOR_SIZE + _MARGIN
    disk = os.statvfs(os.path.dirname(os.path.realpath(path)))
    if disk.f_bavail * disk.f_frsize < need:
        raise FileError(
            f"{path}: growing its table needs {in_units(need)} beside it, and "
            f"{in_units(disk.f_bavail * disk.f_frsize)} are free",
            hint="make room, or grow a copy on another disk",
        )


def _larger(image: Image, wanted: int, now: int) -> Header:
    header = image.header
    length = wanted * DESCRIPTOR_SIZE
    # By whole pages, so that each partition stays as aligned as it was.
    more = align(max(header.descroff + length - header.dataoff, 0), PAGE)
    return replace(
        header,
        dfree=wanted - len(image.descriptors),
        dtotal=wanted,
        descrlen=length,
        dataoff=header.dataoff + more,
        modified=now,
    )


def _moved(image: Image, header: Header) -> list[Descriptor]:
    more = header.dataoff - image.header.dataoff
    return [replace(d, offset=d.offset + more) for d in image.descriptors]


def _assemble(file: BinaryIO, image: Image, wanted: int, made: BinaryIO, now: int) -> None:
    source, out, old = file.fileno(), made.fileno(), image.header
    new = _larger(image, wanted, now)
    copy_range(source, 0, old.descroff + old.dtotal * DESCRIPTOR_SIZE, out, 0)
    copy_range(source, old.dataoff, image.size - old.dataoff, out, new.dataoff)
    for item in _moved(image, new):
        os.pwrite(out, item.pack(), new.place(item.slot))
    os.pwrite(out, new.pack(), 0)


def _verify(path: str, file: BinaryIO, image: Image, wanted: int, made: BinaryIO) -> None:
    after = load(made)
    header = after.header
    same = (
        after.descriptors == tuple(_moved(image, header))
        and header == _larger(image, wanted, header.modified)
        and len(after.free_slots()) == wanted - len(image.descriptors)
        and os.pread(file.fileno(), 72, 0) == os.pread(made.fileno(), 72, 0)
    )
    if not same or any(
        object_digest(file, old) != object_digest(made, new)
        for old, new in zip(image.descriptors, after.descriptors, strict=True)
    ):
        raise FileError(f"{path}: the larger copy is not what it should be, so nothing was changed")
