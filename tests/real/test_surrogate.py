"""The scenario `surrogate`: a workflow in three compositions under two runtimes, and what the
catalog answers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.real.harness import Runner
from tests.real.pages import not_printed
from tests.real.test_scenarios import SCENARIOS, shown_by

# The workflow's runs are the user's own; a runtime for each would double the time.
pytestmark = pytest.mark.not_for(user="user")

NETS = {"train-16x1": 0.6, "train-48x3": 0.9, "train-96x2": 0.9}


@pytest.mark.timeout(900)
def test_three_compositions_under_two_runtimes(
    user: str, run_as: Runner, scenario_apps: None, sifprov: str
) -> None:
    home = {"HOME": str(run_as.folder)}
    script = SCENARIOS / "surrogate" / "run.sh"
    done = run_as([script, "work"], env=home, timeout=800).expect()
    work = run_as.folder / "work"
    assert done.stdout.count("surrogate: 5 steps run") == 6
    assert "surrogate: all 5 steps are up to date" in done.stdout
    assert not_printed(shown_by(SCENARIOS / "surrogate" / "README.md"), done.stdout) == []

    def ask(*words: str) -> list[dict[str, str]]:
        catalog = str(work / "catalog.db")
        argv = [sifprov, *words, "--csv", "--catalog", catalog]
        answer = run_as(argv, cwd=work, env=home).expect().stdout
        return list(csv.DictReader(io.StringIO(answer)))

    _metrics_are_noted(ask)
    _compositions_are_told(ask)
    _pictures_are_the_same(run_as, sifprov, work)


def _metrics_are_noted(ask: Any) -> None:
    """Each network's R² is that of its file, the same in all six executions."""
    rows = ask("query", "q6", "--workflow", "surrogate", "--where", "r2>-9")
    found = {(row["activity"], row["variables"]) for row in rows}
    assert len(rows) == 18
    assert {activity for activity, _ in found} == NETS.keys()
    assert len(found) == 3
    for activity, variables in found:
        assert abs(float(variables.removeprefix("r2=")) - NETS[activity]) < 0.05


def _compositions_are_told(ask: Any) -> None:
    """Tables 3 to 5 of the paper: the images of each composition, their makers, the best ones."""
    images: dict[str, set[str]] = {}
    for row in ask("query", "q2", "--workflow", "surrogate"):
        images.setdefault(row["execution"], set()).add(row["image"])
    assert sorted(map(sorted, images.values())) == [
        ["all.sif"], ["all.sif"],
        ["learn.sif", "plot.sif"], ["learn.sif", "plot.sif"],
        ["learn.sif", "plot.sif", "simulate.sif"], ["learn.sif", "plot.sif", "simulate.sif"],
    ]  # fmt: skip
    made = ask("query", "q5", "--user", "*scenarios")
    assert {row["image_tags"] for row in made} == {
        "all.sif", "learn.sif", "plot.sif", "simulate.sif"
    }  # fmt: skip
    every = ask("query", "q7", "--workflow", "surrogate", "--metric", "r2", "--all")
    told = {(row["env_name"].rpartition(", ")[2].split()[0], row["composition"]) for row in every}
    both = ("singularity-ce", "apptainer")
    assert told == {(e, c) for e in both for c in ("coarse", "hybrid", "fine")}
    best = ask("query", "q7", "--workflow", "surrogate", "--metric", "r2")
    assert len(best) == 2
    for row in best:
        times = [float(r["elapsed_s"]) for r in every if r["env_name"] == row["env_name"]]
        assert float(row["elapsed_s"]) == min(times)


def _pictures_are_the_same(run: Runner, sifprov: str, work: Path) -> None:
    """Neither composition nor runtime changed a byte of the result."""
    digests = set()
    for picture in sorted(work.glob("*/*/picture.sif")):
        trail = json.loads(run([sifprov, "trail", "--json", picture], cwd=work).expect().stdout)
        containers = trail["container"]["records"][-1]["record"]["containers"]
        digests.add(next(c["digest"] for c in containers if c["role"] == "output"))
    assert len(digests) == 1
