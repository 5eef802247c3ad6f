"""The digest cache on containers that the kernel has mounted, as a run has them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sifprov.create import create_data
from tests.real.harness import ROOT

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")

# In a mount namespace of its own: whatever happens, nothing stays mounted.
BEGINNING = """
import mmap, os, subprocess, sys, time
from sifprov import content, digestcache, readahead
from sifprov.content import Deadline, scan_folder
from sifprov.digestcache import DigestCache
from sifprov.identity import identify
from sifprov.settings import Settings

digestcache.RACY_NS = readahead.RACY_NS = 50_000_000
path, point, home = sys.argv[1:]
part = identify(path).partition
large = f"{point}/Outputs/large"
opened = []
read = content._read_file

def noting(name, folder, *rest):
    opened.append(name)
    return read(name, folder, *rest)

content._read_file = noting

def mount(*options):
    argv = ["mount", "-o", ",".join(["loop", f"offset={part.offset}", *options]), path, point]
    subprocess.run(argv, check=True)

def umount():
    subprocess.run(["umount", point], check=True)

def begin(**settings):
    "The first half of a run that begins now and mounts the container."
    began = time.time_ns()
    mount()
    cache = DigestCache(Settings(**settings), {"HOME": home})
    cache.ahead(path, part, Deadline(), began)
    for ahead in cache._ahead.values():
        ahead.join()
    return cache

def end(cache):
    "Which files were opened at its end."
    found = cache.changing(path, part, Deadline(), mount=point)
    names = sorted(opened)
    opened.clear()
    truth = scan_folder(point, Deadline())
    opened.clear()
    assert found == truth, (found.digest, truth.digest)
    umount()
    return names

def run(change):
    cache = begin()
    change()
    time.sleep(0.1)
    return end(cache)

def write(name, text="x"):
    with open(f"{point}/Outputs/{name}", "w") as file:
        file.write(text)

everything = [b"large", b"small"]
time.sleep(0.1)
"""


def in_namespace(tmp_path: Path, script: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "small").write_bytes(b"small")
    (source / "large").write_bytes(os.urandom(1 << 20) * 20)
    path = tmp_path / "out.sif"
    create_data(str(path), mount="/Outputs", source=str(source), role="output", free=32 << 20)
    (tmp_path / "point").mkdir()
    (tmp_path / "home").mkdir()
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", BEGINNING + script, path, tmp_path / "point",
         tmp_path / "home"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "pytools")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_what_a_run_leaves_alone_is_not_opened_at_its_end(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
assert run(lambda: None) == []
assert run(lambda: write("new")) == [b"new"]
assert run(lambda: os.rename(f"{point}/Outputs/new", f"{point}/Outputs/newer")) == [b"newer"]
assert run(lambda: os.chmod(large, 0o755)) == [b"large"]
assert end(begin(digest="full")) == sorted([*everything, b"newer"])
# Of a mount that another run began, nobody knows what its journal held.
mount()
time.sleep(1.1)
began = time.time_ns()
cache = DigestCache(Settings(), {"HOME": home})
cache.ahead(path, part, Deadline(), began)
time.sleep(0.2)
assert end(cache) == sorted([*everything, b"newer"])
""",
    )


def test_every_way_to_change_a_file_is_noticed(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
def times_back(change):
    def both():
        before = os.stat(large)
        change()
        os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert os.stat(large).st_mtime_ns == before.st_mtime_ns
    return both

def by_write():
    with open(large, "r+b") as file:
        file.write(b"y")

def by_mapping():
    with open(large, "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
        view[5_000_000] ^= 1

def by_another_name():
    os.link(large, f"{point}/Outputs/also")
    by_write()
    os.unlink(f"{point}/Outputs/also")

def by_replacing():
    with open(large, "rb") as file:
        data = file.read()
    write("other")
    with open(f"{point}/Outputs/other", "wb") as file:
        file.write(b"z" + data[1:])
    os.rename(f"{point}/Outputs/other", large)

for change in (by_write, by_mapping, by_another_name, by_replacing):
    assert run(times_back(change)) == [b"large"], change
""",
    )


def test_a_mapping_that_was_dirty_before_is_noticed(tmp_path: Path) -> None:
    """The kernel changes the ctime only when a clean page is first written to."""
    in_namespace(
        tmp_path,
        """
began = time.time_ns()
mount()
with open(large, "r+b") as file, mmap.mmap(file.fileno(), 0) as view:
    view[0] ^= 1
    time.sleep(0.1)
    cache = DigestCache(Settings(), {"HOME": home})
    cache.ahead(path, part, Deadline(), began)
    (ahead,) = cache._ahead.values()
    ahead.join()
    view[1] ^= 1
assert end(cache) == [b"large"]
""",
    )


def test_a_write_past_the_file_system_at_once_is_noticed(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
def digest():
    cache = begin()
    found = cache.changing(path, part, Deadline(), mount=point).digest
    umount()
    return found

def overwrite():
    status = os.stat(path)
    with open(path, "r+b", buffering=0) as file:
        at = part.offset + part.size // 4
        byte = os.pread(file.fileno(), 1, at)
        os.pwrite(file.fileno(), bytes([byte[0] ^ 1]), at)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

seen = [digest()]
for _ in range(3):
    overwrite()
    seen.append(digest())
assert seen[0] != seen[1] and seen[2:] == seen[:2], seen
""",
    )


def test_a_read_only_mount_changes_nothing_and_another_does(tmp_path: Path) -> None:
    in_namespace(
        tmp_path,
        """
time.sleep(0.1)
def tree():
    cache = DigestCache(Settings(), {"HOME": home})
    found = cache.tree(path, part, Deadline())
    cache.save()
    return type(found).__name__

assert tree() == "Tree"
mount("ro")
umount()
assert tree() == "Known"
mount()
umount()
time.sleep(0.1)
assert tree() == "Tree"
assert tree() == "Known"
""",
    )


FULL = """
import errno, os, subprocess, sys
from sifprov.digeststore import NAME, Store
point = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", point], check=True)
folder = f"{point}/cache"
store = Store(folder)
store.put({b"small": b"value"})
assert store.get(b"small") == b"value"
store.put({b"large": bytes(1 << 20)})
assert store.get(b"large") is None
assert store.get(b"small") == b"value"
with open(f"{point}/fill", "wb", buffering=0) as file:
    try:
        while True:
            file.write(bytes(4096))
    except OSError as error:
        assert error.errno == errno.ENOSPC
store.put({b"more": bytes(60_000)})
store.close()
again = Store(folder)
assert again.get(b"small") == b"value"
again.close()
Store(f"{point}/other").put({b"key": b"value"})
assert os.path.exists(f"{folder}/{NAME}")
"""


def test_a_full_disk_is_no_failure(tmp_path: Path) -> None:
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", FULL, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT / "pytools")},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
