"""Digests on real runs: what is known is not read, what changes a container is noticed.

That the cache was used is seen by an entry that lies: with its check right, it is believed. That a
file was read while the application ran, by a write past the file system behind that.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sifprov.content import Deadline
from sifprov.digeststore import NAME
from sifprov.hostfs import RACY_NS
from sifprov.identity import identify
from sifprov.partition import scan_partition
from tests.real.harness import Runner
from tests.real.job import Job
from tests.real.wrapjob import WrapJob

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root sees every user's cache")
# More than the cache leaves alone, and some.
SIZE = 24 << 20
LIE = "0" * 64
MARK = bytes(range(97, 123)) * 10
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


def overwrite(path: Path, n: int) -> None:
    """Writes past the file system into the large file in it."""
    at = path.read_bytes().index(MARK[:26])
    argv = ["dd", f"of={path}", "bs=1", f"seek={at + 40 + n}", "conv=notrunc"]
    subprocess.run(argv, input=b"#", capture_output=True, check=True, timeout=60)


def with_large_file(job: Job) -> Path:
    """Makes the output anew, with an old large file in it."""
    source = job.path("old")
    source.mkdir()
    (source / "large").write_bytes(MARK + os.urandom(1 << 20) * (SIZE >> 20))
    job.path("output.sif").unlink()
    argv = ["output.sif", "--from", "old", "--free", "40M", "--mount", "/Outputs"]
    job.cli("data", "create", *argv, "--role", "output").expect()
    old(job.path("output.sif"))
    return job.path("output.sif")


def check_that_each_run_reads_it(job: Job) -> None:
    """Writes into the large file right after each record, when the runtime may still be unmounting
    the container, which hides the file's own ctime."""
    path = with_large_file(job)
    seen = set()
    for n in range(4):
        job.shell(f"echo > /Outputs/{n}").expect()
        overwrite(path, n)
        seen.add(said(job, "output.sif"))
        job.shell(f"echo > /Outputs/{n}").expect()
        assert said(job, "output.sif") == truth(path)
    assert len(seen) == 4


def test_a_write_past_the_file_system_is_noticed_by_the_next_run(either: Job, cache: Path) -> None:
    check_that_each_run_reads_it(either)


def test_and_so_it_is_by_the_wrapper(wrap_job: WrapJob, cache: Path) -> None:
    check_that_each_run_reads_it(wrap_job)


def check_that_it_is_read_meanwhile(job: Job) -> None:
    path = with_large_file(job)
    for n, (digest, believed) in enumerate((("fast", True), ("full", False))):
        before = truth(path)
        writing = threading.Timer(2.5, overwrite, (path, n))
        writing.start()
        env = {"SIFPROV_DIGEST": digest}
        job.exec("sh", "-c", "echo > /Outputs/new; rm /Outputs/new; sleep 4", env=env).expect()
        writing.join()
        assert truth(path) != before
        assert (said(job, "output.sif") == before) is believed, digest
    job.shell("echo > /Outputs/new").expect()
    assert said(job, "output.sif") == truth(path), "the next run reads it itself"


def test_what_a_run_leaves_alone_is_read_while_it_goes_on(either: Job, cache: Path) -> None:
    check_that_it_is_read_meanwhile(either)


def test_and_so_it_is_read_by_the_wrapper(wrap_job: WrapJob, cache: Path) -> None:
    check_that_it_is_read_meanwhile(wrap_job)


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
