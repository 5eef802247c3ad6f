"""Apptainer with the plugin: as root by kernel mounts, as a user by FUSE in a user namespace."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sifprov.content import Deadline
from sifprov.identity import identify
from sifprov.partition import scan_partition
from tests.real.conftest import installed_plugin, tool
from tests.real.harness import Runner
from tests.real.job import COPY, Job


@pytest.fixture(scope="module")
def apptainer() -> Iterator[str]:
    """Apptainer with the plugin."""
    path = tool("build-apptainer", "--find") + "/apptainer"
    with installed_plugin(path):
        yield path


@pytest.fixture
def job(run_as: Runner, open_fuse: None, apptainer: str, sifprov: str, busybox_sif: str) -> Job:
    flags = ["--no-privs"] if run_as.is_root else ["--userns"]
    made = Job(run_as, apptainer, sifprov, busybox_sif, flags)
    made.create("4M")
    return made


def content_now(path: Path) -> str:
    identity = identify(str(path))
    assert identity.partition
    return scan_partition(str(path), identity.partition, Deadline()).digest


def test_a_run_is_recorded_with_the_content_that_it_left(job: Job) -> None:
    # Again and again, and more than a FUSE driver writes through at once.
    for _ in range(3):
        job.shell("head -c 3000000 /dev/urandom > /Outputs/noise").expect()
        record = job.records()[-1]
        output = record["containers"][-1]
        assert (output["role"], output["reason"]) == ("output", None)
        assert output["digest"] == content_now(job.path("output.sif"))
    assert len(job.records()) == 3
    assert record["run"]["runtime"] == {"name": "apptainer", "version": "1.4.5"}
    assert len(job.objects("input.sif")) == 2


@pytest.mark.parametrize("code", [0, 7, 255])
def test_exit_codes_pass_through_and_are_recorded(job: Job, code: int) -> None:
    job.shell(f"{COPY}; exit {code}").expect(code)
    run = job.records()[0]["run"]
    assert (run["outcome"], run["exit_code"]) == ("exited", code)
    roles = [(c["role"], c["name"]) for c in job.records()[0]["containers"]]
    assert roles[1:] == [("input", "input.sif"), ("output", "output.sif")]


def test_a_replay_is_the_same(job: Job) -> None:
    job.shell(COPY).expect()
    shown = job.cli("rerun", "output.sif").expect(0)
    assert shown.stdout.splitlines()[-1] == "same"
    (replay,) = [r for r in job.records("output.rerun-1.sif") if r["run"]]
    assert replay["run"]["runtime"]["name"] == "apptainer"
