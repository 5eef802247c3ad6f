"""A full descriptor table is no dead end."""

from __future__ import annotations

import itertools
import os
import random
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from tests.unit.sifs import (
    NOW,
    OUT,
    add,
    add_object,
    descriptor,
    make_sif,
    renumber,
    run_record,
)

from sifprov import records
from sifprov.bundle import pack
from sifprov.errors import FileError
from sifprov.groups import BUNDLE_NAME, is_bundle, is_ours, open_group, signed_groups
from sifprov.model.canonical import record_digest
from sifprov.model.record import Record
from sifprov.records import Stored, newest_digest, read_records
from sifprov.room import plan_bundle
from sifprov.sif import DataType, Descriptor, Image, open_image
from sifprov.sif.format import GROUP_MASK, new_header
from sifprov.sif.merge import can_keep

NAME = BUNDLE_NAME.encode()


def table(path: Path) -> Image:
    with open_image(str(path)) as (_, image):
        return image


def stored(path: Path) -> tuple[Stored, ...]:
    with open_image(str(path)) as (file, image):
        return read_records(file, image)


def newest(path: Path) -> str | None:
    with open_image(str(path)) as (file, image):
        return newest_digest(file, image)


def numbered(number: int) -> Record:
    return replace(run_record(), id=UUID(int=number))


def object_bytes(path: Path, item: Descriptor) -> tuple[bytes, bytes]:
    """The descriptor and the data as they stand in the file."""
    data = path.read_bytes()
    start = table(path).header.place(item.slot)
    return data[start : start + 585], data[item.offset : item.end]


def test_a_full_table_takes_more(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=6)
    made = [add(path, numbered(i)) for i in range(100)]
    found = stored(path)
    assert [s.digest for s in found] == made
    assert [s.record.previous for s in found if s.record] == [None, *made[:-1]]
    assert newest(path) == made[-1]
    image = table(path)
    assert image.header.dfree == 6 - len(image.descriptors)
    ids = {d.id for d in image.descriptors}
    assert {s.object_id for s in found} <= ids
    assert {d.group for d in image.descriptors} == {1, 2}


def test_the_partition_and_foreign_objects_stay_as_they_are(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=12)
    first = add(path, numbered(0))
    add_object(path, b"theirs", name=b"metadata.json", group=7)  # no record inside
    add_object(path, b"theirs too", name=NAME)
    add_object(path, b"other", datatype=DataType.GENERIC, name=b"other", group=2)
    before = {
        d.id: object_bytes(path, d)
        for d in table(path).descriptors
        if d.partition or d.id in (3, 4, 5)
    }
    assert len(before) == 4
    made = [add(path, numbered(i)) for i in range(1, 40)]
    assert [s.digest for s in stored(path)] == [first, *made]
    now = {d.id: object_bytes(path, d) for d in table(path).descriptors if d.id in before}
    assert now == before


def test_signed_records_stay_and_unsigned_ones_are_bundled(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=14)
    made = [add(path, numbered(i)) for i in range(3)]
    add_object(path, b"sig", datatype=DataType.SIGNATURE, link=GROUP_MASK | 2)
    made += [add(path, numbered(i)) for i in range(3, 5)]
    (last,) = [d for d in table(path).descriptors if d.id == 7]
    # An old signature names one object; it closes that object's group.
    add_object(path, b"sig", datatype=DataType.SIGNATURE, link=last.id)
    signed = [d for d in table(path).descriptors if d.group in (2, 3) or d.partition]
    before = {d.id: object_bytes(path, d) for d in signed}
    made += [add(path, numbered(i)) for i in range(5, 60)]
    image = table(path)
    assert signed_groups(image) == {2, 3}
    assert {d.id: object_bytes(path, d) for d in image.descriptors if d.id in before} == before
    assert [s.digest for s in stored(path)] == made
    assert {d.group for d in image.descriptors if is_bundle(d)} == {4}


def test_a_signed_record_newer_than_a_bundle_stays_the_newest(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=8)
    made = [add(path, numbered(i)) for i in range(3)]
    add_object(path, b"x", group=2)  # a foreign object in it: the next record opens group 3
    made += [add(path, numbered(i)) for i in range(3, 5)]
    add_object(path, b"sig", datatype=DataType.SIGNATURE, link=GROUP_MASK | 3)
    assert not table(path).free_slots()
    made += [add(path, numbered(i)) for i in range(5, 9)]
    assert [s.digest for s in stored(path)] == made
    assert newest(path) == made[-1]


def test_when_nothing_can_be_bundled(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=4)
    add(path, numbered(0))
    add_object(path, b"x")
    add_object(path, b"x")
    before = path.read_bytes()
    with pytest.raises(FileError, match="all 4 places"):
        add(path, numbered(1))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "ids", [(2, 3, 4, 5, 6, 1), (6, 5, 4, 3, 2, 1), (1, 3, 2, 2**32 - 1, 70000, 65537)]
)
def test_foreign_numbers_are_no_dead_end(tmp_path: Path, ids: tuple[int, ...]) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=6)
    made = [add(path, numbered(i)) for i in range(5)]
    renumber(path, ids)
    partition = object_bytes(path, table(path).descriptors[0])
    made += [add(path, numbered(i)) for i in range(5, 40)]
    assert [s.digest for s in stored(path)] == made and newest(path) == made[-1]
    image = table(path)
    assert len({d.id for d in image.descriptors}) == len(image.descriptors)
    assert object_bytes(path, image.descriptors[0]) == partition


