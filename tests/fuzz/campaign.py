"""Runs fuzz targets one after the other and prints what was done:
`python -m tests.fuzz.campaign [--runs N | --seconds N] [TARGET…]`.

`--runs` is for all targets together, divided as `Target.runs` says; `--seconds` is for each.
Corpora, logs and the inputs that broke something go to build/fuzz; the exit code is 1 when there
are any of the last.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.target import HERE, SEEDS, Target
from tests.fuzz.targets import TARGETS

OUT = HERE.parent.parent / "build" / "fuzz"
# One execution may take so many seconds and so much memory.
SECONDS, MEGABYTES = 10, 1024
_DONE = re.compile(rb"^stat::number_of_executed_units: (\d+)", re.MULTILINE)
_COVERED = re.compile(rb"cov: (\d+) ft: (\d+) corp: (\d+)")


@dataclass(frozen=True)
class Result:
    """What one target did. `executions` as libFuzzer's last line says, None where it is missing."""

    target: str
    executions: int | None
    seconds: float
    covered: int
    code: int


def fuzz(target: Target, limit: str) -> Result:
    """Runs one target in a process of its own."""
    corpus = OUT / target.name
    corpus.mkdir(parents=True, exist_ok=True)
    log = OUT / f"{target.name}.log"
    options = [
        limit, f"-max_len={target.max_len}", f"-timeout={SECONDS}", f"-rss_limit_mb={MEGABYTES}",
        "-print_final_stats=1", f"-artifact_prefix={OUT}/{target.name}-",
    ]  # fmt: skip
    if target.words:
        words = OUT / f"{target.name}.dict"
        words.write_text("".join(f'"{word}"\n' for word in target.words))
        options.append(f"-dict={words}")
    begin = time.monotonic()
    with log.open("wb") as output:
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.worker", target.name, *options, str(corpus),
             str(SEEDS / target.name)],
            cwd=HERE.parent.parent, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    return read_log(target.name, log, time.monotonic() - begin, done.returncode)


def read_log(name: str, log: Path, seconds: float, code: int) -> Result:
    """Takes the numbers from libFuzzer's output."""
    text = log.read_bytes()
    executed, covered = _DONE.findall(text), _COVERED.findall(text)
    return Result(
        name,
        int(executed[-1]) if executed else None,
        seconds,
        int(covered[-1][0]) if covered else 0,
        code,
    )


def row(result: Result) -> str:
    """One line of the table."""
    count = result.executions
    rate = f"{count / max(result.seconds, 0.001):.0f}" if count is not None else "-"
    state = "ok" if result.code == 0 else f"BROKEN, see {OUT}/{result.target}.log"
    shown = f"{count:,}" if count is not None else "?"
    return f"| {result.target} | {shown} | {result.seconds:.0f} s | {rate}/s | {state} |"


def main() -> int:
    """Runs the targets that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, help="executions of all targets together")
    parser.add_argument("--seconds", type=int, default=30, help="for each target (default: 30)")
    parser.add_argument("target", nargs="*", choices=[[], *TARGETS], metavar="TARGET")
    given = parser.parse_args()
    chosen = [TARGETS[name] for name in given.target or TARGETS]
    total = sum(t.runs for t in chosen)
    results = []
    for target in chosen:
        limit = f"-max_total_time={given.seconds}"
        if given.runs:
            limit = f"-runs={max(given.runs * target.runs // total, 1)}"
        results.append(fuzz(target, limit))
        print(row(results[-1]), flush=True)
    executed = sum(r.executions or 0 for r in results)
    print(f"{executed:,} executions in {sum(r.seconds for r in results):.0f} s")
    return int(any(r.code for r in results))


if __name__ == "__main__":
    sys.exit(main())
