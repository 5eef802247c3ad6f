"""What a container is, without reading its files: header, table, records, superblock."""

from __future__ import annotations

from typing import BinaryIO

from pyext2fs import Ext2fsError
from pyext2fs.superblock import superblock
from sifprov.changes import standing
from sifprov.embedded import NOTHING, Embedded, read_embedded
from sifprov.errors import SifprovError
from sifprov.filesystem.metadata import read_superblock
from sifprov.frozen import dataclass
from sifprov.groups import signed_groups
from sifprov.identity import Identity, identify_image
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.record import Record
from sifprov.placement import is_metadata
from sifprov.records import Stored, read_records
from sifprov.sif import DataType, FsType, Image, Partition, open_image

SCHEMA = "sifprov.data-info/1"
DATA, APPLICATION, METADATA, OTHER = "data", "application", "metadata", "other"
_COMPRESSORS = ("none", "gzip", "lzma", "lzo", "xz", "lz4", "zstd")


@dataclass(frozen=True)
class Volume:
    """What a data partition's superblock says: sizes in bytes, None where it does not tell.

    `busy`: a journal waits, so a run has it open for writing, or it was not unmounted. `error`
    says why nothing is known.
    """

    fs: str
    size: int
    block_size: int | None = None
    free: int | None = None
    inodes: int | None = None
    inodes_free: int | None = None
    compressor: str | None = None
    busy: bool = False
    error: str | None = None


@dataclass(frozen=True)
class Info:
    """A container: who it is, its data partition, what stands in its table, its records. `content`
    is how its content stands beside them, a state of `changes.Standing`; None where they do not
    tell. `embedded` is what stands beside the records: those of ancestors, and lists of files."""

    kind: str
    identity: Identity
    volume: Volume | None
    size: int
    objects: int
    slots: int
    records: tuple[Stored, ...]
    signatures: int
    signed_groups: tuple[int, ...]
    content: str | None
    embedded: Embedded = NOTHING

    @property
    def bind(self) -> str | None:
        """The bind to type, where the container declares a mount point."""
        declared = self.identity.declaration
        if declared is None:
            return None
        return f"{self.identity.path}:{declared.mount}:image-src={declared.mount}"

    @property
    def newest_run(self) -> Record | None:
        """The newest record of a run."""
        return next((s.record for s in reversed(self.records) if s.record and s.record.run), None)

    def to_json(self) -> Json:
        """Returns the JSON document that `sifprov data info --json` prints."""
        who, declared, run = self.identity, self.identity.declaration, self.newest_run
        return {
            "bind": text_to_json(self.bind) if self.bind else None,
            "bytes": self.size,
            "content": self.content,
            "created": who.created,
            "kind": self.kind,
            "lineage": {
                "broken": len(self.embedded.errors),
                "bytes": self.embedded.stored,
                "documents": len(self.embedded.documents),
                "objects": self.embedded.objects,
                "unpacked_bytes": self.embedded.size,
            },
            "modified": who.modified,
            "mount": text_to_json(declared.mount) if declared else None,
            "newest_run": str(run.id) if run else None,
            "objects": self.objects,
            "partition": _volume_json(self.volume) if self.volume else None,
            "path": text_to_json(who.path),
            "records": len(self.records),
            "records_broken": sum(1 for s in self.records if s.error),
            "role": declared.role if declared else None,
            "schema": SCHEMA,
            "signatures": self.signatures,
            "signed_groups": list(self.signed_groups),
            "slots": self.slots,
            "uuid": str(who.uuid),
        }


def _volume_json(volume: Volume) -> Json:
    return {
        "block_bytes": volume.block_size,
        "bytes": volume.size,
        "compressor": volume.compressor,
        "error": text_to_json(volume.error) if volume.error else None,
        "free_bytes": volume.free,
        "fs": volume.fs,
        "in_use": volume.busy,
        "inodes": volume.inodes,
        "inodes_free": volume.inodes_free,
    }


def read_info(path: str) -> Info:
    """Reads what the container at `path` is. Raises FileError when it is no SIF."""
    with open_image(path) as (file, image):
        identity = identify_image(path, file, image)
        partition = identity.partition
        records = read_records(file, image)
        return Info(
            kind=_kind(image, partition, records),
            identity=identity,
            volume=_volume(path, file, partition) if partition else None,
            size=image.size,
            objects=len(image.descriptors),
            slots=image.header.dtotal,
            records=records,
            signatures=len(image.select(DataType.SIGNATURE)),
            signed_groups=tuple(sorted(signed_groups(image))),
            content=_content(identity, records),
            embedded=read_embedded(file, image),
        )


def _content(identity: Identity, records: tuple[Stored, ...]) -> str | None:
    newest_first = (s.record for s in reversed(records) if s.record)
    now = standing(identity, newest_first, reads=False)
    return now.state if now else None


def _kind(image: Image, partition: Partition | None, records: tuple[Stored, ...]) -> str:
    if image.is_application:
        return APPLICATION
    if partition:
        return DATA
    return METADATA if records and is_metadata(image) else OTHER


def _volume(path: str, file: BinaryIO, partition: Partition) -> Volume:
    name = "unknown"
    try:
        name = FsType(partition.fs).name.lower()
        if partition.fs == FsType.EXT3:
            return _ext3(path, partition)
        if partition.fs == FsType.SQUASHFS:
            return _squashfs(file, partition)
    except ValueError:
        return Volume(name, partition.size, error=f"file system {partition.fs} is unknown")
    except (Ext2fsError, SifprovError) as error:
        return Volume(name, partition.size, error=str(error))
    return Volume(name, partition.size)


def _ext3(path: str, partition: Partition) -> Volume:
    found = superblock(path, partition.offset)
    return Volume(
        fs="ext3",
        size=partition.size,
        block_size=found.block_size,
        free=found.free_blocks * found.block_size,
        inodes=found.inodes_count,
        inodes_free=found.free_inodes,
        busy=found.needs_recovery,
    )


def _squashfs(file: BinaryIO, partition: Partition) -> Volume:
    found = read_superblock(file.fileno(), partition)
    known = found.compressor < len(_COMPRESSORS)
    return Volume(
        fs="squashfs",
        size=partition.size,
        block_size=found.block_size,
        inodes=found.inodes,
        compressor=_COMPRESSORS[found.compressor] if known else str(found.compressor),
    )
