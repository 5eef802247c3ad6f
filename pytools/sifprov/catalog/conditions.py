"""The language of `sifprov find`: words that a run must fulfil, all of them.

    condition  = word operator value
    word       = one of WORDS, or `tag.NAME`, `metric.NAME`, `arg.NAME`
    operator   = `=` `!=` `<` `<=` `>` `>=`, or `~` for a pattern in which `*` stands for any text
                 and `?` for one character
    value      = the rest, as it is: no quotes, no escapes

Each word says what its values are (`Kind`). Text alone: nothing here knows of a database.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from difflib import get_close_matches
from enum import Enum

from sifprov.errors import SifprovError

_EQUAL = ("=", "!=")
_ORDER = (*_EQUAL, "<", "<=", ">", ">=")
_TEXT = (*_EQUAL, "~")
OPERATORS = ("!=", "<=", ">=", "=", "<", ">", "~")


class Kind(Enum):
    """What the values of a word are, and which operators it takes."""

    # A name, a UUID, a digest (or how that begins) or a path.
    THING = "a name, a UUID, a digest or a path", _TEXT
    TEXT = "a text", _TEXT
    CHOICE = "one of a few words", _EQUAL
    NUMBER = "a number", _ORDER
    VALUE = "a number or a text", (*_ORDER, "~")
    SIZE = "a size such as 512M", _ORDER
    SPAN = "a span of time such as 90s, 15m, 2h or 7d", _ORDER
    TIME = (
        "a time: 2026-05-28, 2026-05-28T20:26:40, today, yesterday, or how long ago: 7d, 12h",
        _ORDER,
    )
    SINCE = TIME[0], ("=",)
    WEEKDAY = "a day of the week such as monday", _EQUAL
    WORDS = "words that follow each other in the command", ("=", "!=", "~")

    def __init__(self, what: str, operators: tuple[str, ...]) -> None:
        self.what, self.operators = what, operators


OUTCOMES = ("exited", "signaled", "not-started", "unknown", "running", "lost")
KINDS = ("run", "making")
COMPOSITIONS = ("coarse", "hybrid", "fine")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

# Every word: what its values are, and what it says of a run.
WORDS: dict[str, tuple[Kind, str]] = {
    "activity": (Kind.TEXT, "the step of a workflow that it carried out"),
    "app": (Kind.THING, "the application container that it ran"),
    "architecture": (Kind.TEXT, "what processor it ran on, such as x86_64"),
    "argument": (Kind.WORDS, "words of its command, such as '-m 12'"),
    "base": (Kind.TEXT, "the base image of its application"),
    "cluster": (Kind.TEXT, "the cluster of its batch job"),
    "command": (Kind.TEXT, "its command, as one text with spaces between"),
    "container": (Kind.THING, "a data container that it read or left"),
    "digest": (Kind.TEXT, "the content of any container that took part, or how that begins"),
    "elapsed": (Kind.SPAN, "how long it took"),
    "ended": (Kind.TIME, "when it ended"),
    "execution": (Kind.TEXT, "the UUID of the workflow's execution that it is of"),
    "exit": (Kind.NUMBER, "its exit code; a run that left none fulfils no condition on it"),
    "host": (Kind.TEXT, "the machine, where its name is recorded"),
    "id": (Kind.TEXT, "its record's id, or how that begins"),
    "input": (Kind.THING, "a data container that it read"),
    "job": (Kind.TEXT, "the batch job, or the array that the job is of"),
    "kind": (Kind.CHOICE, f"what it is: {' or '.join(KINDS)}"),
    "memory": (Kind.SIZE, "the memory of its largest process"),
    "name": (Kind.TEXT, "the name of any container that took part"),
    "note": (Kind.TEXT, "a note of the user"),
    "outcome": (Kind.CHOICE, f"how it ended: {', '.join(OUTCOMES)}"),
    "output": (Kind.THING, "a data container that it left"),
    "queue": (Kind.TEXT, "the batch system's queue or partition"),
    "runtime": (Kind.TEXT, "the container runtime, such as apptainer"),
    "scheduler": (Kind.TEXT, "the batch system"),
    "signal": (Kind.NUMBER, "the signal that ended it"),
    "since": (Kind.SINCE, "it began then or later"),
    "started": (Kind.TIME, "when it began"),
    "source": (Kind.TEXT, "the folder that a data container was made from"),
    "until": (Kind.SINCE, "it began before then; of a day, before its end"),
    "user": (Kind.TEXT, "who ran it: a name or a number"),
    "weekday": (Kind.WEEKDAY, "the day of the week on which it began (UTC)"),
    "workflow": (Kind.TEXT, "the name of the workflow that it is of"),
}  # fmt: skip
# Words with a name behind a dot.
NAMED: dict[str, tuple[Kind, str]] = {
    "arg": (
        Kind.VALUE,
        "an option or a setting in its command: --NAME V, --NAME=V, -NAME V, NAME=V",
    ),
    "metric": (Kind.NUMBER, "a number that the user gave"),
    "tag": (Kind.TEXT, "a tag that the user gave"),
}
_CHOICES = {"outcome": OUTCOMES, "kind": KINDS}
_SHAPE = re.compile(r"([A-Za-z_]+)(?:\.(.+?))?(!=|<=|>=|=|<|>|~)(.*)", re.DOTALL)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)([smhdw]?)")


@dataclass(frozen=True)
class Condition:
    """`word` (with `name` for the NAMED ones), `operator`, and the value: a float for numbers, an
    int for sizes (bytes), spans and times (microseconds), else a text. `text` is as it was
    typed."""

    word: str
    name: str
    operator: str
    value: str | int | float
    text: str

    @property
    def kind(self) -> Kind:
        """What its value is."""
        return (NAMED if self.name else WORDS)[self.word][0]


def parse(text: str, now: datetime | None = None) -> Condition:
    """Returns the condition that `text` states; `now` is what times are counted from. Raises
    SifprovError, which names the word and what is allowed."""
    match = _SHAPE.fullmatch(text)
    if not match:
        raise SifprovError(
            f"{text!r}: no condition", hint="write it as word=value, such as app=gnuplot.sif"
        )
    word, name, operator, value = match.group(1), match.group(2) or "", match.group(3), match[4]
    known = NAMED if name else WORDS
    if word not in known:
        raise _unknown(word, name)
    kind = known[word][0]
    if operator not in kind.operators:
        raise SifprovError(
            f"{text!r}: {word!r} does not go with {operator!r}",
            hint=f"{word} is {kind.what}, and takes {' '.join(kind.operators)}",
        )
    return Condition(word, name, operator, _value(word, kind, operator, value, text, now), text)


def parse_all(texts: list[str] | tuple[str, ...], now: datetime | None = None) -> list[Condition]:
    """Returns the conditions that are all to be fulfilled."""
    return [parse(text, now) for text in texts]


def _unknown(word: str, name: str) -> SifprovError:
    if name:
        return SifprovError(
            f"{word}.{name}: no word with a name", hint=f"these are {', '.join(sorted(NAMED))}"
        )
    if word in NAMED:
        return SifprovError(f"{word}: which one?", hint=f"write it as {word}.NAME")
    near = get_close_matches(word, WORDS, 1)
    meant = f"{near[0]!r} is one; " if near else ""
    return SifprovError(f"{word}: no word of ours", hint=f"{meant}all are {', '.join(WORDS)}")


def _value(
    word: str, kind: Kind, operator: str, value: str, text: str, now: datetime | None
) -> str | int | float:
    try:
        if operator == "~":
            return _texts(value)
        if kind in (Kind.TIME, Kind.SINCE):
            return moment(value, now, end=word == "until" or operator in (">", "<="))
        if kind == Kind.SPAN:
            return span(value)
        if kind == Kind.SIZE:
            return _size(value)
        if kind == Kind.NUMBER:
            return _number(value)
        if kind == Kind.WEEKDAY:
            return _day(value)
        if word in _CHOICES and value not in _CHOICES[word]:
            raise ValueError(f"one of {', '.join(_CHOICES[word])}")
        return _texts(value)
    except ValueError as error:
        raise SifprovError(f"{text!r}: {value!r} is not {error}") from None


def _texts(value: str) -> str:
    # PostgreSQL has no such text; neither has a file's name.
    if "\0" in value:
        raise ValueError("a text without NUL")
    return value


def _number(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if number != number or abs(number) == float("inf") or "_" in value:
        raise ValueError("a number")
    return number


def _size(value: str) -> int:
    from sifprov.sizes import parse_size

    try:
        return parse_size(value)
    except SifprovError:
        raise ValueError(Kind.SIZE.what) from None


def _day(value: str) -> int:
    near = [n for n, day in enumerate(DAYS) if len(value) >= 3 and day.startswith(value.lower())]
    if not near:
        raise ValueError(f"one of {', '.join(DAYS)}")
    return near[0]


def span(value: str) -> int:
    """Returns a span of time in microseconds; a bare number is seconds. Raises ValueError."""
    match = _SPAN.fullmatch(value)
    if not match:
        raise ValueError(Kind.SPAN.what)
    return round(float(match[1]) * _UNITS[match[2] or "s"] * 1_000_000)


def moment(value: str, now: datetime | None = None, *, end: bool = False) -> int:
    """Returns a time in microseconds since 1970; of a whole day its begin, with `end` that of the
    next. What names no zone is local time. Raises ValueError."""
    now = datetime.now(timezone.utc) if now is None else now
    local = now.astimezone() if now.tzinfo is None or now.tzinfo == timezone.utc else now
    day = {"today": 0, "yesterday": 1}.get(value)
    if day is not None:
        found = datetime.combine(local.date() - timedelta(days=day), datetime.min.time())
        return _microseconds(found + timedelta(days=1 if end else 0))
    ago = _SPAN.fullmatch(value)
    if ago and ago[2]:
        return int(now.timestamp() * 1_000_000) - span(value)
    try:
        found = datetime.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") else value)
        if len(value) == 10 and end:
            found += timedelta(days=1)
        return _microseconds(found)
    except (ValueError, OverflowError, OSError):
        raise ValueError(Kind.TIME.what) from None


def _microseconds(found: datetime) -> int:
    # Without a zone it is local time, with the offset of that day.
    seconds = found.replace(microsecond=0).timestamp()
    return int(seconds) * 1_000_000 + found.microsecond
