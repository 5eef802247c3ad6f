"""What lineage costs: `make bench-lineage` prints the tables.

A chain of runs, each of which makes the next one's input, and a run of as many inputs. The runs are
captured as real ones are, without a runtime, in containers that hold no file system, so that
nothing else is in the numbers. *Begin* is done while the application runs, *end* is waited for. The
exit code is 1 when the last end of the chain takes more than three times as long as the first
ones, when a run on the same inputs again appends more than its record, or when a record of an
ancestor takes more than 500 bytes.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sifprov import capture
from sifprov.content import Deadline
from sifprov.records import append_record
from tests.unit.chains import INPUT, begin, data, embedded, end, names, own, request
from tests.unit.sifs import NOW, origin_record

# Runs of which a median is taken.
_WINDOW = 25
_MOST_BYTES = 500


def run(inputs: tuple[Path, ...], output: Path) -> tuple[float, float]:
    """Captures one run; returns the milliseconds of its two halves."""
    asked = request(inputs, (output,))
    times = [time.perf_counter()]
    started = begin(asked)
    times.append(time.perf_counter())
    (written,) = capture.finish(started, end(), Deadline()).written
    times.append(time.perf_counter())
    assert written.digest, written.spooled
    return (times[1] - times[0]) * 1000, (times[2] - times[1]) * 1000


def stored(label: str, path: Path) -> float:
    """Prints what a container embeds; returns the bytes that each document takes."""
    found = embedded(path)
    assert names(path).count("metadata.lineage.json") == found.objects and not found.errors
    each = found.stored / len(found.documents)
    print(
        f"| {label} | {len(found.documents):,} | {found.size / 1000:,.0f} KB | "
        f"{found.stored / 1000:,.0f} KB | {found.size / len(found.documents):,.0f} | {each:,.0f} |"
    )
    return each


def chain(folder: Path, count: int) -> tuple[list[tuple[float, float]], Path]:
    """A chain of runs: the times of each, and the last container."""
    last = data(folder / "0.sif", INPUT)
    append_record(str(last), lambda image, _: origin_record(image.header.uuid), now=NOW)
    times = []
    for number in range(1, count + 1):
        output = data(folder / f"{number}.sif")
        times.append(run((last,), output))
        last.unlink()
        last = output
    return times, last


def fan(folder: Path, count: int) -> tuple[tuple[Path, ...], Path]:
    """A run of many inputs, each with an origin of its own, and its output."""
    inputs = tuple(data(folder / f"in{n}.sif", INPUT) for n in range(count))
    for path in inputs:
        append_record(str(path), lambda image, _: origin_record(image.header.uuid), now=NOW)
    return inputs, data(folder / "fan.sif")


def row(label: str, times: list[tuple[float, float]]) -> float:
    """Prints the medians of some runs; returns that of their ends."""
    first = statistics.median(one for one, _ in times)
    second = statistics.median(other for _, other in times)
    print(f"| {label} | {first:,.1f} | {second:,.1f} |")
    return second


@contextmanager
def own_home(folder: Path) -> Iterator[None]:
    """Keeps what is remembered for the user out of the user's own folder."""
    before = {name: os.environ.get(name) for name in ("HOME", "XDG_STATE_HOME")}
    os.environ.update(HOME=str(folder), XDG_STATE_HOME=str(folder / "state"))
    yield
    for name, value in before.items():
        os.environ.pop(name)
        os.environ.update({name: value} if value is not None else {})


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--folder", help="where to measure (default: the temporary folder)")
    options = parser.parse_args()
    count = options.count
    with (
        tempfile.TemporaryDirectory(prefix="sifprov-bench-", dir=options.folder) as name,
        own_home(Path(name)),
    ):
        folder = Path(name)
        plain = [
            run((data(folder / f"p{n}.sif", INPUT),), data(folder / f"q{n}.sif"))
            for n in range(_WINDOW)
        ]
        times, last = chain(folder, count)
        size = last.stat().st_size
        again = [run((last,), data(folder / f"a{n}.sif")) for n in range(_WINDOW)]
        target = folder / "a0.sif"
        grown = target.stat().st_size
        repeated = [run((last,), target)]
        grown = target.stat().st_size - grown
        repeated += [run((last,), target) for _ in range(_WINDOW)]
        inputs, output = fan(folder, count)
        wide = run(inputs, output)
        print("| | begin, ms | end, ms |\n|---|---|---|")
        row("one input without records", plain)
        first = row(f"chain, runs 1 to {_WINDOW}", times[:_WINDOW])
        final = row(f"chain, runs {count - _WINDOW + 1:,} to {count:,}", times[-_WINDOW:])
        row(f"{_WINDOW} further outputs of the last one", again)
        row("the same input and output again", repeated)
        row(f"one run of {count:,} inputs", [wide])
        print(
            "\n| embedded in | documents | of together | stored | bytes each | stored each |"
            "\n|---|---|---|---|---|---|"
        )
        each = max(stored(f"the last of {count:,} runs", last), stored("the run of many", output))
        record = len((own(target)[-1].record or origin_record()).to_bytes())
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nThe last container has {size / 1000:,.0f} KB beside its partition's; a second run on "
          f"the same input adds {grown:,} bytes, its record {record:,}. Most memory: {peak:,.0f} "
          "MB.")  # fmt: skip
    good = final <= 3 * first and grown <= record + 4096 and each <= _MOST_BYTES
    print("within the bounds" if good else "NOT within the bounds")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
