"""An append into a full table that is cut off anywhere: each record stands there exactly once."""

from __future__ import annotations

import errno
import itertools
import os
from dataclasses import replace
from pathlib import Path

import pytest

from sifprov.errors import FileError
from sifprov.groups import is_bundle, is_ours
from sifprov.model.record import Record
from sifprov.records import append_record, newest_digest, read_records
from sifprov.sif import DataType, Image, open_image
from sifprov.sif.format import GROUP_MASK
from sifprov.verify import Verdict, structure
from tests.crash.test_append import SECTOR, Tape, copy_of, states_of_the_disk
from tests.unit.sifs import NOW, add, add_object, make_sif, renumber, run_record


def build(_: Image, previous: str | None) -> Record:
    return replace(run_record(), previous=previous)


def state(path: Path) -> tuple[list[str], str | None, list[tuple[int, bytes]]]:
    """The records' digests, the newest one's, and all other objects."""
    with open_image(str(path)) as (file, image):
        records = read_records(file, image)
        assert all(s.record for s in records), [s.error for s in records]
        others = [
            (d.id, os.pread(file.fileno(), d.size, d.offset))
            for d in image.descriptors
            if not is_ours(d)
        ]
        return [s.digest for s in records], newest_digest(file, image), others


@pytest.fixture(params=["records", "a bundle", "signed records", "foreign numbers"])
def full(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A container whose descriptor table is full."""
    path = make_sif(tmp_path / "old.img", descriptors=6)
    for _ in range(2):
        add(path, run_record())
    if request.param == "signed records":
        add_object(path, b"sig", datatype=DataType.SIGNATURE, link=GROUP_MASK | 2)
    while request.param == "a bundle" and not any(map(is_bundle, _table(path).descriptors)):
        add(path, run_record())
    while _table(path).free_slots():
        add(path, run_record())
    if request.param == "foreign numbers":
        renumber(path, (2, 3, 4, 5, 6, 1))
    return path


def is_whole(path: Path) -> None:
    """No crash makes what `sifprov verify` takes for tampering."""
    for check in structure.of_container(str(path)).checks:
        assert check.verdict is Verdict.GOOD, check


def _table(path: Path) -> Image:
    with open_image(str(path)) as (_, image):
        return image


def test_every_state_of_the_disk_holds_each_record_once(full: Path, tmp_path: Path) -> None:
    old, new, tape = state(full), copy_of(full), Tape()
    append_record(str(new), build, now=NOW + 1, disk=tape)
    good = (old, state(new))
    assert good[1][0][:-1] == old[0] and good[1][2] == old[2]
    assert any(map(is_bundle, _table(new).descriptors))
    before = full.read_bytes()
    here = tmp_path / "state.img"
    seen = [0, 0]
    for content in states_of_the_disk(tape, before, new.read_bytes()):
        here.write_bytes(content)
        found = state(here)
        seen[good.index(found)] += 1
        # The next run goes on from there: nothing is lost, nothing stands twice.
        is_whole(here)
        append_record(str(here), build, now=NOW + 2)
        assert state(here)[0][:-1] == found[0]
        is_whole(here)
    assert all(seen)


def test_the_descriptor_is_switched_within_one_sector(full: Path) -> None:
    tape = Tape()
    append_record(str(copy_of(full)), build, now=NOW + 1, disk=tape)
    kinds = [s.kind for s in tape.steps[:7]]
    assert kinds == ["write", "sync", "write", "write", "sync", "write", "sync"]
    counters, no_digest, _, switch = tape.steps[2:6]
    # `dfree` is right before a slot is free: the runtimes count it down without looking.
    assert counters.offset == 72
    # A crash leaves no digest rather than the old object's.
    assert not any(no_digest.data) and no_digest.offset == switch.offset + len(switch.data)
    assert switch.offset // SECTOR == (switch.offset + len(switch.data) - 1) // SECTOR


def test_what_a_reader_of_the_old_table_sees_is_never_overwritten(full: Path) -> None:
    new, tape = copy_of(full), Tape()
    size = full.stat().st_size
    image = _table(full)
    append_record(str(new), build, now=NOW + 1, disk=tape)
    for step in tape.steps:
        if step.kind == "write":
            assert step.offset >= size or step.offset + len(step.data) <= image.header.dataoff


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_an_error_at_any_call_is_told_and_loses_nothing(full: Path, code: int) -> None:
    old = state(full)
    for place in itertools.count():
        new = copy_of(full)
        tape = Tape(fail_at=place, error=code)
        try:
            append_record(str(new), build, now=NOW + 1, disk=tape)
        except FileError as error:
            assert os.strerror(code) in str(error) and str(new) in str(error)
        else:
            break
        found = state(new)
        assert found[0][: len(old[0])] == old[0] and found[2] == old[2]
        if place < 2:
            assert new.read_bytes() == full.read_bytes()
        append_record(str(new), build, now=NOW + 2)
        assert state(new)[0][:-1] == found[0]
    assert place > 12
