"""Making SIF files and appending to them: which bytes change, and which must not."""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

import pytest
from tests.unit.sifs import (
    NOW,
    OUT,
    add,
    add_object,
    descriptor,
    make_sif,
    run_record,
    sif_bytes,
)

from sifprov.errors import FileError
from sifprov.sif import DataType, FsType, Image, NewObject, PartType, append, open_image
from sifprov.sif.format import (
    DESCRIPTOR_SIZE,
    GROUP_MASK,
    HEADER_SIZE,
    MAX_DESCRIPTORS,
    PAGE,
    USED_OFFSET,
    text_of,
)
from sifprov.sif.image import data_partition, find_partition, read_object


def table(path: Path) -> Image:
    with open_image(str(path)) as (_, image):
        return image


def test_a_new_container(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=84)
    image = table(path)
    (item,) = image.descriptors
    assert image.header.uuid == OUT
    assert (image.header.created, image.header.modified) == (NOW, NOW)
    assert (image.header.dtotal, image.header.dfree) == (84, 83)
    assert (item.id, item.group, item.size, item.offset) == (1, 1, 5000, image.header.dataoff)
    assert item.offset % PAGE == 0
    assert image.header.datalen == item.size
    assert image.size == item.end
    assert item.partition == (FsType.EXT3, PartType.DATA)
    assert not image.is_application
    assert data_partition(image) == item
    found = find_partition(image)
    assert found is not None and (found.offset, found.size) == (item.offset, 5000)
    assert find_partition(image, 1) == found
    assert find_partition(image, 2) is None


def test_a_name_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        NewObject(DataType.JSON, b"x" * 128, b"x", group=0)
    with pytest.raises(ValueError, match="does not fit"):
        NewObject(DataType.JSON, b"a\0b", b"x", group=0)
    with pytest.raises(ValueError, match="empty"):
        NewObject(DataType.JSON, b"a", b"", group=0)


def test_an_append_changes_nothing_else(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    with path.open("r+b") as file:  # a launch script and an architecture of somebody else
        file.write(b"#!/bin/mine\n\0".ljust(32, b"\xaa"))
        file.seek(45)
        file.write(b"02\0")
    add_object(path, b"first")
    before, old = path.read_bytes(), table(path)
    item = add_object(path, b"second", group=3, link=1)
    after = path.read_bytes()
    slot = old.header.descroff + item.slot * DESCRIPTOR_SIZE
    ours = {*range(72, HEADER_SIZE), *range(slot, slot + DESCRIPTOR_SIZE)}
    changed = {i for i in range(len(before)) if before[i] != after[i]}
    assert changed <= ours
    assert changed & set(range(slot, slot + DESCRIPTOR_SIZE))
    assert after[: len(before)][80:HEADER_SIZE] != before[80:HEADER_SIZE]
    assert item.offset >= len(before)
    assert after[len(before) :] == bytes(item.offset - len(before)) + b"second"


def test_the_new_object_is_there(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    item = add_object(path, b"content", name=b"name", group=3, link=GROUP_MASK | 1)
    image = table(path)
    assert image.descriptors[1] == item
    assert (item.slot, item.id, item.group, item.linked_group) == (1, 2, 3, 1)
    assert (item.uid, item.gid, item.created, item.modified) == (
        os.getuid(), os.getgid(), NOW, NOW,
    )  # fmt: skip
    assert text_of(item.name) == "name"
    assert image.header.dfree == 6
    assert image.header.dataoff + image.header.datalen == item.end
    with path.open("rb") as file:
        assert read_object(file, item) == b"content"


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 5000])
def test_behind_a_partition_stands_a_page_of_its_own(tmp_path: Path, size: int) -> None:
    path = make_sif(tmp_path / "x.sif", partition=size)
    end = table(path).descriptors[0].end
    first = add_object(path, b"a")
    second = add_object(path, b"b")
    assert first.offset % PAGE == 0 and first.offset >= end
    assert first.padded == first.size + first.offset - end
    assert second.offset == first.offset + 8  # behind an object, no page is wasted


