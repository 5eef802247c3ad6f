"""`sifprov data extract` beside `cp -r` of the same tree, in turn: medians and spread.

    make bench-extract

The containers are an ext3 one and its sealed copy (squashfs, gzip), read with everything that can
decompress it here, and by unsquashfs; the trees one large file of
numbers as text, and many small ones. Fails when extraction from ext3 takes more than twice as long
as `cp -r`.
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from unittest.mock import patch

from sifprov.create import create_data
from sifprov.errors import MissingError
from sifprov.extract import extract
from sifprov.filesystem import compress
from sifprov.filesystem.compress import Decompress
from sifprov.seal import seal
from sifprov.sif import PartType, open_image

BOUND = 2.0


def one_large(folder: Path, size: int) -> None:
    """A file of `size` bytes of numbers, as tables hold them."""
    source = random.Random(1)  # noqa: S311
    lines = [f"{source.uniform(-90, 90):.6f},{source.random():.4f}\n" for _ in range(200_000)]
    block = "".join(lines).encode("ascii")
    with open(folder / "table.csv", "wb") as file:
        for at in range(0, size, len(block)):
            file.write(block[: size - at])


def many_small(folder: Path, count: int) -> None:
    """`count` files of 2 KiB in folders of 100."""
    source = random.Random(2)  # noqa: S311
    for i in range(count):
        place = folder / f"{i // 100:03}"
        place.mkdir(exist_ok=True)
        (place / f"{i}.txt").write_bytes(source.randbytes(1024) * 2)


def timed(work: Callable[[], object], made: Path) -> float:
    """Seconds that `work` takes to fill the folder `made`, which is removed before and after."""
    shutil.rmtree(made, ignore_errors=True)
    subprocess.run(["sync"], check=True)
    begun = time.perf_counter()
    work()
    took = time.perf_counter() - begun
    shutil.rmtree(made)
    return took


def engines() -> dict[str, Decompress]:
    """What can decompress a sealed container here, the one that is taken first."""
    makers = {"libdeflate": compress._libdeflate, "isal": compress._isal}
    found: dict[str, Decompress] = {}
    for name, make in makers.items():
        with suppress(MissingError, ImportError):
            found[name] = make()
    return {**found, "zlib": compress._zlib}


def extract_by(engine: Decompress, sealed: Path, made: Path) -> None:
    """Extracts with one of the engines."""
    with patch.object(compress, "gzip_engines", lambda: (engine,)):
        extract(str(sealed), str(made))


def measure(title: str, source: Path, work: Path, rounds: int) -> float:
    """Prints the table of one tree; returns the ratio of ext3 to `cp -r`."""
    ext3, sealed, made = work / "a.sif", work / "a.sealed.sif", work / "made"
    create_data(str(ext3), mount="/Inputs", source=str(source))
    seal(str(ext3), str(sealed))
    kinds: dict[str, Callable[[], object]] = {
        "cp -r": lambda: subprocess.run(["cp", "-r", source, made], check=True),
        "extract, ext3": lambda: extract(str(ext3), str(made)),
    }
    for name, engine in engines().items():
        kinds[f"extract, sealed, by {name}"] = partial(extract_by, engine, sealed, made)
    with open_image(str(sealed)) as (_, image):
        offset = image.partitions(PartType.DATA)[0].offset
    unsquashfs = [
        "unsquashfs",
        "-quiet",
        "-no-progress",
        "-offset",
        str(offset),
        "-dest",
        str(made),
    ]
    kinds["unsquashfs of the same"] = lambda: subprocess.run(
        [*unsquashfs, str(sealed)], check=True, stdout=subprocess.DEVNULL
    )
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        for kind, job in kinds.items():
            times[kind].append(timed(job, made))
    bare = statistics.median(times["cp -r"])
    print(f"\n| {title} | median of {rounds} | from … to | times cp -r |\n|---|---|---|---|")
    for kind, values in times.items():
        median = statistics.median(values)
        spread = f"{min(values):.2f} … {max(values):.2f} s"
        print(f"| {kind} | {median:.2f} s | {spread} | {median / bare:.2f} |")
    for path in (ext3, sealed):
        path.unlink()
    return statistics.median(times["extract, ext3"]) / bare


def main() -> int:
    """Measures and judges."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", type=int, default=1_000_000_000, help="of the large file")
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ratios = []
    with tempfile.TemporaryDirectory(prefix="sifprov-bench-", dir="/var/tmp") as name:
        large, small = Path(name) / "large", Path(name) / "small"
        large.mkdir()
        one_large(large, options.size)
        title = f"one file of {options.size / 1e6:.0f} MB"
        ratios.append(measure(title, large, Path(name), options.rounds))
        shutil.rmtree(large)
        small.mkdir()
        many_small(small, options.files)
        title = f"{options.files} files of 2 KiB"
        ratios.append(measure(title, small, Path(name), options.rounds))
    if max(ratios) > BOUND:
        print(f"extraction from ext3 takes {max(ratios):.2f} times as long as cp -r")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
