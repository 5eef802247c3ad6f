"""A parameter sweep from one input: many short runs side by side, as the scenario does it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from sifprov.records import read_records
from sifprov.sif import open_image
from tests.real.harness import ROOT, Finished, Runner

# Nothing depends on rights.
pytestmark = pytest.mark.not_for(user="root")

# Lines of a trail over 200 inputs, and characters of a line.
MANY, LONG = 60, 800


def sweep(run: Runner, sifprov: str, runs: int, *options: str, **env: str) -> tuple[Finished, Path]:
    """Runs the scenario. Returns what it printed, and its folder."""
    if not sifprov.startswith(str(ROOT)):
        pytest.skip(f"{run.user} cannot read the checkout in {ROOT}")
    script = ROOT / "scenarios" / "sweep" / "run.sh"
    variables = {"HOME": str(run.folder), "RUNS": str(runs), **env}
    done = run([script, *options, "work"], env=variables, timeout=800).expect()
    return done, run.folder / "work"


def check(done: Finished, work: Path, runs: int, way: str) -> None:
    """Each output has one record, of the run with its own parameter, on the same input; nothing
    was refused, nothing waits, nobody was warned."""
    assert "sifprov:" not in done.stderr
    assert not list(work.parent.glob(".local/state/sifprov/spool/*"))
    rates = (work / "rates.txt").read_text().split()
    assert len(rates) == len(set(rates)) == runs
    assert f"{runs} runs, each with its own rate, on the same input" in done.stdout
    inputs = set()
    for rate in rates:
        record = only_record(work / "fits" / f"{rate}.sif")
        assert record["captured_by"]["kind"] == way
        assert f"rate={rate}" in record["run"]["command"]
        assert record["run"]["exit_code"] == 0
        (source,) = (c for c in record["containers"] if c["role"] == "input")
        inputs.add((source["uuid"], source["digest"]))
        (output,) = (c for c in record["containers"] if c["role"] == "output")
        assert output["path"] == str(work / "fits" / f"{rate}.sif")
    ((_, digest),) = inputs
    assert digest.startswith("tree-v1:")
    assert done.stdout.rstrip().endswith("\nsame")
    # The data were made with 0.42.
    assert re.search(r"^0\.4[123]\d\d \d", done.stdout, re.MULTILINE)


def only_record(path: Path) -> dict[str, Any]:
    """The only record in a container."""
    with open_image(str(path)) as (file, image):
        (stored,) = read_records(file, image)
    assert stored.record
    record: dict[str, Any] = json.loads(stored.record.to_bytes())
    return record


@pytest.mark.timeout(900)
def test_200_runs_side_by_side(
    run_as: Runner, plugin: str, scenario_apps: None, sifprov: str
) -> None:
    done, work = sweep(run_as, sifprov, 200)
    check(done, work, 200, "plugin")
    tree = done.stdout.partition("sifprov trail --collapse")[2].partition("\n200 runs")[0]
    lines = tree.splitlines()
    assert len(lines) < MANY
    assert max(map(len, lines)) < LONG
    assert "197 more inputs of the same kind" in tree


def test_the_wrapper_and_gnu_parallel(
    run_as: Runner, plugin: str, scenario_apps: None, sifprov: str
) -> None:
    if not shutil.which("parallel"):
        pytest.skip("GNU parallel is not installed")
    done, work = sweep(run_as, sifprov, 16, "--wrapper", LAUNCHER="parallel", JOBS="8")
    assert "16 runs, 8 at once" in done.stdout
    check(done, work, 16, "wrapper")
