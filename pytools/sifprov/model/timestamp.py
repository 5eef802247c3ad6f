"""Times as records hold them: UTC, RFC 3339, `Z`."""

from __future__ import annotations

import time

# RFC 3339 has four digits for the year.
_YEAR_10000 = 253_402_300_800
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


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
    return seconds_of(whole) * 1_000_000_000 + int(fraction.ljust(9, "0") if fraction else 0)


def is_time(text: str) -> bool:
    """Whether a text is `YYYY-MM-DDTHH:MM:SS[.DIGITS]Z`, to the nanosecond at most, from 1970 on:
    no run is older, and every library can show it."""
    whole, dot, fraction = text.removesuffix("Z").partition(".")
    digits = whole[:4] + whole[5:7] + whole[8:10] + whole[11:13] + whole[14:16] + whole[17:]
    good = (
        text.isascii()
        and text.endswith("Z")
        and [whole[at : at + 1] for at in (4, 7, 10, 13, 16)] == ["-", "-", "T", ":", ":"]
        and len(digits) == 14
        and digits.isdigit()
        and digits >= "1970"
        and bool(dot) == (fraction.isdigit() and len(fraction) <= 9)
    )
    try:
        return good and seconds_of(whole) >= 0
    except ValueError:
        return False


def seconds_of(text: str) -> int:
    """Returns the seconds from the epoch to `YYYY-MM-DDTHH:MM:SS`, UTC. Raises ValueError where the
    calendar has no such time. `datetime`, which can do it too, takes a millisecond to import."""
    year, month, day = int(text[:4]), int(text[5:7]), int(text[8:10])
    hour, minute, second = int(text[11:13]), int(text[14:16]), int(text[17:19])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    good = year and 1 <= month <= 12 and hour < 24 and minute < 60 and second < 60
    if not good or not 1 <= day <= _MONTHS[month - 1] + (leap and month == 2):
        raise ValueError(f"{text}: no time of the calendar")
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - 719_162
    days += sum(_MONTHS[: month - 1]) + (leap and month > 2) + day - 1
    return ((days * 24 + hour) * 60 + minute) * 60 + second


def to_utc(text: str) -> str | None:
    """Returns a time of RFC 3339 with any offset as records hold it; None for what is none, or is
    before 1970."""
    moment, offset = (text[:-1], "+00:00") if text.endswith("Z") else (text[:-6], text[-6:])
    whole, dot, fraction = moment.partition(".")
    digits = fraction.isascii() and fraction.isdigit() and len(fraction) <= 9
    if len(whole) != 19 or whole[10] != "T" or bool(dot) != digits:
        return None
    from datetime import datetime  # not for the helper

    try:
        seconds = datetime.fromisoformat(whole + offset).timestamp()
    except ValueError:
        return None
    found = from_seconds(int(seconds))
    return found and found[:-1] + dot + fraction + "Z"
