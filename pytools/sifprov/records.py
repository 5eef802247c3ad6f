"""Records in a SIF: append and read. What stands there is the truth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from sifprov.errors import FormatError, RecordError
from sifprov.model.canonical import record_digest
from sifprov.model.record import SCHEMA, Record
from sifprov.sif import DataType, Descriptor, Image, NewObject, append, read_object, text_of
from sifprov.sif.format import GROUP_MASK
from sifprov.sif.write import Disk, FileDisk

OBJECT_NAME = "metadata.json"
MAX_RECORD = 16 * 1024 * 1024
MAX_GROUP = ~GROUP_MASK & 0xFFFFFFFF
_MARK = SCHEMA.partition("/")[0].encode("ascii")


@dataclass(frozen=True)
class Stored:
    """One record as it stands in a container; `error` says why `record` is None."""

    object_id: int
    group: int
    digest: str
    record: Record | None
    error: str | None


def read_records(file: BinaryIO, image: Image) -> tuple[Stored, ...]:
    """Returns a container's records, oldest first.

    Broken ones come with their error, so that one of them hides no other.
    """
    found = []
    for item in sorted(image.select(DataType.JSON), key=lambda d: d.offset):
        if text_of(item.name) != OBJECT_NAME:
            continue
        stored = _read(file, item)
        if stored:
            found.append(stored)
    return tuple(found)


def _read(file: BinaryIO, item: Descriptor) -> Stored | None:
    try:
        data = read_object(file, item, limit=MAX_RECORD)
    except FormatError as error:
        return Stored(item.id, item.group, "", None, str(error))
    # The runtimes put JSON objects of their own beside ours: a record also names our schema.
    if _MARK not in data:
        return None
    digest = record_digest(data)
    try:
        return Stored(item.id, item.group, digest, Record.from_bytes(data), None)
    except RecordError as error:
        return Stored(item.id, item.group, digest, None, str(error))


def newest_digest(file: BinaryIO, image: Image) -> str | None:
    """Returns the record digest of the newest record, without reading the others."""
    items = sorted(image.select(DataType.JSON), key=lambda d: d.offset, reverse=True)
    for item in items:
        if text_of(item.name) == OBJECT_NAME:
            stored = _read(file, item)
            # One that is too large to be read has no digest to name.
            if stored and stored.digest:
                return stored.digest
    return None


def append_record(
    path: str,
    build: Callable[[Image, str | None], Record],
    *,
    now: int,
    disk: Callable[[int], Disk] = FileDisk,
) -> tuple[Record, str]:
    """Appends the record that `build` makes of the table and the newest record's digest.

    Returns it with its record digest. `build` runs under the container's lock, so
    the chain has no forks. Raises FileError; the container is then as it was.
    """
    made: list[tuple[Record, str]] = []

    def new_object(file: BinaryIO, image: Image) -> NewObject:
        record = build(image, newest_digest(file, image))
        data = record.to_bytes()
        made.append((record, record_digest(data)))
        return NewObject(DataType.JSON, OBJECT_NAME.encode("ascii"), data, group=_group(image))

    append(path, new_object, now=now, disk=disk)
    return made[0]


def _group(image: Image) -> int:
    """The records' group: a group of their own, and never one that is signed.

    An object added to a signed group would break its signature.
    """
    signatures = image.select(DataType.SIGNATURE)
    signed = {d.linked_group for d in signatures} | {
        d.group for d in image.descriptors if d.id in {s.link for s in signatures}
    }
    ours = {d.group for d in image.select(DataType.JSON) if text_of(d.name) == OBJECT_NAME}
    for group in sorted(ours - signed - {0}, reverse=True):
        if all(text_of(d.name) == OBJECT_NAME for d in image.descriptors if d.group == group):
            return group
    # A signature may speak of a group whose last object was deleted.
    taken = {d.group for d in image.descriptors} | {g for g in signed if g}
    highest = max(taken, default=0)
    if highest < MAX_GROUP:
        return highest + 1
    return next(g for g in range(1, MAX_GROUP) if g not in taken)
