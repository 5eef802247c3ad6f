"""The scenarios, as `make demo` runs them: by root and by an ordinary user."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.real.harness import ROOT, Runner

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.parametrize("name", ["gnuplot-single"])
def test_a_scenario_runs_and_replays(
    name: str, run_as: Runner, plugin: str, gnuplot_sif: str, sifprov: str
) -> None:
    if not sifprov.startswith(str(ROOT)):
        pytest.skip(f"{run_as.user} cannot read the checkout in {ROOT}")
    done = run_as([ROOT / "scenarios" / name / "run.sh", "work"], timeout=300).expect()
    assert done.stdout.splitlines()[-1] == "same"
    work = run_as.folder / "work"
    assert {p.name for p in work.glob("*.sif")} == {"input.sif", "output.sif", "output.rerun-1.sif"}

    trail = json.loads(run_as([sifprov, "trail", "--json", "output.sif"], cwd=work).expect().stdout)
    (row,) = trail["container"]["records"]
    output = row["record"]["containers"][-1]
    assert output["path"] == str(work / "output.sif")
    pictures = work / "pictures"
    pictures.mkdir()
    for picture in ("text1.png", "text2.png", "text3.png"):
        data = extract(run_as, work / "output.sif", f"/Outputs/{picture}")
        assert data.startswith(PNG)
        assert len(data) > 5000


def extract(run_as: Runner, image: Path, path: str) -> bytes:
    """Reads a file of an ext3 data container with debugfs."""
    target = image.with_name("extracted")
    run_as(["debugfs", "-R", f"dump {path} {target}", f"{image}?offset=53248"]).expect()
    return target.read_bytes()
