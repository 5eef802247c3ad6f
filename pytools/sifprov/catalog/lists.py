"""What there are several of to one execution: containers, and the user's words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select

from sifprov.catalog.matching import among
from sifprov.catalog.tables import data_container, metric, note, state, tag, used


def read_by(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns the names of the data containers that executions read, in the order of the mount
    points."""
    query = (
        select(used.c.execution_id, used.c.name, state.c.name, data_container.c.name)
        .join(state, state.c.id == used.c.state_id)
        .outerjoin(data_container, data_container.c.id == state.c.data_container_id)
        .where(among(connection.dialect, used.c.execution_id, ids))
        .order_by(used.c.execution_id, used.c.mount, used.c.state_id)
    )
    return _named(connection.execute(query) if ids else ())


def left_by(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns the names of the data containers that executions left."""
    query = (
        select(state.c.generated_by, state.c.name, data_container.c.name)
        .outerjoin(data_container, data_container.c.id == state.c.data_container_id)
        .where(among(connection.dialect, state.c.generated_by, ids))
        .order_by(state.c.id)
    )
    return _named(connection.execute(query) if ids else ())


def _named(rows: Iterable[Any]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for key, *names in rows:
        found[key].append(next((name for name in names if name), "?"))
    return found


def tags_of(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns `name=value` for each tag."""
    return _pairs(connection, ids, tag, "value")


def metrics_of(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns `name=number` for each metric, as the number was written."""
    return _pairs(connection, ids, metric, "text")


def _pairs(
    connection: Connection, ids: Sequence[int], table: Table, value: str
) -> Mapping[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    c = table.c
    query = (
        select(c.execution_id, c.name, c[value])
        .where(among(connection.dialect, c.execution_id, ids))
        .order_by(c.execution_id, c.name)
    )
    for key, name, text in connection.execute(query) if ids else ():
        found[key].append(f"{name}={text}")
    return found


def notes_of(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns the notes of executions."""
    found: dict[int, list[str]] = defaultdict(list)
    query = (
        select(note.c.execution_id, note.c.text)
        .where(among(connection.dialect, note.c.execution_id, ids))
        .order_by(note.c.execution_id, note.c.said_by, note.c.place)
    )
    for key, text in connection.execute(query) if ids else ():
        found[key].append(text)
    return found
