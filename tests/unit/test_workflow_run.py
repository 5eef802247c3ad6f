"""Workflows carried out by the real Snakemake, with a program that stands for the runtime: what
runs, what does not, and what is left of a run that failed or was interrupted."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit import fakeruntime
from tests.unit.schemas import problems
from tests.unit.verified import make_app
from tests.unit.workflows import Site, diamond, document, make_raw, make_site, step

import sifprov.__main__
from sifprov.api import check_workflow, run_workflow
from sifprov.create import create_data
from sifprov.workflow import history
from sifprov.workflow.work import Work


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A diamond that has run."""
    site = make_site(tmp_path_factory.mktemp("done") / "w")
    site.write(diamond())
    made = site.run()
    assert "w: 4 steps run; execution " in made.stdout
    return site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return make_site(tmp_path / "w")


def test_every_step_is_a_recorded_run_of_one_execution(done: Site) -> None:
    names = ("prep", "left", "right", "join")
    parts = {name: done.part(f"{name}.sif") for name in names}
    assert {name: part["activity"] for name, part in parts.items()} == dict(zip(names, names))  # noqa: B905
    assert len({part["id"] for part in parts.values()}) == 1
    assert {(p["name"], p["composition"]) for p in parts.values()} == {("w", "coarse")}
    assert done.text("join.sif", "/Join/f") == "raw\nprep\nleft\nraw\nprep\nright\njoin\n"
    record = done.record("join.sif")
    assert record.run
    itself = record.itself()
    assert itself
    assert (itself.name, itself.path) == ("join.sif", str(done.path("join.sif")))
    assert not any(".part" in word for word in record.run.argv)
    assert not [n for n in os.listdir(done.folder) if n.endswith((".part", ".old"))]


def test_one_record_ties_the_execution_together(done: Site) -> None:
    shown = json.loads(done.cli("workflow", "show", "w.json", "--json").stdout)
    assert problems("sifprov.workflow-show/1", shown) == []
    (execution,) = shown["executions"]
    assert execution["state"] == "complete"
    assert execution["engine"]["name"] == "snakemake"
    assert execution["id"] == done.part("join.sif")["id"]
    for each in execution["steps"]:
        (output,) = each["outputs"]
        record = done.record(f"{each['activity']}.sif")
        assert output["record"] == str(record.id)
        assert each["state"] == "done"
        assert each["exit_code"] == 0
    lines = done.cli("workflow", "show", "w.workflow.jsonl").stdout
    assert "complete" in lines
    assert str(done.path("join.sif")) in lines


def test_what_is_up_to_date_is_not_run_whatever_the_times_say(done: Site) -> None:
    done.started()
    for name in ("raw.sif", "app.sif", "prep.sif"):
        os.utime(done.path(name))
    again = done.run()
    assert again.stdout == "w: all 4 steps are up to date\n"
    assert done.started() == []
    assert len(json.loads(done.cli("workflow", "show", "w.json", "--all", "--json").stdout)
               ["executions"]) == 1  # fmt: skip


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("command", ["join", "other"], "the command is another one"),
        ("options", ["--nv"], "the runtime's options are other ones"),
        ("environment", {"RATE": "1"}, "the environment is another one"),
        ("application", "raw.sif", None),
        ("activity", "renamed", "right was made by something else"),
    ],
)
def test_what_makes_a_step_run_again_is_said(
    done: Site, field: str, value: object, why: str | None
) -> None:
    changed = diamond()
    changed["steps"][2][field] = value
    done.write(changed, "changed.json")
    told = done.cli("workflow", "check", "changed.json", "--json", code=None)
    if why is None:
        assert "no application container" in told.stderr
        return
    found = {s["activity"]: s["why"] for s in json.loads(told.stdout)["steps"]}
    assert found.pop("renamed" if field == "activity" else "right") == why
    assert set(found.values()) == {None}


