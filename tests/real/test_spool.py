"""A record whose place cannot take it waits, and is delivered later: with real causes."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from sifprov.sif.write import LOCK_TIMEOUT
from tests.real.harness import Finished, Runner, descendants
from tests.real.job import COPY, Job
from tests.real.wrapjob import WrapJob

OUTPUT = ("output.sif:/Outputs:image-src=/Outputs",)
# Writes, and goes on when the file `go` appears in its working directory, which is the host's.
WAIT = "echo begun > /Outputs/a; touch ready; while [ ! -e go ]; do sleep 0.05; done"


def needs_root(why: str) -> None:
    if os.getuid() != 0:
        pytest.skip(f"{why} needs root")


@contextmanager
def mounted(*argv: str | Path) -> Iterator[None]:
    """A mount for the time of the `with`; the last argument is its place."""
    subprocess.run(["mount", *argv], check=True, timeout=30)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", argv[-1]], check=True, timeout=30)


class During:
    """A run that waits inside the container; the `with` is the time in between."""

    def __init__(
        self, job: Job, env: dict[str, str] | None = None, *, settle: bool = False
    ) -> None:
        """With `settle` the helper gets time to read who the containers are."""
        self.job, self.env, self.settle = job, env or {}, settle
        self.stderr = ""

    def __enter__(self) -> During:
        job = self.job
        for name in ("ready", "go"):
            job.path(name).unlink(missing_ok=True)
        argv = [job.runtime, "exec", *job.flags]
        for bind in OUTPUT:
            argv += ["-B", bind]
        argv += ["-B", str(job.run.folder), "--pwd", str(job.run.folder)]
        line = [*argv, job.app, "sh", "-c", WAIT]
        # In the background of a shell, for the runner itself waits for the end.
        quoted = shlex.join(line)
        job.run(
            ["sh", "-c", f"({quoted} > out 2> err; echo $? > code) > /dev/null 2>&1 &"],
            env={"HOME": str(job.path(".")), **self.env},
        ).expect()
        self.wait_for("ready")
        if self.settle:
            # What it writes down after a second may have no room, so there is an end.
            end = time.monotonic() + 2
            home = Path(os.path.expanduser(f"~{job.run.user}"))
            while time.monotonic() < end and not journals_of(job, home):
                time.sleep(0.1)
        return self

    def __exit__(self, *error: object) -> None:
        self.job.path("go").touch()
        self.wait_for("code")
        self.stderr = self.job.path("err").read_text()
        if error[0] is None:
            assert self.job.path("code").read_text() == "0\n", self.stderr

    def wait_for(self, name: str) -> None:
        deadline = time.monotonic() + 60
        while not self.job.path(name).exists():
            assert time.monotonic() < deadline, f"no {name}: {self.job.path('err').read_text()}"
            time.sleep(0.05)


def kept_in(stderr: str) -> Path:
    """The file that a run's warning names; there is no other line, but what Apptainer tells."""
    assert len([s for s in stderr.splitlines() if not s.startswith("INFO: ")]) == 1, stderr
    found = re.search(r"waits in (\S+\.json), '(sifprov flush[^']*)' delivers it", stderr)
    assert found, stderr
    return Path(found[1])


