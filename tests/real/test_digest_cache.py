"""The digest cache on real runs: what it knows is not read, what changes a container is noticed.

That it was used is seen by an entry that lies: with its check right, it is believed.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import sqlite3
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sifprov.content import Deadline
from sifprov.digestcache import RACY_NS, UNMOUNT_NS
from sifprov.digeststore import NAME
from sifprov.identity import identify
from sifprov.partition import scan_partition
from tests.real.harness import Runner
from tests.real.job import Job

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root sees every user's cache")
# More than the cache leaves alone, and some.
SIZE = 24 << 20
LIE = "0" * 64
# What an entry of whole files, and one of files inside a container, begin with behind its check.
CHECK = 16


@pytest.fixture
def cache(run_as: Runner) -> Iterator[Path]:
    """The user's database: the helper finds it by the password database, not by HOME."""
    folder = Path(pwd.getpwnam(run_as.user).pw_dir) / ".cache" / "sifprov"
    aside = folder.with_name("sifprov.aside")
    if folder.exists():
        folder.rename(aside)
    yield folder / NAME
    shutil.rmtree(folder, ignore_errors=True)
    if aside.exists():
        aside.rename(folder)


def rows(cache: Path) -> list[tuple[bytes, bytes]]:
    if not cache.exists():
        return []
    with sqlite3.connect(cache) as base:
        found = [(k, v[CHECK:]) for k, v in base.execute("SELECT key, value FROM entry")]
    base.close()
    return found


def put(cache: Path, key: bytes, value: bytes) -> None:
    check = hashlib.sha256(key + value).digest()[:CHECK]
    with sqlite3.connect(cache) as base:
        base.execute("UPDATE entry SET value = ? WHERE key = ?", (check + value, key))
    base.close()


def lie_about_wholes(cache: Path) -> int:
    """Makes every entry of an input say something wrong; returns how many there were."""
    lies = [k for k, v in rows(cache) if v.startswith(b"tree-v1:")]
    for key in lies:
        put(cache, key, f"tree-v1:{LIE} 0".encode())
    return len(lies)


def lie_about_files(cache: Path) -> int:
    """The same for the files inside writable containers."""
    count = 0
    for key, value in rows(cache):
        if not value.startswith((b"tree-v1:", b"image-v1:")):
            size = struct.calcsize("<QQqq32s")
            files = [value[n : n + size] for n in range(8, len(value), size)]
            put(cache, key, value[:8] + b"".join(f[:-32] + bytes(32) for f in files))
            count += len(files)
    return count


def truth(path: Path) -> str:
    partition = identify(str(path)).partition
    assert partition
    return scan_partition(str(path), partition, Deadline()).digest


def said(job: Job, name: str) -> str:
    """The digest of a container in the newest record."""
    (found,) = [c for c in job.records()[-1]["containers"] if c["name"] == name]
    return str(found["digest"])


def old(path: Path) -> None:
    """Waits until a file's last change is old enough to be kept."""
    time.sleep(max(0, path.stat().st_ctime + (RACY_NS + 5e7) / 1e9 - time.time()))


def large_input(job: Job) -> Path:
    (job.path("data") / "large").write_bytes(os.urandom(1 << 20) * (SIZE >> 20))
    job.path("input.sif").unlink()
    job.cli("data", "create", "input.sif", "--from", "data", "--mount", "/Inputs").expect()
    old(job.path("input.sif"))
    return job.path("input.sif")