def test_what_was_changed_since_is_run_again(site: Site) -> None:
    site.write(document(step("prep", ("raw",))))
    site.run()
    site.cli("data", "grow", "prep.sif", "--to", "2M")
    assert site.run().stdout == "w: its step is up to date\n"
    # Whoever writes past the runtime leaves no record.
    offset = fakeruntime.offset_of(str(site.path("prep.sif")))
    path = f"{site.path('prep.sif')}?offset={offset}"
    subprocess.run(
        ["/sbin/debugfs", "-w", "-R", "mkdir /Prep/more", path], check=True, capture_output=True
    )
    assert "prep: prep was changed since" in site.run("--dry-run").stdout
    site.path("app.sif").unlink()
    make_app(site.path("app.sif"))
    assert "prep: the application has other content" in site.run("--dry-run").stdout
    ran = json.loads(site.run("--json").stdout)
    assert problems("sifprov.workflow-run/1", ran) == []
    assert ran["steps"][0]["why"] == "the application has other content"


def test_what_would_run_is_said_before(done: Site) -> None:
    told = done.run("--dry-run", "--json")
    found = json.loads(told.stdout)
    assert problems("sifprov.workflow-check/1", found) == []
    assert [each["runs"] for each in found["steps"]] == [False] * 4
    changed = diamond()
    changed["steps"][2]["command"] = ["join", "other"]
    done.write(changed, "changed.json")
    shown = done.cli("workflow", "check", "changed.json").stdout.splitlines()
    assert shown[0] == "w: 4 steps, coarse"
    assert shown[1:] == [
        "  up to date  prep",
        "  up to date  left",
        "  to run      right: the command is another one",
        "  to run      join: behind right",
    ]


def test_only_what_depends_on_a_change_is_run(site: Site) -> None:
    make_raw(site.folder, "two\n", "second.sif")
    first = step("left", ("raw",))
    second = step("right", ("raw",))
    second["inputs"][0]["file"] = "second.sif"
    site.write(document(step("join", ("left", "right")), first, second))
    site.run()
    assert sorted(site.started()) == ["join", "left", "right"]
    make_raw(site.folder, "TWO\n", "second.sif")
    ended = site.run()
    assert site.started() == ["right", "join"]
    assert "2 steps run, 1 up to date" in ended.stdout
    assert site.text("join.sif", "/Join/f") == "raw\nleft\nTWO\nright\njoin\n"
    # Made anew with the content that it had: what comes behind is not run again.
    site.path("right.sif").unlink()
    site.run()
    assert site.started() == ["right"]
    part = site.part("right.sif")
    assert part["id"] != site.part("join.sif")["id"]


def test_a_step_that_fails_leaves_what_it_wrote_under_another_name(site: Site) -> None:
    site.write(diamond())
    site.path("fail-left").touch()
    ended = site.run(code=4)
    assert "step 'left': ended with 3" in ended.stderr
    assert "0002.log" in ended.stderr
    assert not site.path("left.sif").exists()
    run = site.record("left.failed.sif").run
    assert run
    assert run.exit_code == 3
    assert not site.path("join.sif").exists()
    shown = json.loads(site.cli("workflow", "show", "w.json", "--json", code=1).stdout)
    states = {s["activity"]: s["state"] for s in shown["executions"][-1]["steps"]}
    assert shown["executions"][-1]["state"] == "failed"
    assert (states["prep"], states["left"], states["join"]) == ("done", "failed", "not-run")
    site.path("fail-left").unlink()
    site.started()
    site.run()
    ran = site.started()
    assert "prep" not in ran
    assert {"left", "join"} <= set(ran)
    # It is the same execution that went on.
    executions = json.loads(site.cli("workflow", "show", "w.json", "--all", "--json").stdout)
    (execution,) = executions["executions"]
    assert execution["state"] == "complete"
    assert {s["state"] for s in execution["steps"]} == {"done"}
    assert site.part("prep.sif")["id"] == site.part("join.sif")["id"] == execution["id"]


