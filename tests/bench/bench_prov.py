"""How long the export of a long trail takes, to W3C PROV and as an RO-Crate.

    python -m tests.bench.bench_prov [RUNS]

Prints processor seconds and MiB for each format: other work on the machine does not count.
"""

from __future__ import annotations

import sys
import time

from sifprov.export.crate.package import Wanted, metadata
from sifprov.export.prov import FORMATS, export
from sifprov.model.graph import Graph
from tests.unit.graphmaker import Sample
from tests.unit.graphs import FACTS

CRATE = "ro-crate"


def chain(runs: int) -> Graph:
    """Runs with facts, each of which reads what the one before wrote."""
    s = Sample()
    last, app = s.made("input.sif"), s.application()
    for number in range(runs):
        (last,) = s.run(app, (last,), f"step-{number}.sif", facts=FACTS)
    return s.graph(last)


def written(graph: Graph, fmt: str) -> str:
    """The trail in a format."""
    if fmt == CRATE:
        return metadata(graph, Wanted("", with_data=False, script=""))
    return export(graph, fmt)


def main() -> int:
    """Measures each format three times, and prints the best."""
    graph = chain(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    print("| format | seconds | MiB |\n|---|---|---|")
    for fmt in (*FORMATS, CRATE):
        best, size = float("inf"), 0
        for _ in range(3):
            before = time.process_time()
            size = len(written(graph, fmt).encode())
            best = min(best, time.process_time() - before)
        print(f"| `{fmt}` | {best:.1f} | {size / 2**20:.1f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