def by_mount(path: Path) -> None:
    """Edits a file in place through a loop mount, and sets its times back."""
    partition = identify(str(path)).partition
    assert partition
    script = (
        'mount -o loop,offset="$1" "$2" "$3"; cd "$3/Inputs"; touch -r large "$3.ref"; '
        "printf X | dd of=large bs=1 seek=5 conv=notrunc 2>/dev/null; "
        'touch -r "$3.ref" large; cd /; umount "$3"'
    )
    point = path.with_name("point")
    point.mkdir(exist_ok=True)
    before = path.stat()
    subprocess.run(
        ["unshare", "-m", "sh", "-ec", script, "sh", str(partition.offset), path, point],
        check=True, timeout=60,
    )  # fmt: skip
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def by_dd(path: Path) -> None:
    """Writes into the SIF past the file system, and sets its mtime back."""
    partition = identify(str(path)).partition
    assert partition
    before = path.stat()
    with path.open("r+b", buffering=0) as file:
        at = partition.offset + partition.size // 2
        byte = os.pread(file.fileno(), 1, at)
        os.pwrite(file.fileno(), bytes([byte[0] ^ 1]), at)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_an_input_is_read_once_and_every_change_is_noticed(job: Job, cache: Path) -> None:
    path = large_input(job)
    job.shell("echo 1 > /Outputs/1").expect()
    assert said(job, "input.sif") == truth(path)
    assert lie_about_wholes(cache) == 1
    job.shell("echo 2 > /Outputs/2").expect()
    assert said(job, "input.sif") == f"tree-v1:{LIE}", "the cache was asked"
    full = {"SIFPROV_DIGEST": "full"}
    job.exec("sh", "-c", "echo 3 > /Outputs/3", env=full).expect()
    assert said(job, "input.sif") == truth(path), "full asks nothing"
    lie_about_wholes(cache)
    for n, change in enumerate((by_dd, by_mount)):
        before = truth(path)
        change(path)
        assert truth(path) != before
        job.shell(f"echo > /Outputs/changed{n}").expect()
        assert said(job, "input.sif") == truth(path), change.__name__


def test_none_digests_outputs_alone(job: Job, cache: Path) -> None:
    job.exec("sh", "-c", "echo > /Outputs/x", env={"SIFPROV_DIGEST": "none"}).expect()
    roles = {c["role"]: c for c in job.records()[-1]["containers"]}
    assert roles["output"]["digest"] == truth(job.path("output.sif"))
    for role in ("input", "application"):
        assert roles[role]["digest"] is None
        assert "settings" in roles[role]["reason"]
    assert not cache.exists()


def test_unchanged_files_of_an_output_are_not_read_again(job: Job, cache: Path) -> None:
    job.path("output.sif").unlink()
    job.cli("data", "create", "output.sif", "--free", "40M", "--mount", "/Outputs").expect()
    path = job.path("output.sif")
    job.shell(f"head -c {SIZE} /dev/urandom > /Outputs/large; sleep 2.3").expect()
    assert said(job, "output.sif") == truth(path)
    job.shell("echo 2 > /Outputs/second").expect()
    assert said(job, "output.sif") == truth(path)
    # On a busy machine a container may be unmounted too late for the cache to hold.
    for n in range(5):
        assert lie_about_files(cache) >= 1
        job.shell(f"echo > /Outputs/third{n}").expect()
        if said(job, "output.sif") != truth(path):
            break
    else:
        pytest.fail("the large file was read again at every run")

    # Whoever writes past the file system, and be it to the byte that no inode tells of.
    lie_about_files(cache)
    time.sleep(2 * UNMOUNT_NS / 1e9)
    by_dd(path)
    job.shell("echo 4 > /Outputs/fourth").expect()
    assert said(job, "output.sif") == truth(path)

    # And whoever writes into the file by a run.
    job.shell("printf X | dd of=/Outputs/large bs=1 seek=9 conv=notrunc").expect()
    assert said(job, "output.sif") == truth(path)


def test_by_the_kernel_and_by_fuse_every_record_is_right(either: Job, cache: Path) -> None:
    either.path("output.sif").unlink()
    either.cli("data", "create", "output.sif", "--free", "64M", "--mount", "/Outputs").expect()
    path = either.path("output.sif")
    for script in (
        f"head -c {SIZE} /dev/urandom > /Outputs/large; sleep 3.2",
        "echo > /Outputs/second; sleep 3.2",
        "printf X | dd of=/Outputs/large bs=1 seek=9 conv=notrunc",
        "mv /Outputs/large /Outputs/moved; echo > /Outputs/large",
        f"head -c {SIZE} /dev/urandom > /Outputs/large; touch -r /Outputs/moved /Outputs/large",
        "mv /Outputs/large /Outputs/moved",
        "rm /Outputs/moved",
    ):
        either.shell(script).expect()
        assert said(either, "output.sif") == truth(path), script
    assert cache.exists()