def test_an_earlier_result_stays_where_the_new_run_fails(site: Site) -> None:
    site.write(document(step("prep", ("raw",))))
    site.run()
    before = site.record("prep.sif")
    make_raw(site.folder, "other\n")
    site.path("fail-prep").touch()
    site.run(code=4)
    assert site.record("prep.sif") == before
    assert site.path("prep.failed.sif").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_execution_goes_on(site: Site, number: signal.Signals) -> None:
    site.write(diamond())
    site.path("hold-left").touch()
    process = site.begin()
    site.wait_for("left")
    process.send_signal(number)
    out, err = process.communicate(timeout=200)
    assert process.returncode == (130 if number == signal.SIGINT else 143), out + err
    assert not site.path("left.sif").exists()
    assert not site.path(".left.sif.part").exists()
    run = site.record("left.failed.sif").run
    assert run
    assert run.signal == number
    site.path("hold-left").unlink()
    site.started()
    site.run()
    assert "prep" not in site.started()
    executions = json.loads(site.cli("workflow", "show", "w.json", "--all", "--json").stdout)
    (execution,) = executions["executions"]
    assert execution["state"] == "complete"


def test_one_that_was_interrupted_when_all_was_done_is_complete(site: Site) -> None:
    site.write(document(step("prep", ("raw",))))
    site.run()
    path = site.path("w.workflow.jsonl")
    (run,) = history.read(str(path))
    path.unlink()
    history.append(str(path), replace(run, state="interrupted"))
    Work(str(site.path(".w.workflow"))).begin(run.id, history.digest_of(run.workflow))
    site.started()
    site.run()
    assert site.started() == []
    assert history.read(str(path))[-1].state == "complete"
    assert site.run().stdout == "w: its step is up to date\n"


def test_what_a_killed_step_has_left_is_set_aside(site: Site) -> None:
    site.write(document(step("prep", ("raw",))))
    create_data(str(site.path(".prep.sif.part")), mount="/Prep", free=65536)
    site.run()
    assert site.path("prep.sif").exists()
    assert site.path("prep.failed.sif").exists()
    assert not site.path(".prep.sif.part").exists()


def test_a_file_of_somebody_else_is_not_replaced(site: Site) -> None:
    site.write(document(step("prep", ("raw",))))
    create_data(str(site.path("prep.sif")), mount="/Prep", free=65536)
    before = site.path("prep.sif").read_bytes()
    ended = site.run(code=4)
    assert "was not made by step 'prep' of this workflow" in ended.stderr
    assert site.path("prep.sif").read_bytes() == before
    assert site.started() == []


def test_two_engines_are_not_at_work_on_one_workflow(site: Site) -> None:
    site.write(document(step("prep", ("raw",))))
    site.path("hold-prep").touch()
    process = site.begin()
    site.wait_for("prep")
    try:
        assert "this workflow is being run" in site.run(code=2).stderr
    finally:
        site.path("hold-prep").unlink()
        process.communicate(timeout=200)
    assert process.returncode == 0


def test_a_missing_file_is_named_before_anything_runs(site: Site) -> None:
    site.path("raw.sif").unlink()
    site.write(diamond())
    assert f"no such file: {site.path('raw.sif')}" in site.run(code=3).stderr
    assert site.started() == []


# What a shell, Python, Snakemake or JSON could take for its own.
HOSTILE = (
    "a b", "it's", 'say "so"', "{x}", "{{", "}", "$HOME", "`id`", "$(touch hit)", "; touch hit",
    "\\", "\\n", "a\nb", "#", "'''", '"""', "ä€😀", "%s", "{params.plan}", "*", "~", "-x",
    "\u2028", "\x7f", "{0.__class__}", "wildcards",
)  # fmt: skip


def test_no_word_of_a_workflow_is_read_as_anything_else(tmp_path: Path) -> None:
    site = make_site(tmp_path / "it's {x} $HOME; `touch hit`", tmp_path)
    hostile = step("prep", ("raw",), command=[*HOSTILE, "join", "prep"])
    hostile["activity"] = "$(touch hit) {x} '\" \\ ä😀"
    hostile["tags"] = {"{t}": "$(touch hit)\n'"}
    hostile["environment"] = {"X": "$(touch hit)\n{y}'\""}
    hostile["outputs"][0] |= {"name": "{prep} '\"$", "path": "{out} $(touch hit) '.sif"}
    behind = step("left", ("prep",))
    behind["inputs"][0]["output"] = "{prep} '\"$"
    site.write(document(hostile, behind, name="{w} $(touch hit) '\" ä"))
    site.run()
    record = site.record("{out} $(touch hit) '.sif")
    assert record.run
    assert record.run.typed == (*HOSTILE, "join", "prep")
    assert ("SINGULARITYENV_X", "$(touch hit)\n{y}'\"") in record.run.environment
    assert record.annotation
    assert record.annotation.tags == (("{t}", "$(touch hit)\n'"),)
    assert site.part("left.sif")["name"] == "{w} $(touch hit) '\" ä"
    assert not list(tmp_path.rglob("hit"))
    assert site.run().stdout.endswith("all 2 steps are up to date\n")


