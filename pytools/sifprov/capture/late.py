"""What can still be said of a run's containers when its record is made later, by a flush."""

from __future__ import annotations

import os

from sifprov.capture.bound import Bound
from sifprov.frozen import replace
from sifprov.model.record import Container
from sifprov.model.request import CaptureEnd, CaptureRequest
from sifprov.model.timestamp import to_ns

SINCE = "changed after the run and before this record was made"


def as_it_was(bound: Bound, request: CaptureRequest, end: CaptureEnd) -> Bound:
    """Returns a data container without its content where that is not the run's any more."""
    if bound.tree is None:
        return bound
    limit = request.started if not bound.writable else end.ended or request.started
    if bound.tree.changed_ns <= to_ns(limit):
        return bound
    return replace(bound, tree=None, reason=SINCE)


def application_as_it_was(container: Container, request: CaptureRequest) -> Container:
    """Returns the application without its digest where the file was written since the start."""
    try:
        written = os.stat(container.path).st_mtime_ns
    except OSError:
        return container
    if container.digest is None or written <= to_ns(request.started):
        return container
    return replace(container, digest=None, reason=SINCE)
