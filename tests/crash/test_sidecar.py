"""An append to a sidecar that is cut off anywhere leaves the old records or the new ones."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from sifprov.errors import FileError
from sifprov.model.record import Record
from sifprov.sidecar import append_line, read_sidecar
from tests.crash.test_append import Tape
from tests.unit.sifs import OUT, run_record


def add(path: Path, number: int, disk: Tape | None = None) -> str:
    def build(previous: str | None) -> Record:
        return replace(run_record(), id=UUID(int=number), previous=previous)

    tape = disk or Tape()
    return append_line(str(path), build, of=OUT, disk=tape)[1]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "results.sifprov.jsonl"
    add(path, 1)
    add(path, 2)
    return path


def digests(path: Path) -> list[str]:
    found = read_sidecar(str(path))
    assert all(s.record for s in found), [s.error for s in found]
    return [s.digest for s in found]


def states(before: bytes, tape: Tape) -> list[bytes]:
    """What a crash may leave: every prefix of the calls, each write whole, cut in half, as zeros of
    its length, or not there at all until the sync behind it."""
    found = [before]
    now = before
    for step in tape.steps:
        if step.kind == "truncate":
            now = now[: step.offset]
        if step.kind == "write":
            data = step.data
            for torn in (data, data[: len(data) // 2], data[:-1] + b"\0", bytes(len(data))):
                found.append(now[: step.offset] + torn)
            now = now[: step.offset] + data
    return [*found, now]


def test_a_crash_anywhere(path: Path, tmp_path: Path) -> None:
    before, old = path.read_bytes(), digests(path)
    tape = Tape()
    new = [*old, add(path, 3, tape)]
    assert digests(path) == new
    assert [s.kind for s in tape.steps] == ["write", "sync", "write", "sync"]
    copy = tmp_path / "copy.jsonl"
    for state in states(before, tape):
        copy.write_bytes(state)
        assert digests(copy) in (old, new)
        # And the next append finds its way.
        left = digests(copy)
        assert digests(copy) == left
        last = add(copy, 4)
        assert digests(copy) == [*left, last]
        assert read_sidecar(str(copy))[-1].record == replace(
            run_record(), id=UUID(int=4), previous=left[-1]
        )


def test_what_a_crash_left_is_cut_off(path: Path) -> None:
    old = digests(path)
    with path.open("ab") as file:
        file.write(b'{"captured_by":{"kind":"plug')
    assert digests(path) == old
    tape = Tape()
    add(path, 3, tape)
    assert tape.steps[0].kind == "truncate"
    assert len(digests(path)) == 3


@pytest.mark.parametrize("fail_at", range(4))
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_call_that_fails_leaves_the_old_records(path: Path, fail_at: int, error: int) -> None:
    before = path.read_bytes()
    with pytest.raises(FileError, match="cannot write"):
        add(path, 3, Tape(fail_at=fail_at, error=error))
    assert path.read_bytes() == before
    add(path, 3)
    assert len(digests(path)) == 3