def test_a_workflow_runs_from_python(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = site.write(document(step("prep", ("raw",))))
    for name, value in site.env.items():
        monkeypatch.setenv(name, value)
    assert [due.why for due in check_workflow(path)] == ["no prep yet"]
    executed = run_workflow(path, jobs=1)
    assert executed.record
    assert executed.record.state == "complete"
    assert not any(due.runs for due in check_workflow(path))
    assert run_workflow(path).record is None


def test_no_module_beside_a_workflow_is_imported(tmp_path: Path) -> None:
    site = make_site(tmp_path / "w")
    hit = tmp_path / "hit"
    for name in ("json", "sifprov", "snakemake", "typing", "site", "sitecustomize"):
        site.path(f"{name}.py").write_text(f"open({str(hit)!r}, 'w').close()\n")
    one = step("prep", ("raw",))
    one["outputs"][0]["path"] = "new/folder/prep.sif"
    path = site.write(document(one))
    argv = [sys.executable, sifprov.__main__.__file__, "workflow", "run", str(path)]
    ended = subprocess.run(
        argv, cwd="/", env=site.env, capture_output=True, text=True, timeout=200, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert not hit.exists()
    assert site.path("new/folder/prep.sif").exists()


def test_a_replay_by_snakemake_comes_to_the_same_verdict(done: Site) -> None:
    done.started()
    words = ("rerun", "join.sif", "--from-origin", "--engine", "snakemake", "--jobs", "2")
    shown = done.cli(*words, "--json")
    found = json.loads(shown.stdout)
    assert problems("sifprov.rerun/1", found) == []
    assert found["verdict"] == "same"
    assert [s["verdict"] for s in found["steps"]] == ["same"] * 4
    assert all(s["milliseconds"] > 0 and not s["again"] for s in found["steps"])
    assert sorted(done.started()) == ["join", "left", "prep", "right"]
    assert not list(done.folder.glob(".*.parts"))
    plain = done.cli("rerun", "join.sif", "--from-origin", "--json").stdout
    assert json.loads(plain)["content"] == found["content"]


def test_a_replay_by_snakemake_that_fails_goes_on(done: Site) -> None:
    done.started()
    words = ("rerun", "join.sif", "--from-origin", "--into", "again.sif")
    done.path("fail-right").touch()
    try:
        ended = done.cli(*words, "--engine", "snakemake", "--jobs", "1", code=4)
    finally:
        done.path("fail-right").unlink()
    assert "ended with 3" in ended.stderr or "exit code 3" in ended.stderr
    assert not done.path("again.sif").exists()
    done.started()
    found = json.loads(done.cli(*words, "--engine", "snakemake", "--json").stdout)
    ran = done.started()
    assert "prep" not in ran
    assert "right" in ran
    # What the first start had done is told so, and nothing else.
    assert sum(s["again"] for s in found["steps"]) == 4 - len(ran)
    assert done.path("again.sif").exists()


def test_an_exported_snakefile_runs_by_plain_snakemake(done: Site, tmp_path: Path) -> None:
    done.cli("export", "join.sif", "--format", "snakemake", "-o", f"{tmp_path}/again/")
    out = tmp_path / "again"
    assert problems("sifprov.workflow/1", json.loads((out / "workflow.json").read_text())) == []
    bins = Path(sys.executable).parent
    assert shutil.which("snakemake", path=str(bins))
    ended = subprocess.run(
        ["snakemake", "--cores", "2"], cwd=out, capture_output=True, text=True, timeout=240,
        check=False, env={**done.env, "PATH": f"{bins}:{done.env['PATH']}"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert done.cli("compare", "join.sif", str(out / "join.sif")).stdout.endswith("same\n")
    one = done.cli("export", "join.sif", "--format", "snakemake").stdout
    assert one == (out / "Snakefile").read_text()
