"""What a data container costs in bytes and time: `make bench-space` prints the tables.

Space: two payloads of the sizes that the MSc thesis behind this program reports, as ext3 and
squashfs, beside the payload itself and a plain mksquashfs of the same folder. Time: `data create`
of 1 GiB beside `mke2fs -d` of the same folder alone, in turn. The exit code is 1 when a bound is
not kept: ext3 at most 1.2 MiB above the payload, squashfs at most 64 KiB above mksquashfs, create
within 1.5 times.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sifprov.create import create_data

KIB, MIB = 1024, 1 << 20
# Payload in KiB, files that it consists of, and what the thesis's container took, in KiB.
PAYLOADS = ((2264, 1, 4132), (12_071, 8, 14_368))
MAX_EXT3, MAX_SQUASHFS, MAX_TIME = 1.2 * MIB, 64 * KIB, 1.5


def csv_file(path: Path, size: int) -> None:
    """A table of measurements: text that compresses as such text does."""
    chance = random.Random(path.name)  # noqa: S311 - the same numbers every time
    with path.open("w") as file:
        while file.tell() < size:
            file.writelines(f"{n},{chance.gauss(20, 5):.3f}\n" for n in range(1000))
        file.truncate(size)


def space(folder: Path) -> bool:
    """Prints the table of sizes; whether every bound is kept."""
    good = True
    print(
        "| payload | thesis | ext3 | above the payload | plain mksquashfs | squashfs | above it |"
    )
    print("|---|---|---|---|---|---|---|")
    for kib, files, thesis in PAYLOADS:
        source = folder / f"payload-{kib}"
        source.mkdir()
        for number in range(files):
            length = kib * KIB // files + (kib * KIB % files if number == 0 else 0)
            csv_file(source / f"{number}.csv", length)
        plain = folder / f"{kib}.squashfs"
        argv: list[str | Path] = ["mksquashfs", source, plain, "-quiet", "-no-progress"]
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        sizes = {}
        for fs in ("ext3", "squashfs"):
            made = create_data(
                str(folder / f"{kib}.{fs}.sif"), mount="/Inputs", source=str(source), fs=fs
            )
            sizes[fs] = os.stat(made.path).st_size
        above, over = sizes["ext3"] - kib * KIB, sizes["squashfs"] - plain.stat().st_size
        good = good and above <= MAX_EXT3 and over <= MAX_SQUASHFS
        cells = (kib * KIB, thesis * KIB, sizes["ext3"], above, plain.stat().st_size)
        row = [*(f"{c / KIB:,.0f} KiB" for c in cells), f"{sizes['squashfs'] / KIB:,.0f} KiB"]
        print(f"| {' | '.join(row)} | {over / KIB:,.0f} KiB |")
    return good


def seconds(work: Callable[[], object], made: Path) -> float:
    """How long `work` takes to make a file, which is then removed."""
    began = time.perf_counter()
    work()
    took = time.perf_counter() - began
    made.unlink()
    os.sync()
    return took


def speed(folder: Path, megabytes: int, rounds: int) -> bool:
    """Prints the table of times; whether the bound is kept."""
    source = folder / "large"
    source.mkdir()
    for number in range(8):
        with (source / f"{number}.bin").open("wb") as file:
            for _ in range(megabytes // 8):
                file.write(os.urandom(MIB))
    image, container = folder / "bare.ext3", folder / "large.sif"
    argv: list[str | Path] = ["/sbin/mke2fs", "-q", "-F", "-t", "ext3", "-m", "0", "-d", source]
    argv += [image, f"{megabytes + megabytes // 16 + 32}m"]

    def bare() -> None:
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)

    def create() -> None:
        create_data(str(container), mount="/Inputs", source=str(source))

    works: list[tuple[Callable[[], None], Path]] = [(bare, image), (create, container)]
    times: list[list[float]] = [[], []]
    for _ in range(rounds):
        for (work, made), took in zip(works, times, strict=True):
            took.append(seconds(work, made))
    first, second = map(statistics.median, times)
    print(f"\n| {megabytes} MiB in 8 files | median of {rounds} | from … to |\n|---|---|---|")
    for name, took in zip(("mke2fs -d alone", "data create"), times, strict=True):
        middle = statistics.median(took)
        print(f"| {name} | {middle:.2f} s | {min(took):.2f} … {max(took):.2f} s |")
    print(f"\ncreate takes {second / first:.2f} times as long")
    return second <= MAX_TIME * first


def main() -> int:
    """Prints both tables. Returns 1 when a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} processors\n")
    with tempfile.TemporaryDirectory(prefix="sifprov-bench-", dir="/var/tmp") as name:
        good = space(Path(name))
        good = speed(Path(name), options.megabytes, options.rounds) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
