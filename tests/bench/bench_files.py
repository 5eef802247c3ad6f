"""What the lists of files in records cost: `make bench-files` prints the tables.

Bytes and processor time of a first run that leaves so many files, and of 1,000 runs that each add
one, beside the same records without lists. Nothing is run: the trees are made up, of names of 18 to
24 bytes and of random digests, which do not compress. The exit code is 1 when a file takes more
than 80 bytes, or such a further run more than 10 KiB on average.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from pathlib import Path

from sifprov.capture.files import Lists
from sifprov.carrier import read_carrier
from sifprov.content import Entry, Tree, make_tree
from sifprov.embedded import Lineage
from sifprov.filestore import new_documents
from sifprov.frozen import replace
from sifprov.manifests import read_manifest
from sifprov.placement import CONTAINER, Place, append_to
from sifprov.sif.write import DESCRIPTORS
from tests.unit.sifs import OUT, make_sif, run_record

FOLDER = Entry(b"Outputs", "d", None, "-", 0o755)
RUNS = 1000
MAX_PER_FILE, MAX_PER_RUN = 80, 10 * 1024


def entry(number: int) -> Entry:
    value = hashlib.sha256(b"%d" % number).hexdigest()
    return Entry(b"Outputs/run-%d/%06d.csv" % (number % 7, number), "f", number * 97, value, 0o644)


def tree_of(count: int) -> Tree:
    folders = [Entry(b"Outputs/run-%d" % n, "d", None, "-", 0o755) for n in range(7)]
    return make_tree([FOLDER, *folders, *map(entry, range(count))], 0)


def record(path: Path, tree: Tree, *, lists: bool) -> tuple[int, float]:
    """Records a run that left `tree`; returns by how much the container grew, and how long it
    took."""
    before, began = path.stat().st_size, time.process_time()
    made, place = run_record(), Place(CONTAINER, str(path))
    *others, output = made.containers
    output = replace(output, digest=tree.digest)
    lineage = None
    if lists:
        found = Lists()
        output = found.add(output, tree)
    made = replace(made, containers=(*others, output))
    if lists:
        lineage = Lineage({}).beside(new_documents(place, made, found.manifests))
    append_to(place, made, lineage=lineage)
    return path.stat().st_size - before, time.process_time() - began


def first_runs(folder: Path) -> bool:
    print("| files | stored with lists | without | a file | time added | to read the list |")
    print("|---|---|---|---|---|---|")
    good = True
    for count in (10, 1000, 100_000):
        tree = tree_of(count)
        sizes, times = [], []
        for lists in (False, True):
            path = make_sif(folder / f"{count}-{lists}.sif", descriptors=DESCRIPTORS)
            size, seconds = record(path, tree, lists=lists)
            sizes.append(size)
            times.append(seconds)
        began = time.process_time()
        carrier = read_carrier(str(path))
        it = carrier.good[-1][1].itself()
        assert it and read_manifest(carrier, it).manifest
        read = time.process_time() - began
        each = (sizes[1] - sizes[0]) / count
        good &= each <= MAX_PER_FILE or count < 100
        print(
            f"| {count:,} | {sizes[1] / 1024:,.1f} KiB | {sizes[0] / 1024:,.1f} KiB | {each:.0f} B "
            f"| {(times[1] - times[0]) * 1000:,.1f} ms | {read * 1000:,.1f} ms |"
        )
    return good


def further_runs(folder: Path) -> bool:
    head = f"{RUNS:,} runs that each add a file to | stored a run | of it lists | time a run"
    print(f"\n| {head} | of it lists |")
    print("|---|---|---|---|---|")
    good = True
    for count in (10, 1000):
        means = []
        for lists in (False, True):
            path = make_sif(folder / f"runs-{count}-{lists}.sif", descriptors=DESCRIPTORS)
            tree = tree_of(count)
            record(path, tree, lists=lists)
            size, seconds = path.stat().st_size, 0.0
            for number in range(RUNS):
                tree = make_tree([*tree.entries, entry(count + number)], 0)
                seconds += record(path, tree, lists=lists)[1]
            means.append(((path.stat().st_size - size) / RUNS, seconds / RUNS))
        (bare, without), (mean, seconds) = means
        good &= mean - bare <= MAX_PER_RUN
        print(
            f"| {count:,} | {mean / 1024:.1f} KiB | {(mean - bare) / 1024:.1f} KiB "
            f"| {seconds * 1000:.1f} ms | {(seconds - without) * 1000:.1f} ms |"
        )
        carrier = read_carrier(str(path))
        assert len(carrier.good) == RUNS + 1
        for _, made in (carrier.good[0], carrier.good[RUNS // 2], carrier.good[-1]):
            it = made.itself()
            assert it and it.uuid == OUT and read_manifest(carrier, it).manifest
    return good


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        good = first_runs(Path(name))
        return 0 if further_runs(Path(name)) and good else 1


if __name__ == "__main__":
    sys.exit(main())
