"""What `sifprov trail` takes on long trails, start-up included: `make bench-trail` prints it.

The containers are made here. Each carries the record of one run, and embeds those of a thousand
others: a chain, in which each run reads what the one before wrote; a fan-in, one run with a
thousand inputs, each made from a folder; diamonds, in which the number of ways doubles 333 times;
and one container that a thousand runs wrote, all of whose records are its own. No other file is at
hand.
The exit code is 1 when a picture takes more than a second.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sifprov.bundle import pack
from sifprov.embedded import pack_lineage
from sifprov.model.graph import Graph
from sifprov.model.record import Record
from tests.bench.timing import in_turn, machine
from tests.unit.graphmaker import documents
from tests.unit.graphs import FACTS, chain, diamonds, fan_in, rewritten
from tests.unit.sifs import add_object, make_sif

MAX_SECONDS = 1.0
RUNS = 1000
SHAPES: dict[str, Callable[[], Graph]] = {
    f"chain of {RUNS:,} runs": partial(chain, RUNS, FACTS),
    f"{RUNS:,} inputs": partial(fan_in, RUNS),
    f"{RUNS // 3} diamonds": partial(diamonds, RUNS // 3, FACTS),
    f"{RUNS:,} runs into one": partial(rewritten, RUNS, FACTS),
}
WAYS = {"tree": (), "tree, collapsed": ("--collapse",), "json": ("--json",)}


def container(path: Path, graph: Graph) -> Path:
    """A container with the trail of a graph: its own records, and the lineage of all others."""
    target = graph.entities[graph.targets[0]]
    own: list[bytes] = []
    others: list[bytes] = []
    for data in documents(graph).values():
        mine = Record.from_bytes(data).container == target.uuid
        (own if mine else others).append(data)
    if target.uuid is None:
        raise AssertionError
    make_sif(path, uuid=target.uuid)
    for data in pack_lineage(others):
        add_object(path, data, name=b"metadata.lineage.json", group=2)
    if len(own) == 1:
        add_object(path, own[0], name=b"metadata.json", group=2)
    else:
        add_object(path, pack(own), name=b"metadata.bundle.json", group=2)
    return path


def seconds(path: Path, options: tuple[str, ...], worked: list[float]) -> float:
    """How long the program takes to print it; adds to `worked` what it took of a processor."""
    began, before = time.perf_counter(), _processor()
    argv = [sys.executable, "-m", "sifprov", "trail", *options, str(path)]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=60)
    worked.append(_processor() - before)
    return time.perf_counter() - began


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Measures and prints; 1 when a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    print(f"{machine()}\n\n| trail | size of the container | " + " | ".join(WAYS) + " |")
    print("|---|---|" + "---|" * len(WAYS))
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, make) in enumerate(SHAPES.items()):
            path = container(Path(folder, f"{number}.sif"), make())
            worked: dict[str, list[float]] = {way: [] for way in WAYS}
            tasks = {
                way: partial(seconds, path, options, worked[way]) for way, options in WAYS.items()
            }
            times = in_turn(tasks, arguments.rounds)
            medians = {way: statistics.median(times[way]) for way in WAYS}
            worst = max(worst, *medians.values())
            cells = [name, f"{path.stat().st_size // 1024} KiB"]
            cells += [f"{m:.2f} s ({min(worked[way]):.2f} s)" for way, m in medians.items()]
            print("| " + " | ".join(cells) + " |")
    print("\nMedians; in brackets what it takes of a processor at the least.")
    return int(worst > MAX_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
