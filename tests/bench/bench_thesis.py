"""The numbers of the MSc thesis behind this program, measured again: `make bench-thesis`.

Time, space, zero-copy and replay, each on the same work as in the thesis and printed beside its own
numbers, as tables ready to be pasted. Raw results go to a file, part by part, from which the
tables can be printed again. The exit code is 1 when a bound is not kept.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench import thesis_copy, thesis_replay, thesis_space, thesis_time
from tests.bench.peers import ROOT
from tests.bench.thesis import Options, Report, make_place, progress
from tests.bench.timing import machine

PARTS: dict[str, Any] = {
    "time": thesis_time,
    "space": thesis_space,
    "copy": thesis_copy,
    "replay": thesis_replay,
}
RESULTS = ROOT / "build" / "bench-thesis.json"


def read_results(path: Path) -> dict[str, Any]:
    """What was measured before; nothing where there is no such file."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def keep(path: Path, results: dict[str, Any]) -> None:
    """Writes all that is measured so far."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")


def show(name: str, result: dict[str, Any]) -> bool:
    """Prints the tables of a part; whether its bounds are kept."""
    said: Report = PARTS[name].report(result["raw"])
    print(f"\n### {name.capitalize()}\n\n{result['machine']}; {result['seconds']:.0f} s")
    print("\n".join(said.lines), flush=True)
    missed = [text for text, good in said.bars if not good]
    for text in missed:
        print(f"bound not kept: {text}", file=sys.stderr)
    print(f"\n{len(said.bars) - len(missed)} of {len(said.bars)} bounds are kept.", flush=True)
    return not missed


def main() -> int:
    """Measures, keeps and prints. Returns 1 when a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--runs", type=int, default=30, help="of every way in `time`")
    parser.add_argument("--rounds", type=int, default=5, help="of every way in `copy`")
    parser.add_argument("--megabytes", type=int, default=2100, help="of the files in `copy`")
    parser.add_argument("--seed", type=int, default=2020, help="of the order")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where raw results are kept")
    parser.add_argument("--show", action="store_true", help="only print what is kept there")
    options = parser.parse_args()
    results = read_results(options.json)
    if options.show:
        shown = [show(name, results[name]) for name in PARTS if name in results]
        return 0 if all(shown) else 1
    chosen = Options(options.runs, options.rounds, options.megabytes, options.seed)
    good = []
    for name in options.only:
        progress(f"{name}: begins")
        began = time.monotonic()
        where = f"{machine()}; as {'root' if os.geteuid() == 0 else 'an ordinary user'}"
        # Everything a part makes goes with its folder.
        with tempfile.TemporaryDirectory(prefix="sifprov-bench-", dir="/var/tmp") as folder:
            raw = PARTS[name].measure(make_place(Path(folder)), chosen)
        results[name] = {"raw": raw, "machine": where, "seconds": time.monotonic() - began}
        keep(options.json, results)
        good.append(show(name, results[name]))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
