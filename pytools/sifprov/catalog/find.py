"""`sifprov find`: the runs that fulfil conditions, newest first."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sifprov.catalog.conditions import Condition
from sifprov.catalog.matching import among
from sifprov.catalog.runs import exit_number, fulfilling
from sifprov.catalog.tables import (
    container_image,
    data_container,
    execution,
    location,
    person,
    start_command,
    state,
    used,
    workflow,
    workflow_execution,
)
from sifprov.model.answer import ID, NUMBER, SPAN, TEXTS, TIME, Answer, Column, Row

COLUMNS = (
    Column("id", ID), Column("kind"), Column("started", TIME), Column("elapsed_s", SPAN, "elapsed"),
    Column("outcome"), Column("exit", NUMBER), Column("workflow"), Column("activity"),
    Column("app"), Column("inputs", TEXTS), Column("outputs", TEXTS), Column("user"),
    Column("job"), Column("command"),
)  # fmt: skip
# What a table for people shows of it.
SHOWN = ("id", "started", "elapsed_s", "exit", "app", "inputs", "outputs", "activity")
GOOD = "good"


def find(
    connection: Connection, conditions: Sequence[Condition], limit: int | None = None
) -> Answer:
    """Returns a row for each run and making that fulfils all `conditions`."""
    e = execution.c
    query = (
        select(
            e.id, e.uuid, e.kind, e.started_us, e.elapsed_us, e.outcome, exit_number,
            workflow.c.wf_key_name, e.activity, container_image.c.name, person.c.name, e.job_id,
            start_command.c.command,
        )
        .select_from(execution)
        .outerjoin(container_image, container_image.c.id == e.container_image_id)
        .outerjoin(person, person.c.id == e.person_id)
        .outerjoin(start_command, start_command.c.id == e.start_command_id)
        .outerjoin(workflow_execution, workflow_execution.c.id == e.workflow_execution_id)
        .outerjoin(workflow, workflow.c.id == workflow_execution.c.workflow_id)
        .where(fulfilling(connection, conditions))
        .order_by(e.started_us.desc(), e.id.desc())
    )  # fmt: skip
    if limit is not None:
        query = query.limit(limit + 1)
    found = connection.execute(query).all()
    more = limit is not None and len(found) > limit
    found = found[:limit] if more else found
    ids = [row[0] for row in found]
    read, left = read_by(connection, ids), left_by(connection, ids)
    rows: list[Row] = [
        (*row[1:10], tuple(read.get(row[0], ())), tuple(left.get(row[0], ())), *row[10:])
        for row in found
    ]
    return Answer(in_words(conditions), COLUMNS, tuple(rows), more)


def in_words(conditions: Iterable[Condition]) -> str:
    """Returns what is looked for, as it was typed."""
    return "runs with " + (" ".join(c.text for c in conditions) or "no condition")


def uuids(
    connection: Connection, conditions: Sequence[Condition], limit: int | None = None
) -> list[str]:
    """Returns the ids of the runs and makings that fulfil all `conditions`, newest first."""
    query = (
        select(execution.c.uuid)
        .where(fulfilling(connection, conditions))
        .order_by(execution.c.started_us.desc(), execution.c.id.desc())
        .limit(limit)
    )
    return list(connection.scalars(query))


def read_by(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns the names of the data containers that executions read, in the order of the mount
    points."""
    query = (
        select(used.c.execution_id, used.c.name, state.c.name, data_container.c.name)
        .join(state, state.c.id == used.c.state_id)
        .outerjoin(data_container, data_container.c.id == state.c.data_container_id)
        .where(among(connection.dialect, used.c.execution_id, ids))
        .order_by(used.c.execution_id, used.c.mount)
    )
    return _gathered(connection.execute(query) if ids else ())


def left_by(connection: Connection, ids: Sequence[int]) -> Mapping[int, list[str]]:
    """Returns the names of the data containers that executions left."""
    query = (
        select(state.c.generated_by, state.c.name, data_container.c.name)
        .outerjoin(data_container, data_container.c.id == state.c.data_container_id)
        .where(among(connection.dialect, state.c.generated_by, ids))
        .order_by(state.c.id)
    )
    return _gathered(connection.execute(query) if ids else ())


def _gathered(rows: Iterable[Any]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for key, *names in rows:
        name = next((name for name in names if name), None)
        found[key].append(name or "?")
    return found


def files(
    connection: Connection, conditions: Sequence[Condition], limit: int | None = None
) -> list[str]:
    """Returns the paths of the files that hold what the runs left, as far as the catalog knows
    where they are, each once."""
    runs = select(execution.c.id).where(fulfilling(connection, conditions))
    if limit is not None:
        runs = runs.order_by(execution.c.started_us.desc(), execution.c.id.desc()).limit(limit)
    query = (
        select(location.c.folder, location.c.name)
        # By the container: a file that went on since still carries the record of the run.
        .join(state, state.c.data_container_id == location.c.data_container_id)
        .where(state.c.generated_by.in_(runs), location.c.status == GOOD)
        .distinct()
        .order_by(location.c.folder, location.c.name)
    )
    return [os.path.join(folder, name) for folder, name in connection.execute(query)]
