"""q2: images of a job, and the activities that they carried out."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from sifprov.catalog.questions import Asked
from sifprov.catalog.questions.scope import e, newest
from sifprov.catalog.tables import container_image, content, workflow, workflow_execution
from sifprov.model.answer import ID, NUMBER, Answer, Column

COLUMNS = (
    Column("workflow"), Column("execution", ID), Column("job_id"), Column("image"),
    Column("activity"), Column("runs", NUMBER), Column("digest"),
)  # fmt: skip


def ask(connection: Connection, asked: Asked) -> Answer:
    """A row for each image and activity, in the order in which they began."""
    summed = (
        select(
            e.workflow_execution_id, e.job_id, e.container_image_id, e.activity,
            func.count().label("runs"), func.min(e.started_us).label("started"),
        )
        .where(newest(connection, asked))
        .group_by(e.workflow_execution_id, e.job_id, e.container_image_id, e.activity)
        .subquery()
    )  # fmt: skip
    s = summed.c
    query = (
        select(workflow.c.wf_key_name, workflow_execution.c.uuid, s.job_id,
               container_image.c.name, s.activity, s.runs, content.c.digest)
        .select_from(summed)
        .outerjoin(workflow_execution, workflow_execution.c.id == s.workflow_execution_id)
        .outerjoin(workflow, workflow.c.id == workflow_execution.c.workflow_id)
        .outerjoin(container_image, container_image.c.id == s.container_image_id)
        .outerjoin(content, content.c.id == container_image.c.content_id)
        .order_by(s.started, container_image.c.name, s.activity)
    )  # fmt: skip
    rows = tuple(tuple(row) for row in connection.execute(query))
    return Answer(f"images of {asked.words()}", COLUMNS, rows)
