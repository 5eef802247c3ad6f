"""Time: the two models of scenario `soil-split`, native, in bare containers and recorded."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sifprov.create import create_data
from sifprov.trail import read_carrier
from tests.bench.jobs import copy, plugin_installed
from tests.bench.memory import settle
from tests.bench.peers import ROOT
from tests.bench.stats import paired_difference, ratio_of_medians
from tests.bench.thesis import (
    SIFPROV,
    Options,
    Place,
    Raw,
    Report,
    app,
    flush,
    shuffled,
    timed,
)
from tests.bench.timing import quartiles

NATIVE, BARE, PLUGIN, WRAPPER = "native", "bare container", "sifprov, plugin", "sifprov exec"
SOIL = ROOT / "scenarios" / "soil"
LIBRARY = "/usr/local/lib/soil"
MODELS = {"kknn": "weighted k-nearest neighbours", "forest": "random forest"}
THESIS = {"kknn": "26%", "forest": "0.7%"}
MOST_KKNN = 1.03
# More than a run takes.
_MEMORY = 1 << 30
_VERSIONS = ("dpkg-query", "-W", "-f", "${Package} ${Version}\\n")


def measure(place: Place, options: Options) -> Raw:
    """Runs every model in every way, in turn. Raises SystemExit where R is not installed."""
    versions = {model: _same_version(place, model) for model in options.models}
    data = place.folder / "time"
    data.mkdir()
    for part in ("train", "eval"):
        folder = data / part
        subprocess.run(["python3", SOIL / "make_data.py", folder, part], check=True)
        create_data(str(data / f"{part}.sif"), mount=f"/Inputs/{part}", source=str(folder))
    create_data(str(data / "empty.sif"), mount="/Outputs", free=4 << 20)
    results: dict[str, set[str]] = {model: set() for model in options.models}
    tasks: dict[str, Callable[[], float]] = {}
    for model in options.models:
        image = app(f"scenarios/soil/{model}.def")
        tasks[f"{model}: {NATIVE}"] = partial(_native, place, data, model, results[model])
        for way in (BARE, PLUGIN, WRAPPER):
            tasks[f"{model}: {way}"] = partial(
                _contained, place, data, model, image, way, results[model]
            )
    with plugin_installed(place.runtime):
        times = shuffled(tasks, options.runs, options.seed, "time")
    for model, found in results.items():
        if len(found) != 1:
            raise SystemExit(f"{model}: not every way came to the same result")
    return {"times": times, "versions": versions}


def _native(place: Place, data: Path, model: str, results: set[str]) -> float:
    out = data / "out"
    out.mkdir(exist_ok=True)
    table = out / f"{model}.csv"
    table.unlink(missing_ok=True)
    # The same program; the container has what it sources in another place.
    script = data / f"{model}.R"
    script.write_text((SOIL / script.name).read_text().replace(LIBRARY, str(SOIL)))
    script.chmod(0o755)
    settle(_MEMORY)
    took = timed([script, "train/train.csv", "eval/eval.csv", table], place, data)
    results.add(hashlib.sha256(table.read_bytes()).hexdigest())
    return took


def _contained(
    place: Place, data: Path, model: str, image: str, way: str, results: set[str]
) -> float:
    output = data / "output.sif"
    copy(data / "empty.sif", output)
    flush(output)
    binds = {f"/Inputs/{part}": f"{part}.sif" for part in ("train", "eval")}
    table = f"/Outputs/{model}.csv"
    command = (model, "/Inputs/train/train.csv", "/Inputs/eval/eval.csv", table)
    words = place.argv({**binds, "/Outputs": "output.sif"}, image, *command)
    start = [place.runtime, "exec"]
    if way == WRAPPER:
        start = [SIFPROV, "exec", "--runtime", place.runtime]
    settle(_MEMORY)
    took = timed([*start, *words], place, data, plugin=way == PLUGIN)
    recorded = any(record.run for _, record in read_carrier(str(output)).good)
    if recorded != (way != BARE):
        raise SystemExit(f"{way}: {'a' if recorded else 'no'} record was written")
    argv = [SIFPROV, "data", "cat", str(output), table]
    done = subprocess.run(argv, env=place.env, stdout=subprocess.PIPE, check=True)
    results.add(hashlib.sha256(done.stdout).hexdigest())
    return took


def packages(model: str) -> list[str]:
    """The packages that the definition file of a model names."""
    text = (SOIL / f"{model}.def").read_text()
    return [word for line in re.findall(r"^Include:(.*)$", text, re.M) for word in line.split()]


def _same_version(place: Place, model: str) -> str:
    """What runs on the host and in the container; in words where it is not the same."""
    names = packages(model)
    argv = [*_VERSIONS, *names]
    here = subprocess.run(argv, capture_output=True, text=True, check=False)
    if here.returncode:
        raise SystemExit(
            "R is needed on the host too, for the native runs:\n"
            f"    apt-get install --no-install-recommends {' '.join(names)}"
        )
    image = app(f"scenarios/soil/{model}.def")
    inside = subprocess.run(
        [place.runtime, "exec", *place.flags, image, *argv],
        capture_output=True, text=True, env=place.env, timeout=60, check=False,
    )  # fmt: skip
    host = ", ".join(here.stdout.split("\n")[:-1])
    if inside.stdout == here.stdout:
        return host
    return f"{host}; in the container {', '.join(inside.stdout.split(chr(10))[:-1])}"


def report(raw: Raw) -> Report:
    """The table of each model, and the bounds."""
    said = Report()
    for model, title in MODELS.items():
        if model not in raw["versions"]:
            continue
        times = {way: raw["times"][f"{model}: {way}"] for way in (NATIVE, BARE, PLUGIN, WRAPPER)}
        rows = []
        for way, values in times.items():
            low, middle, high = (v * 1000 for v in quartiles(values))
            cells = [way, f"{middle:,.0f} ms", f"{low:,.0f} … {high:,.0f}"]
            for base in (NATIVE, BARE):
                if way == base or (way, base) == (NATIVE, BARE):
                    cells += [""] if base == NATIVE else ["", ""]
                    continue
                ratio = ratio_of_medians(values, times[base])
                cells.append(" … ".join(f"{v - 1:+.1%}" for v in ratio[1:]))
                cells[-1] = f"{ratio.value - 1:+.1%} ({cells[-1]})"
            if way in (PLUGIN, WRAPPER):
                added = paired_difference(values, times[BARE])
                spread = " … ".join(f"{v * 1000:+,.0f}" for v in added[1:])
                cells.append(f"{added.value * 1000:+,.0f} ms ({spread})")
                said.bars.append(_bar(model, way, times, added.low))
            rows.append(cells)
        head = [f"{title}, {len(times[BARE])} runs each", "median", "quartiles"]
        head += [f"over native (thesis: {THESIS[model]})", "over the bare container"]
        said.table([*head, "added, in pairs"], rows)
        said.lines += ["", f"Native and contained: {raw['versions'][model]}."]
    return said


def _bar(model: str, way: str, times: dict[str, list[float]], least: float) -> tuple[str, bool]:
    ratio = ratio_of_medians(times[way], times[BARE])
    if model == "kknn":
        text = f"{way} adds at most 3% to the k-nearest neighbours: {ratio.value - 1:+.1%}"
        return text, ratio.value <= MOST_KKNN
    # What a single run shows less than it varies by itself cannot be seen in it.
    low, middle, high = quartiles(times[BARE])
    seen = least > 0 and quartiles(times[way])[1] > high
    text = f"{way} adds nothing measurable to the forest: {ratio.value - 1:+.1%}"
    return f"{text} (the bare runs vary by {(high - low) / middle:.1%})", not seen
