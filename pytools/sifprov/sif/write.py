"""Creates SIF files and appends objects to them.

The order of an append, so that a crash at any point leaves the old container or the new one:

    1. lock; read the table again
    2. the data, behind everything that is in use         fdatasync
    3. the descriptor with its `used` byte 0              fdatasync
    4. the `used` byte: from here on the object is there  fdatasync
    5. the header's counters, which no reader needs       fdatasync

It writes its own slot, the header's counters and bytes behind all objects, nothing else, so it is
safe while a partition of the same file is mounted.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol
from uuid import UUID

from sifprov.errors import FileError, FormatError
from sifprov.sif.format import (
    DESCRIPTOR_SIZE,
    EXTRA_SIZE,
    HEADER_SIZE,
    NAME_SIZE,
    PAGE,
    USED_OFFSET,
    DataType,
    Descriptor,
    align,
    new_header,
    parse_header,
    with_object,
)
from sifprov.sif.image import Image, load, open_file

# Objects and their siblings of a data container; 84 descriptors end just below 52 KiB.
DESCRIPTORS = 84
# Where the appended objects' lock stands: the header, below every partition, for the
# runtimes lock the partition's bytes.
LOCK_START, LOCK_LENGTH = 0, HEADER_SIZE
LOCK_TIMEOUT = 30.0
# <asm-generic/fcntl.h>; Python's fcntl module names them from 3.9 on where libc does.
F_OFD_SETLK = getattr(fcntl, "F_OFD_SETLK", 37)


class Disk(Protocol):
    """The writes that an append makes, so that a test can record them or let them fail."""

    def pwrite(self, data: bytes, offset: int) -> None:
        """Writes all of `data` at `offset`."""

    def sync(self) -> None:
        """Returns when everything written before is on the disk; raises OSError otherwise."""

    def truncate(self, size: int) -> None:
        """Cuts or extends the file."""


class FileDisk:
    """`Disk` on an open file."""

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor

    def pwrite(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            view, offset = view[written:], offset + written

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)


@dataclass(frozen=True)
class NewObject:
    """An object to append, not an empty one. `group` 0 is none; `name` holds at most 127 bytes."""

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
) -> Descriptor:
    """Appends one object to the SIF at `path` and returns its descriptor.

    `build` is called under the lock with the file and its table as they are then, so that what
    it makes can depend on what is already there. `now` is in seconds since the epoch.
    Raises FileError; the container is then as it was.
    """
    with open_file(path, write=True) as file, locked(file, path):
        try:
            image = load(file)
            return _append(disk(file.fileno()), image, build(file, image), now)
        except FormatError as error:
            raise FileError(f"{path}: {error}") from error
        except OSError as error:
            raise FileError(f"{path}: cannot write: {error.strerror or error}") from error


def _append(disk: Disk, image: Image, new: NewObject, now: int) -> Descriptor:
    slot = _free_slot(image)
    offset = _tail(image)
    item = Descriptor(
        slot=slot,
        datatype=new.datatype,
        id=slot + 1,
        group=new.group,
        link=new.link,
        offset=offset,
        size=len(new.data),
        padded=len(new.data) + offset - max(_data_end(image), image.header.dataoff),
        created=now,
        modified=now,
        uid=os.getuid(),
        gid=os.getgid(),
        name=new.name.ljust(NAME_SIZE, b"\0"),
        extra=new.extra.ljust(EXTRA_SIZE, b"\0"),
    )
    place = image.header.descroff + slot * DESCRIPTOR_SIZE
    try:
        disk.pwrite(new.data, offset)
        disk.sync()
    except OSError:
        # Nothing refers to the new bytes yet: give a full disk its space back.
        disk.truncate(image.size)
        raise
    disk.pwrite(item.pack(used=False), place)
    disk.sync()
    disk.pwrite(b"\1", place + USED_OFFSET)
    disk.sync()
    header = with_object(image.header, item.end, now).pack()
    # Only the counters (modified, dfree … datalen): the lines before them are not ours to write.
    disk.pwrite(header[72:HEADER_SIZE], 72)
    disk.sync()
    return item


def _free_slot(image: Image) -> int:
    used = {d.slot for d in image.descriptors}
    # Ids are slot + 1 for every known writer, but a foreign id must not be given twice.
    ids = {d.id for d in image.descriptors}
    for slot in range(image.header.dtotal):
        if slot not in used and slot + 1 not in ids:
            return slot
    raise FormatError(f"all {image.header.dtotal} descriptors are in use", offset=80, field="dfree")


def _data_end(image: Image) -> int:
    return max((d.end for d in image.descriptors), default=image.header.dataoff)


def _tail(image: Image) -> int:
    """The first offset behind everything; on a page of its own behind a partition.

    A loop device may write the partition's last page behind the page cache's back, so no byte
    of ours may share it.
    """
    end = max(_data_end(image), image.header.dataoff)
    partitions = [d.end for d in image.descriptors if d.partition]
    behind_partition = bool(partitions) and max(partitions) == end
    return align(end, PAGE if behind_partition else 8)


def begin(path: str, *, uuid: UUID, now: int, descriptors: int = DESCRIPTORS) -> int:
    """Writes the header and an empty descriptor table into the empty file at `path`.

    Returns the offset at which the first partition is to stand; `add_partition` then describes it.
    """
    header = new_header(uuid, now, descriptors)
    with open_file(path, write=True) as file:
        disk = FileDisk(file.fileno())
        disk.truncate(header.dataoff)
        disk.pwrite(header.pack(), 0)
    return header.dataoff


def add_partition(path: str, *, name: bytes, size: int, extra: bytes, now: int) -> Descriptor:
    """Describes the `size` bytes behind everything else of a new SIF as its partition.

    For a file that nobody else knows yet: the bytes are already there, so nothing is copied.
    """
    if len(name) >= NAME_SIZE:
        raise ValueError(f"partition name {name!r} does not fit {NAME_SIZE - 1} bytes")
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
            uid=os.getuid(),
            gid=os.getgid(),
            name=name.ljust(NAME_SIZE, b"\0"),
            extra=extra.ljust(EXTRA_SIZE, b"\0"),
        )
        disk.truncate(item.end)
        disk.pwrite(item.pack(), header.descroff)
        disk.pwrite(with_object(header, item.end, now).pack(), 0)
        disk.sync()
    return item
