"""Space: every data and output container of the thesis's four scenarios beside its payload."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sifprov.content import Deadline
from sifprov.create import create_data
from sifprov.info import DATA, read_info
from sifprov.partition import scan_partition
from tests.bench.bench_space import PAYLOADS, csv_file
from tests.bench.peers import ROOT
from tests.bench.thesis import Options, Place, Raw, Report, progress, timed

KIB = 1024
SCENARIOS = ("gnuplot-single", "gnuplot-multi", "soil-shared", "soil-split")
# What the thesis's container had beyond its payload, KiB: the small one, the large one.
THESIS_EXTRA = tuple(thesis - payload for payload, _files, thesis in PAYLOADS)


def measure(place: Place, options: Options) -> Raw:
    """Runs the scenarios, and makes containers of the thesis's payloads to the byte."""
    rows = []
    for name in SCENARIOS:
        progress(f"space: {name}")
        folder = place.folder / name
        timed([ROOT / "scenarios" / name / "run.sh", "--wrapper", folder], place, ROOT)
        for path in sorted(folder.glob("*.sif")):
            # What a replay has made is none of the scenario's.
            if ".rerun" not in path.name and (row := look(path)):
                rows.append({"scenario": name, **row})
        shutil.rmtree(folder)
    made = []
    for payload, files, thesis in PAYLOADS:
        source = place.folder / f"payload-{payload}"
        source.mkdir()
        for number in range(files):
            length = payload * KIB // files + (payload * KIB % files if number == 0 else 0)
            csv_file(source / f"{number}.csv", length)
        for fs in ("ext3", "squashfs"):
            path = place.folder / f"{payload}-{fs}.sif"
            create_data(str(path), mount="/Inputs", source=str(source), fs=fs)
            made.append({"thesis": thesis, "fs": fs, **(look(path) or {})})
    return {"containers": rows, "payloads": made}


def look(path: Path) -> Raw | None:
    """The sizes of a data container, in bytes; None for what is none."""
    info = read_info(str(path))
    partition = info.identity.partition
    if info.kind != DATA or partition is None or info.volume is None:
        return None
    status = os.stat(path)
    tree = scan_partition(str(path), partition, Deadline())
    return {
        "name": path.name,
        "role": info.identity.declaration.role if info.identity.declaration else None,
        "files": sum(entry.size is not None for entry in tree.entries),
        "payload": tree.size,
        "size": status.st_size,
        "disk": status.st_blocks * 512,
        "room": info.volume.free or 0,
    }


def allowed(payload: int) -> int:
    """Half of what the thesis's container had beyond its payload, in bytes: of the one that is
    nearer in size."""
    nearest = min(range(len(PAYLOADS)), key=lambda i: abs(PAYLOADS[i][0] * KIB - payload))
    return THESIS_EXTRA[nearest] * KIB // 2


def report(raw: Raw) -> Report:
    """Both tables. The bound holds for what a container takes on the disk."""
    said = Report()
    head = [
        "payload",
        "file system",
        "thesis",
        "its extra",
        "file size",
        "above",
        "on disk",
        "above",
    ]
    rows = []
    for row in raw["payloads"]:
        extra = row["thesis"] - row["payload"] // KIB
        cells = [_kib(row["payload"]), row["fs"], f"{row['thesis']:,} KiB", f"{extra:,} KiB"]
        for size in (row["size"], row["disk"]):
            above = size - row["payload"]
            part = f", {above / KIB / extra:.0%} of the thesis's" if above > 0 else ""
            cells += [_kib(size), f"{_kib(above)}{part}"]
        rows.append(cells)
    said.table(head, rows)
    head = ["scenario", "container", "files", "payload", "file size", "of it free room"]
    rows = []
    for row in raw["containers"]:
        sizes = [_kib(row[key]) for key in ("payload", "size", "room", "disk")]
        above = row["disk"] - row["payload"]
        least = allowed(row["payload"])
        names = [row["scenario"], row["name"], f"{row['files']:,}"]
        rows.append([*names, *sizes, _kib(above), _kib(row["size"] - row["room"] - row["payload"])])
        text = f"{row['scenario']}/{row['name']} takes {_kib(above)} of disk above its payload"
        said.bars.append((f"{text}, at most {_kib(least)}", above <= least))
    said.table([*head, "on disk", "above the payload", "file without room, above"], rows)
    return said


def _kib(count: int) -> str:
    return f"{count / KIB:,.0f} KiB"
