"""What a run costs whose output holds large files already: each run reads them itself."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sifprov.create import create_data
from tests.bench.jobs import MB, Job, Site
from tests.bench.timing import in_turn, quartiles
from tests.bench.ways import WAYS, Plugin, Way, run
from tests.real.harness import plugin_state

SCRIPTS = (Job("true", "true", 0), Job("sleep 2", "sleep 2", 0))


def old_files(site: Site, size: int, rounds: int) -> None:
    """Prints it, for a command that ends before they are read and one that does not."""
    outputs = {bytes_: _output(site.folder / f"old-{bytes_}", bytes_) for bytes_ in (2 * MB, size)}
    tasks = {}
    for kind in WAYS:
        if not issubclass(kind, Plugin):
            continue
        way = kind(site)
        way.prepare(SCRIPTS[0])
        for job in SCRIPTS:
            for bytes_, output in outputs.items():

                def once(way: Way = way, job: Job = job, output: Path = output) -> float:
                    link = way.folder / "output.sif"
                    link.unlink()
                    link.symlink_to(output)
                    with plugin_state(site.runtime, present=way.sees_plugin):
                        return run(way.argv(job), way.folder, way.env)[0]

                tasks[f"{way.name}, {job.name}, {bytes_ / MB:,.0f} MB"] = once
    times = in_turn(tasks, rounds, warm_up=1)
    print(f"\n| an output that holds a file already, {rounds} rounds | median | quartiles |")
    print("|---|---|---|")
    for name, values in times.items():
        low, middle, high = (v * 1000 for v in quartiles(values))
        print(f"| {name} | {middle:,.0f} ms | {low:,.0f} … {high:,.0f} |")
    for output in outputs.values():
        output.unlink()


def _output(path: Path, size: int) -> Path:
    source = path.with_suffix(".source")
    source.mkdir()
    with (source / "old").open("wb") as file:
        for _ in range(size // MB):
            file.write(os.urandom(MB))
    create_data(str(path), mount="/Outputs", source=str(source), role="output", free=20 * MB)
    shutil.rmtree(source)
    return path
