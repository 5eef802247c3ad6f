"""Runs that wait in the spool: a replay knows nothing of them until they are delivered."""

from __future__ import annotations

import os

from sifprov.errors import SifprovError
from sifprov.identity import identify
from sifprov.model.request import parse_request
from sifprov.spool import how_to_flush, waiting
from sifprov.waiting import Waiting


def waits(path: str) -> str | None:
    """Returns how a record of the container at `path` is delivered that waits in the user's spool
    or beside it; None where there is none, or that cannot be told."""
    uuid, real = identify(path).uuid, os.path.realpath(path)
    try:
        for item in waiting([os.path.dirname(os.path.abspath(path))]):
            if isinstance(item, Waiting) and _speaks_of(item, uuid, real):
                return how_to_flush(item.path)
    except (SifprovError, OSError):
        return None
    return None


def _speaks_of(item: Waiting, uuid: object, real: str) -> bool:
    if item.record:
        return item.record.container == uuid
    if not item.request:
        return False
    request = parse_request(item.request[0])
    written = (b.source for b in request.binds if not b.read_only)
    return real in (os.path.realpath(os.path.join(request.cwd, path)) for path in written)
