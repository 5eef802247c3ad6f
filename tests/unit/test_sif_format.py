"""The SIF format, on bytes."""

from __future__ import annotations

import io
import struct
from dataclasses import replace

import pytest
from tests.unit.sifs import NOW, OUT, descriptor, sif_bytes

from sifprov.errors import FormatError
from sifprov.sif import DataType, FsType, PartType, load, pack_partition
from sifprov.sif.format import (
    DESCRIPTOR_SIZE,
    GROUP_MASK,
    HEADER_SIZE,
    MAX_DESCRIPTORS,
    Header,
    align,
    new_header,
    text_of,
    with_object,
)
from sifprov.sif.parse import parse_descriptors, parse_header

HEADER_FIELDS = {
    "created": 64, "modified": 72, "dfree": 80, "dtotal": 88, "descroff": 96, "descrlen": 104,
    "dataoff": 112, "datalen": 120,
}  # fmt: skip


def patched(data: bytes, offset: int, value: int, form: str = "<q") -> bytes:
    """`data` with one number in it replaced."""
    changed = bytearray(data)
    struct.pack_into(form, changed, offset, value)
    return bytes(changed)


def refused(data: bytes) -> FormatError:
    """The error that loading `data` gives."""
    with pytest.raises(FormatError) as error:
        load(io.BytesIO(data))
    return error.value


# The field layout of github.com/sylabs/sif/v2, pkg/sif/sif.go (header), descriptor.go
# (rawDescriptor, partition): packed, little-endian, in this order and of these sizes.
GO_HEADER = [32, 10, 3, 3, 16, 8, 8, 8, 8, 8, 8, 8, 8]
GO_DESCRIPTOR = [4, 1, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 128, 384]


def offsets(sizes: list[int]) -> list[int]:
    return [sum(sizes[:i]) for i in range(len(sizes))]


def test_the_header_is_laid_out_as_the_go_library_does() -> None:
    header = Header(b"#!x\n", b"01\0", b"02\0", OUT, *range(101, 109))
    data = header.pack()
    assert len(data) == sum(GO_HEADER) == HEADER_SIZE
    places = offsets(GO_HEADER)
    assert data[places[1] : places[2]] == b"SIF_MAGIC\0"
    assert data[places[2] : places[3]] == b"01\0"
    assert data[places[3] : places[4]] == b"02\0"
    assert data[places[4] : places[5]] == OUT.bytes
    numbers = [int.from_bytes(data[p : p + 8], "little") for p in places[5:]]
    assert numbers == list(range(101, 109))
    assert dict(zip(HEADER_FIELDS, places[5:], strict=True)) == HEADER_FIELDS


def test_a_descriptor_is_laid_out_as_the_go_library_does() -> None:
    item = descriptor(
        datatype=DataType.PARTITION, id=7, group=3, link=5, offset=11, size=12, padded=13,
        created=14, modified=15, uid=16, gid=17, name=b"n" * 128, extra=b"e" * 384,
    )  # fmt: skip
    data = item.pack()
    assert len(data) == sum(GO_DESCRIPTOR) == DESCRIPTOR_SIZE
    places = offsets(GO_DESCRIPTOR)
    fields = [data[p : p + n] for p, n in zip(places, GO_DESCRIPTOR, strict=True)]
    numbers = [int.from_bytes(f, "little") for f in fields[:12]]
    assert numbers == [0x4004, 1, 7, GROUP_MASK | 3, 5, 11, 12, 13, 14, 15, 16, 17]
    assert fields[12:] == [b"n" * 128, b"e" * 384]
    assert item.pack(used=False)[4] == 0


def test_the_default_layout() -> None:
    header = new_header(OUT, NOW, 48)
    assert (header.descroff, header.descrlen, header.dataoff) == (4096, 28080, 32768)
    assert header.pack().startswith(b"#!/usr/bin/env run-singularity\n\0")


def test_a_header_comes_back() -> None:
    header = replace(new_header(OUT, NOW, 4), datalen=96)
    assert parse_header(header.pack(), header.dataoff + 96) == header


