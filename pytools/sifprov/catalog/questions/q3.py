"""q3: workflows that ran with an image."""

from __future__ import annotations

from sqlalchemy import Connection, func, select

from sifprov.catalog.questions import Asked
from sifprov.catalog.questions.scope import e, job, scope
from sifprov.catalog.tables import workflow, workflow_execution
from sifprov.model.answer import NUMBER, TIME, Answer, Column

COLUMNS = (
    Column("workflow"), Column("executions", NUMBER), Column("jobs", NUMBER),
    Column("runs", NUMBER), Column("first", TIME), Column("last", TIME),
)  # fmt: skip


def ask(connection: Connection, asked: Asked) -> Answer:
    """A row for each workflow, the last used first, and one for runs of none."""
    query = (
        select(
            workflow.c.wf_key_name, func.count(e.workflow_execution_id.distinct()),
            func.count(job.distinct()), func.count(), func.min(e.started_us),
            func.max(e.started_us).label("last"),
        )
        .outerjoin(workflow_execution, workflow_execution.c.id == e.workflow_execution_id)
        .outerjoin(workflow, workflow.c.id == workflow_execution.c.workflow_id)
        .where(scope(connection, asked))
        .group_by(workflow.c.wf_key_name)
        .order_by(func.max(e.started_us).desc())
    )  # fmt: skip
    rows = tuple(tuple(row) for row in connection.execute(query))
    return Answer(f"workflows with {asked.words()}", COLUMNS, rows)
