"""What recording a run costs: `make bench` prints the tables, ready to be pasted.

The same jobs bare, with the plugin, by `sifprov exec`, and by other programs that record runs, in
turn on one machine in one session. Then: what a run costs that binds no data container, whether
the size of inputs that are known already matters, how fast an unknown one is read, and what an
output costs that holds large files. The exit code is 1 when one of sifprov's own bounds is not
kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from sifprov.content import Deadline
from sifprov.identity import identify
from sifprov.partition import scan_partition
from tests.bench.jobs import JOBS, MB, Job, Site, make_input, make_site, plugin_installed
from tests.bench.old_files import old_files
from tests.bench.peers import MissingPeerError
from tests.bench.timing import in_turn, machine, quartiles
from tests.bench.ways import (
    BARE,
    PLUGIN,
    WAYS,
    WRAPPER,
    NotRunError,
    Plugin,
    Way,
    run,
)
from tests.real.harness import plugin_state

# Milliseconds that sifprov may add to the median, and the least speed beside openssl.
MOST = {PLUGIN: 60.0, WRAPPER: 80.0}
MOST_WITHOUT_DATA = 30.0
MOST_BY_SIZE = 10.0
LEAST_SPEED = 0.8


def usable(site: Site, job: Job, wanted: list[str]) -> tuple[list[Way], dict[str, str]]:
    """Prepares every way and tries it once. Returns those that run, and why others do not."""
    found: list[Way] = []
    missing: dict[str, str] = {}
    for kind in WAYS:
        way = kind(site)
        if wanted and way.name != BARE and not any(word in way.name for word in wanted):
            continue
        try:
            way.prepare(job)
            way.once(job)
            way.stored()
        except (NotRunError, MissingPeerError) as error:
            missing[way.name] = str(error)
        else:
            found.append(way)
    return found, missing


def compare(site: Site, job: Job, rounds: int, wanted: list[str]) -> tuple[bool, list[Way]]:
    """Prints the table of one job; whether sifprov keeps its bounds."""
    ways, missing = usable(site, job, wanted)
    if BARE in missing:
        raise SystemExit(f"the job does not even run bare: {missing[BARE]}")
    times = in_turn({way.name: partial(way.once, job) for way in ways}, rounds)
    bare = quartiles(times[BARE])[1]
    print(f"\n| {job.name}, {rounds} rounds | median | quartiles | added | times bare | stored |")
    print("|---|---|---|---|---|---|")
    good = True
    for way in ways:
        low, middle, high = quartiles(times[way.name])
        added = (middle - bare) * 1000
        try:
            stored = _bytes(way.stored())
        except NotRunError as error:
            good, stored = False, f"nothing: {error}"
        print(
            f"| {way.name} | {middle * 1000:,.0f} ms | {low * 1000:,.0f} … {high * 1000:,.0f} "
            f"| {added:+,.0f} ms | {middle / bare:.2f} | {stored} |"
        )
        if job.name == "true" and added > MOST.get(way.name, added):
            good = False
            print(
                f"{way.name} adds {added:.0f} ms, more than {MOST[way.name]:.0f}", file=sys.stderr
            )
    for name, reason in missing.items():
        print(f"| {name} | does not run here: {reason} | | | | |")
        good = good and name not in MOST
    return good, ways


def without_data(site: Site, rounds: int) -> bool:
    """Prints what a run costs that binds no data container."""
    argv = [site.runtime, "exec", *site.flags, site.app, "true"]
    program = str(Path(sys.executable).with_name("sifprov"))
    wrapped = [program, "exec", "--runtime", site.runtime, *argv[2:]]

    def bare() -> float:
        with plugin_state(site.runtime, present=False):
            return run(argv, site.folder, site.env)[0]

    def wrapper() -> float:
        with plugin_state(site.runtime, present=False):
            return run(wrapped, site.folder, site.env)[0]

    tasks = {BARE: bare, PLUGIN: lambda: run(argv, site.folder, site.env)[0], WRAPPER: wrapper}
    times = in_turn(tasks, rounds)
    first = quartiles(times[BARE])[1]
    print(f"\n| no data container, {rounds} rounds | median | quartiles | added |")
    print("|---|---|---|---|")
    worst = 0.0
    for name, values in times.items():
        low, middle, high = (v * 1000 for v in quartiles(values))
        added = middle - first * 1000
        print(f"| {name} | {middle:,.0f} ms | {low:,.0f} … {high:,.0f} | {added:+,.1f} ms |")
        if name == PLUGIN:
            worst = added
    if worst > MOST_WITHOUT_DATA:
        print(f"the plugin adds {worst:.0f} ms, more than {MOST_WITHOUT_DATA:.0f}", file=sys.stderr)
    return worst <= MOST_WITHOUT_DATA


def by_size(site: Site, size: int, rounds: int) -> bool:
    """Prints whether a larger input, once known, costs more."""
    large = site.folder / "input-large.sif"
    make_input(large, size)
    small = site.folder / "input-small.sif"
    make_input(small, MB)
    ways: dict[str, Way] = {}
    for kind in WAYS:
        if issubclass(kind, Plugin):
            ways[kind.name] = kind(site)
            ways[kind.name].prepare(JOBS[0])
    tasks = {}
    for way in ways.values():
        for sif in (small, large):

            def once(way: Way = way, sif: Path = sif) -> float:
                link = way.folder / "input.sif"
                link.unlink()
                link.symlink_to(sif)
                return way.once(JOBS[0])

            tasks[f"{way.name}, {sif.stat().st_size / 1e6:,.0f} MB"] = once
    times = in_turn(tasks, rounds, warm_up=2)
    print(f"\n| true, an input that is known already, {rounds} rounds | median | quartiles |")
    print("|---|---|---|")
    medians = []
    for name, values in times.items():
        low, middle, high = (v * 1000 for v in quartiles(values))
        medians.append(middle)
        print(f"| {name} | {middle:,.0f} ms | {low:,.0f} … {high:,.0f} |")
    growth = max(medians[1] - medians[0], medians[3] - medians[2])
    if growth > MOST_BY_SIZE:
        print(f"a known large input costs {growth:.0f} ms more", file=sys.stderr)
    return growth <= MOST_BY_SIZE


def reading(site: Site, rounds: int) -> bool:
    """Prints how fast an unknown input is read, beside openssl."""
    sif = site.folder / "input-large.sif"
    identity = identify(str(sif))
    assert identity.partition
    partition = identity.partition
    plain = site.folder / "plain"
    with sif.open("rb") as source, plain.open("wb") as file:
        source.seek(partition.offset)
        size = partition.size // MB * MB
        for _ in range(size // MB):
            file.write(source.read(MB))

    def openssl() -> float:
        return run(["openssl", "dgst", "-sha256", str(plain)], site.folder, site.env)[0] / size

    def ours() -> float:
        began = time.perf_counter()
        tree = scan_partition(str(sif), partition, Deadline())
        return (time.perf_counter() - began) / tree.size

    times = in_turn({"openssl dgst -sha256": openssl, "tree digest, no mount": ours}, rounds)
    print(f"\n| reading {size / 1e6:,.0f} MB, {rounds} rounds | MB a second | quartiles |")
    print("|---|---|---|")
    speeds = []
    for name, values in times.items():
        low, middle, high = (1 / v / 1e6 for v in quartiles(values))
        speeds.append(middle)
        print(f"| {name} | {middle:,.0f} | {high:,.0f} … {low:,.0f} |")
    ratio = speeds[1] / speeds[0]
    print(f"\nThe tree digest is made at {ratio:.0%} of openssl's speed.")
    return ratio >= LEAST_SPEED


def what_is_recorded(site: Site) -> None:
    """Prints what each way records."""
    print("\n| | version | what it records |\n|---|---|---|")
    for kind in WAYS:
        way = kind(site)
        try:
            print(f"| {way.name} | {way.version} | {way.records} |")
        except (MissingPeerError, subprocess.CalledProcessError) as error:
            print(f"| {way.name} | | not installed: {error} |")


def _bytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} KB"


def main() -> int:
    """Prints every table. Returns 1 when a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, help="of every table (default: as fits the job)")
    parser.add_argument("--large", type=int, default=1000, help="MB of the large input")
    parser.add_argument("--ways", nargs="*", default=[], help="only these, by a part of the name")
    parser.add_argument("--no-peers", action="store_true", help="only bare and sifprov")
    options = parser.parse_args()
    wanted = ["sifprov"] if options.no_peers else options.ways
    good = []
    with tempfile.TemporaryDirectory(prefix="sifprov-bench-", dir="/var/tmp") as name:
        site = make_site(Path(name))
        with plugin_installed(site.runtime):
            print(f"{machine()}; as {'root' if os.geteuid() == 0 else 'an ordinary user'}")
            for job in JOBS:
                good.append(compare(site, job, options.rounds or job.rounds, wanted)[0])
            good.append(without_data(site, options.rounds or 31))
            good.append(by_size(site, options.large * MB, options.rounds or 15))
            good.append(reading(site, min(options.rounds or 7, 7)))
            old_files(site, options.large * MB, min(options.rounds or 7, 7))
        if not options.no_peers:
            what_is_recorded(site)
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
