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
TITLES = {
    "time": "Time",
    "space": "Space of the scenarios",
    "copy": "Zero-copy",
    "replay": "Replay",
}
BEGIN, END = "<!-- bench-thesis -->", "<!-- end of bench-thesis -->"
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
    print("\n" + "\n".join(lines(name, result)), flush=True)
    missed = [text for text, good in PARTS[name].report(result["raw"]).bars if not good]
    for text in missed:
        print(f"bound not kept: {text}", file=sys.stderr)
    return not missed


def lines(name: str, result: dict[str, Any]) -> list[str]:
    """What a page says of a part, in Markdown."""
    said: Report = PARTS[name].report(result["raw"])
    kept = sum(good for _, good in said.bars)
    return [
        f"### {TITLES[name]}",
        "",
        f"{result['machine']}; measured in {result['seconds']:,.0f} s.",
        *said.lines,
        "",
        f"{kept} of {len(said.bars)} bounds are kept.",
    ]


def fill(page: Path, results: dict[str, Any]) -> None:
    """Puts what was measured between the two marks of a page."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise SystemExit(f"{page}: has no marks {BEGIN} and {END}")
    parts = [["", *lines(name, results[name]), ""] for name in PARTS if name in results]
    text = "\n".join(line for part in parts for line in part)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


def main() -> int:
    """Measures, keeps and prints. Returns 1 when a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--runs", type=int, default=30, help="of every way in `time`, at least 2")
    parser.add_argument(
        "--models",
        nargs="+",
        choices=thesis_time.MODELS,
        metavar="MODEL",
        default=list(thesis_time.MODELS),
        help="of `time`: kknn, forest",
    )
    parser.add_argument("--rounds", type=int, default=5, help="of every way in `copy`, at least 2")
    parser.add_argument("--megabytes", type=int, default=2100, help="of the files in `copy`")
    parser.add_argument("--seed", type=int, default=2020, help="of the order")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where raw results are kept")
    parser.add_argument("--show", action="store_true", help="only print what is kept there")
    parser.add_argument("--page", type=Path, help="put the tables between the marks of this page")
    options = parser.parse_args()
    results = read_results(options.json)
    good = []
    if options.show:
        good = [show(name, results[name]) for name in PARTS if name in results]
    else:
        chosen = Options(
            options.runs, options.rounds, options.megabytes, options.seed, tuple(options.models)
        )
        for name in options.only:
            results[name] = measure(name, chosen)
            keep(options.json, results)
            good.append(show(name, results[name]))
    if options.page:
        fill(options.page, results)
    return 0 if all(good) else 1


def measure(name: str, options: Options) -> dict[str, Any]:
    """Measures one part, in a folder that goes with all that it made."""
    progress(f"{name}: begins")
    began = time.monotonic()
    where = f"{machine()}; as {'root' if os.geteuid() == 0 else 'an ordinary user'}"
    with tempfile.TemporaryDirectory(prefix="sifprov-bench-", dir="/var/tmp") as folder:
        raw = PARTS[name].measure(make_place(Path(folder)), options)
    return {"raw": raw, "machine": where, "seconds": time.monotonic() - began}


if __name__ == "__main__":
    sys.exit(main())
