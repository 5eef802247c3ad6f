"""Opens a SIF, selects its objects, reads their data."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

from sifprov.errors import FileError, FormatError
from sifprov.frozen import dataclass
from sifprov.sif.format import (
    DESCRIPTOR_SIZE,
    HEADER_SIZE,
    MAX_DESCRIPTORS,
    PAGE,
    DataType,
    Descriptor,
    Header,
    PartType,
    align,
)
from sifprov.sif.parse import parse_descriptors, parse_header

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

# No JSON object that we read is larger; what claims to be is not loaded.
MAX_OBJECT = 64 * 1024 * 1024
# Writers need milliseconds between two changes of the table.
_READS = 8


@dataclass(frozen=True)
class Image:
    """What a SIF's header and descriptor table say, all checked against the file's length."""

    header: Header
    descriptors: tuple[Descriptor, ...]
    size: int

    @property
    def is_application(self) -> bool:
        """Whether it has a system partition, so that it can run."""
        return any(
            d.partition and d.partition[1] == PartType.PRIMARY_SYSTEM for d in self.descriptors
        )

    @property
    def data_end(self) -> int:
        """The first offset behind everything that is in use."""
        # An empty object may claim any offset; it uses nothing.
        return max((d.end for d in self.descriptors if d.size), default=self.header.dataoff)

    @property
    def tail(self) -> int:
        """Where the next object is to stand: behind everything, on a page of its own behind a
        partition.

        A loop device may write the partition's last page behind the page cache's back, so no byte
        of ours may share it.
        """
        end = self.data_end
        behind_partition = any(d.end == end for d in self.descriptors if d.partition)
        return align(end, PAGE if behind_partition else 8)

    def free_slots(self) -> list[int]:
        """Returns the slots that an object can be added in, ascending."""
        used = {d.slot for d in self.descriptors}
        return [s for s in range(self.header.dtotal) if s not in used]

    def taken_numbers(self, slots: int) -> list[int]:
        """Returns the ids, each taken already, that a runtime would give to objects in the next
        `slots` free slots: it counts slot + 1 and does not look."""
        ids = {d.id for d in self.descriptors}
        return [s + 1 for s in self.free_slots()[:slots] if s + 1 in ids]

    def free_place(self) -> tuple[int, int] | None:
        """Returns the slot and the id of the next object, None when the table is full.

        The id is slot + 1, as both runtimes give it. Where a foreign writer numbered otherwise and
        every such id is taken, it is one that no slot has, so nobody gives it again.
        """
        ids = {d.id for d in self.descriptors}
        free = self.free_slots()
        for slot in free:
            if slot + 1 not in ids:
                return slot, slot + 1
        if not free:
            return None
        return free[0], next(i for i in count(MAX_DESCRIPTORS + 1) if i not in ids)

    def select(self, *datatypes: DataType) -> tuple[Descriptor, ...]:
        """Returns the objects of these types, in slot order."""
        return tuple(d for d in self.descriptors if d.datatype in datatypes)

    def partitions(self, *kinds: PartType) -> tuple[Descriptor, ...]:
        """Returns the partitions of these kinds, in slot order."""
        return tuple(d for d in self.descriptors if d.partition and d.partition[1] in kinds)


def load(file: BinaryIO) -> Image:
    """Reads header and descriptors of an open SIF. Raises FormatError.

    Takes no lock: somebody may append meanwhile. So a table is believed when it reads the same
    twice, and the file's length is asked for after what may speak of bytes just written.
    """
    head = _read(file, 0, HEADER_SIZE)
    header = parse_header(head, file.seek(0, os.SEEK_END))
    length = header.dtotal * DESCRIPTOR_SIZE
    table = b""
    for _ in range(_READS):
        before, table = table, _read(file, header.descroff, length)
        if table == before:
            break
    size = file.seek(0, os.SEEK_END)
    if len(table) != length:
        raise FormatError(
            "the file ends inside the descriptor table", offset=header.descroff, field="descriptors"
        )
    return Image(header, parse_descriptors(table, header, size), size)


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


@contextmanager
def open_image(path: str, *, write: bool = False) -> Iterator[tuple[BinaryIO, Image]]:
    """Opens the SIF at `path` and yields the file and what its table says.

    Raises FileError, naming the path, when it cannot be opened or is no sound SIF.
    """
    file = open_file(path, write=write)
    with file:
        try:
            image = load(file)
        except FormatError as error:
            raise FileError(f"{path}: {error}", hint=_hint(error)) from error
        except OSError as error:
            raise FileError(f"{path}: {error.strerror or error}") from error
        yield file, image


def open_file(path: str, *, write: bool = False) -> BinaryIO:
    """Opens a regular file; a FIFO or a device is refused without waiting on it."""
    flags = os.O_RDWR if write else os.O_RDONLY
    try:
        descriptor = os.open(path, flags | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileError(f"{path}: {reason}") from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        kind = "a folder" if stat.S_ISDIR(mode) else "no regular file"
        raise FileError(f"{path}: this is {kind}, not a SIF file")
    return os.fdopen(descriptor, "r+b" if write else "rb", buffering=0)


def _hint(error: FormatError) -> str | None:
    if error.field == "magic":
        return "give a container made by 'sifprov data create' or 'singularity build'"
    return None


def read_object(file: BinaryIO, item: Descriptor, *, limit: int = MAX_OBJECT) -> bytes:
    """Returns an object's bytes. Raises FormatError when it is larger than `limit` or cut short."""
    if item.size > limit:
        raise FormatError(
            f"{item.size} bytes are more than {limit}",
            offset=item.offset,
            field=f"object {item.id}",
        )
    data = os.pread(file.fileno(), item.size, item.offset)
    if len(data) != item.size:
        raise FormatError("the file ends inside it", offset=item.offset, field=f"object {item.id}")
    return data


@dataclass(frozen=True)
class Partition:
    """Where a data partition stands in its file, in bytes, its object id and its `FsType`."""

    id: int
    offset: int
    size: int
    fs: int


def find_partition(image: Image, wanted: int | None = None) -> Partition | None:
    """Returns the data partition with the object id `wanted`, else the first, else None."""
    for item in image.partitions(PartType.DATA):
        if item.partition and wanted in (None, item.id):
            return Partition(item.id, item.offset, item.size, item.partition[0])
    return None


def data_partition(image: Image) -> Descriptor | None:
    """Returns the data partition of a data container (the first, as the runtimes choose), or
    None."""
    found = image.partitions(PartType.DATA)
    return found[0] if found else None
