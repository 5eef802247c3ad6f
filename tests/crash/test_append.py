"""An append that is cut off anywhere leaves the old container or the new one."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sifprov.errors import FileError
from sifprov.model.record import Record
from sifprov.records import append_record, read_records
from sifprov.sif import Image, open_image
from sifprov.sif.write import FileDisk
from tests.unit.sifs import NOW, add, make_sif, run_record

SECTOR = 512


@dataclass
class Step:
    """One call: a write, a sync, or a truncation to `offset`."""

    kind: str
    offset: int = 0
    data: bytes = b""


@dataclass
class Tape:
    """A `Disk` that writes and remembers. The call number `fail_at` raises `error`."""

    steps: list[Step] = field(default_factory=list)
    fail_at: int = -1
    error: int = errno.EIO

    def __call__(self, descriptor: int) -> Tape:
        self.disk = FileDisk(descriptor)
        return self

    def _call(self, step: Step) -> None:
        self.steps.append(step)
        if len(self.steps) - 1 == self.fail_at:
            # Half of it may have reached the file.
            if step.kind == "write":
                self.disk.pwrite(step.data[: len(step.data) // 2], step.offset)
            raise OSError(self.error, os.strerror(self.error))

    def pwrite(self, data: bytes, offset: int) -> None:
        self._call(Step("write", offset, bytes(data)))
        self.disk.pwrite(data, offset)

    def sync(self) -> None:
        self._call(Step("sync"))
        self.disk.sync()

    def truncate(self, size: int) -> None:
        self._call(Step("truncate", size))
        self.disk.truncate(size)


def build(_: Image, previous: str | None) -> Record:
    return replace(run_record(), previous=previous)


def state(path: Path) -> tuple[list[str], list[bytes]]:
    """The digests of the records, and the bytes of every other object."""
    with open_image(str(path)) as (file, image):
        records = read_records(file, image)
        assert all(s.record for s in records), [s.error for s in records]
        others = [d for d in image.descriptors if d.id not in {s.object_id for s in records}]
        return (
            [s.digest for s in records],
            [os.pread(file.fileno(), d.size, d.offset) for d in others],
        )


@pytest.fixture(params=[0, 1, 3], ids=lambda n: f"{n} records")
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = make_sif(tmp_path / "old.img", descriptors=6)
    for _ in range(request.param):
        add(path, run_record())
    return path


def copy_of(path: Path) -> Path:
    copy = path.with_name("new.img")
    copy.write_bytes(path.read_bytes())
    return copy


def applied(before: bytes, steps: list[Step]) -> bytes:
    data = bytearray(before)
    for step in steps:
        if step.kind == "write":
            data.extend(bytes(max(0, step.offset - len(data))))
            data[step.offset : step.offset + len(step.data)] = step.data
    return bytes(data)


def torn(steps: list[Step]) -> Iterator[list[Step]]:
    """Every way in which unsynced writes may have reached the disk, by sectors.

    All subsets where there are few sectors; else all prefixes and suffixes, and each one alone.
    """
    pieces = [
        Step("write", step.offset + at, step.data[at : at + length])
        for step in steps
        for at, length in _sectors(step)
    ]
    count = len(pieces)
    if count <= 6:
        for size in range(count + 1):
            yield from map(list, itertools.combinations(pieces, size))
        return
    for place in range(count + 1):
        yield pieces[:place]
        yield pieces[place:]
        yield pieces[place : place + 1]


def _sectors(step: Step) -> Iterator[tuple[int, int]]:
    at = 0
    while at < len(step.data):
        length = min(SECTOR - (step.offset + at) % SECTOR, len(step.data) - at)
        yield at, length
        at += length


def states_of_the_disk(tape: Tape, before: bytes, after: bytes) -> Iterator[bytes]:
    """Yields what a file that held `before` can hold when the machine stops, at any moment of what
    the tape has. In the end it holds `after`, and all of it is synced."""
    done: list[Step] = []
    batch: list[Step] = []
    for step in tape.steps:
        if step.kind != "sync":
            batch.append(step)
            continue
        for some in torn(batch):
            yield applied(before, done + some)
        done += batch
        batch = []
    assert not batch, "the last write is not synced"
    assert applied(before, done) == after


def test_every_state_of_the_disk_is_old_or_new(old: Path, tmp_path: Path) -> None:
    new, tape = copy_of(old), Tape()
    append_record(str(new), build, now=NOW + 1, disk=tape)
    good = (state(old), state(new))
    assert good[0] != good[1]
    before = old.read_bytes()
    here = tmp_path / "state.img"
    seen = [0, 0]
    for content in states_of_the_disk(tape, before, new.read_bytes()):
        here.write_bytes(content)
        seen[good.index(state(here))] += 1
    assert all(seen)


def test_every_prefix_of_the_calls_is_old_until_the_used_byte(old: Path, tmp_path: Path) -> None:
    new, tape = copy_of(old), Tape()
    append_record(str(new), build, now=NOW + 1, disk=tape)
    here = tmp_path / "state.img"
    verdicts = []
    for count in range(len(tape.steps) + 1):
        here.write_bytes(applied(old.read_bytes(), tape.steps[:count]))
        verdicts.append(state(here) == state(new))
    first = verdicts.index(True)
    assert verdicts == [False] * first + [True] * (len(verdicts) - first)
    assert tape.steps[first - 1].data == b"\1"
    assert tape.steps[first - 2].kind == "sync"
    # What the object needs was on the disk before: data, sync, descriptor, sync.
    assert [s.kind for s in tape.steps[:first]] == ["write", "sync", "write", "sync", "write"]


CALLS = 8  # four writes, each with its sync


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
@pytest.mark.parametrize("fail_at", range(CALLS))
def test_an_error_at_any_call_is_told(old: Path, fail_at: int, code: int) -> None:
    new = copy_of(old)
    before = old.read_bytes()
    tape = Tape(fail_at=fail_at, error=code)
    with pytest.raises(FileError, match=os.strerror(code)) as error:
        append_record(str(new), build, now=NOW + 1, disk=tape)
    assert str(new) in str(error.value)
    used_byte = next((i for i, s in enumerate(tape.steps) if s.data == b"\1"), CALLS)
    records, others = state(new)
    assert (records[: len(state(old)[0])], others) == state(old)
    if fail_at <= used_byte:
        assert state(new) == state(old)
    if fail_at < 2:
        # Not even its bytes are left: a full disk gets its space back.
        assert new.read_bytes() == before
    # The next one succeeds, and the chain goes on from what is there.
    append_record(str(new), build, now=NOW + 2)
    assert state(new)[0][:-1] == records


def test_there_are_as_many_calls_as_the_errors_cover(old: Path) -> None:
    tape = Tape()
    append_record(str(copy_of(old)), build, now=NOW, disk=tape)
    assert len(tape.steps) == CALLS


def test_an_error_while_the_record_is_built_changes_nothing(old: Path) -> None:
    def fails(_: Image, previous: str | None) -> Record:
        raise FileError("no")

    before = old.read_bytes()
    with pytest.raises(FileError, match="no"):
        append_record(str(old), fails, now=NOW)
    assert old.read_bytes() == before


def test_making_a_container_is_all_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the descriptor of its partition is there, a new file has no data partition."""
    for count in itertools.count():
        path = tmp_path / f"{count}.img"
        if _made_with_failure_at(path, count, monkeypatch):
            break
        if path.stat().st_size == 0:
            continue
        try:
            with open_image(str(path)) as (_, image):
                assert len(image.descriptors) <= 1
        except FileError as error:
            assert str(path) in str(error)
    assert count == 6


def _made_with_failure_at(path: Path, place: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    calls = itertools.count()

    def counted(name: str) -> Callable[..., None]:
        original = getattr(FileDisk, name)

        def call(self: FileDisk, *args: object) -> None:
            if next(calls) == place:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            original(self, *args)

        return call

    with monkeypatch.context() as patch:
        for name in ("pwrite", "sync", "truncate"):
            patch.setattr(FileDisk, name, counted(name))
        try:
            make_sif(path, partition=64)
        except OSError:
            return False
    return True
