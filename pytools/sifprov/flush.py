"""Delivers what waits in the spool."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

from sifprov import capture, spool
from sifprov.content import Deadline
from sifprov.errors import FileError, SifprovError
from sifprov.model.request import parse_end, parse_request


@dataclass(frozen=True)
class Delivered:
    """What became of one file of the spool: the containers that took a record, or `error`."""

    path: str
    targets: tuple[str, ...]
    error: str | None


def flush() -> Iterator[Delivered]:
    """Tries to deliver everything, oldest first; what cannot be delivered stays."""
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
        capture.append_to(item.target, item.record)
        return (item.target,)
    if not item.request:
        raise FileError(f"{item.path}: holds nothing")
    first, second = item.request
    started = capture.begin(parse_request(first), Deadline())
    written = capture.finish(started, parse_end(second), Deadline()).written
    # What still cannot be delivered is now in the spool as a record of its own.
    return tuple(w.path for w in written if not w.spooled)
