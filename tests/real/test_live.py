"""Runs that report when they start and when they end, on real runtimes."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests.real.harness import descendants, kill_all, kill_tree
from tests.real.job import BINDS, COPY, Job
from tests.real.wrapjob import WrapJob
from tests.unit.schemas import problems

pytestmark = pytest.mark.usefixtures("nothing_reported")

LIVE = {"SIFPROV_LIVE": "1"}
# A run that has not started, or not ended, after so long will not, seconds.
PATIENCE = 30.0


def reports(job: Job) -> list[dict[str, Any]]:
    """What waits in the queues of the user's home and of the one that the password database names,
    which the plugin's helper goes by; the earliest run first."""
    homes = {job.path("."), Path(pwd.getpwnam(job.run.user).pw_dir)}
    paths = [p for home in homes for p in home.glob(".local/state/sifprov/reports/*.json")]
    found = [json.loads(path.read_bytes()) for path in paths]
    assert [problems("sifprov.report/1", document) for document in found] == [[]] * len(found)
    return sorted(found, key=lambda document: str(document["run"]["started"]))


def listed(job: Job, *verb: str) -> list[dict[str, Any]]:
    """The rows that `sifprov ps --json` or `sifprov log --json` prints."""
    done = job.cli(*verb, "--json", home=job.path(".")).expect()
    rows: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return rows


def wait_for(job: Job, *verb: str, state: str = "running") -> dict[str, Any]:
    """Waits until exactly one run is in this state."""
    end = time.monotonic() + PATIENCE
    while True:
        found = [r for r in listed(job, *verb) if state in (r.get("state"), r.get("outcome"))]
        if len(found) == 1:
            return found[0]
        assert time.monotonic() < end, f"no run is {state}"
        time.sleep(0.1)


@contextmanager
def going_on(
    job: WrapJob, script: str, env: Mapping[str, str] = MappingProxyType({})
) -> Iterator[subprocess.Popen[bytes]]:
    """A run that goes on meanwhile; `communicate` ends its standard input."""
    binds = [word for bind in BINDS for word in ("-B", bind)]
    argv = job.wrapped("exec", *binds, job.app, "sh", "-c", script)
    with begun(job, argv, env) as process:
        yield process


