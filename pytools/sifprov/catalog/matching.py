"""Comparisons that mean the same in SQLite and in PostgreSQL. Every value is a bound parameter."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import translate
from re import fullmatch
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Dialect, bindparam, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY

from sifprov.catalog.texts import escaped, short

_THOSE = "those"
_LAST = "\U0010ffff"


def glob(dialect: Dialect, text: ColumnElement[Any], pattern: str) -> ColumnElement[bool]:
    """True where a text has the form of `pattern`: `*` is any text, `?` one character, and all else
    itself."""
    pattern = escaped(pattern)
    if dialect.name == "sqlite":
        # Its LIKE takes capitals for small letters.
        return text.op("GLOB", is_comparison=True)(pattern.replace("[", "[[]"))
    for character in "\\%_":
        pattern = pattern.replace(character, "\\" + character)
    return text.like(pattern.replace("*", "%").replace("?", "_"), escape="\\")


def has_form(text: str, pattern: str) -> bool:
    """As `glob`, of a text at hand, which is as the catalog holds it."""
    return fullmatch(translate(escaped(pattern).replace("[", "[[]")), text) is not None


def begins(dialect: Dialect, text: ColumnElement[Any], prefix: str) -> ColumnElement[bool]:
    """True where a text begins with `prefix`, by the index of its column (on PostgreSQL where the
    database orders texts by their bytes, as the locale C does)."""
    if dialect.name != "sqlite":
        return text.startswith(escaped(prefix), autoescape=True)
    prefix = escaped(prefix)
    return (text >= prefix) & (text < prefix + _LAST)


def contains(dialect: Dialect, text: ColumnElement[Any], part: str) -> ColumnElement[bool]:
    """True where `part` stands in a text."""
    where = func.instr if dialect.name == "sqlite" else func.strpos
    return where(text, part) > 0


def among(dialect: Dialect, value: ColumnElement[Any], ids: Iterable[int]) -> ColumnElement[bool]:
    """True where a number is one of `ids`, however many these are."""
    return _among(dialect.name, value, None, as_those(dialect, ids)[_THOSE])


def among_those(database: str, value: ColumnElement[Any]) -> ColumnElement[bool]:
    """As `among`, in a statement that is built once for a kind of database; the ids come with
    `as_those` when it is carried out."""
    return _among(database, value, _THOSE, None)


def as_those(dialect: Dialect, ids: Iterable[int]) -> dict[str, Any]:
    """Returns the parameters of `among_those`."""
    numbers = sorted(set(ids))
    return {_THOSE: json.dumps(numbers) if dialect.name == "sqlite" else numbers}


def _among(
    database: str, value: ColumnElement[Any], name: str | None, ids: Any
) -> ColumnElement[bool]:
    if database == "sqlite":
        each = func.json_each(bindparam(name, ids)).table_valued("value")
        return value.in_(select(each.c.value))
    # An operator of its own: SQLAlchemy 2.0 makes `!= ANY` of what is negated, another thing.
    is_any = value.op("=", is_comparison=True)
    return is_any(func.any(bindparam(name, ids, type_=ARRAY(BigInteger))))


def text_is(
    dialect: Dialect, text: ColumnElement[Any], operator: str, value: str
) -> ColumnElement[bool]:
    """What `=`, `!=` and `~` of a condition mean. Where there is no text, it is not the one."""
    if operator == "~":
        return glob(dialect, text, value)
    value = short(value)
    if operator == "!=":
        return or_(text != value, text.is_(None))
    return text == value


def number_is(number: ColumnElement[Any], operator: str, value: float) -> ColumnElement[bool]:
    """What the operators of a condition mean for numbers. No number fulfils none of them."""
    return {
        "=": number == value, "!=": number != value, "<": number < value,
        "<=": number <= value, ">": number > value, ">=": number >= value,
    }[operator]  # fmt: skip


def fragment(words: Iterable[str]) -> str:
    """Returns how words that follow each other stand in a list that is JSON in a text (texts.py),
    without what is before and behind them."""
    return ",".join(json.dumps(escaped(word)) for word in words)
