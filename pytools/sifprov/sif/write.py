"""Creates SIF files and appends objects to them.

The order of an append, so that a crash at any point leaves the old container or the new one:

    1. lock; read the table again
    2. the data, behind everything that is in use         fdatasync
    3. the descriptor with its `used` byte 0              fdatasync
    4. the `used` byte: from here on the object is there  fdatasync
    5. the header's counters, which no reader needs       fdatasync

Several objects go together, with one wait for the data of all, one for all descriptors, and one for
each used byte, in their order: so none is there before those that it needs.

It writes its own slots, the header's counters and bytes behind all objects, nothing else, so it is
safe while a partition of the same file is mounted.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from sifprov.errors import FileError, FormatError
from sifprov.frozen import dataclass, replace
from sifprov.sif.disk import Disk as Disk
from sifprov.sif.disk import FileDisk as FileDisk
from sifprov.sif.disk import write_behind
from sifprov.sif.format import (
    EXTRA_SIZE,
    HEADER_SIZE,
    NAME_SIZE,
    USED_OFFSET,
    DataType,
    Descriptor,
    counters,
    new_header,
    own_digest,
    with_object,
)
from sifprov.sif.image import Image, load, open_file
from sifprov.sif.merge import Merge, merge_objects
from sifprov.sif.parse import parse_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

# Objects and their siblings of a data container; 84 descriptors end just below 52 KiB.
DESCRIPTORS = 84
# Where the appended objects' lock stands: the header, below every partition, for the
# runtimes lock the partition's bytes.
LOCK_START, LOCK_LENGTH = 0, HEADER_SIZE
LOCK_TIMEOUT = 30.0
# How often a name may lead to another file while an append waits for the lock.
_ATTEMPTS = 5
# <asm-generic/fcntl.h>; Python's fcntl module names them from 3.9 on where libc does.
F_OFD_SETLK = getattr(fcntl, "F_OFD_SETLK", 37)


@dataclass(frozen=True)
class NewObject:
    """An object to append, not an empty one. `group` 0 is none; `name` holds at most 127 bytes.

    A JSON object without `extra` gets its digest there (docs/formats.md)."""

    datatype: DataType
    name: bytes
    data: bytes
    group: int
    link: int = 0
    extra: bytes = b""

    def __post_init__(self) -> None:
        if len(self.name) >= NAME_SIZE or b"\0" in self.name:
            raise ValueError(f"object name {self.name!r} does not fit {NAME_SIZE - 1} bytes")
        # It would stand behind the file's end, where a reader refuses it.
        if not self.data:
            raise ValueError("an empty object")


@contextmanager
def locked(file: BinaryIO, path: str, timeout: float = LOCK_TIMEOUT) -> Iterator[None]:
    """Holds the append lock of an open SIF.

    An open-file-description lock: closing another descriptor of the same file in this process, as a
    plain POSIX lock would suffer, does not drop it. Raises FileError after `timeout` seconds.
    """
    wanted = _flock(fcntl.F_WRLCK)
    deadline = time.monotonic() + timeout
    pause = 0.002
    while True:
        try:
            fcntl.fcntl(file, F_OFD_SETLK, wanted)
            break
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise FileError(
                    f"{path}: this file system does not support locks ({error.strerror})",
                    hint="move the container to a file system with locks, such as a local disk",
                ) from error
            if time.monotonic() > deadline:
                raise FileError(
                    f"{path}: another program has been writing into it for {timeout:.0f} s",
                    hint="try again when it has ended",
                ) from error
            time.sleep(pause)
            pause = min(pause * 2, 0.1)
    try:
        yield
    finally:
        fcntl.fcntl(file, F_OFD_SETLK, _flock(fcntl.F_UNLCK))


def _flock(kind: int) -> bytes:
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, LOCK_START, LOCK_LENGTH, 0)


def append(
    path: str,
    build: Callable[[BinaryIO, Image], NewObject],
    *,
    now: int,
    disk: Callable[[int], Disk] = FileDisk,
    make_room: Callable[[BinaryIO, Image], Merge | None] = lambda file, image: None,
) -> Descriptor:
    """Appends one object to the SIF at `path` and returns its descriptor.

    `build` is called under the lock with the file and its table as they are then, so that what
    it makes can depend on what is already there. `make_room` is asked before that, when the
    table is full. `now` is in seconds since the epoch.
    Raises FileError; the container then holds what it held.
    """
    (item,) = append_all(
        path,
        lambda file, image: (build(file, image),),
        now=now,
        disk=disk,
        make_room=lambda file, image, slots: make_room(file, image),
    )
    return item


def append_all(
    path: str,
    build: Callable[[BinaryIO, Image], Sequence[NewObject]],
    *,
    now: int,
    slots: int = 1,
    disk: Callable[[int], Disk] = FileDisk,
    make_room: Callable[[BinaryIO, Image, int], Merge | None] = lambda file, image, slots: None,
) -> list[Descriptor]:
    """Appends the objects that `build` makes, so that each is there before the next one is.

    As `append`; `build` makes at least one, and no more than the table it sees has free slots.
    `make_room` is asked, where fewer than `slots` are free, for as many as are missing; where that
    is too much, for one after the other.
    """
    for _ in range(_ATTEMPTS):
        with open_file(path, write=True) as file, locked(file, path):
            if _replaced(file, path):
                continue  # grown while we waited: another file has the name now
            try:
                image, writer = load(file), disk(file.fileno())
                while (missing := slots - len(image.free_slots())) > 0:
                    merge = make_room(file, image, missing) or make_room(file, image, 1)
                    if merge is None:
                        break
                    merge_objects(writer, image, merge, now)
                    image = load(file)
                if not image.free_slots():
                    raise full_table(path, image)
                return _append(writer, image, build(file, image), now)
            except FormatError as error:
                raise FileError(f"{path}: {error}") from error
            except OSError as error:
                raise FileError(f"{path}: cannot write: {error.strerror or error}") from error
    raise FileError(f"{path}: is replaced again and again", hint="try again")


def _replaced(file: BinaryIO, path: str) -> bool:
    try:
        return not os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error


def full_table(path: str, image: Image) -> FileError:
    """The error of a table that is full of what cannot be bundled."""
    return FileError(
        f"{path}: all {image.header.dtotal} places of its table of objects are taken, "
        "and what is signed or foreign cannot be bundled",
        hint="'sifprov data grow --records 100' makes the table larger and keeps every signature",
    )


def _append(disk: Disk, image: Image, objects: Sequence[NewObject], now: int) -> list[Descriptor]:
    items: list[Descriptor] = []
    data = bytearray()
    for new in objects:
        item = _placed(image, new, now)
        start = items[0].offset if items else item.offset
        data += bytes(item.offset - start - len(data)) + new.data
        items.append(item)
        image = replace(image, descriptors=(*image.descriptors, item))
    write_behind(disk, bytes(data), items[0].offset, image.size)
    for item in items:
        disk.pwrite(item.pack(used=False), image.header.place(item.slot))
    disk.sync()
    for item in items:
        disk.pwrite(b"\1", image.header.place(item.slot) + USED_OFFSET)
        disk.sync()
    disk.pwrite(*counters(image.header, len(image.descriptors), items[-1].end, now))
    disk.sync()
    return items


def _placed(image: Image, new: NewObject, now: int) -> Descriptor:
    place = image.free_place()
    if place is None:
        raise ValueError("more objects than free slots")
    slot, ident = place
    offset = image.tail
    return Descriptor(
        slot=slot,
        datatype=new.datatype,
        id=ident,
        group=new.group,
        link=new.link,
        offset=offset,
        size=len(new.data),
        padded=len(new.data) + offset - image.data_end,
        created=now,
        modified=now,
        uid=os.getuid(),
        gid=os.getgid(),
        name=new.name.ljust(NAME_SIZE, b"\0"),
        extra=(new.extra or own_digest(new.datatype, new.data)).ljust(EXTRA_SIZE, b"\0"),
    )


def begin(path: str, *, uuid: UUID, now: int, descriptors: int = DESCRIPTORS) -> int:
    """Writes the header of an empty descriptor table into the file at `path`, which starts with
    zeros or is empty.

    Returns the offset at which the first partition is to stand, or stands already (see
    `data_offset`); `add_partition` then describes it.
    """
    header = new_header(uuid, now, descriptors)
    with open_file(path, write=True) as file:
        disk = FileDisk(file.fileno())
        disk.truncate(max(header.dataoff, os.fstat(file.fileno()).st_size))
        disk.pwrite(header.pack(), 0)
    return header.dataoff


def data_offset(descriptors: int = DESCRIPTORS) -> int:
    """Returns where the data of a SIF begins whose table has room for `descriptors` objects."""
    return new_header(UUID(int=0), 0, descriptors).dataoff


def add_partition(
    path: str,
    *,
    name: bytes,
    size: int,
    extra: bytes,
    now: int,
    owner: tuple[int, int] | None = None,
) -> Descriptor:
    """Describes the `size` bytes behind everything else of a new SIF as its partition.

    `owner` is user and group, by default this process's. For a file that nobody else knows yet: the
    bytes are already there, so nothing is copied.
    """
    if len(name) >= NAME_SIZE:
        raise ValueError(f"partition name {name!r} does not fit {NAME_SIZE - 1} bytes")
    uid, gid = owner or (os.getuid(), os.getgid())
    with open_file(path, write=True) as file:
        disk = FileDisk(file.fileno())
        head = os.pread(file.fileno(), HEADER_SIZE, 0)
        header = parse_header(head, os.fstat(file.fileno()).st_size)
        item = Descriptor(
            slot=0,
            datatype=DataType.PARTITION,
            id=1,
            group=1,
            link=0,
            offset=header.dataoff,
            size=size,
            padded=size,
            created=now,
            modified=now,
            uid=uid,
            gid=gid,
            name=name.ljust(NAME_SIZE, b"\0"),
            extra=extra.ljust(EXTRA_SIZE, b"\0"),
        )
        disk.truncate(item.end)
        disk.pwrite(item.pack(), header.descroff)
        disk.pwrite(with_object(header, item.end, now).pack(), 0)
        disk.sync()
    return item
