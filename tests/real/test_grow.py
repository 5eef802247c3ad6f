"""Growing a container that runs use: refused while they do, and useful afterwards."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from tests.real.harness import descendants, kill_tree
from tests.real.job import Job
from tests.real.test_sign import Signer
from tests.real.test_sign import signer as signer


def test_an_output_that_was_full_takes_more(job: Job) -> None:
    job.exec("sh", "-c", "dd if=/dev/zero of=/Outputs/a bs=1024 count=900").expect()
    assert job.exec("sh", "-c", "dd if=/dev/zero of=/Outputs/b bs=1024 count=5000").code != 0
    before = job.records()
    job.cli("data", "grow", "output.sif", "--to", "20M").expect()
    assert job.records() == before
    job.check_file_system("output.sif")
    job.exec("sh", "-c", "dd if=/dev/zero of=/Outputs/b bs=1024 count=5000").expect()
    job.check_file_system("output.sif")
    assert len(job.records()) == len(before) + 1
    # A replay makes its fresh output as large.
    job.cli("rerun", "output.sif", "--dry-run").expect()


def test_refused_while_a_run_uses_it(job: Job) -> None:
    argv = [job.runtime, "exec", *job.flags, "-B", "output.sif:/Outputs:image-src=/Outputs"]
    if not job.run.is_root:
        argv = ["runuser", "-u", job.run.user, "--", *argv]
    running = subprocess.Popen(
        [*argv, job.app, "sleep", "47"],
        cwd=job.run.folder,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 30
        while not any(sleeps(pid) for pid in descendants(running.pid)):
            assert time.monotonic() < deadline and running.poll() is None
            time.sleep(0.05)
        before = job.path("output.sif").stat().st_ino
        done = job.cli("data", "grow", "output.sif", "--to", "20M").expect(2)
        assert "is using it" in done.stderr
        assert job.path("output.sif").stat().st_ino == before
    finally:
        kill_tree(running.pid)
        running.wait(timeout=30)


def sleeps(pid: int) -> bool:
    """Whether the process is the application itself, not one that starts it."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[0].endswith(b"sleep") and b"47" in words


def test_signed_records_stay_valid(signer: Signer) -> None:
    signer.append(2)
    signer.sign().expect()
    before = signer.path.read_bytes()
    argv = [signer.sifprov, "data", "grow", str(signer.path), "--to", "20M"]
    assert "group 1" in signer.run(argv).expect(2).stderr
    assert signer.path.read_bytes() == before
    done = signer.run([*argv, "--break-signatures"]).expect()
    assert "group 1" in done.stderr
    assert signer.verify("-g", "1") != 0
    assert signer.verify("-g", "2") == 0
