"""A record with its lineage, cut off anywhere: no record is there without what it embeds."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from sifprov.embedded import Lineage, read_embedded
from sifprov.errors import FileError
from sifprov.groups import is_ours
from sifprov.model.canonical import record_digest
from sifprov.model.record import Record
from sifprov.records import append_record, newest_digest, read_records
from sifprov.sidecar import append_line, read_sidecar, read_sidecar_embedded
from sifprov.sif import Image, open_image
from sifprov.sif.disk import Disk, FileDisk
from tests.crash.test_append import Tape, copy_of, states_of_the_disk
from tests.crash.test_sidecar import states
from tests.unit.sifs import IN, NOW, OUT, make_sif, run_record

State = tuple[list[str], set[str]]


def documents(*numbers: int) -> dict[str, bytes]:
    several = [replace(run_record(IN), id=UUID(int=n + 1)).to_bytes() for n in numbers]
    return {record_digest(d): d for d in several}


def append(path: Path, number: int, *numbers: int, tape: Callable[[int], Disk] = FileDisk) -> str:
    """Appends a record with these documents."""

    def build(_: Image, previous: str | None) -> Record:
        return replace(run_record(), id=UUID(int=1000 + number), previous=previous)

    lineage = Lineage(documents(*numbers))
    return append_record(str(path), build, now=NOW + number, lineage=lineage, disk=tape)[1]


def state(path: Path) -> State:
    """The digests of the records, and of what is embedded."""
    with open_image(str(path)) as (file, image):
        records, embedded = read_records(file, image), read_embedded(file, image)
        assert all(s.record for s in records), [s.error for s in records]
        assert not embedded.errors
        assert newest_digest(file, image) == records[-1].digest
        # Nothing of it stands with the data, and nothing else in the records' group.
        groups = {d.group for d in image.descriptors if is_ours(d)}
        assert all((d.group in groups) or d.partition or d.group == 2 for d in image.descriptors)
        return [s.digest for s in records], set(embedded.documents)


@pytest.fixture(params=["room", "full of records", "full of both"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = make_sif(tmp_path / "old.img", descriptors=8)
    append(path, 0, 1)
    if request.param == "room":
        return path
    for number in itertools.count(1):
        with open_image(str(path)) as (_, image):
            if len(image.free_slots()) < 2:
                return path
        append(path, number, *([1] if request.param == "full of records" else [1, number]))
    raise AssertionError


def test_every_state_of_the_disk(old: Path, tmp_path: Path) -> None:
    new, tape = copy_of(old), Tape()
    append(new, 50, 50, 51, tape=tape)
    before, after = state(old), state(new)
    whole = set(documents(50, 51))
    assert after == ([*before[0], after[0][-1]], before[1] | whole)
    data = old.read_bytes()
    here = tmp_path / "state.img"
    seen = set()
    for content in states_of_the_disk(tape, data, new.read_bytes()):
        here.write_bytes(content)
        found = state(here)
        assert found[0] in (before[0], after[0])
        assert found[1] in (before[1], after[1])
        # The record is never there without the rest; the rest harms nobody without it.
        assert found[0] == before[0] or found == after
        seen.add((found[0] == after[0], found[1] == after[1]))
        # The next run goes on from there, and embeds nothing twice.
        append(here, 51, 50, 51)
        assert state(here)[0][:-1] == found[0] and state(here)[1] == after[1]
    assert seen == {(False, False), (False, True), (True, True)}


def test_one_wait_for_the_data_of_both(tmp_path: Path) -> None:
    path, tape = make_sif(tmp_path / "x.img"), Tape()
    append(path, 1, 1, 2, tape=tape)
    # Data, descriptors, a used byte each, the header.
    assert sum(s.kind == "sync" for s in tape.steps) == 5


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_an_error_at_any_call(old: Path, code: int) -> None:
    before = state(old)
    for place in itertools.count():
        new = copy_of(old)
        try:
            append(new, 50, 50, 51, tape=Tape(fail_at=place, error=code))
        except FileError as error:
            assert os.strerror(code) in str(error)
        else:
            break
        found = state(new)
        assert found[0][: len(before[0])] == before[0] and found[1] >= before[1]
        append(new, 51, 50, 51)
        assert state(new)[1] == before[1] | set(documents(50, 51))
    assert place >= 10


def in_sidecar(path: Path, number: int, *numbers: int, tape: Tape | None = None) -> None:
    def build(previous: str | None) -> Record:
        return replace(run_record(), id=UUID(int=1000 + number), previous=previous)

    lineage = Lineage(documents(*numbers))
    append_line(str(path), build, of=OUT, lineage=lineage, disk=tape or Tape())


def test_a_sidecar(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    in_sidecar(path, 1, 1)
    before, tape = path.read_bytes(), Tape()
    in_sidecar(path, 2, 1, 2, 3, tape=tape)
    assert [s.kind for s in tape.steps] == ["write", "sync", "write", "sync"] * 2
    seen = set()
    for data in states(before, tape):
        path.write_bytes(data)
        count = len(read_sidecar(str(path)))
        there = set(read_sidecar_embedded(str(path)).documents)
        assert there in (set(documents(1)), set(documents(1, 2, 3)))
        assert count == 1 or len(there) == 3
        seen.add((count, len(there)))
        in_sidecar(path, 3, 1, 2, 3)
        assert set(read_sidecar_embedded(str(path)).documents) == set(documents(1, 2, 3))
        lines = path.read_bytes().count(b"sifprov.lineage/1")
        assert lines == 2 and len(read_sidecar(str(path))) == count + 1
    assert seen == {(1, 1), (1, 3), (2, 3)}
