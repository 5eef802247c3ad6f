"""Times as records hold them: UTC, RFC 3339, `Z`."""

from __future__ import annotations

import time
from datetime import datetime, timezone

# RFC 3339 has four digits for the year.
_YEAR_10000 = 253_402_300_800


def from_ns(nanoseconds: int) -> str:
    """Returns the time of `nanoseconds` since the epoch, to the nanosecond."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09d}Z"


def from_seconds(seconds: int) -> str | None:
    """Returns the time of a SIF header; None for one that was not set or that RFC 3339 cannot
    write."""
    if not 0 < seconds < _YEAR_10000:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def to_ns(text: str) -> int:
    """Reverses `from_ns` and `from_seconds`. The text is one that `Reader.time` has accepted."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    moment = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc)
    return int(moment.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0") if fraction else 0)