def test_an_old_layout_without_padding_behind_the_table() -> None:
    item = descriptor(offset=32176, size=100)
    image = load(io.BytesIO(sif_bytes(item, descriptors=48, dataoff=32176)))
    assert image.header.dataoff == 32176
    assert [d.offset for d in image.descriptors] == [32176]


@pytest.mark.parametrize("capacity", [1, 2, 48, 84, 200, 1000])
def test_any_table_capacity(capacity: int) -> None:
    at = align(4096 + capacity * DESCRIPTOR_SIZE, 4096)
    last = descriptor(slot=capacity - 1, offset=at, size=10)
    image = load(io.BytesIO(sif_bytes(last, descriptors=capacity)))
    assert image.descriptors == (last,)


@pytest.mark.parametrize("datatype", list(DataType))
def test_every_data_type_comes_back(datatype: DataType) -> None:
    item = descriptor(datatype=datatype, group=2, link=GROUP_MASK | 1, offset=8192, size=9)
    image = load(io.BytesIO(sif_bytes(item)))
    assert image.descriptors == (item,)
    assert image.select(datatype) == (item,)
    assert image.descriptors[0].linked_group == 1


def test_an_unknown_data_type_is_kept() -> None:
    item = descriptor(datatype=-5, offset=8192)
    assert load(io.BytesIO(sif_bytes(item))).descriptors == (item,)


@pytest.mark.parametrize("fs", list(FsType))
@pytest.mark.parametrize("part", list(PartType))
def test_every_partition_type_comes_back(fs: FsType, part: PartType) -> None:
    extra = pack_partition(fs, part, b"02\0")
    item = descriptor(datatype=DataType.PARTITION, extra=extra, offset=8192)
    image = load(io.BytesIO(sif_bytes(item)))
    assert image.descriptors[0].partition == (fs, part)
    assert image.descriptors[0].arch == b"02\0"
    assert image.partitions(part) == image.descriptors
    assert image.is_application == (part is PartType.PRIMARY_SYSTEM)


@pytest.mark.parametrize("extra", [b"\xff" * 384, bytes(384), struct.pack("<ii", -1, 2**31 - 1)])
def test_a_partition_of_no_known_type_is_no_data_partition(extra: bytes) -> None:
    item = descriptor(datatype=DataType.PARTITION, extra=extra.ljust(384, b"\0"), offset=8192)
    image = load(io.BytesIO(sif_bytes(item)))
    assert image.partitions(*PartType) == ()
    assert not image.is_application


def test_unused_slots_are_not_read() -> None:
    data = bytearray(sif_bytes(descriptor(offset=8192)))
    data[4096 + DESCRIPTOR_SIZE : 4096 + 2 * DESCRIPTOR_SIZE] = b"\xff" * DESCRIPTOR_SIZE
    data[4096 + DESCRIPTOR_SIZE + 4] = 0
    assert len(load(io.BytesIO(bytes(data))).descriptors) == 1


@pytest.mark.parametrize("field", [f for f in HEADER_FIELDS if f not in ("created", "modified")])
@pytest.mark.parametrize("value", [-1, -(2**63), 2**63 - 1, 2**40, 2**31])
def test_a_hostile_number_in_the_header(field: str, value: int) -> None:
    data = patched(sif_bytes(descriptor(offset=8192)), HEADER_FIELDS[field], value)
    if field == "descrlen":  # nothing is computed from it
        load(io.BytesIO(data))
        return
    error = refused(data)
    assert str(value) in str(error)
    assert error.offset == HEADER_FIELDS[error.field]


