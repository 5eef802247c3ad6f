"""Replay: what `sifprov rerun` costs beyond the recorded run itself and the hashing."""

from __future__ import annotations

import os
import time
from functools import partial
from pathlib import Path

from sifprov.content import Deadline
from sifprov.create import create_data
from sifprov.identity import identify
from sifprov.partition import scan_partition
from tests.bench.jobs import MB, copy
from tests.bench.stats import paired_difference
from tests.bench.thesis import SIFPROV, Options, Place, Raw, Report, app, shuffled, timed
from tests.bench.timing import quartiles

MOST = 0.5
RUN, RERUN, HASHING = "recorded run", "rerun", "hashing"
JOBS = {
    "true": ("true",),
    "SHA-256 of a 100 MB file": ("sh", "-c", "sha256sum /Inputs/large > /Outputs/sum"),
    "copying a 100 MB file": ("sh", "-c", "cp /Inputs/large /Outputs/copy"),
}


def measure(place: Place, options: Options) -> Raw:
    """Runs every job, and replays it, in turn."""
    folder = place.folder / "replay"
    source = folder / "source"
    source.mkdir(parents=True)
    (source / "large").write_bytes(os.urandom(100 * MB))
    create_data(str(folder / "input.sif"), mount="/Inputs", source=str(source))
    create_data(str(folder / "empty.sif"), mount="/Outputs", free=110 * MB)
    tasks = {}
    for number, (job, command) in enumerate(JOBS.items()):
        output = folder / f"output-{number}.sif"
        _run(place, output, command)
        tasks[f"{job}: {RUN}"] = partial(_again, place, folder / "again.sif", command)
        tasks[f"{job}: {RERUN}"] = partial(_rerun, place, output)
        tasks[f"{job}: {HASHING}"] = partial(_hash, [output, output])
    return {"times": shuffled(tasks, options.runs // 3 or 1, options.seed, "replay")}


def _run(place: Place, output: Path, command: tuple[str, ...]) -> float:
    """The run as a user types it, recorded by the wrapper."""
    output.unlink(missing_ok=True)
    copy(output.parent / "empty.sif", output)
    binds = {"/Inputs": "input.sif", "/Outputs": output.name}
    words = place.argv(binds, app("tests/real/busybox.def"), *command)
    argv = [SIFPROV, "exec", "--runtime", place.runtime, *words]
    return timed(argv, place, output.parent)


def _again(place: Place, output: Path, command: tuple[str, ...]) -> float:
    took = _run(place, output, command)
    output.unlink()
    return took


def _rerun(place: Place, output: Path) -> float:
    new = output.with_name("new.sif")
    new.unlink(missing_ok=True)
    argv = [SIFPROV, "rerun", "-q", "--runtime", place.runtime, "--into", str(new), str(output)]
    took = timed(argv, place, output.parent)
    new.unlink()
    return took


def _hash(outputs: list[Path]) -> float:
    """Reads what a comparison has to read: the recorded output and the new one."""
    began = time.perf_counter()
    for path in outputs:
        partition = identify(str(path)).partition
        assert partition
        scan_partition(str(path), partition, Deadline())
    return time.perf_counter() - began


def report(raw: Raw) -> Report:
    """The table, and the bound."""
    said = Report()
    rows = []
    rounds = 0
    for job in JOBS:
        run, rerun, hashing = (raw["times"][f"{job}: {kind}"] for kind in (RUN, RERUN, HASHING))
        rounds = len(run)
        allowed = [a + b for a, b in zip(run, hashing, strict=True)]
        more = paired_difference(rerun, allowed)
        cells = [_spread(values) for values in (run, hashing, rerun)]
        spread = f"{more.low * 1000:+,.0f} … {more.high * 1000:+,.0f}"
        rows.append([job, *cells, f"{more.value * 1000:+,.0f} ms ({spread})"])
        text = f"replaying '{job}' costs {more.value:.2f} s beyond run and hashing"
        said.bars.append((text, more.value <= MOST))
    head = [f"job, medians of {rounds} (quartiles)", "recorded run", "hashing", "rerun"]
    said.table([*head, "more than run and hashing"], rows)
    return said


def _spread(values: list[float]) -> str:
    low, middle, high = (v * 1000 for v in quartiles(values))
    return f"{middle:,.0f} ms ({low:,.0f} … {high:,.0f})"
