"""The SIF file format as bytes, no I/O: what stands where, and packing. parse.py reads it.

Source: github.com/sylabs/sif/v2, pkg/sif. All integers are little-endian.

    0        ┌──────────────────────────────┐
             │ global header, 128 bytes     │
    descroff ├──────────────────────────────┤  by default 4096
             │ dtotal descriptors,          │
             │ 585 bytes each               │
    dataoff  ├──────────────────────────────┤  by default 32768
             │ data objects                 │
             └──────────────────────────────┘

    header   0 launch script [32]   32 magic [10]   42 version [3]   45 architecture [3]
             48 UUID [16]           64 created i64  72 modified i64
             80 dfree i64           88 dtotal i64   96 descroff i64  104 descrlen i64
             112 dataoff i64        120 datalen i64

    descriptor
             0 data type i32   4 used u8         5 id u32           9 group u32    13 link u32
             17 offset i64     25 size i64       33 padded size i64
             41 created i64    49 modified i64   57 uid i64         65 gid i64
             73 name [128]     201 extra [384]
"""

from __future__ import annotations

import struct
from enum import IntEnum
from uuid import UUID

from sifprov.frozen import dataclass, replace
from sifprov.sha import sha256

HEADER_SIZE = 128
DESCRIPTOR_SIZE = 585
NAME_SIZE = 128
EXTRA_SIZE = 384
MAGIC = b"SIF_MAGIC\0"
VERSION = b"01\0"
LAUNCH = b"#!/usr/bin/env run-singularity\n\0"
DESCRIPTORS_OFFSET = 4096
PAGE = 4096
GROUP_MASK = 0xF0000000
# Within the header: what an append may change starts here.
MODIFIED_OFFSET = 72
# Within a descriptor.
USED_OFFSET, PLACE_OFFSET, EXTRA_OFFSET = 4, 17, 201
# What a disk writes whole or not at all.
SECTOR = 512
# No writer makes more; a sparse file may claim any length, and the table is read whole.
MAX_DESCRIPTORS = 1 << 16
# The runtimes count the padding before an empty last object, but do not write it.
MAX_PADDING = 1 << 24

HEADER = struct.Struct("<32s10s3s3s16s8q")
DESCRIPTOR = struct.Struct("<iBIIIqqqqqqq128s384s")
_PARTITION = struct.Struct("<ii3s")


class DataType(IntEnum):
    """What a data object holds."""

    DEFFILE = 0x4001
    ENVIRONMENT = 0x4002
    LABELS = 0x4003
    PARTITION = 0x4004
    SIGNATURE = 0x4005
    JSON = 0x4006
    GENERIC = 0x4007
    CRYPTO_MESSAGE = 0x4008
    SBOM = 0x4009
    OCI_ROOT_INDEX = 0x400A
    OCI_BLOB = 0x400B


class FsType(IntEnum):
    """The file system of a partition."""

    SQUASHFS = 1
    EXT3 = 2
    ARCHIVE = 3
    RAW = 4
    ENCRYPTED_SQUASHFS = 5


class PartType(IntEnum):
    """What a partition is for."""

    SYSTEM = 1
    PRIMARY_SYSTEM = 2
    DATA = 3
    OVERLAY = 4


# The codes of the Go architecture names, as the header and partitions hold them.
ARCHITECTURES: dict[bytes, str] = {
    b"00\0": "unknown",
    b"01\0": "386",
    b"02\0": "amd64",
    b"03\0": "arm",
    b"04\0": "arm64",
    b"05\0": "ppc64",
    b"06\0": "ppc64le",
    b"07\0": "mips",
    b"08\0": "mipsle",
    b"09\0": "mips64",
    b"10\0": "mips64le",
    b"11\0": "s390x",
    b"12\0": "riscv64",
}


@dataclass(frozen=True)
class Header:
    """The global header. Times are seconds since the epoch, sizes and offsets bytes."""

    launch: bytes
    version: bytes
    arch: bytes
    uuid: UUID
    created: int
    modified: int
    dfree: int
    dtotal: int
    descroff: int
    descrlen: int
    dataoff: int
    datalen: int

    def place(self, slot: int) -> int:
        """Returns the offset of a slot's descriptor."""
        return self.descroff + slot * DESCRIPTOR_SIZE

    def pack(self) -> bytes:
        """Returns the header's 128 bytes."""
        return HEADER.pack(
            self.launch,
            MAGIC,
            self.version,
            self.arch,
            self.uuid.bytes,
            self.created,
            self.modified,
            self.dfree,
            self.dtotal,
            self.descroff,
            self.descrlen,
            self.dataoff,
            self.datalen,
        )


