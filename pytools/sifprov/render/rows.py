"""Rows of an answer as a table for people, and as CSV.

Texts come from containers and may hold anything. In a table they are made harmless for a terminal;
in CSV, too, and no spreadsheet takes one for a formula.
"""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterator, Sequence
from unicodedata import east_asian_width

from sifprov.model.answer import (
    COMMAND,
    ID,
    NUMBER,
    SIZE,
    SPAN,
    TEXTS,
    TIME,
    Answer,
    Column,
    Value,
    iso,
    plain,
)
from sifprov.render.clock import local_time
from sifprov.render.scene import duration
from sifprov.terminal import command, printable, size

_GAP = "  "
_LEAST = 8
_NONE = "-"
# What a spreadsheet takes for the begin of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(answer: Answer, width: int | None = None) -> Iterator[str]:
    """Yields the lines of a table, not wider than `width`: what is too long then is cut, with `…`.
    The narrower columns keep all they have."""
    columns = answer.columns
    lines = [[printable(column.title) for column in columns]]
    lines += [
        [shown(column, value) for column, value in zip(columns, row, strict=True)]
        for row in answer.rows
    ]
    widths = [max(_width(line[n]) for line in lines) for n in range(len(columns))]
    if width is not None:
        widths = _fitting(widths, width - len(_GAP) * (len(columns) - 1))
    for line in lines:
        cells = [
            _padded(text, to, right=column.kind in (NUMBER, SPAN, SIZE))
            for text, to, column in zip(line, widths, columns, strict=True)
        ]
        yield _GAP.join(cells).rstrip()


def shown(column: Column, value: Value) -> str:
    """Returns a value as a table shows it."""
    if value is None or value == "" or value == ():
        return _NONE
    if column.kind == TIME and isinstance(value, int):
        text = iso(value)
        return local_time(text) if text else str(value)
    if column.kind == SPAN and isinstance(value, int):
        return duration(value * 1000) if value >= 0 else str(value)
    if column.kind == ID:
        # As trails show them; `id:` takes the beginning.
        return printable(str(value)[:8])
    if column.kind == SIZE and isinstance(value, int):
        return size(value)
    if column.kind == TEXTS and isinstance(value, tuple):
        return ", ".join(map(printable, value))
    if column.kind == COMMAND and isinstance(value, tuple):
        return command(value)
    if isinstance(value, float):
        return f"{value:.10g}"
    return printable(str(value))


def csv_text(answer: Answer) -> str:
    """Returns the rows as CSV (RFC 4180), with the columns' names in the first line. Several texts
    of one cell have `; ` between."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(answer.names)
    for row in answer.rows:
        cells = zip(answer.columns, row, strict=True)
        writer.writerow([_cell(column.kind, plain(column, value)) for column, value in cells])
    return out.getvalue()


def _cell(kind: str, value: Value) -> str | int | float | None:
    if isinstance(value, tuple):
        value = shlex.join(value) if kind == COMMAND else "; ".join(value)
    if not isinstance(value, str):
        return value
    return printable("'" + value if value.startswith(_FORMULA) else value)


def _fitting(widths: Sequence[int], room: int) -> list[int]:
    """Makes the widest columns as narrow as it takes, but none narrower than `_LEAST`."""
    most = max(widths)
    while most > _LEAST and sum(min(width, most) for width in widths) > room:
        most -= 1
    return [min(width, most) for width in widths]


def _padded(text: str, width: int, *, right: bool) -> str:
    if _width(text) > width:
        while _width(text) > width - 1:
            text = text[:-1]
        text += "…"
    fill = " " * (width - _width(text))
    return fill + text if right else text + fill


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)
