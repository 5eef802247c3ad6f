"""Zero-copy: many files from an input container to an output container, through an application.

Two copies are those of the thesis's appendix: the partition is dumped to the host, the application
moves it from one bound folder to another, and what comes out is added to the output container.
Zero-copy binds the images, and the application copies files. Staging does the same with copies of
the files instead of the image: out of the input container, by the application from folder to
folder, and into the output container. The physical limit is one sequential read of the bytes and
one sequential write of them. What stands between is told by the same copy without containers, and
with only one of the two.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from sifprov.create import create_data
from sifprov.identity import identify
from sifprov.sif import FsType
from tests.bench.jobs import copy
from tests.bench.memory import settle
from tests.bench.stats import ratio_of_medians
from tests.bench.thesis import (
    Options,
    Place,
    Raw,
    Report,
    app,
    flush,
    forget,
    progress,
    remember,
    shuffled,
    timed,
)
from tests.bench.timing import quartiles

EXT3, SQUASHFS = "ext3", "squashfs"
COLD, WARM = "cold", "warm"
TWO, ZERO = "two copies", "zero-copy"
NATIVE = "cp -r on the host, folder to folder"
FROM, INTO = "container to bound folder", "bound folder to container"
STAGED = "staged: out, from folder to folder, in"
READ, WRITE, DD = "one read", "one write", "both at once"
BUFFERED, DIRECT = FLAGS = ("buffered", "direct")
THESIS = 0.6094
MOST = 1.10
MB = 1_000_000
_PER_FOLDER = 500
# The bytes are cached four times: in the input's file and its mount, and in the output's.
_CACHED = 4
_COPY = "cp -r /Inputs/* /Outputs/."


def make_files(folder: Path, size: int) -> int:
    """Writes `size` bytes, as photographs are, with some small and some large files among them;
    the same at every call. They do not compress. Returns their number."""
    chance = random.Random(2020)  # noqa: S311 - no secret: a fixed seed
    number = written = 0
    while written < size:
        length = min(_length(number, chance), size - written)
        place = folder / f"{number // _PER_FOLDER:03}"
        place.mkdir(exist_ok=True, parents=True)
        with (place / f"{number}.jpg").open("wb") as file:
            for at in range(0, length, MB):
                file.write(chance.randbytes(min(MB, length - at)))
        number += 1
        written += length
    return number


def _length(number: int, chance: random.Random) -> int:
    """Bytes of one file: most are about 150 KB, a third at most 16 KB, one of 400 many MB."""
    if number % 400 == 0:
        return chance.randint(5 * MB, 30 * MB)
    if number % 3 == 0:
        return chance.randint(200, 16_000)
    return int(min(2 * MB, max(10_000, chance.lognormvariate(11.9, 0.5))))


def measure(place: Place, options: Options) -> Raw:
    """Makes the containers and copies, in turn, `options.rounds` times."""
    folder = place.folder / "copy"
    source = folder / "source"
    progress(f"copy: making {options.megabytes} MB")
    count = make_files(source, options.megabytes * MB)
    for fs in (EXT3, SQUASHFS):
        create_data(str(folder / f"{fs}.sif"), mount="/Inputs", source=str(source), fs=fs)
    free = options.megabytes * MB + options.megabytes * MB // 20
    create_data(str(folder / "empty.sif"), mount="/Outputs", free=free)
    how = forget(folder / "ext3.sif")
    tasks: dict[str, Callable[[], float]] = {}
    for cache in (COLD, WARM):
        for fs in (EXT3, SQUASHFS):
            tasks[f"{TWO}, {fs}, {cache}"] = partial(_once, place, folder, fs, cache, _two_copies)
            tasks[f"{ZERO}, {fs}, {cache}"] = partial(_once, place, folder, fs, cache, _zero_copy)
        for name in (NATIVE, FROM, INTO):
            part = partial(_part, name=name, source=source)
            tasks[f"{name}, {cache}"] = partial(_once, place, folder, EXT3, cache, part)
        tasks[f"{STAGED}, {cache}"] = partial(_once, place, folder, EXT3, cache, _staged)
        for flag in FLAGS:
            for name in (READ, DD) if cache == COLD else (READ, WRITE):
                disk = partial(_disk, name=name, flag=flag)
                task = partial(_once, place, folder, EXT3, cache, disk)
                tasks[f"{name}, {flag}, {cache}"] = task
    times = shuffled(tasks, options.rounds, options.seed, "copy", warm_up=0)
    size = (folder / "ext3.sif").stat().st_size
    result = {"times": times, "files": count, "megabytes": options.megabytes, "cold": how}
    shutil.rmtree(folder)
    return {**result, "container_bytes": size}


def _once(
    place: Place,
    folder: Path,
    fs: str,
    cache: str,
    work: Callable[[Place, Path, Path], float],
) -> float:
    """Seconds of one copy, until all that it wrote is on the disk."""
    sif = folder / f"{fs}.sif"
    made = folder / "made"
    made.mkdir()
    copy(folder / "empty.sif", made / "empty.sif")
    flush(made / "empty.sif")
    if cache == COLD:
        forget(sif)
    else:
        for path in (sif, *(folder / "source").rglob("*.jpg")):
            remember(path)
    settle(_CACHED * sif.stat().st_size)
    # What the runtime itself is made of is no part of the data.
    busybox = app("tests/real/busybox.def")
    timed([place.runtime, "exec", *place.flags, busybox, "true"], place, folder)
    os.sync()
    took = work(place, sif, made)
    began = time.perf_counter()
    os.sync()
    took += time.perf_counter() - began
    _clear(made, folder / "kept", sif)
    return took


def _clear(made: Path, kept: Path, sif: Path) -> None:
    """Removes what a copy has made. Folders of copies stay until all is measured, with empty files:
    for minutes ext4 does not use the inode of a removed file again, and whoever makes files
    waits while it looks for others."""
    for copied in (made / "copied", made / "result"):
        if not copied.is_dir():
            continue
        files = list(copied.rglob("*.jpg"))
        _check(sum(path.stat().st_size for path in files), sif)
        for path in files:
            os.truncate(path, 0)
        kept.mkdir(exist_ok=True)
        copied.rename(kept / str(len(os.listdir(kept))))
    shutil.rmtree(made)


def _zero_copy(place: Place, sif: Path, made: Path) -> float:
    return _contained(place, sif, made / "empty.sif", made)


def _part(place: Place, sif: Path, made: Path, *, name: str, source: Path) -> float:
    """The same copy without any container, or with a folder in the place of one."""
    copied = made / "copied"
    if name == INTO:
        return _contained(place, source, made / "empty.sif", made)
    copied.mkdir()
    if name == FROM:
        return _contained(place, sif, copied, made)
    return timed(["cp", "-r", *sorted(source.iterdir()), copied], place, made)


def _staged(place: Place, sif: Path, made: Path) -> float:
    copied, result, output = made / "copied", made / "result", made / "empty.sif"
    took = 0.0
    for source, target in ((sif, copied), (copied, result), (result, output)):
        if target != output:
            target.mkdir()
        took += _contained(place, source, target, made)
    return took


def _contained(place: Place, source: Path, target: Path, made: Path) -> float:
    """Seconds of `cp -r` by the application, whose ends are containers or folders."""
    binds, folders = {}, []
    for mount, path in (("/Inputs", source), ("/Outputs", target)):
        if path.is_dir():
            folders += ["-B", f"{path}:{mount}"]
        else:
            binds[mount] = str(path)
    words = place.argv(binds, app("tests/real/busybox.def"), "sh", "-c", _COPY)
    took = timed([place.runtime, "exec", *folders, *words], place, made)
    if target.is_file():
        _check(target.stat().st_blocks * 512, made.parent / "ext3.sif")
    return took


def _check(arrived: int, sif: Path) -> None:
    if arrived < sif.stat().st_size * 0.95:
        raise SystemExit(f"{sif.name}: not all of its files arrived")


def _two_copies(place: Place, sif: Path, made: Path) -> float:
    output = made / "output.sif"
    for name in ("Inputs", "Outputs"):
        (made / name).mkdir()
    partition = identify(str(sif)).partition
    assert partition
    tool = [place.runtime, "sif"]
    kind = {FsType.SQUASHFS: "1", FsType.EXT3: "2"}[FsType(partition.fs)]
    out = timed([*tool, "new", output], place, made)
    dump = [*tool, "dump", str(partition.id), str(sif)]
    out += timed(dump, place, made, stdout=made / "Inputs" / "Inputs.img")
    binds = [w for name in ("Inputs", "Outputs") for w in ("-B", f"{made / name}:/{name}")]
    command = ["sh", "-c", "mv /Inputs/* /Outputs/."]
    words = [*place.flags, *binds, app("tests/real/busybox.def"), *command]
    out += timed([place.runtime, "exec", "--contain", *words], place, made)
    add = ["--datatype", "4", "--partarch", "2", "--partfs", kind, "--parttype", "3"]
    out += timed(
        [*tool, "add", *add, str(output), str(made / "Outputs" / "Inputs.img")], place, made
    )
    return out


def _disk(place: Place, sif: Path, made: Path, *, name: str, flag: str) -> float:
    """Reads the container's file, writes it (it is cached), or both."""
    target = Path("/dev/null") if name == READ else made / "copy"
    argv = ["dd", f"if={sif}", f"of={target}", "bs=4M", "status=none"]
    if flag == DIRECT:
        argv += ["iflag=direct"] * (name != WRITE) + ["oflag=direct"] * (name != READ)
    return timed(argv, place, made)


