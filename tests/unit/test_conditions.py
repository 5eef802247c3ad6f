"""The language of conditions: what is read, and what is said of what is not."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sifprov.catalog.conditions import DAYS, NAMED, WORDS, Kind, parse
from sifprov.errors import SifprovError

NOW = datetime(2026, 6, 3, 12, 0, 0, tzinfo=timezone.utc)
DAY = 86_400_000_000


@pytest.fixture(autouse=True)
def _in_berlin() -> Iterator[None]:
    """Two hours east of Greenwich in summer, one in winter."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


def micro(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "word", "name", "operator", "value"),
    [
        ("app=gnuplot.sif", "app", "", "=", "gnuplot.sif"),
        ("app!=a=b", "app", "", "!=", "a=b"),
        ("name~out*", "name", "", "~", "out*"),
        ("exit!=0", "exit", "", "!=", 0.0),
        ("exit>=-3", "exit", "", ">=", -3.0),
        ("metric.r2>0.9", "metric", "r2", ">", 0.9),
        ("metric.a.b<=1e-3", "metric", "a.b", "<=", 0.001),
        ("tag.paper=draft=2", "tag", "paper", "=", "draft=2"),
        ("tag.x=", "tag", "x", "=", ""),
        ("arg.lr<0.1", "arg", "lr", "<", "0.1"),
        ("elapsed>90", "elapsed", "", ">", 90_000_000),
        ("elapsed<1.5h", "elapsed", "", "<", 5_400_000_000),
        ("memory>=2M", "memory", "", ">=", 2 * 1024 * 1024),
        ("weekday=Mon", "weekday", "", "=", 0),
        ("weekday=sunday", "weekday", "", "=", 6),
        ("outcome=not-started", "outcome", "", "=", "not-started"),
        ("note~*\n*", "note", "", "~", "*\n*"),
    ],
)
def test_a_condition_is_read(
    text: str, word: str, name: str, operator: str, value: str | float
) -> None:
    found = parse(text, NOW)
    assert (found.word, found.name, found.operator, found.value) == (word, name, operator, value)
    assert found.text == text


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("since=2026-06-01", "2026-06-01T00:00:00+02:00"),
        ("since=2026-01-01", "2026-01-01T00:00:00+01:00"),
        ("until=2026-06-01", "2026-06-02T00:00:00+02:00"),
        ("since=2026-06-01T10:00:00", "2026-06-01T10:00:00+02:00"),
        ("since=2026-06-01T10:00:00Z", "2026-06-01T10:00:00+00:00"),
        ("until=2026-06-01T10:00:00+09:00", "2026-06-01T10:00:00+09:00"),
        ("since=today", "2026-06-03T00:00:00+02:00"),
        ("since=yesterday", "2026-06-02T00:00:00+02:00"),
        ("until=yesterday", "2026-06-03T00:00:00+02:00"),
        ("since=7d", "2026-05-27T12:00:00+00:00"),
        ("started>=90m", "2026-06-03T10:30:00+00:00"),
        ("ended>2026-06-01", "2026-06-02T00:00:00+02:00"),
        ("ended<2026-06-01", "2026-06-01T00:00:00+02:00"),
    ],
)
def test_times_are_of_the_users_zone(text: str, when: str) -> None:
    assert parse(text, NOW).value == micro(when)


def test_a_time_keeps_its_microseconds() -> None:
    assert parse("since=2026-06-01T10:00:00.000007Z").value == micro("2026-06-01T10:00:00Z") + 7


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("", "no condition", "word=value"),
        ("gnuplot.sif", "no condition", "word=value"),
        ("aps=x", "aps: no word of ours", "'app' is one"),
        ("colour=red", "colour: no word of ours", "activity, app"),
        ("tag=x", "tag: which one?", "tag.NAME"),
        ("app.x=1", "app.x: no word with a name", "arg, metric, tag"),
        ("app>x", "'app' does not go with '>'", "takes = != ~"),
        ("since!=today", "'since' does not go with '!='", "takes ="),
        ("exit=zero", "'zero' is not a number", None),
        ("exit=nan", "'nan' is not a number", None),
        ("metric.r2>1_0", "'1_0' is not a number", None),
        ("elapsed>soon", "'soon' is not a span of time", None),
        ("memory>much", "'much' is not a size", None),
        ("since=never", "'never' is not a time: 2026-05-28", None),
        ("since=2026-13-01", "'2026-13-01' is not a time", None),
        ("since=9999-12-31T23:59:59+00:00x", "is not a time", None),
        ("weekday=mo", "'mo' is not one of monday", None),
        ("outcome=good", "'good' is not one of exited", None),
        ("kind=job", "'job' is not one of run, making", None),
        ("app=a\0b", "is not a text without NUL", None),
    ],
)  # fmt: skip
def test_what_is_no_condition_is_told_with_what_is_allowed(
    text: str, said: str, hint: str | None
) -> None:
    with pytest.raises(SifprovError) as caught:
        parse(text, NOW)
    assert said in str(caught.value)
    assert hint is None or hint in (caught.value.hint or "")


def test_every_word_is_described_and_takes_what_its_kind_takes() -> None:
    assert len(DAYS) == 7
    samples = {
        Kind.NUMBER: "1", Kind.VALUE: "1", Kind.SIZE: "1M", Kind.SPAN: "1s", Kind.TIME: "today",
        Kind.SINCE: "today", Kind.WEEKDAY: "monday",
    }  # fmt: skip
    for word, (kind, text) in {**WORDS, **{f"{w}.x": t for w, t in NAMED.items()}}.items():
        assert len(text) > 10
        choice = {"outcome": "exited", "kind": "run"}.get(word, "x")
        for operator in kind.operators:
            assert parse(f"{word}{operator}{samples.get(kind, choice)}", NOW).operator == operator


@given(st.text())
def test_any_text_is_a_condition_or_an_error_of_ours(text: str) -> None:
    with suppress(SifprovError):
        parse(text, NOW)