def test_a_json_object_has_its_digest_beside_it(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    item = add_object(path, b"{}")
    digest = b"sha256:" + hashlib.sha256(b"{}").hexdigest().encode("ascii")
    assert item.extra.rstrip(b"\0") == digest
    assert not any(add_object(path, b"{}", datatype=DataType.GENERIC).extra)
    new = NewObject(DataType.JSON, b"x", b"{}", group=0, extra=b"mine")
    assert append(str(path), lambda *_: new, now=NOW).extra.rstrip(b"\0") == b"mine"


def test_a_freed_slot_is_used_again_but_no_id_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(sif_bytes(descriptor(0, id=2, offset=8192, size=10)))
    assert add_object(path, b"a").id == 3  # slot 1 would give the id 2 again
    assert add_object(path, b"b").id == 4
    # Only slot 1 is left: its object gets a number that no slot has, so nobody gives it again.
    last = add_object(path, b"c")
    assert (last.slot, last.id) == (1, MAX_DESCRIPTORS + 1)
    with pytest.raises(FileError, match="all 4 places") as error:
        add_object(path, b"d")
    assert "data grow --records" in (error.value.hint or "")
    assert {d.id for d in table(path).descriptors} == {2, 3, 4, MAX_DESCRIPTORS + 1}


def test_the_number_beyond_all_slots_is_not_taken_either(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    foreign = (MAX_DESCRIPTORS + 1, 2**32 - 1, 4, 3)
    items = [
        descriptor(slot, id=ident, offset=8192 + 16 * slot, size=10)
        for slot, ident in enumerate(foreign[:2])
    ]
    path.write_bytes(sif_bytes(*items))
    assert [add_object(path, b"a").id for _ in range(2)] == [3, 4]
    with path.open("r+b") as file:  # slot 2 is free, and its number taken by slot 3
        image = table(path)
        file.seek(image.header.place(2) + USED_OFFSET)
        file.write(b"\0")
        file.seek(image.header.place(3) + 5)
        file.write(struct.pack("<I", 3))
    image = table(path)
    assert image.taken_numbers(1) == [3] and image.free_slots() == [2]
    assert add_object(path, b"b").id == MAX_DESCRIPTORS + 2
    assert table(path).free_place() is None


def test_a_full_table_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=2)
    add(path, run_record())
    before = path.read_bytes()
    with pytest.raises(FileError, match="all 2 places") as error:
        add(path, run_record())
    assert str(path) in str(error.value)
    assert path.read_bytes() == before


def test_an_object_behind_the_end_that_the_header_tells(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    with path.open("r+b") as file:  # a writer that was cut off before the counters
        file.seek(120)
        file.write(bytes(8))
    end = table(path).descriptors[0].end
    assert add_object(path, b"a").offset >= end


def test_bytes_behind_everything_are_overwritten_only_where_needed(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", partition=4096)
    with path.open("ab") as file:
        file.write(b"z" * 10_000)
    item = add_object(path, b"data")
    assert path.read_bytes()[item.end :] == b"z" * (10_000 - 4)


# Groups.


def groups(path: Path) -> list[int]:
    return [d.group for d in table(path).descriptors]


def test_records_share_a_group_of_their_own(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    for _ in range(3):
        add(path, run_record())
    assert groups(path) == [1, 2, 2, 2]


def test_records_do_not_join_the_group_of_others(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    add_object(path, b"x", group=5)
    # Somebody put another object beside a record.
    add(path, run_record())
    add_object(path, b"x", group=6)
    add(path, run_record())
    assert groups(path) == [1, 5, 6, 6, 7]


def test_records_never_join_a_signed_group(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=12)
    add(path, run_record())
    add_object(path, b"sig", datatype=DataType.SIGNATURE, link=GROUP_MASK | 2)
    add(path, run_record())
    add(path, run_record())
    assert groups(path) == [1, 2, 0, 3, 3]
    # An old signature names one object; its group is closed as well.
    add_object(path, b"sig", datatype=DataType.SIGNATURE, link=5)
    add(path, run_record())
    assert groups(path)[-1] == 4


def test_a_signed_group_without_objects_is_closed(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    add_object(path, b"sig", datatype=DataType.SIGNATURE, link=GROUP_MASK | 2)
    add(path, run_record())
    assert groups(path)[-1] == 3


def test_group_numbers_do_not_overflow(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    add_object(path, b"x", group=0x0FFFFFFF)
    add(path, run_record())
    assert groups(path) == [1, 0x0FFFFFFF, 2]