def limits(times: dict[str, list[float]]) -> dict[str, list[float]]:
    """What one read and one write take, round by round, with the input cold and warm: of each the
    way whose median is the shortest."""

    def best(name: str, cache: str) -> list[float]:
        return min((times[f"{name}, {flag}, {cache}"] for flag in FLAGS), key=median)

    write = best(WRITE, WARM)
    return {
        cache: [read + wrote for read, wrote in zip(best(READ, cache), write, strict=True)]
        for cache in (COLD, WARM)
    }


def report(raw: Raw) -> Report:
    """The table of the copies, that of the disk, and the bounds."""
    said = Report()
    times: dict[str, list[float]] = raw["times"]
    limit = limits(times)
    rounds = len(limit[COLD])
    size = raw["megabytes"] / 1000
    text = f"{raw['files']:,} files, {size:.1f} GB; cold: {raw['cold']} before each copy."
    said.lines += ["", text]
    rows = []
    for cache in (COLD, WARM):
        for fs in (EXT3, SQUASHFS):
            two, zero = (times[f"{name}, {fs}, {cache}"] for name in (TWO, ZERO))
            faster = ratio_of_medians(zero, two)
            over = ratio_of_medians(zero, limit[cache])
            row = [f"{fs}, {cache}", *(_spread(v) for v in (two, zero, limit[cache]))]
            row.append(f"{1 - faster.value:.1%} ({1 - faster.high:.1%} … {1 - faster.low:.1%})")
            row.append(f"{over.value:.2f} ({over.low:.2f} … {over.high:.2f})")
            rows.append(row)
            text = f"zero-copy from {fs}, {cache}, within 10% of the disk's limit: {over.value:.2f}"
            said.bars.append((text, over.value <= MOST))
    head = [f"input, medians of {rounds} (quartiles)", TWO, ZERO, "the disk's limit"]
    said.table([*head, f"time saved (thesis: {THESIS:.2%})", "times the limit"], rows)
    said.table(*_parts(times))
    saved = []
    for cache in (COLD, WARM):
        over = ratio_of_medians(times[f"{ZERO}, {EXT3}, {cache}"], times[f"{STAGED}, {cache}"])
        spread = f"{1 - over.high:.1%} … {1 - over.low:.1%}"
        saved.append(f"{1 - over.value:.1%} ({spread}) {cache}")
    text = (
        f"Of the time that staging takes zero-copy saves {', '.join(saved)} (thesis: {THESIS:.2%})."
    )
    said.lines += ["", text]
    rows = [
        [name, _spread(values), f"{raw['container_bytes'] / median(values) / MB:,.0f}"]
        for name, values in times.items()
        if name.startswith((READ, WRITE, DD))
    ]
    said.table([f"the disk, dd of {size:.1f} GB, medians of {rounds}", "time", "MB a second"], rows)
    return said


def _parts(times: dict[str, list[float]]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of the table of the same copy with two containers, with one, and with none."""
    head = [f"the same files from ext3, medians of {len(times[f'{NATIVE}, {COLD}'])}"]
    ways = {name: name for name in (NATIVE, FROM, INTO, STAGED)} | {ZERO: f"{ZERO}, {EXT3}"}
    rows = [[way] for way in ways]
    for cache in (COLD, WARM):
        head += [cache, "times native"]
        for row, name in zip(rows, ways.values(), strict=True):
            values, native = times[f"{name}, {cache}"], times[f"{NATIVE}, {cache}"]
            over = ratio_of_medians(values, native)
            row += [_spread(values), f"{over.value:.2f} ({over.low:.2f} … {over.high:.2f})"]
    return head, rows


def _spread(values: list[float]) -> str:
    low, middle, high = quartiles(values)
    return f"{middle:.2f} s ({low:.2f} … {high:.2f})"