@contextmanager
def begun(
    job: WrapJob, argv: Sequence[str], env: Mapping[str, str] = MappingProxyType({})
) -> Iterator[subprocess.Popen[bytes]]:
    """As the job's user, reporting."""
    user = [] if job.run.is_root else ["setpriv", "--reuid", job.run.user, "--clear-groups"]
    environment = [f"{name}={value}" for name, value in job.env({**LIVE, **env}).items()]
    process = subprocess.Popen(
        [*user, "env", *environment, *argv], cwd=job.path("."), start_new_session=True,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        kill_tree(process.pid)
        process.communicate()


def test_a_run_is_seen_while_it_goes_on_and_when_it_has_failed(wrap_job: WrapJob) -> None:
    job = wrap_job
    with going_on(job, f"{COPY}; read word; exit 7") as process:
        row = wait_for(job, "ps")
        assert row["user"] == job.run.user and row["containers"] == ["input.sif", "output.sif"]
        assert row["command"].endswith("exit 7'")
        assert listed(job, "log") == []
        assert job.cli("ps", home=job.path(".")).expect().stdout.count("running") == 1
        process.communicate(timeout=60)
        assert process.returncode == 7
    assert listed(job, "ps") == []
    (ended,) = listed(job, "log", "--failed")
    assert (ended["id"], ended["outcome"], ended["exit"]) == (row["id"], "exit code 7", 7)
    assert (ended["outputs"], ended["record"]) == (["output.sif"], "recorded")
    # Its record has the same id.
    assert [r["id"] for r in job.records() if r["run"]] == [row["id"]]


def test_a_run_that_is_killed_with_all_who_know_of_it_is_lost(wrap_job: WrapJob) -> None:
    job = wrap_job
    with going_on(job, f"{COPY}; sleep 60") as process:
        row = wait_for(job, "ps")
        end = time.monotonic() + PATIENCE
        while not list(job.path(".local").rglob("*.started.jsonl")):
            assert time.monotonic() < end, "no request in the spool"
            time.sleep(0.1)
        # Stopped before, so that none sees the end of another.
        doomed = [process.pid, *descendants(process.pid)]
        for pid in doomed:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        kill_all(doomed)
        done = job.cli("log", "--json", home=job.path("."))
        end = time.monotonic() + PATIENCE
        while json.loads(done.expect().stdout)["rows"] == [] and time.monotonic() < end:
            done = job.cli("log", "--json", home=job.path("."))
        (lost,) = json.loads(done.stdout)["rows"]
        assert (lost["id"], lost["outcome"]) == (row["id"], "lost")
        assert "'sifprov flush'" in done.stderr
    job.cli("flush", home=job.path(".")).expect()
    assert [r["id"] for r in job.records() if r["run"]] == [row["id"]]
    (known,) = listed(job, "log")
    assert (known["outcome"], known["record"]) == ("unknown", "recorded")


def test_what_the_wrapper_reports(wrap_job: WrapJob) -> None:
    job = wrap_job
    job.exec("sh", "-c", f"{COPY}; exit 7").expect(7)
    assert reports(job) == []
    job.exec("sh", "-c", f"{COPY}; exit 7", env=LIVE).expect(7)
    (end,) = reports(job)
    record = [r for r in job.records() if r["run"]][-1]
    assert (end["id"], end["event"], end["became"]) == (record["id"], "end", "recorded")
    assert end["run"]["argv"] == record["run"]["argv"]
    # A run that records nothing is seen all the same, and one that the runtime refuses.
    job.exec("sh", "-c", "exit 8", binds=(), env=LIVE).expect(8)
    job.exec("true", binds=("none.sif:/Outputs:image-src=/",), env=LIVE).expect(255)
    _, other, refused = reports(job)
    assert (other["became"], other["run"]["exit_code"], other["records"]) == ("unchanged", 8, [])
    assert (refused["became"], refused["run"]["outcome"]) == ("refused", "not-started")


def test_what_the_plugin_reports(job: Job) -> None:
    """As the wrapper does; and where that records a run, the plugin says nothing of it."""
    job.exec("sh", "-c", f"{COPY}; exit 7").expect(7)
    assert reports(job) == []
    job.exec("sh", "-c", f"{COPY}; exit 7", env=LIVE).expect(7)
    record = [r for r in job.records() if r["run"]][-1]
    job.exec("sh", "-c", "exit 8", binds=(), env=LIVE).expect(8)
    wrapper = [job.sifprov, "exec", "--runtime", job.runtime, *job.flags]
    home = {"HOME": str(job.path(".")), **LIVE}
    job.run([*wrapper, job.app, "sh", "-c", "exit 9"], env=home).expect(9)
    first, second, third = reports(job)
    assert (first["id"], first["became"]) == (record["id"], "recorded")
    assert first["run"]["argv"] == record["run"]["argv"]
    assert [r["run"]["exit_code"] for r in (first, second, third)] == [7, 8, 9]
    assert [r["captured_by"]["kind"] for r in (first, second, third)] == [
        "plugin", "plugin", "wrapper",
    ]  # fmt: skip
    assert all(r["where"]["runtime"] and r["where"]["recorder"] for r in (first, second, third))
    assert [r["outcome"] for r in listed(job, "log")[:3]] == [f"exit code {n}" for n in (9, 8, 7)]


def test_what_a_replay_reports(job: Job) -> None:
    """One for each run that it carries out, with the names that its results will have."""
    job.shell(COPY).expect()
    home = {"HOME": str(job.path("."))}
    job.run([job.sifprov, "rerun", "output.sif"], env=home).expect()
    assert reports(job) == []
    job.run(
        [job.sifprov, "rerun", "output.sif", "--into", "again.sif"], env={**home, **LIVE}
    ).expect()
    (end,) = reports(job)
    replayed = [r for r in job.records("again.sif") if r["run"]][-1]
    assert (end["id"], end["event"], end["became"]) == (replayed["id"], "end", "recorded")
    assert end["run"]["argv"] == replayed["run"]["argv"]
    assert (end["where"]["runtime"], end["run"]["exit_code"]) != (None, None)
    assert [c["name"] for c in end["containers"]] == [
        Path(job.app).name, "input.sif", "again.sif",
    ]  # fmt: skip
    # One that fails is seen.
    words = ("rerun", "output.sif", "--set-arg", f"{COPY}={COPY}; exit 4", "--into", "failed.sif")
    job.run([job.sifprov, *words], env={**home, **LIVE}).expect(4)
    assert [r["run"]["exit_code"] for r in reports(job)] == [0, 4]
    assert listed(job, "log", "--failed")[0]["exit"] == 4


def test_a_replay_is_seen_while_it_goes_on_and_when_it_was_interrupted(wrap_job: WrapJob) -> None:
    job = wrap_job
    job.exec("sh", "-c", f"{COPY}; sleep 0").expect()
    longer = f"{COPY}; sleep 0={COPY}; sleep 60"
    words = ("rerun", "output.sif", "--set-arg", longer, "--into", "again.sif")
    with begun(job, [job.sifprov, *words]) as process:
        row = wait_for(job, "ps")
        assert row["containers"] == ["input.sif", "again.sif"]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert listed(job, "ps") == []
    (ended,) = listed(job, "log", "-n", "1")
    assert (ended["id"], ended["record"]) == (row["id"], "not-recorded")
    assert ended["reason"] == "the replay was interrupted"
