"""Sidecars: foreign and hostile files, links, locks, chains."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from tests.unit.sifs import IN, OUT, run_record

from sifprov import sidecar
from sifprov.errors import FileError
from sifprov.model.record import Record
from sifprov.sidecar import append_line, beside, read_sidecar


def add(path: Path, number: int = 1, of: UUID = OUT) -> str:
    def build(previous: str | None) -> Record:
        return replace(run_record(of), id=UUID(int=number), previous=previous)

    return append_line(str(path), build, of=of)[1]


def test_beside_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert beside("a/results/") == beside("./a/results") == f"{tmp_path}/a/results.sifprov.jsonl"


def test_each_container_has_a_chain_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    first, other, second = add(path, 1), add(path, 2, IN), add(path, 3)
    found = read_sidecar(str(path))
    assert [s.digest for s in found] == [first, other, second]
    assert [s.record.previous for s in found if s.record] == [None, None, first]
    assert [s.object_id for s in found] == [1, 2, 3]
    assert [s.digest for s in read_sidecar(str(path), IN)] == [other]


def test_a_record_that_is_there_is_not_added_again(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    digest = add(path)
    record, found = append_line(
        str(path), lambda previous: run_record(), of=OUT, held=lambda r: r.id == UUID(int=1)
    )
    assert (record.id, found) == (UUID(int=1), digest)
    assert len(read_sidecar(str(path))) == 1


def test_a_broken_line_hides_no_other(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    add(path)
    with path.open("ab") as file:
        file.write(b"\n{}\n\xff\n")
    add(path, 2)
    found = read_sidecar(str(path))
    assert [s.record is None for s in found] == [False, True, True, False]
    assert found[3].record and found[3].record.previous == found[0].digest


@pytest.mark.parametrize("content", [b"my notes\n", b"{}\n{}\n", b"no newline", b"\0" * 5000])
def test_a_foreign_file_is_never_written_to(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.jsonl"
    path.write_bytes(content)
    with pytest.raises(FileError, match="holds no record of ours"):
        add(path)
    assert path.read_bytes() == content


def test_an_empty_file_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    path.touch()
    add(path)
    assert len(read_sidecar(str(path))) == 1


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["link", "dangling", "fifo", "folder"])
def test_only_a_plain_file_is_written_to(tmp_path: Path, kind: str) -> None:
    path, target = tmp_path / "all.jsonl", tmp_path / "target"
    if kind == "link":
        add(target)
    if kind in ("link", "dangling"):
        path.symlink_to(target)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    before = target.read_bytes() if kind == "link" else None
    with pytest.raises(FileError):
        add(path)
    assert target.exists() == (kind == "link")
    assert before is None or target.read_bytes() == before


def test_hostile_sizes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "all.jsonl"
    add(path)
    length = path.stat().st_size
    monkeypatch.setattr(sidecar, "MAX_LINE", length - 2)
    with pytest.raises(FileError, match="line 1 has more than"):
        read_sidecar(str(path))
    monkeypatch.undo()
    monkeypatch.setattr(sidecar, "MAX_LINES", 3)
    path.write_bytes(path.read_bytes() + b"\n" * 5)
    with pytest.raises(FileError, match="3 lines"):
        read_sidecar(str(path))
    monkeypatch.undo()
    monkeypatch.setattr(sidecar, "MAX_TOTAL", length)
    with pytest.raises(FileError, match="more than"):
        add(path, 2)


ADDER = """
import sys
from pathlib import Path
from tests.unit.test_sidecar import add
for n in range(10):
    add(Path(sys.argv[1]), int(sys.argv[2]) * 100 + n)
"""


def test_many_writers_at_once(tmp_path: Path) -> None:
    path = tmp_path / "all.jsonl"
    root = Path(__file__).parents[2]
    writers = [
        subprocess.Popen([sys.executable, "-c", ADDER, str(path), str(n)], cwd=root)
        for n in range(1, 7)
    ]
    assert [w.wait(timeout=60) for w in writers] == [0] * 6
    found = read_sidecar(str(path))
    assert len({s.record.id for s in found if s.record}) == 60
    assert [s.record.previous for s in found[1:] if s.record] == [s.digest for s in found[:-1]]
    assert os.listdir(tmp_path) == ["all.jsonl"]
