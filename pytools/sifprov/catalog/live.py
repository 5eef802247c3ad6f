"""Takes what waits in the queue of reports (livereports.py) into a catalog."""

from __future__ import annotations

from typing import NamedTuple

from sifprov import livereports
from sifprov.catalog.reported import put_reports
from sifprov.catalog.store import Catalog
from sifprov.errors import FileError, SifprovError
from sifprov.livereports import Waiting
from sifprov.terminal import counted

_BATCH = 500
# How long one who takes reports in waits for another who does, seconds.
_PATIENCE = 2.0


class Taken(NamedTuple):
    """How many reports a catalog has taken in, and a line for each thing to be known of them."""

    reports: int
    warnings: tuple[str, ...] = ()


def take_in(catalog: Catalog) -> Taken:
    """Takes in all that waits; a report is deleted when the transaction that holds it is
    committed. Raises FileError where the catalog fails."""
    if not livereports.count():
        return Taken(0)
    warnings: list[str] = []
    count = 0
    seen: set[tuple[str, int]] = set()
    # Who does not get it goes on without: to take in twice does no harm.
    with livereports.locked(".lock", _PATIENCE):
        while batch := _next(warnings, seen):
            count += _put(catalog, batch, warnings)
    lost = livereports.dropped()
    if lost:
        what = counted(lost, "report")
        warnings.append(f"{what} of runs gave way to newer ones before anybody read them")
    return Taken(count, tuple(warnings))


def _next(warnings: list[str], seen: set[tuple[str, int]]) -> list[Waiting]:
    found: list[Waiting] = []
    for item in livereports.waiting():
        if isinstance(item, FileError):
            warnings.append(f"{item} ({item.hint})")
            continue
        # One that cannot be deleted is not to be taken in for ever.
        if (item.path, item.mtime_ns) not in seen:
            found.append(item)
        if len(found) == _BATCH:
            break
    seen.update((item.path, item.mtime_ns) for item in found)
    return found


def _put(catalog: Catalog, batch: list[Waiting], warnings: list[str]) -> int:
    reports = [item.report for item in batch]
    try:
        catalog.write(lambda connection: put_reports(connection, reports))
    except SifprovError as error:
        # Raises where it is the catalog that fails.
        catalog.info("version")
        if len(batch) == 1:
            warnings.append(str(livereports.put_aside(batch[0].path, error)))
            return 0
        return sum(_put(catalog, [item], warnings) for item in batch)
    for item in batch:
        livereports.done(item)
    return len(batch)