@dataclass(frozen=True)
class Descriptor:
    """One used slot of the descriptor table. `slot` is its place there, from 0."""

    slot: int
    datatype: int
    id: int
    group: int  # 0 for none
    link: int  # an object's id, or a group's with GROUP_MASK set; 0 for none
    offset: int
    size: int
    padded: int
    created: int
    modified: int
    uid: int
    gid: int
    name: bytes
    extra: bytes

    @property
    def end(self) -> int:
        """The offset of the first byte behind the object's data."""
        return self.offset + self.size

    @property
    def partition(self) -> tuple[int, int] | None:
        """File system and partition type (`FsType`, `PartType` where known), of a partition."""
        if self.datatype != DataType.PARTITION:
            return None
        fs, part, _ = _PARTITION.unpack_from(self.extra)
        return fs, part

    @property
    def arch(self) -> bytes:
        """The architecture code of a partition."""
        return bytes(self.extra[8:11])

    @property
    def linked_group(self) -> int | None:
        """The group that this object (a signature) speaks of."""
        return self.link & ~GROUP_MASK if self.link & GROUP_MASK == GROUP_MASK else None

    def pack(self, *, used: bool = True) -> bytes:
        """Returns the descriptor's 585 bytes; `used=False` is an empty slot to a reader."""
        return DESCRIPTOR.pack(
            self.datatype,
            used,
            self.id,
            self.group | GROUP_MASK if self.group else 0,
            self.link,
            self.offset,
            self.size,
            self.padded,
            self.created,
            self.modified,
            self.uid,
            self.gid,
            self.name,
            self.extra,
        )


def pack_partition(fs: FsType, part: PartType, arch: bytes) -> bytes:
    """Returns the `extra` bytes of a partition's descriptor."""
    return _PARTITION.pack(fs, part, arch).ljust(EXTRA_SIZE, b"\0")


def own_digest(datatype: int, data: bytes) -> bytes:
    """Returns what stands in the `extra` bytes of a JSON object: `sha256:HEX` of its bytes; nothing
    for another type.

    It tells a changed byte of a record that no later record names yet.
    """
    if datatype != DataType.JSON:
        return b""
    return b"sha256:" + sha256(data).hexdigest().encode("ascii")


def align(offset: int, to: int) -> int:
    """Rounds `offset` up to a multiple of `to`."""
    return -(-offset // to) * to


def text_of(name: bytes) -> str:
    """Returns the text before a name's first NUL (undecodable bytes as surrogate escapes)."""
    return name.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def new_header(uuid: UUID, now: int, descriptors: int) -> Header:
    """Returns the header of an empty SIF with room for `descriptors` objects."""
    descrlen = descriptors * DESCRIPTOR_SIZE
    return Header(
        launch=LAUNCH,
        version=VERSION,
        arch=b"00\0",
        uuid=uuid,
        created=now,
        modified=now,
        dfree=descriptors,
        dtotal=descriptors,
        descroff=DESCRIPTORS_OFFSET,
        descrlen=descrlen,
        dataoff=align(DESCRIPTORS_OFFSET + descrlen, PAGE),
        datalen=0,
    )


def with_object(header: Header, end: int, now: int) -> Header:
    """Returns the header after one object more, whose data ends at `end`."""
    return replace(
        header,
        dfree=max(header.dfree - 1, 0),
        datalen=max(header.datalen, end - header.dataoff),
        modified=now,
    )


def counters(header: Header, used: int, end: int, now: int) -> tuple[bytes, int]:
    """Returns the header's counters (modified, dfree … datalen) and their offset, with `used`
    objects whose data ends at `end`.

    Counted anew: a crash may have left the header behind the table. The bytes before them are not
    ours to write.
    """
    before = replace(header, dfree=header.dtotal - used + 1)
    return with_object(before, end, now).pack()[MODIFIED_OFFSET:], MODIFIED_OFFSET
