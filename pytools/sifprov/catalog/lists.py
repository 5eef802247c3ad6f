"""What there are several of to one execution: containers, and the user's words.

The statements are built once: that takes longer than to carry them out for one run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from sifprov.catalog.matching import among_those, as_those
from sifprov.catalog.tables import data_container, metric, note, state, tag, used


def read_by(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns the names of the data containers that executions read, in the order of the mount
    points."""
    return _named(_rows(connection, _reads, ids))


def left_by(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns the names of the data containers that executions left."""
    return _named(_rows(connection, _leaves, ids))


def tags_of(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns `name=value` for each tag."""
    return _pairs(_rows(connection, _tags, ids))


def metrics_of(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns `name=number` for each metric, as the number was written."""
    return _pairs(_rows(connection, _metrics, ids))


def notes_of(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns the notes of executions."""
    found: dict[int, list[str]] = defaultdict(list)
    for key, text in _rows(connection, _notes, ids):
        found[key].append(text)
    return found


def _rows(
    connection: Connection, statement: Callable[[str], Select[Any]], ids: Sequence[int]
) -> Iterable[Any]:
    if not ids:
        return ()
    dialect = connection.dialect
    return connection.execute(statement(dialect.name), as_those(dialect, ids))


def _named(rows: Iterable[Any]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for key, *names in rows:
        found[key].append(next((name for name in names if name), "?"))
    return found


def _pairs(rows: Iterable[Any]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for key, name, text in rows:
        found[key].append(f"{name}={text}")
    return found


@cache
def _reads(database: str) -> Select[Any]:
    return (
        select(used.c.execution_id, used.c.name, state.c.name, data_container.c.name)
        .join(state, state.c.id == used.c.state_id)
        .outerjoin(data_container, data_container.c.id == state.c.data_container_id)
        .where(among_those(database, used.c.execution_id))
        .order_by(used.c.execution_id, used.c.mount, used.c.state_id)
    )


@cache
def _leaves(database: str) -> Select[Any]:
    return (
        select(state.c.generated_by, state.c.name, data_container.c.name)
        .outerjoin(data_container, data_container.c.id == state.c.data_container_id)
        .where(among_those(database, state.c.generated_by))
        .order_by(state.c.id)
    )


@cache
def _tags(database: str) -> Select[Any]:
    return _of_names(database, tag, "value")


@cache
def _metrics(database: str) -> Select[Any]:
    return _of_names(database, metric, "text")


def _of_names(database: str, table: Table, value: str) -> Select[Any]:
    c = table.c
    found = select(c.execution_id, c.name, c[value]).where(among_those(database, c.execution_id))
    return found.order_by(c.execution_id, c.name)


@cache
def _notes(database: str) -> Select[Any]:
    return (
        select(note.c.execution_id, note.c.text)
        .where(among_those(database, note.c.execution_id))
        .order_by(note.c.execution_id, note.c.said_by, note.c.place)
    )
