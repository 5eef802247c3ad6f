"""Seals a data container: the same files in a read-only squashfs, with the whole trail.

The records are carried over byte for byte, so their digests stay what they were, although they name
the container that they were written in. The sealed container's own origin record says which that
was (docs/formats.md, Sealed containers).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from typing import BinaryIO
from uuid import UUID, uuid4

from sifprov.content import Deadline, Tree
from sifprov.embedded import Lineage
from sifprov.errors import FileError, FormatError
from sifprov.filestore import new_documents
from sifprov.filesystem.opening import open_filesystem
from sifprov.frozen import dataclass, replace
from sifprov.groups import by_offset, open_group, signed_groups, stands_with_records
from sifprov.identity import Identity, describe, identify_image
from sifprov.model.files import describe as describe_files
from sifprov.model.manifest import Manifest
from sifprov.model.record import CREATE, INPUT, Origin, Record
from sifprov.model.timestamp import from_ns
from sifprov.newfile import new_file
from sifprov.partition import scan_partition
from sifprov.placement import CONTAINER, Place
from sifprov.records import append_record
from sifprov.sif import (
    DataType,
    Descriptor,
    FsType,
    Image,
    NewObject,
    Partition,
    PartType,
    add_partition,
    append,
    begin,
    data_offset,
    data_partition,
    open_image,
    pack_partition,
    read_object,
    text_of,
)
from sifprov.squash import squash
from sifprov.version import VERSION

# Objects that a sealed container takes beside those that it is made with: runs do not write into
# it, so there are few: signatures, and what other programs add.
_SPARE_DESCRIPTORS = 24


@dataclass(frozen=True)
class Sealed:
    """A sealed container: what it was made from, and what it is. `signed`: records were signed."""

    path: str
    uuid: UUID
    original: Identity
    original_size: int
    tree: Tree
    partition: Partition
    size: int
    objects: int
    signed: bool


def sealed_name(path: str) -> str:
    """Returns the name that a sealed container gets by default: `out.sealed.sif` for `out.sif`."""
    stem, suffix = os.path.splitext(path)
    return f"{stem}.sealed{suffix}"


def seal(
    path: str, target: str | None = None, *, on_step: Callable[[str], None] = lambda text: None
) -> Sealed:
    """Makes the sealed container `target` of the data container at `path`, which is not changed.

    `target` appears when its tree digest was found to be the original's. Raises FileError,
    MissingError.
    """
    target = target or sealed_name(path)
    with open_image(path) as (file, image), new_file(target) as temporary:
        original, partition, name = _check(path, file, image)
        on_step("reading the content")
        tree = scan_partition(path, partition, Deadline())
        carried = _carried(path, file, image)
        records = len(by_offset(image))
        uuid, now = uuid4(), time.time_ns() // 10**9
        descriptors = _SPARE_DESCRIPTORS + len(carried)
        offset = data_offset(descriptors)
        with open_filesystem(path, partition) as fs:
            size = squash(fs, temporary, offset, on_step)
        begin(temporary, uuid=uuid, now=now, descriptors=descriptors)
        extra = pack_partition(FsType.SQUASHFS, PartType.DATA, b"00\0")
        item = add_partition(temporary, name=name, size=size, extra=extra, now=now)
        made = Partition(item.id, item.offset, item.size, FsType.SQUASHFS)
        on_step("reading it back")
        if scan_partition(temporary, made, Deadline()).digest != tree.digest:
            raise FileError(
                f"{path}: the sealed files are not the container's; it may have changed meanwhile",
                hint="try again when no run uses it",
            )
        for new in carried:
            append(temporary, partial(_with_group, new), now=now)
        record, lists = origin_of(uuid, original, tree)
        documents = new_documents(Place(CONTAINER, temporary), record, lists)
        append_record(
            temporary,
            lambda _, previous: replace(record, previous=previous),
            now=now,
            lineage=Lineage({}).beside(documents),
        )
        total = os.stat(temporary).st_size
        before = image.size
        signed = bool(signed_groups(image))
    return Sealed(target, uuid, original, before, tree, made, total, records, signed)


def _check(path: str, file: BinaryIO, image: Image) -> tuple[Identity, Partition, bytes]:
    """Returns who the container is, its partition and the declaration, which is kept."""
    original = identify_image(path, file, image)
    item, partition = data_partition(image), original.partition
    if item is None or partition is None:
        raise FileError(f"{path}: no data partition, so there is nothing to seal")
    if partition.fs == FsType.SQUASHFS:
        raise FileError(f"{path}: is sealed already")
    return original, partition, item.name.split(b"\0", 1)[0]


def _carried(path: str, file: BinaryIO, image: Image) -> list[NewObject]:
    """The objects that hold records, broken ones too, and what stands beside them, as they stand
    there, oldest first."""
    try:
        return [
            NewObject(
                DataType.JSON, text_of(item.name).encode("ascii"), read_object(file, item), group=0
            )
            for item in sorted(filter(stands_with_records, image.descriptors), key=_offset)
        ]
    except FormatError as error:
        raise FileError(f"{path}: {error}") from error


def _offset(item: Descriptor) -> int:
    return item.offset


def _with_group(new: NewObject, _: BinaryIO, image: Image) -> NewObject:
    return replace(new, group=open_group(image))


def origin_of(uuid: UUID, original: Identity, tree: Tree) -> tuple[Record, dict[str, Manifest]]:
    """Returns the origin record of a new container that holds what another does (docs/formats.md,
    Sealed containers), and by its digest the list of files that it names."""
    source = os.path.abspath(original.path)
    files, manifest = describe_files(tree)
    record = Record(
        id=uuid4(),
        container=uuid,
        previous=None,
        recorded=from_ns(time.time_ns()),
        captured_by=CREATE,
        version=VERSION,
        run=None,
        origin=Origin(source=source, digest=tree.digest, files=files),
        containers=(replace(describe(INPUT, original, tree.digest), path=source),),
        replays=None,
    )
    return record, {files.digest: manifest} if manifest and files.digest else {}
