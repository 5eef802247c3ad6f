"""What the catalog answers: rows under named columns. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from math import isfinite
from typing import TypeAlias

from sifprov.model.canonical import Json, text_to_json

Value: TypeAlias = "str | int | float | tuple[str, ...] | None"
Row: TypeAlias = "tuple[Value, ...]"

# What a column holds. A time is microseconds since 1970 (UTC), a span microseconds, a size bytes.
TEXT, ID, NUMBER, TIME, SPAN, SIZE = "text", "id", "number", "time", "span", "size"
# Several texts; the words of a command line.
TEXTS, COMMAND = "texts", "command"


@dataclass(frozen=True)
class Column:
    """A column: its name in JSON and CSV, what it holds, and its heading in a table, by default the
    name with spaces. A span is told in seconds outside of tables."""

    name: str
    kind: str = TEXT
    heading: str = ""

    @property
    def title(self) -> str:
        """The heading."""
        return self.heading or self.name.replace("_", " ")


@dataclass(frozen=True)
class Answer:
    """`rows` have a value for each of `columns`. `asked` says in words what was looked for, `more`
    whether rows were left out by a limit."""

    asked: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    more: bool = False

    def dicts(self) -> list[dict[str, Value]]:
        """Returns the rows as dictionaries: times as ISO texts (UTC), spans in seconds."""
        return [dict(zip(self.names, map(plain, self.columns, row), strict=True))
                for row in self.rows]  # fmt: skip

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> list[Value]:
        """Returns the values of one column."""
        place = self.names.index(name)
        return [row[place] for row in self.rows]

    def to_json(self, schema: str) -> Json:
        """Returns the document that `--json` prints."""
        rows: list[Json] = [
            {name: _json(value) for name, value in row.items()} for row in self.dicts()
        ]
        return {"asked": text_to_json(self.asked), "more": self.more, "rows": rows,
                "schema": schema}  # fmt: skip

    def only(self, names: Sequence[str]) -> Answer:
        """Returns some of the columns, in this order."""
        places = [self.names.index(name) for name in names]
        rows = tuple(tuple(row[place] for place in places) for row in self.rows)
        return replace(self, columns=tuple(self.columns[p] for p in places), rows=rows)

    def limited(self, limit: int | None) -> Answer:
        """Returns at most `limit` of the rows."""
        if limit is None or len(self.rows) <= limit:
            return self
        return replace(self, rows=self.rows[:limit], more=True)


def _json(value: Value) -> Json:
    if isinstance(value, str):
        return text_to_json(value)
    if isinstance(value, tuple):
        return [text_to_json(text) for text in value]
    if isinstance(value, float):
        # JSON has no word for infinity; documents that are stored have no fractions.
        return value if isfinite(value) else None  # type: ignore[return-value]
    return value


def plain(column: Column, value: Value) -> Value:
    """Returns a value as JSON and CSV tell it."""
    change = _PLAIN.get(column.kind)
    return change(value) if change and isinstance(value, int) else value


def iso(microseconds: int) -> str | None:
    """Returns a time as ISO 8601 text in UTC; None for one that no calendar has."""
    try:
        moment = datetime.fromtimestamp(microseconds // 1_000_000, tz=timezone.utc)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%S") + f".{microseconds % 1_000_000:06d}Z"


_PLAIN: Mapping[str, Callable[[int], Value]] = {TIME: iso, SPAN: lambda span: span / 1e6}