def document(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def flush(job: Job, *argv: str) -> Finished:
    """Flushes as the user whose spool the helper uses: that of the password database."""
    return job.run([job.sifprov, "flush", *argv], timeout=120)


def delivered(job: Job, kept: Path, *search: str, into: str = "output.sif") -> None:
    """Flush brings the record of `kept` into the container."""
    done = flush(job, "-q", *search)
    assert not kept.exists(), done.stderr
    record = job.records(into)[-1]
    assert record["run"]["exit_code"] == 0
    assert record["run"]["outcome"] == "exited"
    job.check_file_system(into)


@pytest.fixture(autouse=True)
def only_what_is_ours(run_as: Runner) -> Iterator[None]:
    """What a test leaves in the user's spool goes, so that no other test finds it."""
    yield
    home = Path(os.path.expanduser(f"~{run_as.user}"))
    for path in home.glob(".local/state/sifprov/spool/*.*"):
        if str(run_as.folder).encode() in path.read_bytes():
            path.unlink()


def test_a_container_that_became_read_only(job: Job) -> None:
    with During(job) as run:
        if job.run.is_root:
            subprocess.run(["chattr", "+i", job.path("output.sif")], check=True)
        else:
            job.path("output.sif").chmod(0o444)
    kept = kept_in(run.stderr)
    if job.run.is_root:
        subprocess.run(["chattr", "-i", job.path("output.sif")], check=True)
    else:
        assert flush(job).code == 3
        assert kept.exists()
        job.path("output.sif").chmod(0o644)
    reason = document(kept)["reason"]
    assert "Operation not permitted" in reason or "Permission denied" in reason
    delivered(job, kept)


def helper_of(job: Job) -> int:
    """The process id of the helper of this job's run."""
    for _ in range(200):
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                line = (folder / "cmdline").read_bytes()
                if b"sifprov-helper" in line and _is_of(job, folder):
                    return int(folder.name)
        time.sleep(0.05)
    raise AssertionError("no helper is running")


def _is_of(job: Job, folder: Path) -> bool:
    """Whether a helper has one of this job's containers mounted before its eyes."""
    text = (folder / "mountinfo").read_text(errors="replace")
    loops = re.findall(r" (7:\d+) / \S*data-images", text)
    here = os.stat(job.path("output.sif"))
    for loop in loops:
        backing = Path(f"/sys/dev/block/{loop}/loop/backing_file").read_text().rstrip("\n")
        if os.path.exists(backing) and os.path.samestat(os.stat(backing), here):
            return True
    return False


def make_read_only(job: Job) -> None:
    """Mounts the job's folder read-only where this run's helper and plugin look, and nowhere else:
    a file system in use cannot be remounted."""
    bind = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0"'
    argv = ["nsenter", "-m", "-t", str(helper_of(job)), "sh", "-c", bind, str(job.run.folder)]
    subprocess.run(argv, check=True, timeout=30)


def test_a_file_system_that_became_read_only(job: Job) -> None:
    needs_root("a read-only mount")
    with During(job) as run:
        make_read_only(job)
    kept = kept_in(run.stderr)
    assert "Read-only file system" in document(kept)["reason"]
    delivered(job, kept)


def test_a_full_disk(job: Job) -> None:
    needs_root("a small file system")
    place = job.path("disk")
    place.mkdir()
    with mounted("-t", "tmpfs", "-o", "size=16m,mode=777", "none", place):
        job.cli("data", "create", "-q", "disk/output.sif", "--free", "1M", "--mount", "/Outputs")
        job.path("output.sif").unlink()
        job.path("output.sif").symlink_to("disk/output.sif")
        # Sparse containers take their space when it is written.
        data = (place / "output.sif").read_bytes()
        (place / "output.sif").write_bytes(data)
        with During(job) as run:
            job.run(["sh", "-c", "cat /dev/zero > disk/rest"])
        kept = kept_in(run.stderr)
        assert "No space left" in document(kept)["reason"]
        assert (place / "output.sif").stat().st_size == len(data)
        assert flush(job, "-q").code == 3
        (place / "rest").unlink()
        delivered(job, kept)


def test_a_full_disk_under_the_spool_too(job: Job) -> None:
    """The record then lies beside the output, and the warning says where."""
    needs_root("a small file system")
    home = Path(os.path.expanduser(f"~{job.run.user}"))
    state = home / ".local" / "state" / "sifprov"
    job.run(["mkdir", "-p", "-m", "700", state]).expect()
    with mounted("-t", "tmpfs", "-o", "size=64k,mode=700", "none", state):
        shutil.chown(state, job.run.user)
        job.run(["sh", "-c", f"mkdir -m 700 {state}/spool; cat /dev/zero > {state}/full"])
        with During(job, settle=True) as run:
            job.path("output.sif").rename(job.path("moved.sif"))
        kept = kept_in(run.stderr)
        assert kept.parent == job.run.folder
        assert f"sifprov flush --search {job.run.folder}" in run.stderr
        assert document(kept)["record"]["run"]["exit_code"] == 0
        assert not list((state / "spool").iterdir())
    delivered(job, kept, "--search", str(job.run.folder), into="moved.sif")


def test_nothing_can_be_kept_anywhere(job: Job) -> None:
    """A record is lost only where there is no place at all, and then one line says so."""
    needs_root("a small file system")
    home = Path(os.path.expanduser(f"~{job.run.user}"))
    state = home / ".local" / "state" / "sifprov"
    job.run(["mkdir", "-p", "-m", "700", state]).expect()
    with (
        mounted("-t", "tmpfs", "-o", "size=4k,ro", "none", state),
        During(job, env={"HOME": "/proc/1"}) as run,
    ):
        make_read_only(job)
    assert len(run.stderr.splitlines()) == 1
    assert "this run was not recorded" in run.stderr
    assert "nor kept for later" in run.stderr


def test_a_container_that_is_moved(job: Job) -> None:
    with During(job, settle=True) as run:
        job.run(["mkdir", "archive"]).expect()
        job.run(["mv", "output.sif", "archive/results.sif"]).expect()
    kept = kept_in(run.stderr)
    assert flush(job).code == 3
    listed = json.loads(flush(job, "--list", "--json").expect().stdout)["waiting"]
    (mine,) = [w for w in listed if w["path"] == str(kept)]
    assert mine["targets"] == [str(job.path("output.sif"))]
    delivered(job, kept, "--search", str(job.path("archive")), into="archive/results.sif")
    assert "moved" in job.records("archive/results.sif")[0]["containers"][-1]["reason"]


def test_a_container_that_another_one_replaced(job: Job) -> None:
    job.cli("data", "create", "-q", "new.sif", "--free", "1M", "--mount", "/Outputs").expect()
    with During(job, settle=True) as run:
        job.run(["mv", "output.sif", "old.sif"]).expect()
        job.run(["mv", "new.sif", "output.sif"]).expect()
    kept = kept_in(run.stderr)
    assert "another container" in document(kept)["reason"]
    assert job.records("output.sif") == []
    delivered(job, kept, "--search", str(job.run.folder), into="old.sif")
    assert job.records("output.sif") == []


def test_a_container_that_is_gone_for_good(job: Job) -> None:
    with During(job, settle=True) as run:
        job.run(["rm", "output.sif"]).expect()
    kept = kept_in(run.stderr)
    ident = kept.name.removesuffix(".record.json")
    assert flush(job).code == 3
    assert f"dropped {kept}" in flush(job, "--drop", ident).expect().stdout
    assert not kept.exists()
    assert flush(job, "--drop", ident).expect(3).stderr.startswith("sifprov: ")


def test_a_folder_without_rights(job: Job) -> None:
    place = job.path("closed")
    job.run(["mkdir", place]).expect()
    job.run(["mv", "output.sif", place]).expect()
    job.run(["ln", "-s", "closed/output.sif", "output.sif"]).expect()
    with During(job, settle=True) as run:
        place.chmod(0)
    if job.run.is_root:  # who has every right
        assert run.stderr == ""
        assert len(job.records()) == 1
        return
    kept = kept_in(run.stderr)
    place.chmod(0o755)
    delivered(job, kept)


LOCK = """
import sys, time
from sifprov.sif.write import locked
with open(sys.argv[1], "r+b") as file, locked(file, "x"):
    print("locked", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def python_of(job: Job) -> tuple[list[str], dict[str, str]]:
    """How this user starts a Python that knows the package."""
    program = Path(job.sifprov)
    python = re.match(r"#!(\S+)", program.read_text())
    assert python
    library = program.parent / "lib"
    return [python[1], "-c"], ({"PYTHONPATH": str(library)} if library.is_dir() else {})


# It takes half a minute, and everybody waits for a lock in the same way.
@pytest.mark.not_for(either_runtime="singularity")
def test_a_container_that_somebody_else_writes_into(either: Job) -> None:
    """Longer than a run waits for it; `sifprov sign` may ask for a passphrase meanwhile."""
    job = either
    argv, env = python_of(job)
    with During(job) as run:
        holder = subprocess.Popen(
            [*argv, LOCK, job.path("output.sif"), str(LOCK_TIMEOUT + 20)],
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
        )
        assert holder.stdout and holder.stdout.readline() == b"locked\n"
    try:
        kept = kept_in(run.stderr)
        assert f"for {LOCK_TIMEOUT:.0f} s" in document(kept)["reason"]
    finally:
        holder.kill()
        holder.communicate(timeout=10)
    delivered(job, kept)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_helper_that_is_killed_while_the_application_runs(job: Job, how: signal.Signals) -> None:
    needs_root("killing a process of another user")
    with During(job) as run:
        os.kill(helper_of(job), how)
    assert f"ended by signal {how.value}" in run.stderr
    assert "'sifprov flush' will try again" in run.stderr
    assert job.records() == []
    job.cli("flush").expect()
    (record,) = job.records()
    assert record["run"]["exit_code"] == 0
    output = record["containers"][-1]
    assert (output["role"], output["digest"] is None) == ("output", False)
    # Again: nothing is left to deliver.
    assert "nothing waits" in job.cli("flush").expect().stdout


def test_a_helper_that_is_killed_at_any_moment_after_the_end(job: Job) -> None:
    """At moments all through its work: the run is recorded once, at the latest by a flush."""
    needs_root("killing a process of another user")
    # The application looks for its end every 50 ms; the helper then needs about as long.
    for delay in (0.0, 0.02, 0.04, 0.06, 0.08, 0.1, 0.13):
        before = len(job.records())
        with During(job) as run:
            helper = helper_of(job)
            job.path("go").touch()
            time.sleep(delay)
            with suppress(ProcessLookupError):
                os.kill(helper, signal.SIGKILL)
        job.cli("flush", "-q").expect()
        records = job.records()
        assert len(records) == before + 1, (delay, run.stderr)
        assert records[-1]["run"]["exit_code"] == 0
        job.check_file_system("output.sif")


def test_a_request_whose_container_was_used_again(job: Job) -> None:
    """What flush reads is then no longer what the run left, and its record says so."""
    needs_root("killing a process of another user")
    with During(job):
        os.kill(helper_of(job), signal.SIGKILL)
    job.shell("echo newer > /Outputs/b").expect()
    (newer,) = job.records()
    job.cli("flush").expect()
    first, late = job.records()
    assert first == newer
    assert late["run"]["started"] < newer["run"]["started"]
    output = late["containers"][-1]
    assert output["digest"] is None
    assert "changed after the run" in output["reason"]
    trail = json.loads(job.cli("trail", "--json", "output.sif").expect().stdout)
    assert late["previous"] == trail["container"]["records"][0]["digest"]
    # The replay takes the run that came last, not the record that did.
    planned = job.cli("rerun", "--dry-run", "output.sif").expect().stdout
    assert "echo newer" in planned
    assert COPY not in planned


def test_everything_is_killed_at_once(job: Job) -> None:
    """As a batch system does at the end of a job's time: the run is known all the same."""
    needs_root("killing processes of another user")
    home = Path(os.path.expanduser(f"~{job.run.user}"))
    with suppress(AssertionError), During(job) as run:
        helper = helper_of(job)
        deadline = time.monotonic() + 20
        while not (mine := journals_of(job, home)):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        # As long as it goes on, nobody takes it for lost.
        flush(job)
        assert journals_of(job, home) == mine
        starter = int(Path(f"/proc/{helper}/stat").read_text().rpartition(")")[2].split()[1])
        application = descendants(starter)
        # Stopped before: a helper that outlived the starter by a moment would record the run.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in (helper, starter, *application):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
        run.wait_for("code")
        raise AssertionError("its exit code is not of interest")
    assert job.records() == []
    assert journals_of(job, home) == mine
    flush(job)
    assert journals_of(job, home) == []
    (record,) = job.records()
    ended = (record["run"]["outcome"], record["run"]["exit_code"], record["run"]["ended"])
    assert ended == ("unknown", None, None)
    output = record["containers"][-1]
    assert (output["role"], output["digest"]) == ("output", None)


def journals_of(job: Job, home: Path) -> list[Path]:
    encoded = base64.b64encode(str(job.path("output.sif")).encode())
    folder = home / ".local/state/sifprov/spool"
    return [p for p in folder.glob("*.started.jsonl") if encoded in p.read_bytes()]


def test_a_long_run_leaves_nothing_behind(job: Job) -> None:
    home = Path(os.path.expanduser(f"~{job.run.user}"))
    job.shell("echo x > /Outputs/a; sleep 2").expect()
    assert journals_of(job, home) == []
    assert len(job.records()) == 1


def test_the_wrapper_and_its_recorder_are_killed_at_once(wrap_job: WrapJob) -> None:
    job = wrap_job
    needs_root("killing processes of another user")
    script = "echo x > /Outputs/a; touch ready; exec sleep 47"
    words = [
        "-B",
        OUTPUT[0],
        "-B",
        str(job.run.folder),
        "--pwd",
        str(job.run.folder),
        job.app,
        "sh",
        "-c",
    ]
    line = shlex.join([*job.wrapped("exec", *words), script])
    env = {**job.env(), "XDG_STATE_HOME": str(job.path("state"))}
    job.run(["sh", "-c", f"{line} > out 2>&1 &"], env=env).expect()
    deadline = time.monotonic() + 30
    while not list(job.path("state").rglob("*.started.jsonl")):
        assert time.monotonic() < deadline, job.path("out").read_text()
        time.sleep(0.1)
    doomed = {pid for pid in _in_folder(job) for pid in (pid, *descendants(pid))}
    # Stopped before, so that none sees the end of another.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for pid in doomed:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    time.sleep(0.5)
    job.run([job.sifprov, "flush"], env=env, timeout=120).expect()
    record = job.last()
    assert (record["run"]["outcome"], record["captured_by"]["kind"]) == ("unknown", "wrapper")
    assert not list(job.path("state").rglob("*.jsonl"))


def _in_folder(job: Job) -> list[int]:
    """The processes that were started in the job's folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if os.readlink(folder / "cwd") == str(job.run.folder):
                found.append(int(folder.name))
    return found
