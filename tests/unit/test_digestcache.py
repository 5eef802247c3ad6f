"""What is remembered is not read again, and whatever changes a container is noticed."""

from __future__ import annotations

import errno
import mmap
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sifprov import digestcache, digeststore, hostfs
from sifprov.content import Deadline, Known, TooLateError, Tree
from sifprov.create import create_data
from sifprov.digestcache import DigestCache
from sifprov.digeststore import NAME, Store
from sifprov.errors import FileError
from sifprov.identity import identify
from sifprov.partition import scan_partition
from sifprov.settings import FULL, Settings, cache_folder
from sifprov.sif import Partition

# In tests a change is old after this; a tick of the kernel's clock takes at most 10 ms.
RACY = 0.03
CONTENT = b"a measurement " * 100


class Bench:
    """A container, a home, and what was read since one last asked."""

    def __init__(self, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.top, self.home = top, top / "home"
        self.home.mkdir()
        source = top / "source"
        source.mkdir()
        (source / "plain").write_bytes(CONTENT)
        (source / "other").write_bytes(b"other")
        self.path = top / "in.sif"
        create_data(str(self.path), mount="/in", source=str(source))
        self.partition = self.find()
        self._read = 0
        monkeypatch.setattr(digestcache, "MIN_BYTES", 0)
        monkeypatch.setattr(digestcache, "RACY_NS", int(RACY * 1e9))
        for name in ("scan_partition", "image_digest"):
            monkeypatch.setattr(digestcache, name, self.counting(getattr(digestcache, name)))
        time.sleep(2 * RACY)

    def find(self) -> Partition:
        found = identify(str(self.path)).partition
        assert found
        return found

    def counting(self, function: Callable[..., object]) -> Callable[..., object]:
        def count(*arguments: object) -> object:
            self._read += 1
            return function(*arguments)

        return count

    def cache(self, **settings: object) -> DigestCache:
        return DigestCache(replace(Settings(), **settings), {"HOME": str(self.home)})  # type: ignore[arg-type]

    def tree(self, **settings: object) -> Tree | Known:
        """The content as a run of its own would say it."""
        cache = self.cache(**settings)
        found = cache.tree(str(self.path), self.partition, Deadline())
        cache.save()
        return found

    def image(self) -> str:
        cache = self.cache()
        found = cache.image(
            str(self.path), [(self.partition.offset, self.partition.size)], Deadline()
        )
        cache.save()
        return found

    def reads(self) -> int:
        """How often content was read since the last call."""
        count, self._read = self._read, 0
        return count

    def truth(self) -> str:
        return scan_partition(str(self.path), self.partition, Deadline()).digest


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    if not hostfs.has_ctime(str(tmp_path)):
        pytest.skip(f"{tmp_path} is on a file system whose ctime is not relied on")
    return Bench(tmp_path, monkeypatch)


def test_what_did_not_change_is_read_once(bench: Bench) -> None:
    first = bench.tree()
    assert bench.reads() == 1
    again = bench.tree()
    assert bench.reads() == 0
    assert isinstance(again, Known)
    assert (again.digest, again.changed_ns) == (first.digest, first.changed_ns)
    image = bench.image()
    assert bench.reads() == 1
    assert bench.image() == image
    assert bench.reads() == 0


def place_of(bench: Bench, content: bytes = CONTENT) -> int:
    return bench.path.read_bytes().index(content[:40])


def restore_times(path: Path, status: os.stat_result) -> None:
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def by_dd(bench: Bench) -> None:
    with bench.path.open("r+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"X", place_of(bench))


def by_dd_with_its_times_set_back(bench: Bench) -> None:
    before = bench.path.stat()
    by_dd(bench)
    restore_times(bench.path, before)
    assert bench.path.stat().st_mtime_ns == before.st_mtime_ns


def by_a_mapping(bench: Bench) -> None:
    with bench.path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[place_of(bench)] = 88


def by_debugfs(bench: Bench) -> None:
    before = bench.path.stat()
    new = bench.top / "new"
    new.write_bytes(CONTENT.replace(b"a", b"b"))
    commands = "cd /in\nrm plain\nwrite {} plain\nset_inode_field plain ctime 20200101\n"
    subprocess.run(
        ["/sbin/debugfs", "-w", "-f", "-", f"{bench.path}?offset={bench.partition.offset}"],
        input=commands.format(new), text=True, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    restore_times(bench.path, before)


def by_another_file_of_its_name(bench: Bench) -> None:
    before = bench.path.stat()
    copy = bench.top / "copy.sif"
    shutil.copy2(bench.path, copy)
    with copy.open("r+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"X", place_of(bench))
    restore_times(copy, before)
    copy.rename(bench.path)


def by_another_name(bench: Bench) -> None:
    other = bench.top / "other-name.sif"
    os.link(bench.path, other)
    time.sleep(2 * RACY)
    bench.tree()
    with other.open("r+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"X", place_of(bench))
    restore_times(other, bench.path.stat())


def by_its_copy(bench: Bench) -> None:
    copy = bench.top / "copy.sif"
    subprocess.run(["cp", "-p", "--reflink=auto", bench.path, copy], check=True, timeout=60)
    bench.path.unlink()
    with copy.open("r+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"X", copy.read_bytes().index(CONTENT[:40]))
    copy.rename(bench.path)


def by_a_link_to_another(bench: Bench) -> None:
    by_dd_source = bench.top / "moved.sif"
    shutil.copy2(bench.path, by_dd_source)
    bench.path.unlink()
    bench.path.symlink_to(by_dd_source)
    by_dd(bench)


@pytest.mark.parametrize(
    "change",
    [
        by_dd, by_dd_with_its_times_set_back, by_a_mapping, by_debugfs,
        by_another_file_of_its_name, by_another_name, by_its_copy, by_a_link_to_another,
    ],
    ids=lambda change: change.__name__,
)  # fmt: skip
@pytest.mark.parametrize("pause", [0, 2 * RACY], ids=["at once", "later"])
def test_every_change_is_noticed(
    bench: Bench, change: Callable[[Bench], None], pause: float
) -> None:
    before = bench.tree().digest
    assert bench.tree().digest == before
    assert bench.reads() == 1
    time.sleep(pause)
    change(bench)
    assert bench.truth() != before
    assert bench.tree().digest == bench.truth()
    time.sleep(2 * RACY)
    assert bench.tree().digest == bench.truth()


def test_a_mapping_that_was_dirty_before_is_noticed(bench: Bench) -> None:
    """The kernel changes the ctime only when a clean page is first written to."""
    with bench.path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        at = place_of(bench)
        view[at] = 87
        time.sleep(2 * RACY)
        before = bench.tree().digest
        assert bench.tree().digest == before
        assert bench.reads() == 1
        view[at] = 88
        assert bench.tree().digest == bench.truth() != before


def test_what_changed_just_now_is_not_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digestcache, "RACY_NS", 60 * 10**9)
    bench.tree()
    bench.tree()
    assert bench.reads() == 2


def test_what_changes_while_it_is_read_is_not_kept(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = scan_partition

    def slow(*arguments: object) -> object:
        found = scan(*arguments)  # type: ignore[arg-type]
        by_dd_with_its_times_set_back(bench)
        return found

    monkeypatch.setattr(digestcache, "scan_partition", slow)
    bench.tree()
    monkeypatch.setattr(digestcache, "scan_partition", scan)
    time.sleep(2 * RACY)
    assert bench.tree().digest == bench.truth()


def test_other_sections_and_other_partitions_are_other_entries(bench: Bench) -> None:
    path, part = str(bench.path), bench.partition
    cache = bench.cache()
    one = cache.image(path, [(part.offset, 100), (part.offset + 100, 100)], Deadline())
    cache.save()
    assert one == cache.image(path, [(part.offset, 200)], Deadline())
    assert one != cache.image(path, [(part.offset, 100)], Deadline())
    cache.save()
    assert bench.reads() == 3


def test_full_reads_everything_and_refreshes(bench: Bench) -> None:
    bench.tree()
    bench.tree(digest=FULL)
    assert bench.reads() == 2
    (bench.home / ".cache" / "sifprov" / NAME).unlink()
    bench.tree(digest=FULL)
    bench.tree()
    assert bench.reads() == 1


def test_without_a_cache_nothing_is_written(bench: Bench) -> None:
    bench.tree(cache=False)
    bench.tree(cache=False)
    assert bench.reads() == 2
    assert not (bench.home / ".cache").exists()


def test_errors_of_reading_come_through(bench: Bench) -> None:
    part = replace(bench.partition, offset=bench.partition.offset + 512)
    for _ in range(2):
        with pytest.raises(FileError):
            bench.cache().tree(str(bench.path), part, Deadline())
    with pytest.raises(FileError):
        bench.cache().image(str(bench.top / "none.sif"), [(0, 1)], Deadline())
    late = Deadline()
    late.start(-1)
    with pytest.raises(TooLateError):
        bench.cache().tree(str(bench.path), bench.partition, late)


def test_the_database_is_the_users_alone(bench: Bench) -> None:
    bench.tree()
    folder = bench.home / ".cache" / "sifprov"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / NAME).stat().st_mode & 0o777 == 0o600
    assert cache_folder({"HOME": "/h", "XDG_CACHE_HOME": "/x"}) == "/x/sifprov"
    assert cache_folder({"HOME": "/h", "XDG_CACHE_HOME": "x"}) == "/h/.cache/sifprov"


def test_what_small_containers_do_not_need_is_not_loaded(bench: Bench) -> None:
    code = (
        "import sys; from sifprov.digestcache import DigestCache; from sifprov.settings import *\n"
        "from sifprov.content import Deadline; from sifprov.identity import identify\n"
        "p = sys.argv[1]; c = DigestCache(Settings(), {'HOME': sys.argv[2]})\n"
        "c.tree(p, identify(p).partition, Deadline()); c.save()\n"
        "c.ahead(p, identify(p).partition, Deadline(), 0)\n"
        "print(*({'sqlite3', 'sifprov.readahead'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, bench.path, bench.home],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "\n"


def test_the_kinds_of_file_systems() -> None:
    assert hostfs.kind_of("/proc/self") == b"proc"
    assert hostfs.kind_of("/dev/shm") == b"tmpfs"
    assert not hostfs.has_ctime("/dev/shm")
    assert hostfs.is_local("/dev/shm")
    assert not hostfs.is_local("/proc")
    assert hostfs.kind_of("/nowhere/at/all") == b""


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "lustre", "fuse.sshfs", "cifs", "tmpfs", "9p"])
def test_a_container_on_a_network_is_always_read(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(hostfs, "kind_of", lambda path: kind.encode())
    bench.tree()
    bench.tree()
    assert bench.reads() == 2


@pytest.mark.parametrize("garbage", [b"", b"SQLite format 3\0" + bytes(100), b"x" * 9000])
def test_a_broken_database_is_made_anew(bench: Bench, garbage: bytes) -> None:
    folder = bench.home / ".cache" / "sifprov"
    folder.mkdir(parents=True, mode=0o700)
    (folder / NAME).write_bytes(garbage)
    (folder / NAME).chmod(0o600)
    digest = bench.tree().digest
    assert bench.tree().digest == digest
    assert bench.tree().digest == digest
    assert bench.reads() <= 2


def test_damage_gives_no_digest_instead_of_a_wrong_one(bench: Bench) -> None:
    digest = bench.tree().digest
    file = bench.home / ".cache" / "sifprov" / NAME
    raw = file.read_bytes()
    at = raw.index(digest.encode())
    file.write_bytes(raw[: at + 10] + b"0" + raw[at + 11 :])
    if raw[at + 10 : at + 11] == b"0":
        file.write_bytes(raw[: at + 10] + b"1" + raw[at + 11 :])
    bench.reads()
    assert bench.tree().digest == digest
    assert bench.reads() == 1


def test_any_damage_to_the_database_ends_well(bench: Bench) -> None:
    digest = bench.tree().digest
    file = bench.home / ".cache" / "sifprov" / NAME
    raw = file.read_bytes()
    for n in range(0, len(raw), max(1, len(raw) // 60)):
        bad = bytearray(raw)
        bad[n : n + 16] = os.urandom(len(bad[n : n + 16]))
        file.write_bytes(bad)
        file.chmod(0o600)
        assert bench.tree().digest == digest


@pytest.mark.parametrize("call", ["makedirs", "open"])
def test_a_home_that_is_read_only_is_no_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    # As root no mode of a folder would do.
    real = getattr(os, call)

    def refuse(path: str, *arguments: object, **named: object) -> object:
        if str(bench.home) in str(path) or path == NAME:
            raise OSError(errno.EROFS, "Read-only file system", path)
        return real(path, *arguments, **named)

    monkeypatch.setattr(os, call, refuse)
    assert bench.tree().digest == bench.tree().digest
    assert bench.reads() == 2


def test_no_home_and_a_home_that_cannot_be_are_no_failure(bench: Bench) -> None:
    bench.home.rmdir()
    bench.home.write_text("a file")
    assert bench.tree().digest == bench.tree().digest
    assert bench.reads() == 2


def test_a_python_without_sqlite_is_no_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sifprov.digeststore", None)
    assert bench.tree().digest == bench.tree().digest
    assert bench.reads() == 2


def test_a_folder_that_others_can_write_is_not_used(bench: Bench) -> None:
    folder = bench.home / ".cache" / "sifprov"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    bench.tree()
    assert not list(folder.iterdir())
    folder.chmod(0o700)
    (folder / NAME).symlink_to(bench.top / "elsewhere")
    bench.tree()
    assert not (bench.top / "elsewhere").exists()


def test_a_locked_database_is_waited_for_a_moment_only(bench: Bench) -> None:
    import sqlite3

    bench.tree()
    base = sqlite3.connect(bench.home / ".cache" / "sifprov" / NAME, isolation_level=None)
    base.execute("BEGIN EXCLUSIVE")
    began = time.monotonic()
    bench.tree()
    assert time.monotonic() - began < 3
    assert bench.reads() == 2
    base.close()
    bench.tree()
    assert bench.reads() == 0


def test_a_full_disk_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digeststore, "MAX_BYTES", 1 << 20)
    store = Store(str(tmp_path / "c"))
    store.put({b"small": b"value"})
    # SQLite says the same when the disk is full as when its own limit is reached.
    store.put({b"large": bytes(3 << 20)})
    assert store.get(b"large") is None
    store.put({b"k%d" % n: os.urandom(50_000) for n in range(30)})
    store.put({b"last": b"value"})
    assert store.get(b"last") == b"value"
    assert (tmp_path / "c" / NAME).stat().st_size <= 1 << 20


def test_what_was_not_used_for_longest_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digeststore, "MAX_BYTES", 1 << 20)
    store = Store(str(tmp_path / "c"))
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    for n in range(200):
        now[0] += 100_000
        store.put({b"k%d" % n: bytes(10_000)})
        assert store.get(b"k0") is not None, "what is used stays"
    assert store.get(b"k199") is not None
    assert store.get(b"k1") is None
    assert (tmp_path / "c" / NAME).stat().st_size <= 1 << 20


USER = """
import sys, os
from sifprov.digeststore import Store
store = Store(sys.argv[1]); me = int(sys.argv[2])
for n in range(40):
    key = b"key%d" % (n % 10)
    found = store.get(key)
    assert found is None or found == key * 50, found
    store.put({key: key * 50, b"own%d-%d" % (me, n): b"x" * 100})
store.close()
"""


def test_32_processes_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    folder = str(tmp_path / "c")
    users = [
        subprocess.Popen([sys.executable, "-c", USER, folder, str(n)], stderr=subprocess.PIPE)
        for n in range(32)
    ]
    for user in users:
        _, complaint = user.communicate(timeout=200)
        assert (user.returncode, complaint) == (0, b"")
    assert time.monotonic() - began < 200
    store = Store(folder)
    assert store.get(b"key3") == b"key3" * 50
    own = sum(store.get(b"own%d-%d" % (m, n)) is not None for m in range(32) for n in range(40))
    assert own > 32 * 40 // 4, "a busy database is waited for"
    assert sorted(os.listdir(folder)) == [NAME]
