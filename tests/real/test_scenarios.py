"""The scenarios, as `make demo` runs them: by root and by an ordinary user."""

from __future__ import annotations

import json
import re
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
    for picture in ("text1.png", "text2.png", "text3.png"):
        data = extract(run_as, work / "output.sif", f"/Outputs/{picture}")
        assert data.startswith(PNG)
        assert len(data) > 5000


def extract(run_as: Runner, image: Path, path: str) -> bytes:
    """Reads a file of an ext3 data container with debugfs."""
    target = image.with_name("extracted")
    run_as(["debugfs", "-R", f"dump {path} {target}", f"{image}?offset=53248"]).expect()
    return target.read_bytes()


def test_the_readme_shows_what_the_demo_does(
    user: str, run_as: Runner, plugin: str, gnuplot_sif: str, sifprov: str
) -> None:
    if not sifprov.startswith(str(ROOT)):
        pytest.skip(f"{user} cannot read the checkout in {ROOT}")
    script = ROOT / "scenarios/gnuplot-single/run.sh"
    real = run_as([script, "work"], timeout=300).expect().stdout.replace(" --no-privs", "")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split("```console\n", 1)[1].split("```", 1)[0]
    # What differs from run to run: ids, times and where it ran.
    changes = (
        (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
        (r"(image|tree)-v1:[0-9a-f]{16}", r"\1-v1:DIGEST"),
        (r"run .*, exit", "run TIME, exit"),
        (r"made \d.* from /.*/data", "made TIME from DATA"),
        (r"/\S*/gnuplot-[0-9a-f]{12}\.sif|gnuplot-[0-9a-f]{12}\.sif", "gnuplot.sif"),
        (r"(│  \$) /\S*/singularity", r"\1 singularity"),
        (r"│  by .*, on .*", "│  by USER, on PROCESSOR"),
        (r"│  used .* user, .* system, .* of memory", "│  used RESOURCES"),
        (r"\d+\.\d KiB", "SIZE"),
    )
    for pattern, name in changes:
        real, shown = re.sub(pattern, name, real), re.sub(pattern, name, shown)
    assert shown.strip().splitlines() == real.strip().splitlines()
