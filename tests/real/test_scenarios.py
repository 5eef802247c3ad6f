"""The scenarios, as `make demo` runs them, and what their pages show of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.real.harness import ROOT, Runner
from tests.real.pages import lasting, not_printed
from tests.unit.crates import issues, shelf, strictest

SCENARIOS = ROOT / "scenarios"
# The outputs of each scenario, and the pictures in them.
RESULTS: dict[str, dict[str, tuple[str, ...]]] = {
    "gnuplot-single": {"output.sif": ("text1.png", "text2.png", "text3.png")},
    "gnuplot-multi": {f"output{n}.sif": (f"text{n}.png",) for n in (1, 2, 3)},
    "soil-shared": {"kknn_output.sif": ("soil.png",), "forest_output.sif": ("soil.png",)},
    "soil-split": {"kknn_output.sif": ("soil.png",), "forest_output.sif": ("soil.png",)},
    "pipeline": {"picture.sif": ("soil-moisture.png",)},
}
# Each once; both ways and both users with each other (gnuplot-single by the plugin is the demo).
CASES = [
    ("gnuplot-single", "wrapper", "root"),
    ("gnuplot-multi", "plugin", "root"),
    ("soil-shared", "plugin", "user"),
    ("soil-split", "wrapper", "user"),
    ("pipeline", "plugin", "user"),
]


def shown_by(page: Path) -> list[str]:
    """The lines of a page's console blocks, without the call of run.sh itself."""
    blocks = re.findall(r"^```console\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)
    assert blocks, f"{page} shows nothing"
    lines = lasting("".join(blocks))
    return [line for line in lines if not line.startswith("$ scenarios/")]


@pytest.mark.parametrize(("name", "way", "user"), CASES, indirect=["user"])
def test_a_scenario_runs_replays_and_is_verified(
    name: str,
    way: str,
    user: str,
    run_as: Runner,
    plugin: str,
    scenario_apps: None,
    sifprov: str,
    tmp_path: Path,
) -> None:
    if not sifprov.startswith(str(ROOT)):
        pytest.skip(f"{user} cannot read the checkout in {ROOT}")
    options = ["--wrapper"] if way == "wrapper" else []
    done = run_as([SCENARIOS / name / "run.sh", *options, "work"], timeout=300).expect()
    work = run_as.folder / "work"

    def trail(output: Path) -> Any:
        return json.loads(run_as([sifprov, "trail", "--json", output]).expect().stdout)

    for output, pictures in RESULTS[name].items():
        (row,) = trail(work / output)["container"]["records"]
        assert row["record"]["captured_by"]["kind"] == way
        assert row["record"]["containers"][-1]["path"] == str(work / output)
        files = run_as([sifprov, "data", "ls", "-R", "--json", output], cwd=work).expect().stdout
        sizes = {Path(e["path"]).name: e["size"] for e in json.loads(files)["entries"]}
        for picture in pictures:
            assert sizes[picture] > 5000
        crate = work / f"{output}.crate"
        run_as([sifprov, "export", output, "--format", "ro-crate", "-o", crate], cwd=work).expect()
        metadata = json.loads((crate / "ro-crate-metadata.json").read_bytes())
        assert issues(crate, strictest(metadata), shelf(tmp_path)) == []
    assert done.stdout.count("\nsame\n") == len(RESULTS[name])
    assert not_printed(shown_by(SCENARIOS / name / "README.md"), done.stdout) == []

    if name == "gnuplot-multi":
        for n in "123":
            _names_nothing_but(n, trail(work / f"output{n}.sif"))
    if name == "soil-shared":
        kknn, forest = (float(r) for r in re.findall(r"R² (-?\d\.\d\d)", done.stdout))
        assert 0.5 < kknn < forest < 1
    if name == "pipeline":
        _is_rebuilt(trail(work / "picture.rerun-1.sif"))


def _names_nothing_but(n: str, trail: Any) -> None:
    """Each output's trail names its own input and the application, and nothing else."""
    names = {e["name"] for a in trail["graph"]["activities"] for e in a["record"]["containers"]}
    assert names == {"gnuplot.sif", f"input{n}.sif", f"output{n}.sif"}
    assert trail["missing"] == []
    words = set(re.findall(r"(?:input|output|data|text)\d", json.dumps(trail)))
    assert words == {f"input{n}", f"output{n}", f"data{n}", f"text{n}"}


def _is_rebuilt(trail: Any) -> None:
    """What stood between was lost: the result was made again from the raw data, and says so."""
    run, said = (row["record"] for row in trail["container"]["records"])
    assert run["replays"]["id"] == said["replays"]["id"]
    assert said["captured_by"]["kind"] == "rerun"
    assert said["verdict"]["result"] == "same"
    assert [step["verdict"] for step in said["verdict"]["steps"]] == ["same"] * 4
    kinds = [activity["kind"] for activity in trail["graph"]["activities"]]
    assert (kinds.count("origin"), kinds.count("run")) == (2, 4)
    assert trail["missing"] == []


def test_the_readme_shows_what_the_demo_does(
    user: str, run_as: Runner, plugin: str, gnuplot_sif: str, sifprov: str
) -> None:
    if not sifprov.startswith(str(ROOT)):
        pytest.skip(f"{user} cannot read the checkout in {ROOT}")
    script = SCENARIOS / "gnuplot-single" / "run.sh"
    real = run_as([script, "work"], timeout=300).expect().stdout
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = text.split("```console\n", 1)[1].split("```", 1)[0]
    assert lasting(shown) == lasting(real)