def test_a_place_whose_number_is_free_comes_first(tmp_path: Path) -> None:
    """The runtimes number by the slot and do not look, so what they add next should be right."""
    path = make_sif(tmp_path / "x.sif", descriptors=6)
    for i in range(5):
        add(path, numbered(i))
    renumber(path, (2, 7, 8, 9, 10, 11))
    add(path, numbered(5))
    image = table(path)
    bundle, record = [d for d in image.descriptors if is_ours(d)]
    assert is_bundle(bundle) and bundle.id in (7, 8, 9, 10, 11)
    assert record.id == record.slot + 1 and not image.taken_numbers(1)


def test_broken_records_are_kept_byte_for_byte(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=6)
    broken = b'{"schema":"sifprov.record/9"'
    made = [add(path, numbered(0))]
    add_object(path, broken, name=b"metadata.json", group=2)
    made += [record_digest(broken)]
    made += [add(path, numbered(i)) for i in range(1, 20)]
    found = stored(path)
    assert [s.digest for s in found] == made
    assert [s.digest for s in found if s.error] == [record_digest(broken)]
    # Not the broken one itself, which says nothing, but its successor names it.
    assert found[2].record and found[2].record.previous == record_digest(broken)


def test_a_broken_bundle_is_told_and_hides_no_other(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=5)
    made = [add(path, numbered(i)) for i in range(5)]
    (item,) = [d for d in table(path).descriptors if is_bundle(d)]
    with path.open("r+b") as file:
        file.seek(item.offset + 20)
        file.write(b"AAAA")
    found = stored(path)
    assert [s.error is None for s in found].count(False) == 1
    broken = next(s for s in found if s.error)
    assert broken.object_id == item.id
    assert broken.digest == "" and broken.error and broken.error.startswith("bundle: data")
    assert newest(path) == made[-1]
    # Broken as it is, it stays.
    before = object_bytes(path, item)
    for i in range(5, 15):
        made.append(add(path, numbered(i)))
    assert object_bytes(path, item) == before


def test_all_bundles_together_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=8)
    for i in range(4):
        add_object(path, pack([numbered(i).to_bytes()] * 5), name=NAME, group=2)
    monkeypatch.setattr(records, "MAX_TOTAL", 10 * len(numbered(0).to_bytes()))
    found = stored(path)
    assert [s.error is None for s in found] == [False, False, True, True]
    assert found[0].error and "all records together" in found[0].error


def test_only_what_lies_within_a_sector_is_changed_in_place() -> None:
    header = new_header(OUT, NOW, 84)
    good = [slot for slot in range(84) if can_keep(header, descriptor(slot))]
    for slot in range(84):
        start, end = header.place(slot) + 17, header.place(slot) + 200
        assert (start // 512 == end // 512) == (slot in good)
    assert len(good) > 84 // 2


def test_chain_before_place(tmp_path: Path) -> None:
    """Records that stand in the file in any order are read in the order of their chain."""
    made = []
    previous = None
    for i in range(8):
        made.append(replace(numbered(i), previous=previous).to_bytes())
        previous = record_digest(made[-1])
    shuffle = random.Random(7)  # noqa: S311
    for number in range(20):
        path = make_sif(tmp_path / f"{number}.sif", descriptors=12)
        for data in shuffle.sample(made, len(made)):
            add_object(path, data, name=b"metadata.json", group=2)
        assert [s.digest for s in stored(path)] == [record_digest(d) for d in made]


def test_forks_and_foreign_predecessors_end(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=12)
    first = numbered(0).to_bytes()
    forks = [replace(numbered(i), previous=record_digest(first)).to_bytes() for i in (1, 2)]
    lost = replace(numbered(3), previous="sha256:" + "0" * 64).to_bytes()
    for data in (forks[0], lost, forks[1], first):
        add_object(path, data, name=b"metadata.json", group=2)
    assert [s.digest for s in stored(path)] == [
        record_digest(d) for d in (lost, first, forks[0], forks[1])
    ]


def test_a_plan_frees_as_many_as_are_asked_for(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=10)
    for i in range(9):
        add(path, numbered(i))
    with open_image(str(path)) as (file, image):
        for slots in range(1, 9):
            plan = plan_bundle(file, image, slots)
            assert plan is not None and len(plan.freed) == 8
        assert plan_bundle(file, image, 9) is None


def test_thousands_of_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """5,000 appends into a table of 48: all are there, and take less than twice their bytes."""
    # What is on the disk when is shown by the crash tests.
    monkeypatch.setattr(os, "fdatasync", lambda _: None)
    path = make_sif(tmp_path / "x.sif", descriptors=48)
    made = []
    written = os.stat(path).st_size
    bundles = 0
    for i in range(5000):
        made.append(add(path, numbered(i)))
        if i % 500 == 499:
            image = table(path)
            bundles = max(bundles, sum(map(is_bundle, image.descriptors)))
    assert [s.digest for s in stored(path)] == made
    size = len(numbered(0).to_bytes())
    grown = os.stat(path).st_size - written
    # One plain copy of each record, and less than another of bundles.
    assert grown < 5000 * size * 2, grown / (5000 * size)
    assert bundles < 16


def test_the_open_group_holds_bundles_too(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=5)
    for i in range(10):
        add(path, numbered(i))
    image = table(path)
    assert open_group(image) == 2
    assert all(d.group == 2 for d in image.descriptors if is_ours(d))
    assert len(list(itertools.filterfalse(is_ours, image.descriptors))) == 1


def test_the_time_of_a_merge_is_told(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=5)
    for i in range(5):
        add(path, numbered(i))
    (item,) = [d for d in table(path).descriptors if is_bundle(d)]
    assert (item.modified, item.uid, item.gid) == (NOW, os.getuid(), os.getgid())
