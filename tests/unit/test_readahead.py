"""Files of a writable container are read while the application runs, and at the end what it
changed."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sifprov import digestcache, readahead
from sifprov.content import Deadline, FileState, Tree
from sifprov.create import create_data
from sifprov.digestcache import DigestCache
from sifprov.filesystem.ext3 import Ext3
from sifprov.identity import identify
from sifprov.listing import file_entry
from sifprov.partition import scan_partition
from sifprov.readahead import ReadAhead
from sifprov.settings import FAST, FULL, NONE, Settings
from sifprov.sif import Partition

RACY = 0.03
CONTENT = b"a measurement " * 100
BOTH = [b"out/other", b"out/plain"]


class Bench:
    """A container, and the paths of the files in it that were read."""

    def __init__(self, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source = top / "source"
        source.mkdir()
        (source / "plain").write_bytes(CONTENT)
        (source / "other").write_bytes(b"other")
        self.top, self.path = top, top / "out.sif"
        create_data(str(self.path), mount="/out", source=str(source), role="output")
        found = identify(str(self.path)).partition
        assert found
        self.partition: Partition = found
        self.read: list[bytes] = []
        content = Ext3.content

        def noting(fs: Ext3, node: object) -> object:
            self.read.append(node.path)  # type: ignore[attr-defined]
            return content(fs, node)  # type: ignore[arg-type]

        monkeypatch.setattr(Ext3, "content", noting)
        monkeypatch.setattr(digestcache, "MIN_BYTES", 0)
        monkeypatch.setattr(readahead, "RACY_NS", int(RACY * 1e9))
        time.sleep(2 * RACY)

    def reads(self) -> list[bytes]:
        """What was read since the last call."""
        found, self.read = sorted(self.read), []
        return found

    def cache(self, digest: str = FAST) -> DigestCache:
        return DigestCache(Settings(digest=digest), {"HOME": str(self.top / "home")})

    def begin(self, cache: DigestCache) -> list[bytes]:
        """What a run's first half reads of it."""
        cache.ahead(str(self.path), self.partition, Deadline(), time.time_ns())
        for ahead in cache._ahead.values():
            ahead.join()
        return self.reads()

    def end(self, cache: DigestCache) -> Tree:
        return cache.changing(str(self.path), self.partition, Deadline(), mount=None)

    def truth(self) -> str:
        found = scan_partition(str(self.path), self.partition, Deadline()).digest
        self.reads()
        return found

    def debugfs(self, *commands: str) -> None:
        subprocess.run(
            ["/sbin/debugfs", "-w", "-f", "-", f"{self.path}?offset={self.partition.offset}"],
            input="\n".join((*commands, "")), text=True, capture_output=True, check=True,
            timeout=60,
        )  # fmt: skip

    def superblock(self, place: int, value: int) -> None:
        with self.path.open("r+b") as file:
            file.seek(self.partition.offset + 1024 + place)
            file.write(struct.pack("<I", value))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def overwrite(bench: Bench) -> None:
    """A write past the file system, to a block of a file, its times set back."""
    before = bench.path.stat()
    at = bench.path.read_bytes().index(CONTENT)
    with bench.path.open("r+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"X", at)
    os.utime(bench.path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(("digest", "ahead"), [(FAST, BOTH), (NONE, BOTH), (FULL, [])])
def test_what_a_run_leaves_alone_is_read_once(
    bench: Bench, digest: str, ahead: list[bytes]
) -> None:
    truth = bench.truth()
    for _ in range(2):
        cache = bench.cache(digest)
        assert bench.begin(cache) == ahead
        assert bench.end(cache).digest == truth
        assert bench.reads() == ([] if ahead else BOTH)
    assert not (bench.top / "home").exists(), "nothing is remembered"


def test_what_a_run_changes_is_read_again(bench: Bench) -> None:
    cache = bench.cache()
    assert bench.begin(cache) == BOTH
    new = bench.top / "new"
    new.write_bytes(CONTENT.upper())
    bench.debugfs("cd /out", "rm plain", f"write {new} plain")
    found = bench.end(cache).digest
    assert bench.reads() == [b"out/plain"]
    assert found == bench.truth()


def test_a_write_past_the_file_system_at_any_time_is_noticed(bench: Bench) -> None:
    """By the next run at the latest; no ctime of the container is asked."""
    cache = bench.cache()
    bench.begin(cache)
    before = bench.end(cache).digest
    overwrite(bench)
    cache = bench.cache()
    bench.begin(cache)
    assert bench.end(cache).digest == bench.truth() != before


def test_what_changed_just_now_is_not_read_ahead(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readahead, "RACY_NS", 60 * 10**9)
    cache = bench.cache()
    assert bench.begin(cache) == []
    assert bench.end(cache).digest == bench.truth()


def test_another_file_of_its_name_is_read_whole(bench: Bench) -> None:
    cache = bench.cache()
    bench.begin(cache)
    copy = bench.top / "copy.sif"
    shutil.copy2(bench.path, copy)
    copy.rename(bench.path)
    overwrite(bench)
    found = bench.end(cache).digest
    assert bench.reads() == BOTH
    assert found == bench.truth()


NEEDS_RECOVERY = 6  # with filetype


def test_a_journal_that_waits_is_waited_for(bench: Bench) -> None:
    """What it holds may be the list of a file's blocks."""
    bench.superblock(96, NEEDS_RECOVERY)
    cache = bench.cache()
    cache.ahead(str(bench.path), bench.partition, Deadline(), time.time_ns())
    (ahead,) = cache._ahead.values()
    time.sleep(0.1)
    assert bench.reads() == []
    bench.superblock(44, int(time.time()))  # this run mounts it
    ahead.join()
    assert bench.reads() == BOTH


def test_a_run_that_ends_before_it_is_mounted(bench: Bench) -> None:
    bench.superblock(96, NEEDS_RECOVERY)
    ahead = ReadAhead(str(bench.path), bench.partition, Deadline(), time.time_ns())
    assert ahead.find(FileState(12, 1, 1, 1)) is None
    ahead.join()
    assert bench.reads() == []


class Held:
    """A read that stands still until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reached, self.go = threading.Event(), threading.Event()
        real = file_entry

        def slow(*arguments: object) -> object:
            self.reached.set()
            self.go.wait(20)
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(readahead, "file_entry", slow)


def test_a_file_that_is_being_read_is_waited_for_and_no_other_is_begun(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    held = Held(monkeypatch)
    cache = bench.cache()
    cache.ahead(str(bench.path), bench.partition, Deadline(), time.time_ns())
    assert held.reached.wait(20)
    found: list[Tree] = []
    ending = threading.Thread(target=lambda: found.append(bench.end(cache)))
    ending.start()
    while b"out/other" not in bench.read:
        time.sleep(0.01)
    held.go.set()
    ending.join()
    assert bench.reads() == BOTH, "the larger one ahead, the other at the end"
    assert found[0].digest == bench.truth()


def test_a_read_that_nobody_wants_any_more_ends(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(monkeypatch)
    ahead = ReadAhead(str(bench.path), bench.partition, Deadline(), time.time_ns())
    assert held.reached.wait(20)
    ahead.end()
    held.go.set()
    ahead.join()
    assert not ahead._known


def test_as_fuse_shows_its_times_it_is_the_same_file(bench: Bench) -> None:
    ahead = ReadAhead(str(bench.path), bench.partition, Deadline(), time.time_ns())
    ahead.join()
    for state in list(ahead._known):
        seconds = state._replace(
            mtime_ns=state.mtime_ns // 10**9 * 10**9, ctime_ns=state.ctime_ns // 10**9 * 10**9
        )
        assert ahead.find(state) is not None
        assert ahead.find(seconds) is None
        ahead.in_seconds = True
        assert ahead.find(seconds) == ahead._known[state]
        later = seconds._replace(ctime_ns=seconds.ctime_ns + 10**9)
        assert ahead.find(later) is None
        ahead.in_seconds = False


def damage(bench: Bench) -> None:
    with bench.path.open("r+b") as file:
        file.seek(bench.partition.offset)
        file.write(bytes(8192))


def cut(bench: Bench) -> None:
    os.truncate(bench.path, bench.partition.offset + bench.partition.size // 2)


def remove(bench: Bench) -> None:
    bench.path.unlink()


@pytest.mark.parametrize("harm", [damage, cut, remove], ids=lambda harm: harm.__name__)
def test_what_cannot_be_read_is_not_known(bench: Bench, harm: Callable[[Bench], None]) -> None:
    harm(bench)
    ahead = ReadAhead(str(bench.path), bench.partition, Deadline(), time.time_ns())
    ahead.join()
    assert not ahead.is_of(str(bench.path)) or not ahead._known


def test_a_fault_of_ours_stays_in_the_thread(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The helper's standard error is for one line to the user."""

    def broken(fs: Ext3) -> object:
        raise IndexError("a bug")

    monkeypatch.setattr(Ext3, "walk", broken)
    cache = bench.cache()
    assert bench.begin(cache) == []
    monkeypatch.undo()
    assert bench.end(cache).digest == bench.truth()
    assert capfd.readouterr().err == ""


def test_the_largest_files_come_first_and_no_more_than_so_many(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0})
    ahead = ReadAhead(str(bench.path), bench.partition, Deadline(), time.time_ns())
    ahead.join()
    assert bench.read == [b"out/plain", b"out/other"]
    bench.reads()
    monkeypatch.setattr(readahead, "_MOST", 1)
    cache = bench.cache()
    assert bench.begin(cache) == [b"out/plain"]
    assert bench.end(cache).digest == bench.truth()
