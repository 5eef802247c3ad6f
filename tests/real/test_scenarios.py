"""The scenarios, as `make demo` runs them: by root and by an ordinary user."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.real.harness import ROOT, Runner

# The outputs of each scenario, and the pictures in them.
RESULTS: dict[str, dict[str, tuple[str, ...]]] = {
    "gnuplot-single": {"output.sif": ("text1.png", "text2.png", "text3.png")},
    "gnuplot-multi": {f"output{n}.sif": (f"text{n}.png",) for n in (1, 2, 3)},
    "soil-shared": {"kknn_output.sif": ("soil.png",), "forest_output.sif": ("soil.png",)},
    "soil-split": {"kknn_output.sif": ("soil.png",), "forest_output.sif": ("soil.png",)},
    "pipeline": {"picture.sif": ("soil-moisture.png",)},
}


# Both ways and both users, but not each with each; the long ones once.
@pytest.mark.not_for(user="root", way="wrapper")
@pytest.mark.not_for(user="user", way="plugin")
@pytest.mark.not_for(name="soil-shared", way="wrapper")
@pytest.mark.not_for(name="soil-split", way="plugin")
@pytest.mark.parametrize("way", ["plugin", "wrapper"])
@pytest.mark.parametrize("name", RESULTS)
def test_a_scenario_runs_replays_and_is_verified(
    name: str, way: str, user: str, run_as: Runner, plugin: str, scenario_apps: None, sifprov: str
) -> None:
    if not sifprov.startswith(str(ROOT)):
        pytest.skip(f"{user} cannot read the checkout in {ROOT}")
    options = ["--wrapper"] if way == "wrapper" else []
    script = ROOT / "scenarios" / name / "run.sh"
    done = run_as([script, *options, "work"], timeout=300).expect()
    work = run_as.folder / "work"
    for output, pictures in RESULTS[name].items():
        trail = run_as([sifprov, "trail", "--json", output], cwd=work).expect().stdout
        (row,) = json.loads(trail)["container"]["records"]
        record = row["record"]
        assert record["captured_by"]["kind"] == way
        assert record["containers"][-1]["path"] == str(work / output)
        files = run_as([sifprov, "data", "ls", "-R", "--json", output], cwd=work).expect().stdout
        sizes = {Path(e["path"]).name: e["size"] for e in json.loads(files)["entries"]}
        for picture in pictures:
            assert sizes[picture] > 5000
    assert done.stdout.count("\nsame\n") == len(RESULTS[name])
    if name == "pipeline":
        _lose_all_but(work / "picture.sif", run_as, sifprov)


def _lose_all_but(output: Path, run_as: Runner, sifprov: str) -> None:
    """The last container of the pipeline tells the whole way by itself."""
    lost = run_as.folder / "elsewhere"
    lost.mkdir()
    moved = output.rename(lost / output.name)
    shutil.rmtree(output.parent)
    trail = json.loads(run_as([sifprov, "trail", "--json", str(moved)]).expect().stdout)
    kinds = [activity["kind"] for activity in trail["graph"]["activities"]]
    assert (kinds.count("origin"), kinds.count("run")) == (2, 4)
    assert trail["missing"] == []


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
        (r"  [0-9a-f]{8}$", "  ID"),
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
        real, shown = (re.sub(pattern, name, t, flags=re.MULTILINE) for t in (real, shown))
    assert shown.strip().splitlines() == real.strip().splitlines()
