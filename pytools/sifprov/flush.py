"""Delivers what waits in the spool."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from sifprov import capture, spool
from sifprov.content import Deadline
from sifprov.errors import FileError, SifprovError
from sifprov.model.record import Container
from sifprov.model.request import parse_end, parse_request
from sifprov.trail import read_carrier


@dataclass(frozen=True)
class Delivered:
    """What became of one file of the spool: the containers that took a record, or `error`."""

    path: str
    targets: tuple[str, ...]
    error: str | None


def flush() -> Iterator[Delivered]:
    """Tries to deliver everything, oldest first; what cannot be delivered stays."""
    with spool.only_one():
        for item in spool.waiting():
            if isinstance(item, SifprovError):
                yield Delivered("", (), str(item))
                continue
            try:
                targets = _deliver(item)
            except (SifprovError, OSError) as error:
                yield Delivered(item.path, (), str(error))
                continue
            os.unlink(item.path)
            yield Delivered(item.path, targets, None)


def _deliver(item: spool.Waiting) -> tuple[str, ...]:
    if item.record and item.target:
        # An append whose last sync failed may have left the record there all the same.
        if all(r.id != item.record.id for _, r in read_carrier(item.target).good):
            capture.append_to(item.target, item.record)
        return (item.target,)
    if not item.request:
        raise FileError(f"{item.path}: holds nothing")
    first, second = item.request
    request = parse_request(first)
    started = capture.begin(request, Deadline())

    def lacks_it(container: Container) -> bool:
        # A helper that was ended just after its append leaves a record and a request.
        known = (r.run for _, r in read_carrier(container.path).good)
        return all(run is None or run.started != request.started for run in known)

    end = parse_end(second)
    written = capture.finish(started, end, Deadline(), wants=lacks_it).written
    # What still cannot be delivered is now in the spool as a record of its own.
    return tuple(w.path for w in written if not w.spooled)
