"""Variables of runs: metrics, tags and arguments, by a bare name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, or_, select

from sifprov.catalog.arguments import setting_is, settings, values, words
from sifprov.catalog.conditions import NAMED, WORDS, Condition, Kind, parse
from sifprov.catalog.matching import among, number_is
from sifprov.catalog.runs import one
from sifprov.catalog.tables import execution, metric, start_command, tag
from sifprov.catalog.texts import short
from sifprov.errors import SifprovError

_NAMED = tuple(NAMED)


@dataclass(frozen=True)
class Free:
    """A condition on whatever is called `name`: a metric, a tag, or an argument."""

    name: str
    operator: str
    value: str


Variable: TypeAlias = "Free | Condition"


def variable(text: str) -> Variable:
    """Returns the condition that `text` states: one of `sifprov find`, or on a bare name. Raises
    SifprovError."""
    name = text[: _end(text)]
    if name in WORDS or name.partition(".")[0] in NAMED:
        return parse(text)
    found = parse(f"arg.{text}")
    if not found.value and found.operator not in ("=", "!="):
        raise SifprovError(f"{text!r}: no value", hint="write it as 'r2>0.9'")
    return Free(found.name, found.operator, str(found.value))


def _end(text: str) -> int:
    places = [place for mark in "!<>=~" if (place := text.find(mark)) >= 0]
    return min(places, default=len(text))


def met(
    connection: Connection, wanted: Variable, scope: ColumnElement[bool], *, few: bool
) -> ColumnElement[bool]:
    """Returns the WHERE of the runs (of those in `scope`, which may be `few`) that meet a
    condition."""
    if isinstance(wanted, Condition):
        return one(connection, wanted)
    dialect, e = connection.dialect, execution.c
    as_arg = Condition("arg", wanted.name, wanted.operator, wanted.value, "")
    commands = [key for key, _ in values(connection, as_arg, scope if few else None)]
    runs = [*_tags(connection, wanted, scope), *_metrics(connection, wanted, scope)]
    return or_(among(dialect, e.id, runs), among(dialect, e.start_command_id, commands))


def _metrics(connection: Connection, wanted: Free, scope: ColumnElement[bool]) -> Iterator[int]:
    number = _number(wanted.value)
    if number is None or wanted.operator not in Kind.NUMBER.operators:
        return
    c = metric.c
    query = (
        select(c.execution_id)
        .join(execution, execution.c.id == c.execution_id)
        .where(c.name == short(wanted.name), number_is(c.value, wanted.operator, number), scope)
    )
    yield from connection.scalars(query)


def _tags(connection: Connection, wanted: Free, scope: ColumnElement[bool]) -> Iterator[int]:
    query = (
        select(tag.c.execution_id, tag.c.value)
        .join(execution, execution.c.id == tag.c.execution_id)
        .where(tag.c.name == short(wanted.name), scope)
    )
    if wanted.operator == "=" and _number(wanted.value) is None:
        query = query.where(tag.c.value == short(wanted.value))
    for key, value in connection.execute(query):
        if setting_is(value, wanted.operator, wanted.value):
            yield key


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def said(
    connection: Connection, runs: Sequence[tuple[int, int | None]], wanted: Sequence[Variable]
) -> dict[int, list[str]]:
    """Returns `name=value` for each variable that a condition is on, by run; `runs` are ids, each
    with that of its start command."""
    found: dict[int, list[str]] = defaultdict(list)
    for each in wanted:
        if not each.name:
            continue
        kinds = _NAMED if isinstance(each, Free) else (each.word,)
        for run, text in _said(connection, runs, each.name, kinds):
            if (word := f"{each.name}={text}") not in found[run]:
                found[run].append(word)
    return found


def _said(
    connection: Connection, runs: Sequence[tuple[int, int | None]], name: str, kinds: Sequence[str]
) -> Iterator[tuple[int, Any]]:
    ids = [run for run, _ in runs]
    for kind, table, text in (("metric", metric, metric.c.text), ("tag", tag, tag.c.value)):
        if kind in kinds:
            query = select(table.c.execution_id, text).where(
                among(connection.dialect, table.c.execution_id, ids), table.c.name == name
            )
            yield from ((run, value) for run, value in connection.execute(query))
    if "arg" in kinds:
        keys = {command for _, command in runs if command is not None}
        query = select(start_command.c.id, start_command.c.command).where(
            among(connection.dialect, start_command.c.id, keys)
        )
        given = {key: list(settings(words(text), name)) for key, text in connection.execute(query)}
        for run, command in runs:
            yield from ((run, value) for value in given.get(command or 0, ())[:1])
