"""What `sifprov doctor` says is held against what then happens, on both runtimes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sifprov.pluginadmin import Place, find_place
from sifprov.runtime.find import identify
from tests.real.harness import Finished
from tests.real.job import COPY, Job


def doctor(job: Job, code: int = 0) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """What it says of the job's runtime: the verdict, and each check by its name."""
    done = job.cli("doctor", "--json", "--runtime", job.runtime).expect(code)
    report = json.loads(done.stdout)
    (row,) = report["runtimes"]
    assert report["captured"] is (code == 0)
    return row["capture"], {c["name"]: c for c in [*report["checks"], *row["checks"]]}


def wrapped(job: Job) -> Finished:
    """The job's run by `sifprov exec`."""
    argv = ["exec", "--runtime", job.runtime, *job.flags]
    argv += ["--in", "input.sif", "--out", "output.sif", job.app, "sh", "-c", COPY]
    return job.cli(*argv)


def place(job: Job) -> Place:
    if os.getuid() != 0:
        pytest.skip("changing the plugin wants root")
    return find_place(identify(job.runtime))


@contextmanager
def disabled(job: Job) -> Iterator[None]:
    """The plugin put out of action by the runtime itself."""
    plugin = [place(job).runtime.path, "plugin"]
    subprocess.run([*plugin, "disable", "sifprov"], check=True, timeout=60)
    try:
        yield
    finally:
        subprocess.run([*plugin, "enable", "sifprov"], check=True, timeout=60)


def test_with_the_plugin_plain_runs_are_recorded(either: Job) -> None:
    capture, checks = doctor(either)
    assert (capture["way"], capture["hint"]) == ("plugin", None)
    assert checks["plugin"]["level"] == "ok"
    either.shell(COPY).expect()
    assert [r["captured_by"]["kind"] for r in either.records()] == ["plugin"]


def test_it_sees_how_containers_are_mounted(either: Job) -> None:
    _, checks = doctor(either)
    if either.run.is_root:
        assert "root" in checks["setuid starter"]["text"]
        # `--no-privs` is what its hint says where a plain exec fails.
        hint = checks["capabilities"]["hint"] or ""
        assert "--no-privs" not in either.flags or "--no-privs" in hint
    elif either.runtime.endswith("apptainer"):
        assert "FUSE" in checks["setuid starter"]["text"]
        assert checks["fuse"]["level"] == "ok"
        assert "fuse2fs" in checks["fuse"]["text"]
    else:
        assert checks["setuid starter"]["level"] == "ok"
        assert checks["fuse"]["level"] == "skip"
    needed = ("user namespaces", "e2fsprogs", "squashfs-tools", "python", "locks", "home")
    assert {name: checks[name]["level"] for name in needed} == dict.fromkeys(needed, "ok")


def test_a_variable_that_keeps_runs_from_being_recorded_is_named(either: Job) -> None:
    env = {"HOME": str(either.path(".")), "SIFPROV_CAPTURED": "1"}
    argv = [either.sifprov, "doctor", "--runtime", either.runtime]
    shown = either.run(argv, env=env).expect(1).stdout
    assert "unset SIFPROV_CAPTURED" in shown
    either.exec("sh", "-c", COPY, env=env).expect()
    assert either.records() == []


def test_without_the_plugin_the_wrapper_is_named_and_records(either: Job) -> None:
    with disabled(either):
        capture, checks = doctor(either)
        assert capture["way"] == "wrapper"
        assert "sifprov exec" in capture["hint"]
        assert checks["plugin"]["level"] == "warn"
        either.shell(COPY).expect()
        assert either.records() == []
        wrapped(either).expect()
        assert [r["captured_by"]["kind"] for r in either.records()] == ["wrapper"]


def test_a_plugin_that_breaks_every_run_is_bad(either: Job) -> None:
    there = place(either).object
    away = there.with_name("away")
    there.rename(away)
    try:
        there.write_bytes(b"no plugin")
        there.chmod(0o644)
        capture, checks = doctor(either, 1)
        assert capture["way"] == "not"
        assert checks["plugin"]["level"] == "bad"
        assert "sifprov plugin remove" in capture["hint"]
        assert either.shell(COPY).code != 0
    finally:
        away.rename(there)
    doctor(either)


def test_a_closed_fuse_device_is_named_where_it_is_needed(either: Job) -> None:
    place(either)
    needed = either.runtime.endswith("apptainer") and not either.run.is_root
    device = Path("/dev/fuse")
    mode = device.stat().st_mode & 0o777
    device.chmod(0o600)
    try:
        capture, checks = doctor(either, 1 if needed else 0)
        assert capture["way"] == ("not" if needed else "plugin")
        assert checks["fuse"]["level"] == ("bad" if needed else "skip")
        assert ("chmod" in (capture["hint"] or "")) == needed
        assert (either.shell(COPY).code != 0) == needed
    finally:
        device.chmod(mode)
    doctor(either)


def test_loop_devices_in_use_are_counted(either: Job) -> None:
    place(either)
    checks = doctor(either)[1]
    if "loop devices" not in checks:
        assert "FUSE" in checks["setuid starter"]["text"]
        return
    before = checks["loop devices"]["text"]
    name = str(either.path("output.sif"))
    attach = ["/sbin/losetup", "--find", "--show", "--read-only", name]
    loop = subprocess.run(attach, check=True, capture_output=True, text=True, timeout=60)
    try:
        after = doctor(either)[1]["loop devices"]["text"]
    finally:
        subprocess.run(["/sbin/losetup", "--detach", loop.stdout.strip()], check=True, timeout=60)
    # Other programs of the machine may take and leave some meanwhile.
    assert int(after.split()[0]) >= 1
    assert before.split()[2] == after.split()[2] == "256"


def test_it_leaves_nothing_behind_and_tells_a_closed_folder(either: Job) -> None:
    folder = either.path("watched")
    either.run(["mkdir", folder]).expect()
    either.cli("doctor", "--runtime", either.runtime, folder).expect()
    assert list(folder.iterdir()) == []
    if either.run.is_root:
        return
    shown = either.cli("doctor", "--runtime", either.runtime, "/proc").expect().stdout
    assert "no file can be made there" in shown


def test_people_read_aligned_plain_text(either: Job) -> None:
    shown = either.cli("doctor", "--runtime", either.runtime).expect().stdout
    assert "\x1b" not in shown
    rows = [line for line in shown.splitlines() if line.startswith(("  ok ", "  skip "))]
    assert len(rows) >= 8
    assert all(line[23] == " " and line[24] != " " for line in rows)
    assert max(map(len, shown.splitlines())) <= max(100, 40 + len(either.runtime))
