"""q1: job, containers and machines of a workflow's execution."""

from __future__ import annotations

from sqlalchemy import Connection, select

from sifprov.catalog.questions import Asked
from sifprov.catalog.questions.places import environments
from sifprov.catalog.questions.scope import e, newest, workflow_name
from sifprov.catalog.runs import exit_number
from sifprov.catalog.tables import container_image, env_partition, workflow, workflow_execution
from sifprov.model.answer import ID, NUMBER, SPAN, TIME, Answer, Column

COLUMNS = (
    Column("workflow"), Column("execution", ID), Column("job_id"), Column("activity"),
    Column("container", ID), Column("image"), Column("host"), Column("queue"),
    Column("environment"), Column("started", TIME), Column("elapsed_s", SPAN, "elapsed"),
    Column("outcome"), Column("exit", NUMBER),
)  # fmt: skip


def ask(connection: Connection, asked: Asked) -> Answer:
    """A row for each container that was started, oldest first."""
    query = (
        select(
            workflow.c.wf_key_name, workflow_execution.c.uuid, e.job_id, e.activity, e.uuid,
            container_image.c.name, env_partition.c.host, env_partition.c.queue,
            e.env_partition_id, e.started_us, e.elapsed_us, e.outcome, exit_number,
        )
        .select_from(workflow_name())
        .outerjoin(container_image, container_image.c.id == e.container_image_id)
        .outerjoin(env_partition, env_partition.c.id == e.env_partition_id)
        .where(newest(connection, asked))
        .order_by(e.started_us, e.id)
        .limit(None if asked.limit is None else asked.limit + 1)
    )  # fmt: skip
    rows = connection.execute(query).all()
    names = environments(connection, {row[8] for row in rows} - {None})
    return Answer(
        f"containers of {asked.words()}", COLUMNS,
        tuple((*row[:8], names.get(row[8]), *row[9:]) for row in rows),
    )  # fmt: skip
