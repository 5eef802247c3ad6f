"""Times as people read them."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timezone

from sifprov.model.timestamp import to_ns


def local_time(text: str) -> str:
    """Returns a record's time in the user's zone, to the second."""
    moment = datetime.fromtimestamp(to_ns(text) // 1_000_000_000, tz=timezone.utc)
    with suppress(OverflowError):  # the last day of the year 9999, east of Greenwich
        moment = moment.astimezone()
    return moment.strftime("%Y-%m-%d %H:%M:%S %z")
