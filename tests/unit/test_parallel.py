"""Jobs side by side: results in order, one error out, and trees that stay the same."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path

import pytest

from sifprov import content
from sifprov import partition as partitions
from sifprov.content import Deadline, FileState, TooLateError, scan_folder
from sifprov.create import create_data
from sifprov.parallel import run_all
from sifprov.partition import scan_partition


@pytest.mark.parametrize("threads", [1, 2, 7])
def test_results_come_in_the_order_of_the_jobs(threads: int) -> None:
    def job(n: int) -> int:
        time.sleep((20 - n) / 2000)
        return n

    jobs = [partial(job, n) for n in range(20)]
    assert run_all(jobs, threads=threads) == list(range(20))
    assert run_all([], threads=threads) == []


def test_jobs_run_at_the_same_time() -> None:
    both = threading.Barrier(2, timeout=10)
    assert len(run_all([both.wait, both.wait], threads=2)) == 2


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_is_raised_and_nothing_more_is_begun(threads: int) -> None:
    begun: list[int] = []

    def job(n: int) -> None:
        begun.append(n)
        if n == 3:
            raise TooLateError
        time.sleep(0.002)

    with pytest.raises(TooLateError):
        run_all([partial(job, n) for n in range(200)], threads=threads)
    assert len(begun) < 20


class Everything:
    """Knows what it was told, and notes who asked."""

    def __init__(self) -> None:
        self.kept: dict[FileState, str] = {}
        self.threads: set[int] = set()

    def find(self, state: FileState) -> str | None:
        self.threads.add(threading.get_ident())
        return self.kept.get(state)

    def keep(self, state: FileState, value: str) -> None:
        self.kept[state] = value


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree with files that count as large."""
    for module in (content, partitions):
        monkeypatch.setattr(module, "LARGE", 1000)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1, 2})
    top = tmp_path / "tree"
    (top / "sub" / "deep").mkdir(parents=True)
    for n in range(12):
        (top / "sub" / f"large{n}").write_bytes(b"%d" % n * 5000)
        (top / "sub" / "deep" / f"small{n}").write_bytes(b"%d" % n)
    return top


def test_a_folder_and_a_partition_are_read_in_threads_with_the_same_digest(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = create_data(str(tmp_path / "a.sif"), mount="/in", source=str(tree))
    folder, inside = Everything(), Everything()
    parallel = scan_folder(str(tree), Deadline(), folder)
    of_partition = scan_partition(made.path, made.partition, Deadline(), inside)
    assert len(folder.kept) == len(inside.kept) == 24
    for module in (content, partitions):
        monkeypatch.setattr(module, "LARGE", 1 << 40)
    assert scan_folder(str(tree), Deadline()) == parallel
    assert scan_partition(made.path, made.partition, Deadline()) == of_partition


def test_what_is_known_is_not_opened(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Everything()
    before = scan_folder(str(tree), Deadline(), known)

    def refuse(*_: object) -> None:
        raise AssertionError("a file was opened")

    monkeypatch.setattr(content, "_read_file", refuse)
    assert scan_folder(str(tree), Deadline(), known) == before


def test_a_file_that_changes_while_it_is_read_is_not_kept(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = content._read_file

    def slow(name: bytes, folder: int, size: int) -> object:
        yield from read(name, folder, size)
        if name == b"small3":
            (tree / "sub" / "deep" / "small3").write_bytes(b"!")

    monkeypatch.setattr(content, "_read_file", slow)
    known = Everything()
    scan_folder(str(tree), Deadline(), known)
    assert len(known.kept) == 23
