"""What else is known of a run: its facts, each with its source, or null with a reason."""

from __future__ import annotations

from sifprov.model.fact import Fact
from sifprov.model.request import CaptureEnd, CaptureRequest


def collect(request: CaptureRequest, end: CaptureEnd) -> tuple[Fact, ...]:
    """Returns the facts of a run that has ended, by name."""
    return request.facts + end.facts
