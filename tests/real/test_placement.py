"""Records outside of the outputs: in a metadata container, and in a sidecar beside a folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sifprov import placement
from sifprov.content import Deadline, scan_folder
from tests.real.conftest import tool
from tests.real.harness import Finished
from tests.real.job import COPY, Job
from tests.real.wrapjob import WrapJob

META = {"SIFPROV_METADATA": "meta.sif"}


def trail(job: Job, *argv: str) -> dict[str, Any]:
    done = job.cli("trail", "--json", *argv).expect()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def records(job: Job, *argv: str) -> list[dict[str, Any]]:
    rows = trail(job, *argv)["container"]["records"]
    assert all(row["error"] is None for row in rows), rows
    return [row["record"] for row in rows]


def second_output(job: Job, name: str = "other.sif") -> tuple[str, str]:
    job.cli("data", "create", "-q", name, "--free", "1M", "--mount", "/Outputs").expect()
    return ("input.sif:/Inputs:image-src=/Inputs", f"{name}:/Outputs:image-src=/Outputs")


def outside_of_partition(path: Path) -> tuple[bytes, int]:
    """Header and table of a container, and its length."""
    data = path.read_bytes()
    return data[:53248], len(data)


def test_records_of_several_outputs_are_kept_apart(job: Job) -> None:
    other = second_output(job)
    before = {name: outside_of_partition(job.path(name)) for name in ("output.sif", "other.sif")}
    job.exec("sh", "-c", COPY, env=META).expect()
    job.exec("sh", "-c", COPY, env=META, binds=other).expect()
    done = job.exec("sh", "-c", "date >> /Outputs/copy.txt", env=META).expect()
    assert done.stderr == ""

    # The outputs hold what the application wrote, and nothing of ours.
    for name, was in before.items():
        assert outside_of_partition(job.path(name)) == was
        assert job.cli("trail", name).code == 1
        job.check_file_system(name)
    whole = trail(job, "meta.sif")["container"]
    assert (whole["kind"], len(whole["records"])) == ("metadata", 3)
    first, between, second = (row["record"] for row in whole["records"])
    assert first["container"] == second["container"] != between["container"]
    assert [first["previous"], between["previous"]] == [None, None]
    assert second["previous"] == whole["records"][0]["digest"]

    by_option = trail(job, "output.sif", "--metadata", "meta.sif")["container"]
    assert [row["record"] for row in by_option["records"]] == [first, second]
    assert {row["place"] for row in by_option["records"]} == {str(job.path("meta.sif"))}
    picture = job.cli("trail", "meta.sif").expect().stdout
    assert picture.index("output.sif") < picture.index("other.sif")


def test_a_replay_finds_its_record_there(job: Job) -> None:
    job.exec("sh", "-c", COPY, env=META).expect()
    assert job.cli("rerun", "output.sif").code == 1
    done = job.cli("rerun", "output.sif", "--metadata", "meta.sif").expect(0)
    assert done.stdout.splitlines()[-1] == "same"
    first, replay, verdict = records(job, "meta.sif")
    assert verdict["replays"] == replay["replays"]
    assert replay["replays"]["id"] == first["id"]
    assert len(job.objects("output.rerun-1.sif")) == 1
    refused = job.cli("rerun", "meta.sif").expect(3)
    assert "holds the records of other containers" in refused.stderr


def test_both_runtimes_read_one_that_is_empty_and_one_that_is_not(job: Job) -> None:
    apptainer = tool("build-apptainer", "--find") + "/apptainer"
    placement._make_metadata(str(job.path("empty.sif")))
    job.path("empty.sif").chmod(0o644)
    job.exec("sh", "-c", COPY, env=META).expect()
    for runtime in (job.runtime, apptainer):
        # What the input's record said stands before the run's.
        for name, count in (("empty.sif", 0), ("meta.sif", 2)):
            listed = job.run([runtime, "sif", "list", name]).expect().stdout
            assert len([x for x in listed.splitlines() if x[:1].isdigit()]) == count
            job.run([runtime, "sif", "header", name]).expect()
    done = job.run([job.runtime, "sif", "dump", "2", "meta.sif"]).expect()
    assert json.loads(done.stdout)["schema"] == "sifprov.record/1"


def test_parallel_runs_into_one(job: Job) -> None:
    names = [f"out{i}.sif" for i in range(6)]
    for name in names:
        second_output(job, name)
    script = " & ".join(
        f'"{job.runtime}" exec {" ".join(job.flags)} -B input.sif:/Inputs:image-src=/Inputs '
        f'-B {name}:/Outputs:image-src=/Outputs "{job.app}" sh -c "{COPY}"'
        for name in names
    )
    done = job.run(["sh", "-c", script + " & wait"], env=META, timeout=120).expect()
    assert done.stderr == ""
    assert len({r["container"] for r in records(job, "meta.sif")}) == 6


def test_more_runs_than_its_table_has_places(job: Job) -> None:
    job.exec("sh", "-c", COPY, env=META).expect()
    (record,) = records(job, "meta.sif")
    fill = """
