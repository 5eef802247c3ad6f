"""Sealed containers: the runtime binds them, and a trail and a replay start from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.real.job import COPY, INPUT_TEXT, Job


@pytest.fixture
def done(job: Job) -> Job:
    job.shell(COPY).expect()
    return job


def digest(job: Job, name: str) -> str:
    """The tree digest that `seal` finds."""
    made = job.cli("data", "seal", "--json", name, f"digest-of-{name}").expect()
    return str(json.loads(made.stdout)["digest"])


def test_the_runtime_binds_it_and_reads_the_same_files(done: Job) -> None:
    done.cli("data", "seal", "input.sif", "sealed.sif").expect()
    assert done.path("sealed.sif").stat().st_size < done.path("input.sif").stat().st_size
    bind = ("sealed.sif:/Inputs:image-src=/Inputs",)
    shown = done.exec("cat", "/Inputs/data.txt", binds=bind).expect()
    assert shown.stdout == INPUT_TEXT
    refused = done.exec("sh", "-c", "echo x > /Inputs/data.txt", binds=bind)
    assert refused.code != 0
    assert done.run([done.runtime, "sif", "list", "sealed.sif"]).expect().stdout.count("JSON") == 2


def test_a_run_from_a_sealed_input_is_recorded(done: Job) -> None:
    done.cli("data", "seal", "input.sif", "sealed.sif").expect()
    before = done.path("sealed.sif").read_bytes()
    binds = ("sealed.sif:/Inputs:image-src=/Inputs", "output.sif:/Outputs:image-src=/Outputs")
    done.exec("sh", "-c", COPY, binds=binds).expect()
    first, second = done.records()
    inputs = [[c for c in r["containers"] if c["role"] == "input"] for r in (first, second)]
    assert inputs[0][0]["digest"] == inputs[1][0]["digest"]
    assert inputs[1][0]["name"] == "sealed.sif"
    assert done.path("sealed.sif").read_bytes() == before
    shown = done.cli("rerun", "output.sif").expect(0)
    assert shown.stdout.splitlines()[-1] == "same"


def test_a_replay_finds_the_sealed_copy_of_an_input_by_what_it_says(done: Job) -> None:
    done.cli("data", "seal", "input.sif", "archive-of-may.sif").expect()
    done.run(["mv", "input.sif", "elsewhere"]).expect()
    done.run(["rm", "elsewhere"]).expect()
    shown = done.cli("rerun", "output.sif").expect(0)
    assert shown.stdout.splitlines()[-1] == "same"


def test_a_sealed_output_keeps_its_trail_and_replays(done: Job) -> None:
    (record,) = done.records()
    done.cli("data", "seal", "output.sif", "sealed.sif").expect()
    assert digest(done, "output.sif") == record["containers"][-1]["digest"]
    before = done.path("sealed.sif").read_bytes()
    done.run(["mv", "output.sif", "elsewhere"]).expect()

    carried, origin = done.records("sealed.sif")
    assert carried == record
    assert origin["containers"][0]["uuid"] == record["container"]
    shown = done.cli("rerun", "sealed.sif").expect(0)
    assert shown.stdout.splitlines()[-1] == "same"
    assert done.path("sealed.sif").read_bytes() == before


def test_a_replay_has_room_although_the_sealed_files_are_small(job: Job) -> None:
    job.cli("data", "create", "large.sif", "--mount", "/Outputs", "--free", "6M").expect()
    binds = ("large.sif:/Outputs:image-src=/Outputs",)
    job.exec("sh", "-c", "yes | head -c 4000000 > /Outputs/large", binds=binds).expect()
    job.cli("data", "seal", "large.sif", "sealed.sif").expect()
    assert job.path("sealed.sif").stat().st_size < 100_000
    shown = job.cli("rerun", "sealed.sif").expect(0)
    assert shown.stdout.splitlines()[-1] == "same"


def test_a_sealed_output_is_an_input_of_the_next_run(done: Job) -> None:
    """What declares itself an output and cannot be written is read like any input."""
    done.cli("data", "seal", "output.sif", "results.sif").expect()
    done.cli("data", "create", "next.sif", "--mount", "/Next", "--free", "1M").expect()
    before = done.path("results.sif").read_bytes()
    binds = ("results.sif:/Outputs:image-src=/Outputs", "next.sif:/Next:image-src=/Next")
    done.exec("sh", "-c", "cat /Outputs/copy.txt > /Next/copy.txt", binds=binds).expect()
    assert done.path("results.sif").read_bytes() == before
    (record,) = done.records("next.sif")
    roles = {c["name"]: c["role"] for c in record["containers"]}
    assert roles["results.sif"] == "input"


def test_an_ordinary_user_looks_in_and_takes_out(done: Job) -> None:
    for name in ("output.sif", "sealed.sif"):
        if name == "sealed.sif":
            done.cli("data", "seal", "output.sif", name).expect()
        assert done.cli("data", "ls", name, "/Outputs").expect().stdout == "copy.txt\n"
        assert done.cli("data", "cat", name, "/Outputs/copy.txt").expect().stdout == INPUT_TEXT
        assert "newest run" in done.cli("data", "info", name).expect().stdout
        done.cli("data", "extract", name, f"out-{name}").expect()
        copy: Path = done.path(f"out-{name}") / "Outputs" / "copy.txt"
        assert copy.read_text() == INPUT_TEXT
        assert copy.owner() == done.run.user
