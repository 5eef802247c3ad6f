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


def to_utc(text: str) -> str | None:
    """Returns a time of RFC 3339 with any offset as records hold it; None for what is none, or is
    before 1970."""
    moment, offset = (text[:-1], "+00:00") if text.endswith("Z") else (text[:-6], text[-6:])
    whole, dot, fraction = moment.partition(".")
    digits = fraction.isascii() and fraction.isdigit() and len(fraction) <= 9
    if len(whole) != 19 or whole[10] != "T" or bool(dot) != digits:
        return None
    try:
        seconds = datetime.fromisoformat(whole + offset).timestamp()
    except ValueError:
        return None
    found = from_seconds(int(seconds))
    return found and found[:-1] + dot + fraction + "Z"