import json, sys
from dataclasses import replace
from uuid import uuid4
from sifprov.model.record import Record
from sifprov.placement import Place, append_to
record = Record.from_bytes(sys.stdin.buffer.read())
for n in range(120):
    append_to(Place("metadata", sys.argv[1]), replace(record, id=uuid4()))
"""
    program = Path(job.sifprov)
    python = re.match(r"#!(\S+)", program.read_text())
    assert python
    library = program.parent / "lib"
    env = {"PYTHONPATH": str(library)} if library.is_dir() else {}
    job.run(
        [python[1], "-c", fill, "meta.sif"], env=env, stdin=json.dumps(record), timeout=120
    ).expect()
    job.exec("sh", "-c", "date > /Outputs/b", env=META).expect()
    found = records(job, "output.sif", "--metadata", "meta.sif")
    assert len(found) == 122
    assert len(job.objects("meta.sif")) < 84
    assert found[-1]["run"]["argv"][-1] == "date > /Outputs/b"


@pytest.mark.parametrize("what", ["data", "nowhere", "foreign"])
def test_what_cannot_be_one_is_left_alone_and_the_record_waits(job: Job, what: str) -> None:
    path = {"data": "input.sif", "nowhere": "missing/meta.sif", "foreign": "notes.jsonl"}[what]
    job.run(["sh", "-c", "echo mine > notes.jsonl"]).expect()
    before = job.path("input.sif").read_bytes()
    state = {"XDG_STATE_HOME": str(job.path("state"))}
    done = job.exec("sh", "-c", COPY, env={"SIFPROV_METADATA": path}).expect(0)
    assert len(done.stderr.splitlines()) == 1, done.stderr
    kept = re.search(r"waits in (\S+\.json),", done.stderr)
    assert kept, done.stderr
    assert job.path("input.sif").read_bytes()[:53248] == before[:53248]
    assert job.path("notes.jsonl").read_text() == "mine\n"
    # When it can be one, flush delivers.
    waiting = Path(kept[1])
    waiting.rename(job.path(f".sifprov-{waiting.name}"))
    job.run(["rm", "-f", "notes.jsonl"]).expect()
    job.run(["mkdir", "-p", "missing"]).expect()
    if what == "data":
        job.run(["mv", "input.sif", "away.sif"]).expect()
    flushed = job.run([job.sifprov, "flush", "--search", "."], env=state).expect()
    assert f"recorded in {job.path(path)}" in flushed.stdout
    assert records(job, path)[0]["run"]["exit_code"] == 0


def wrapped(job: WrapJob, *words: str) -> Finished:
    return job.run(job.wrapped("exec", *words), env=job.env(), timeout=60)


def test_a_plain_folder_has_its_records_beside_it(wrap_job: WrapJob) -> None:
    job = wrap_job
    job.run(["mkdir", "results"]).expect()
    words = ["--in", "input.sif", "--out", "results/", job.app, "sh", "-c"]
    for script in (COPY, "echo more >> /Outputs/copy.txt"):
        assert "sifprov: " not in wrapped(job, *words, script).expect().stderr
    sidecar = job.path("results.sifprov.jsonl")
    # Two records, and before them what the input's record said.
    assert len(sidecar.read_bytes().splitlines()) == 3
    assert sidecar.stat().st_uid == job.path("results").stat().st_uid
    found = trail(job, "results")["container"]
    assert (found["kind"], found["path"]) == ("folder", str(job.path("results")))
    first, second = (row["record"] for row in found["records"])
    assert second["previous"] == found["records"][0]["digest"]
    output = second["containers"][-1]
    assert (output["role"], output["mount"], output["marks"]) == ("output", "/Outputs", ["folder"])
    assert output["uuid"] == first["container"] == second["container"]
    assert output["digest"] == scan_folder(str(job.path("results")), Deadline()).digest
    assert records(job, "results.sifprov.jsonl") == [first, second]
    # The input's making is found from here, as from a container.
    assert "input.sif" in [c["name"] for c in trail(job, "results")["ancestors"]]
    refused = job.cli("rerun", "results").expect(3)
    assert "a replay would write into it" in refused.stderr
    # Folder and sidecar may go elsewhere together.
    job.run(
        ["sh", "-c", "mkdir a; mv results a/final; mv results.* a/final.sifprov.jsonl"]
    ).expect()
    again = ["--out", "a/final", job.app, "sh", "-c", "date > /Outputs/d"]
    wrapped(job, *again).expect()
    assert [r["container"] for r in records(job, "a/final")] == [first["container"]] * 3


def test_a_run_that_declares_nothing_is_left_alone(wrap_job: WrapJob) -> None:
    job = wrap_job
    job.run(["mkdir", "results"]).expect()
    argv = ["-B", "results:/Outputs", job.app, "sh", "-c", "echo x > /Outputs/x"]
    assert "sifprov: " not in wrapped(job, *argv).expect().stderr
    assert not list(job.run.folder.glob("*.jsonl"))
    assert "a folder without a sidecar" in job.cli("trail", "results").expect(2).stderr


def test_the_wrapper_puts_all_records_into_one_place(wrap_job: WrapJob) -> None:
    """Of a container that is there, of one that it makes, and of a folder."""
    job = wrap_job
    job.run(["mkdir", "results"]).expect()
    outputs = ["--out", "output.sif", "--out", "new.sif:/New", "--size", "2M", "--out"]
    script = "for d in Outputs New Folder; do date > /$d/a; done"
    for place in ("meta.sif", "meta.jsonl"):
        words = [*outputs, "results:/Folder", "--metadata", place, job.app, "sh", "-c", script]
        if place == "meta.jsonl":
            words = [w for w in words if w not in ("--size", "2M")]
        assert "sifprov: " not in wrapped(job, *words).expect().stderr
        found = records(job, place)
        assert [c["name"] for c in found[0]["containers"][1:]] == [
            "output.sif",
            "new.sif",
            "results",
        ]
        assert len({r["container"] for r in found}) == len(found) == 3
        for name in ("output.sif", "new.sif", "results"):
            assert len(records(job, name, "--metadata", place)) == 1
    assert job.records("output.sif") == job.records("new.sif") == []
    assert not job.path("results.sifprov.jsonl").exists()
    shown = job.cli("trail", "meta.jsonl").expect().stdout
    assert all(name in shown for name in ("output.sif", "new.sif", "results"))


@pytest.mark.parametrize("place", ["input.sif", "missing/m.sif", "data", "data/data.txt.jsonl"])
def test_the_wrapper_refuses_what_cannot_take_records_before_the_start(
    wrap_job: WrapJob, place: str
) -> None:
    job = wrap_job
    job.run(["cp", "data/data.txt", "data/data.txt.jsonl"]).expect()
    words = ["--out", "output.sif", "--metadata", place, job.app, "touch", "/Outputs/x"]
    done = wrapped(job, *words).expect(255)
    assert place in done.stderr
    assert len(job.objects("output.sif")) == 1
    assert not job.path("missing").exists()
