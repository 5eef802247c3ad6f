"""q4: activities that ran with an image."""

from __future__ import annotations

from sqlalchemy import Connection, case, func, select

from sifprov.catalog.questions import Asked
from sifprov.catalog.questions.scope import e, scope
from sifprov.catalog.runs import exit_number
from sifprov.catalog.tables import workflow, workflow_execution
from sifprov.model.answer import NUMBER, SPAN, TIME, Answer, Column

COLUMNS = (
    Column("workflow"), Column("activity"), Column("runs", NUMBER), Column("good", NUMBER),
    Column("elapsed_s", SPAN, "mean time"), Column("first", TIME), Column("last", TIME),
)  # fmt: skip


def ask(connection: Connection, asked: Asked) -> Answer:
    """A row for each activity of each workflow, the last used first."""
    good = func.sum(case((exit_number == 0, 1), else_=0))
    query = (
        select(
            workflow.c.wf_key_name, e.activity, func.count(), good, func.avg(e.elapsed_us),
            func.min(e.started_us), func.max(e.started_us),
        )
        .outerjoin(workflow_execution, workflow_execution.c.id == e.workflow_execution_id)
        .outerjoin(workflow, workflow.c.id == workflow_execution.c.workflow_id)
        .where(scope(connection, asked))
        .group_by(workflow.c.wf_key_name, e.activity)
        .order_by(func.max(e.started_us).desc(), e.activity)
    )  # fmt: skip
    rows = tuple(
        (*row[:4], None if row[4] is None else round(row[4]), *row[5:])
        for row in connection.execute(query)
    )
    return Answer(f"activities with {asked.words()}", COLUMNS, rows)
