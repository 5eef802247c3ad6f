"""Small SIF files and records for the tests, all with fixed UUIDs and times."""

from __future__ import annotations

import os
import struct
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from sifprov.model.record import (
    APPLICATION,
    CREATE,
    EXITED,
    INPUT,
    OUTPUT,
    PLUGIN,
    Container,
    Origin,
    Record,
    Run,
)
from sifprov.records import append_record
from sifprov.sif import (
    DataType,
    Descriptor,
    FsType,
    Image,
    PartType,
    add_partition,
    append,
    begin,
    open_image,
    pack_partition,
)
from sifprov.sif.format import (
    DESCRIPTOR_SIZE,
    EXTRA_SIZE,
    HEADER_SIZE,
    NAME_SIZE,
    new_header,
)
from sifprov.sif.write import NewObject

NOW = 1_780_000_000
TIME = "2026-05-28T20:26:40.000000001Z"
OUT = UUID("00000000-0000-4000-8000-000000000001")
IN = UUID("00000000-0000-4000-8000-000000000002")
APP = UUID("00000000-0000-4000-8000-000000000003")
RUN_ID = UUID("00000000-0000-4000-8000-0000000000ff")
TREE = "tree-v1:" + "0" * 64
IMAGE = "image-v1:" + "1" * 64


def container(role: str, uuid: UUID | None, name: str) -> Container:
    """One container of a record."""
    return Container(
        role=role,
        name=name,
        path=f"/data/{name}",
        uuid=uuid,
        created="2026-05-28T20:00:00Z",
        modified=None,
        mount=None if role == APPLICATION else "/mnt",
        source=None if role == APPLICATION else "/mnt",
        writable=role == OUTPUT,
        read_only_added=False,
        digest=IMAGE if role == APPLICATION else TREE,
        reason=None,
        record=None,
    )


def run(argv: tuple[str, ...] = ("singularity", "exec", "app.sif", "true")) -> Run:
    """How a run went."""
    return Run(
        action="exec",
        argv=argv,
        command=("true",),
        redacted=(),
        cwd="/data",
        started="2026-05-28T20:26:39.5Z",
        ended=TIME,
        outcome=EXITED,
        exit_code=0,
        signal=None,
        environment=(("LANG", "C.UTF-8"),),
        runtime_name="singularity-ce",
        runtime_version="4.3.3",
    )


def run_record(target: UUID = OUT, previous: str | None = None) -> Record:
    """The record of a run."""
    return Record(
        id=RUN_ID,
        container=target,
        previous=previous,
        recorded=TIME,
        captured_by=PLUGIN,
        version="0.1.0",
        run=run(),
        origin=None,
        containers=(
            container(APPLICATION, APP, "app.sif"),
            container(INPUT, IN, "in.sif"),
            container(OUTPUT, target, "out.sif"),
        ),
        replays=None,
    )


def origin_record(target: UUID = IN) -> Record:
    """The record of a making."""
    return replace(
        run_record(target),
        recorded="2026-05-28T20:10:00Z",
        captured_by=CREATE,
        run=None,
        origin=Origin("/home/user/inputs", TREE),
        containers=(),
    )


def make_sif(
    path: Path,
    *,
    uuid: UUID = OUT,
    descriptors: int = 8,
    partition: int | None = 5000,
    name: bytes = b"sifprov:output:/Outputs",
) -> Path:
    """Makes a SIF with one data partition of `partition` bytes, or with none."""
    path.write_bytes(b"")
    begin(str(path), uuid=uuid, now=NOW, descriptors=descriptors)
    if partition is not None:
        extra = pack_partition(FsType.EXT3, PartType.DATA, b"00\0")
        item = add_partition(str(path), name=name, size=partition, extra=extra, now=NOW)
        with path.open("r+b") as file:
            file.seek(item.offset)
            file.write(b"P" * partition)
    return path


def add(path: Path, record: Record) -> str:
    """Appends a record behind the newest; returns its digest."""

    def build(_: Image, previous: str | None) -> Record:
        return replace(record, previous=previous)

    return append_record(str(path), build, now=NOW)[1]


def add_object(
    path: Path,
    data: bytes,
    *,
    datatype: DataType = DataType.JSON,
    name: bytes = b"object",
    group: int = 0,
    link: int = 0,
) -> Descriptor:
    """Appends any object."""
    new = NewObject(datatype, name, data, group=group, link=link)
    return append(str(path), lambda *_: new, now=NOW)


def renumber(path: Path, ids: tuple[int, ...]) -> None:
    """Gives the objects in the first slots these ids, as a foreign writer may have."""
    with open_image(str(path), write=True) as (file, image):
        for item, ident in zip(image.descriptors, ids, strict=True):
            os.pwrite(file.fileno(), struct.pack("<I", ident), image.header.place(item.slot) + 5)


def descriptor(slot: int = 0, **changes: object) -> Descriptor:
    """A generic object's descriptor."""
    item = Descriptor(
        slot=slot,
        datatype=DataType.GENERIC,
        id=slot + 1,
        group=0,
        link=0,
        offset=32768,
        size=0,
        padded=0,
        created=NOW,
        modified=NOW,
        uid=0,
        gid=0,
        name=b"thing".ljust(NAME_SIZE, b"\0"),
        extra=bytes(EXTRA_SIZE),
    )
    return replace(item, **changes)  # type: ignore[arg-type]


def sif_bytes(
    *items: Descriptor, descriptors: int = 4, data: int = 4096, dataoff: int | None = None
) -> bytes:
    """The bytes of a SIF with these descriptors and `data` zero bytes behind the table.

    The table stands at 4096 and the data at `dataoff`, as the Go library lays them out.
    """
    header = new_header(OUT, NOW, descriptors)
    if dataoff is not None:
        header = replace(header, dataoff=dataoff)
    header = replace(header, dfree=descriptors - len(items), datalen=data)
    table = bytearray(descriptors * DESCRIPTOR_SIZE)
    for item in items:
        struct.pack_into(f"{DESCRIPTOR_SIZE}s", table, item.slot * DESCRIPTOR_SIZE, item.pack())
    head = header.pack() + bytes(header.descroff - HEADER_SIZE) + bytes(table)
    return head.ljust(header.dataoff, b"\0") + bytes(data)
