"""What the catalog takes for many containers and records: `make bench-catalog` prints it.

Containers of realistic trails (catalog_make.py) are written as files and indexed by `sifprov
index`, with the files in the page cache; then once more, with nothing changed. Further records,
which stand in no file, are put in by the function that the index itself uses, until there are a
million. Then the catalog is asked: a run by the digest of a container, all that was derived from
one with ten thousand descendants, and the eight questions. Each time is that of the library's call
(SQLite's file is opened in it, PostgreSQL's connection is kept), without the start of the program.
PostgreSQL is Debian's, as a server of the benchmark's own with its default settings.

Memory is the greatest sum, over the index and the processes that it starts, of the pages that are
theirs (PSS, so shared ones are shared out), looked at twenty times a second.

The exit code is 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from sifprov.catalog.conditions import parse_all
from sifprov.catalog.find import find
from sifprov.catalog.impact import impact
from sifprov.catalog.ingest import Ingest
from sifprov.catalog.questions import Asked, ask
from sifprov.catalog.store import Catalog, open_catalog
from sifprov.catalog.told import Told, of_bytes
from tests import postgresql
from tests.bench.catalog_copies import copies
from tests.bench.catalog_make import Trails, write
from tests.bench.timing import machine

INDEXED, UNCHANGED = 2000, 20_000
FIND, IMPACT, QUESTION = 0.005, 0.3, 0.5
MEMORY = 300 * 1024
_BATCH = 4000
_PATTERN = 9000
_ROUNDS = 15
_FAN = 10_000
_misses: list[str] = []


def main() -> int:
    """Measures all of it and prints a table for each database."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--containers", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--folder", type=Path, help="where to work [default: a temporary one]")
    options = parser.parse_args()
    print(machine())
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder)))
        began = time.perf_counter()
        count = write(str(work / "containers"), Trails().make(options.containers))
        print(f"{count:,} containers written in {time.perf_counter() - began:.0f} s\n", flush=True)
        for kind in ("sqlite", "postgresql"):
            if options.database not in (kind, "both"):
                continue
            if kind == "sqlite":
                where = str(work / "catalog.db")
            else:
                where = stack.enter_context(postgresql.server(())).new_database()
            print(f"{kind}:")
            _measure(where, work / "containers", count, options.records)
    for miss in _misses:
        print(f"MISSED: {miss}")
    return bool(_misses)


def _measure(where: str, folder: Path, count: int, records: int) -> None:
    took, memory = _index(where, folder)
    _tell("index", f"{count / took:,.0f} containers a second", count / took >= INDEXED)
    _tell("  memory", f"{memory / 1024:.0f} MiB", memory < MEMORY)
    rates = [count / _index(where, folder)[0] for _ in range(3)]
    middle = statistics.median(rates)
    said = f"{middle:,.0f} a second ({min(rates):,.0f} to {max(rates):,.0f})"
    _tell("index, nothing changed", said, middle >= UNCHANGED)
    with open_catalog(where) as catalog:
        fan = [of_bytes(data) for made in Trails(3).fan(_FAN) for _, data in made.records]
        began = time.perf_counter()
        _fill(catalog, fan)
        pattern = [of_bytes(d) for made in Trails(2).make(_PATTERN) for _, d in made.records]
        rest = records - count - len(fan)
        _fill(catalog, copies(pattern, rest))
        seconds = time.perf_counter() - began
        catalog.tidy(records)
        there, size = _size(catalog)
        print(f"  filled up to {there:,} records in {seconds:.0f} s; {size / 2**20:,.0f} MiB")
        _ask(catalog, pattern, fan[0])
    print(flush=True)


def _index(where: str, folder: Path) -> tuple[float, int]:
    """Seconds that an index takes by its own count, and KiB of memory."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sifprov", "index", str(folder), "--catalog", where, "--json"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    most = 0
    is_over = threading.Event()

    def watch() -> None:
        nonlocal most
        while not is_over.wait(0.05):
            most = max(most, sum(map(_pss, _family(process.pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, _ = process.communicate()
    is_over.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(f"sifprov index ended with {process.returncode}")
    return json.loads(out)["milliseconds"] / 1000, most


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except OSError:
        return
    for child in children.split():
        yield from _family(int(child))


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0


def _fill(catalog: Catalog, told: Iterable[Told]) -> None:
    ingest = Ingest(catalog)
    rest = iter(told)
    while batch := list(islice(rest, _BATCH)):
        ingest.put(batch, {t.digest for t in batch})


def _size(catalog: Catalog) -> tuple[int, int]:
    with catalog.looking() as bulk:
        ((records,),) = bulk.run("SELECT count(*) FROM record")
        if catalog.is_sqlite:
            return records, os.path.getsize(catalog.place.path)
        ((size,),) = bulk.run("SELECT pg_database_size(current_database())")
        return records, size


def _ask(catalog: Catalog, pattern: list[Told], first: Told) -> None:
    some = [t for t in copies(pattern, 2 * len(pattern)) if t.made and t.made.content]
    digests = [t.made.content for t in some[:: max(len(some) // 40, 1)] if t.made]
    flow = next(t.facts.workflow for t in pattern if t.facts and t.facts.workflow)
    image = next(t.image.name for t in pattern if t.image)
    job = next(
        t.execution[3] for t in copies(pattern, len(pattern)) if t.execution and t.execution[3]
    )
    start = (first.made.content if first.made else None) or ""
    wanted: dict[str, tuple[Callable[[int], int], float]] = {
        "find digest=…": (
            lambda n: _rows(catalog, lambda c: find(
                c, parse_all([f"digest={digests[n % len(digests)]}"]), 50).rows), FIND,
        ),
        f"impact, {_FAN:,} descendants": (
            lambda n: _rows(catalog, lambda c: impact(
                c, [start]).rows), IMPACT,
        ),
    }  # fmt: skip
    questions = [
        ("q1", Asked(workflow=flow[0])), ("q2", Asked(job=job)), ("q3", Asked(image=image)),
        ("q4", Asked(image=image)), ("q5", Asked(user="group1")),
        ("q6", Asked(where=("r2>0.999",))), ("q6", Asked(workflow=flow[0], where=("step=train",))),
        ("q7", Asked(workflow=flow[0], metric="loss")),
        ("q8", Asked(workflow=flow[0], metric="loss")),
    ]  # fmt: skip
    for name, asked in questions:
        wanted[f"{name} {asked.words()}"] = (
            lambda n, name=name, asked=asked: _rows(  # type: ignore[misc]
                catalog, lambda c: ask(c, name, asked).rows
            ),
            QUESTION,
        )
    for name, (work, goal) in wanted.items():
        times = []
        for number in range(_ROUNDS):
            began = time.perf_counter()
            rows = work(number)
            times.append(time.perf_counter() - began)
        middle, worst = statistics.median(times), max(times)
        said = f"{middle * 1000:,.1f} ms (to {worst * 1000:,.1f}), {rows:,} rows"
        _tell(name, said, middle < goal)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"  (the process that asked, and filled: {own / 1024:.0f} MiB at most)")


def _rows(catalog: Catalog, work: Callable[..., object]) -> int:
    with catalog.reading() as connection:
        return len(work(connection))  # type: ignore[arg-type]


def _tell(what: str, said: str, is_good: bool) -> None:
    print(f"  {what:<40} {said}", flush=True)
    if not is_good:
        _misses.append(f"{what}: {said}")


if __name__ == "__main__":
    sys.exit(main())