def test_more_descriptors_than_any_writer_makes_are_not_read() -> None:
    class Sparse(io.BytesIO):
        """A file that says to be 1 TB long, and counts what is read from it."""

        got = 0

        def seek(self, offset: int, whence: int = 0, /) -> int:
            return 2**40 if whence == 2 else super().seek(offset, whence)

        def read(self, size: int | None = -1, /) -> bytes:
            assert size is not None
            Sparse.got += size
            return super().read(size)

    data = sif_bytes(descriptor(offset=8192))
    for field, value in (("dtotal", MAX_DESCRIPTORS + 1), ("dataoff", 2**39)):
        data = patched(data, HEADER_FIELDS[field], value)
    with pytest.raises(FormatError, match="dtotal"):
        load(Sparse(data))
    assert Sparse.got == HEADER_SIZE


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"offset": 2**62}, "offset"),
        ({"offset": -1}, "offset"),
        ({"offset": 0}, "offset"),
        ({"offset": 4096}, "offset"),  # inside the table
        ({"offset": 8192, "size": 4097}, "size"),
        ({"offset": 8192, "size": -1}, "size"),
        ({"offset": 8192, "size": 2**63 - 1}, "size"),
        ({"offset": 8192, "id": 0}, "id"),
    ],
)
def test_a_hostile_descriptor(changes: dict[str, int], field: str) -> None:
    error = refused(sif_bytes(descriptor(slot=1, **changes)))
    assert error.field == f"descriptor 1 {field}"
    assert 4096 + DESCRIPTOR_SIZE <= error.offset < 4096 + 2 * DESCRIPTOR_SIZE


def test_an_id_that_stands_twice() -> None:
    twins = (descriptor(0, id=9, offset=8192), descriptor(3, id=9, offset=8192))
    assert refused(sif_bytes(*twins)).field == "descriptor 3 id"


@pytest.mark.parametrize("second", [8192, 8193, 8291])
def test_objects_that_overlap(second: int) -> None:
    items = (descriptor(0, offset=8192, size=100), descriptor(1, offset=second, size=1))
    assert "overlaps object" in str(refused(sif_bytes(*items)))


def test_neighbours_and_empty_objects_do_not_overlap() -> None:
    items = (
        descriptor(0, offset=8192, size=100),
        descriptor(1, offset=8292, size=1),
        descriptor(2, offset=8250, size=0),
    )
    assert len(load(io.BytesIO(sif_bytes(*items))).descriptors) == 3


def test_every_prefix_is_loaded_or_refused() -> None:
    data = sif_bytes(descriptor(0, offset=8192, size=64), data=64)
    good = [n for n in range(len(data) + 1) if _loads(data[:n])]
    assert good == [len(data)]


def _loads(data: bytes) -> bool:
    try:
        load(io.BytesIO(data))
    except FormatError:
        return False
    return True


def test_wrong_magic_and_version() -> None:
    data = sif_bytes()
    assert refused(data[:32] + b"NOT_MAGIC" + data[41:]).field == "magic"
    assert refused(data[:42] + b"02\0" + data[45:]).field == "version"


def test_the_table_that_is_cut_short() -> None:
    header = new_header(OUT, NOW, 4)
    with pytest.raises(FormatError, match="the file ends inside the descriptor table"):
        # The length is that of the moment before; the file shrank meanwhile.
        class Shrinks(io.BytesIO):
            def seek(self, offset: int, whence: int = 0, /) -> int:
                return 100_000 if whence == 2 else super().seek(offset, whence)

        load(Shrinks(header.pack()))


def test_parse_descriptors_takes_the_table_alone() -> None:
    header = replace(new_header(OUT, NOW, 2), datalen=10)
    item = descriptor(1, offset=header.dataoff, size=10)
    table = bytes(DESCRIPTOR_SIZE) + item.pack()
    assert parse_descriptors(table, header, header.dataoff + 10) == (item,)


def test_the_counters_after_an_object() -> None:
    header = new_header(OUT, NOW, 2)
    after = with_object(header, header.dataoff + 77, NOW + 5)
    assert (after.dfree, after.datalen, after.modified) == (1, 77, NOW + 5)
    assert with_object(replace(after, dfree=0), header.dataoff + 1, NOW).datalen == 77
    assert with_object(replace(after, dfree=0), header.dataoff + 1, NOW).dfree == 0


@pytest.mark.parametrize(
    ("name", "text"), [(b"a\0b", "a"), (b"\xff\0", "\udcff"), (b"", ""), (b"x" * 128, "x" * 128)]
)
def test_text_of_a_name(name: bytes, text: str) -> None:
    assert text_of(name) == text
