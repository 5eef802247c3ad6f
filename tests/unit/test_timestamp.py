"""Times are read as `datetime` reads them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from sifprov.model.timestamp import is_time, seconds_of, to_ns

FORM = re.compile(
    r"(?:19[7-9]\d|[2-9]\d{3})-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", re.ASCII
)  # fmt: skip


def is_one(text: str) -> bool:
    """Whether the form and the calendar allow a text."""
    if not FORM.fullmatch(text):
        return False
    try:
        datetime.fromisoformat(text[:19])
    except ValueError:
        return False
    return True


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_every_time_has_its_seconds(moment: datetime) -> None:
    text = moment.replace(microsecond=0).isoformat()
    assert seconds_of(text) == int(datetime.fromisoformat(text + "+00:00").timestamp())


NUMBER = st.integers(0, 99).map("{:02}".format)


@given(st.integers(0, 9999), NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, st.sampled_from(
    ["", ".", ".0", ".123456789", ".1234567890", ".-1", ".1 ", ".٣"]
))  # fmt: skip
def test_what_the_calendar_lacks_is_no_time(
    year: int, month: str, day: str, hour: str, minute: str, second: str, fraction: str
) -> None:
    text = f"{year:04}-{month}-{day}T{hour}:{minute}:{second}{fraction}Z"
    assert is_time(text) == is_one(text)


@given(st.text("0123456789-T:.Z٣ ", max_size=31))
def test_what_has_another_form_is_no_time(text: str) -> None:
    assert is_time(text) == is_one(text)


def test_leap_days_are_known() -> None:
    for year, good in ((2000, True), (2024, True), (1900, False), (2100, False), (2023, False)):
        assert is_time(f"{year}-02-29T00:00:00Z") == (good and year >= 1970)
    assert not is_time("2024-01-01T00:00:00ZZ")


def test_the_ends_of_the_clock_are_known() -> None:
    for text in ("24:00:00", "23:60:00", "23:59:60", "99:00:00"):
        assert not is_time(f"2026-01-01T{text}Z")
    for date in (
        "2026-00-01",
        "2026-13-01",
        "2026-01-00",
        "2026-04-31",
        "1969-12-31",
        "0000-01-01",
    ):
        assert not is_time(f"{date}T23:59:59Z")
    assert is_time("2026-12-31T23:59:59Z") and is_time("1970-01-01T00:00:00.5Z")


def test_nanoseconds_are_kept() -> None:
    moment = datetime(2026, 11, 29, 12, 0, 5, tzinfo=timezone.utc)
    assert to_ns("2026-11-29T12:00:05.000000007Z") == int(moment.timestamp()) * 10**9 + 7
