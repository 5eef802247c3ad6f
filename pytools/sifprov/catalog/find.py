"""`sifprov find`: the runs that fulfil conditions, newest first."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, select

from sifprov.catalog.arguments import words
from sifprov.catalog.conditions import Condition
from sifprov.catalog.lists import left_by, metrics_of, notes_of, read_by, tags_of
from sifprov.catalog.runs import exit_number, fulfilling
from sifprov.catalog.tables import (
    container_image,
    content,
    env_partition,
    execution,
    location,
    person,
    start_command,
    state,
    workflow,
    workflow_execution,
)
from sifprov.model.answer import COMMAND, ID, NUMBER, SIZE, SPAN, TEXTS, TIME, Answer, Column, Row

COLUMNS = (
    Column("id", ID), Column("kind"), Column("started", TIME), Column("elapsed_s", SPAN, "elapsed"),
    Column("outcome"), Column("exit", NUMBER), Column("workflow"), Column("execution", ID),
    Column("activity"), Column("app"), Column("app_digest"), Column("user"), Column("job"),
    Column("host"), Column("cpu_s", SPAN, "CPU time"), Column("memory", SIZE),
    Column("command", COMMAND), Column("inputs", TEXTS), Column("outputs", TEXTS),
    Column("tags", TEXTS), Column("metrics", TEXTS), Column("notes", TEXTS),
)  # fmt: skip
# What a table for people shows of it.
SHOWN = ("id", "started", "elapsed_s", "exit", "app", "inputs", "outputs", "activity")
GOOD = "good"
_ROWS = (
    select(
        execution.c.id, start_command.c.command, execution.c.uuid, execution.c.kind,
        execution.c.started_us, execution.c.elapsed_us, execution.c.outcome, exit_number,
        workflow.c.wf_key_name, workflow_execution.c.uuid, execution.c.activity,
        container_image.c.name, content.c.digest, person.c.name, execution.c.job_id,
        env_partition.c.host, execution.c.cpu_us, execution.c.max_memory_bytes,
    )
    .select_from(execution)
    .outerjoin(container_image, container_image.c.id == execution.c.container_image_id)
    .outerjoin(content, content.c.id == container_image.c.content_id)
    .outerjoin(env_partition, env_partition.c.id == execution.c.env_partition_id)
    .outerjoin(person, person.c.id == execution.c.person_id)
    .outerjoin(start_command, start_command.c.id == execution.c.start_command_id)
    .outerjoin(workflow_execution, workflow_execution.c.id == execution.c.workflow_execution_id)
    .outerjoin(workflow, workflow.c.id == workflow_execution.c.workflow_id)
)  # fmt: skip


def find(
    connection: Connection, conditions: Sequence[Condition], limit: int | None = None
) -> Answer:
    """Returns a row for each run and making that fulfils all `conditions`."""
    query = _ROWS.where(fulfilling(connection, conditions))
    query = query.order_by(execution.c.started_us.desc(), execution.c.id.desc())
    if limit is not None:
        query = query.limit(limit + 1)
    found = connection.execute(query).all()
    more = limit is not None and len(found) > limit
    found = found[:limit] if more else found
    ids = [row[0] for row in found]
    lists = [of(connection, ids) for of in (read_by, left_by, tags_of, metrics_of, notes_of)]
    rows: list[Row] = [
        (*row, tuple(words(command or "")), *(tuple(each.get(key, ())) for each in lists))
        for key, command, *row in found
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
