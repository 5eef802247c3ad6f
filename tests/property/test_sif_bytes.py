"""Whatever bytes a SIF consists of, loading it gives an image or a FormatError."""

from __future__ import annotations

import io
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sifprov.errors import FileError, FormatError, SifprovError
from sifprov.records import read_records
from sifprov.sif import DataType, load, open_image
from sifprov.sif.format import DESCRIPTOR_SIZE, Descriptor
from tests.unit.sifs import add, add_object, descriptor, make_sif, run_record, sif_bytes

SMALL = sif_bytes(
    descriptor(0, datatype=DataType.PARTITION, offset=8192, size=512),
    descriptor(1, offset=8704, size=64),
    data=1024,
)
# The header, and the two used slots of the table.
PLACES = [*range(128), *range(4096, 4096 + 2 * DESCRIPTOR_SIZE)]


def sound(data: bytes) -> bool:
    """Loads `data`; when that is possible, every object lies inside it and none share a byte."""
    try:
        image = load(io.BytesIO(data))
    except FormatError as error:
        assert error.offset >= 0
        assert str(error).isprintable()
        return False
    spans = sorted((d.offset, d.end) for d in image.descriptors if d.size)
    assert all(0 <= a <= b <= len(data) for a, b in spans)
    assert all(one[1] <= two[0] for one, two in pairwise(spans))
    assert len({d.id for d in image.descriptors}) == len(image.descriptors)
    return True


def test_every_single_bit() -> None:
    refused = 0
    for place in PLACES[:170]:
        for bit in range(8):
            data = bytearray(SMALL)
            data[place] ^= 1 << bit
            refused += not sound(bytes(data))
    assert refused > 300  # magic, version and the high bytes of the counts, at the least


@given(st.lists(st.tuples(st.sampled_from(PLACES), st.integers(0, 255)), min_size=1, max_size=12))
@settings(max_examples=500, deadline=None)
def test_bytes_changed_anywhere(changes: list[tuple[int, int]]) -> None:
    data = bytearray(SMALL)
    for place, value in changes:
        data[place] = value
    sound(bytes(data))


@given(st.binary(max_size=300))
def test_any_bytes_at_all(data: bytes) -> None:
    sound(data)
    sound(SMALL[:32] + data)
    sound(SMALL[:80] + data + SMALL[80 + len(data) :])


I64 = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 20_000)
U32 = st.integers(0, 2**32 - 1) | st.integers(0, 4)


@given(st.lists(st.tuples(I64, I64, U32, U32, U32, st.binary(max_size=12)), max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_descriptors(rows: list[tuple[int, int, int, int, int, bytes]]) -> None:
    items = []
    for slot, (offset, size, ident, group, link, extra) in enumerate(rows):
        item = descriptor(slot, offset=offset, size=size, id=ident, link=link)
        items.append(Descriptor(**{**item.__dict__, "group": group, "datatype": 0x4004,
                                   "extra": extra.ljust(384, b"\0")}))  # fmt: skip
    sound(sif_bytes(*items))


def test_loading_hostile_counts_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        for field in (80, 88, 96, 112, 120):
            for value in (2**62, 2**32, -(2**62)):
                data = bytearray(SMALL)
                data[field : field + 8] = value.to_bytes(8, "little", signed=True)
                sound(bytes(data))
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def with_record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = make_sif(tmp_path_factory.mktemp("sif") / "x.img", descriptors=4, partition=64)
    add(path, run_record())
    add_object(path, b"{}", name=b"metadata.json")
    return path


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_reading_records_of_a_damaged_file(with_record: Path, data: st.DataObject) -> None:
    good = with_record.read_bytes()
    damaged = bytearray(good[: data.draw(st.integers(len(good) - 3000, len(good)))])
    for place in data.draw(st.lists(st.integers(4096, len(damaged) - 1), max_size=4)):
        damaged[place] = data.draw(st.integers(0, 255))
    path = with_record.with_suffix(".damaged")
    path.write_bytes(damaged)
    try:
        with open_image(str(path)) as (file, image):
            stored = read_records(file, image)
    except FileError as error:
        assert str(path) in str(error)
    except SifprovError as error:  # pragma: no cover
        raise AssertionError(f"not a FileError: {error!r}") from error
    else:
        assert all((s.record is None) == (s.error is not None) for s in stored)
