"""Who a container is: UUID, name, times, declared role. Reads headers and tables, never content."""

from __future__ import annotations

import os
from uuid import UUID

from sifprov.errors import FileError
from sifprov.frozen import dataclass
from sifprov.model.record import Container
from sifprov.model.timestamp import from_seconds
from sifprov.records import newest_digest
from sifprov.roles import Declaration, parse_declaration
from sifprov.sif import (
    Image,
    Partition,
    PartType,
    data_partition,
    find_partition,
    open_image,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


@dataclass(frozen=True)
class Identity:
    """A container as its header tells. All but `path` are None for a file that is no SIF
    (`reason`)."""

    path: str
    uuid: UUID | None = None
    created: str | None = None
    modified: str | None = None
    declaration: Declaration | None = None
    partition: Partition | None = None
    system: tuple[tuple[int, int], ...] = ()
    record: str | None = None
    reason: str | None = None

    @property
    def name(self) -> str:
        """The file's name."""
        return os.path.basename(self.path)


def identify(path: str, partition_id: int | None = None) -> Identity:
    """Returns the identity of the container at `path`; what cannot be read is told as its `reason`.

    `partition_id` chooses a data partition by its object id, as the bind option `id` does.
    """
    if os.path.isdir(path):
        return Identity(path, reason="a folder, not a SIF file")
    try:
        with open_image(path) as (file, image):
            return identify_image(path, file, image, partition_id)
    except FileError as error:
        return Identity(path, reason=str(error).removeprefix(f"{path}: "))


def identify_image(
    path: str,
    file: BinaryIO,
    image: Image,
    partition_id: int | None = None,
    *,
    with_record: bool = True,
) -> Identity:
    """Returns the identity of an open SIF; unless `with_record` is False with its newest record's
    digest, for which records may have to be read."""
    return Identity(
        path=path,
        uuid=image.header.uuid,
        created=from_seconds(image.header.created),
        modified=from_seconds(image.header.modified),
        declaration=_declaration(image),
        partition=find_partition(image, partition_id),
        system=_system(image),
        record=newest_digest(file, image) if with_record else None,
    )


def describe(
    role: str, identity: Identity, digest: str | None, reason: str | None = None
) -> Container:
    """Returns a container as records name it, bound nowhere."""
    return Container(
        role=role,
        name=identity.name,
        path=identity.path,
        uuid=identity.uuid,
        created=identity.created,
        modified=identity.modified,
        mount=None,
        source=None,
        writable=False,
        read_only_added=False,
        digest=digest,
        reason=None if digest else reason,
        record=identity.record,
    )


def _declaration(image: Image) -> Declaration | None:
    item = data_partition(image)
    return parse_declaration(item.name) if item else None


def _system(image: Image) -> tuple[tuple[int, int], ...]:
    """The sections of the image digest: the system partition, then the overlays."""
    items = image.partitions(PartType.PRIMARY_SYSTEM) + image.partitions(PartType.OVERLAY)
    return tuple((d.offset, d.size) for d in items)
