"""How long an append to a SIF takes: `make bench-sif` prints the table.

Appends to a 10 GiB (sparse) and to a 10 MiB container, and three bare pairs of `pwrite` and
`fdatasync` of the same sizes on the same file system, in turn, so that whatever else the machine
does meets all of them. The exit code is 1 when
the median append takes more than three times as long as the bare pairs, or the large container
more than a tenth longer than the small one.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from sifprov.frozen import replace
from sifprov.model.record import Record
from sifprov.records import append_record
from sifprov.sif import FsType, Image, PartType, add_partition, pack_partition
from sifprov.sif.write import DESCRIPTORS
from tests.unit.sifs import NOW, make_sif, run_record

MIB = 1 << 20
RECORD = len(run_record().to_bytes())


def container(path: Path, size: int) -> Path:
    """A container with a sparse partition of `size` bytes."""
    make_sif(path, descriptors=DESCRIPTORS, partition=None)
    extra = pack_partition(FsType.EXT3, PartType.DATA, b"00\0")
    add_partition(str(path), name=b"sifprov:output:/Outputs", size=size, extra=extra, now=NOW)
    return path


def appender(path: Path) -> Callable[[], None]:
    """One append to the container at `path`."""
    numbers = iter(range(1 << 30))
    record = run_record()

    def append() -> None:
        number = next(numbers)

        def build(_: Image, previous: str | None) -> Record:
            return replace(record, id=UUID(int=number), previous=previous)

        append_record(str(path), build, now=NOW)

    return append


def bare(path: Path) -> Callable[[], None]:
    """What no safe append can do without: data, descriptor, used byte, each waited for."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.ftruncate(descriptor, MIB)
    end = MIB

    def pairs() -> None:
        nonlocal end
        for data, offset in ((b"x" * RECORD, end), (b"y" * 585, 4096), (b"\1", 4100)):
            os.pwrite(descriptor, data, offset)
            os.fdatasync(descriptor)
        end += RECORD

    return pairs


def measure(tasks: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Times each task `rounds` times, in turn, in another order each time. In milliseconds."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    names = list(tasks)
    for number in range(rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            start = time.perf_counter()
            tasks[name]()
            times[name].append((time.perf_counter() - start) * 1000)
    return times


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--folder", help="where to measure (default: the temporary folder)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sifprov-bench-", dir=options.folder) as name:
        folder = Path(name)
        tasks = {
            "3 pairs of pwrite and fdatasync": bare(folder / "bare"),
            "append, 10 MiB container": appender(container(folder / "small.sif", 10 * MIB)),
            "append, 10 GiB container": appender(container(folder / "large.sif", 10240 * MIB)),
        }
        measure(tasks, 50)
        times = measure(tasks, options.rounds)
    print(f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
          f"{os.cpu_count()} processors, {options.rounds} rounds")  # fmt: skip
    print("| | median ms | quartiles | 95 % | times bare |")
    print("|---|---|---|---|---|")
    medians = []
    for label, values in times.items():
        cuts = statistics.quantiles(values, n=20)
        medians.append(cuts[9])
        print(
            f"| {label} | {cuts[9]:.3f} | {cuts[4]:.3f} to {cuts[14]:.3f} | {cuts[18]:.3f} "
            f"| {cuts[9] / medians[0]:.2f} |"
        )
    plain, small, large = medians
    good = max(small, large) <= 3 * plain and large <= 1.1 * small
    print("within the bounds" if good else "NOT within the bounds")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
