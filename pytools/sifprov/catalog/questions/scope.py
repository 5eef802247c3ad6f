"""Which runs a question is about."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, and_, case, func, or_, select

from sifprov.catalog import things
from sifprov.catalog.conditions import parse
from sifprov.catalog.matching import among, begins
from sifprov.catalog.questions import Asked
from sifprov.catalog.runs import one
from sifprov.catalog.tables import execution, workflow, workflow_execution

e = execution.c
# What runs are put together by: a workflow's execution, else a batch job, else the run is alone.
job = func.coalesce(e.array_job_id, e.job_id)
group_job = case((e.workflow_execution_id.is_(None), job))
group_alone = case((e.workflow_execution_id.is_(None) & job.is_(None), e.id))


def scope(
    connection: Connection, asked: Asked, *, with_running: bool = False
) -> ColumnElement[bool]:
    """Returns the WHERE of a SELECT from `execution`: the runs that `asked` is about, with those
    that go on or without."""
    is_run = or_(e.kind == "run", e.outcome == "running") if with_running else e.kind == "run"
    parts: list[ColumnElement[bool]] = [is_run]
    dialect = connection.dialect
    for word in ("workflow", "execution", "job", "since", "until"):
        value = getattr(asked, word)
        if value is None:
            continue
        if word == "execution":
            found = select(workflow_execution.c.id).where(_of_execution(dialect, value))
            parts.append(e.workflow_execution_id.in_(found))
            continue
        is_pattern = word == "workflow" and ("*" in value or "?" in value)
        parts.append(one(connection, parse(f"{word}{'~' if is_pattern else '='}{value}")))
    if asked.image is not None:
        ids = connection.scalars(things.images(dialect, "=", asked.image))
        parts.append(among(dialect, e.container_image_id, ids))
    return and_(*parts)


def _of_execution(dialect: Dialect, text: str) -> ColumnElement[bool]:
    uuid = text.removeprefix("id:").lower()
    column = workflow_execution.c.uuid
    return column == uuid if len(uuid) == 36 else begins(dialect, column, uuid)


def is_narrow(asked: Asked) -> bool:
    """True where a workflow, an execution or a job is named."""
    return any((asked.workflow, asked.execution, asked.job))


def newest(connection: Connection, asked: Asked) -> ColumnElement[bool]:
    """As `scope`; where nothing is named, the newest execution of a workflow, else the newest batch
    job, else the newest run."""
    where = scope(connection, asked, with_running=True)
    if is_narrow(asked):
        return where
    last = e.started_us.desc()
    for group in (e.workflow_execution_id, job, e.id):
        query = select(group).where(where, group.is_not(None)).order_by(last).limit(1)
        value: Any = connection.scalar(query)
        if value is not None:
            return and_(where, group == value)
    return where


def about_newest_workflow(connection: Connection, asked: Asked) -> Asked:
    """Returns what is asked about; where nothing is named, the workflow that ran last, if any."""
    if is_narrow(asked) or asked.since or asked.until:
        return asked
    query = (
        select(workflow.c.wf_key_name)
        .select_from(workflow_name())
        .where(e.workflow_execution_id.is_not(None))
        .order_by(e.started_us.desc())
        .limit(1)
    )
    return replace(asked, workflow=connection.scalar(query))


def workflow_name() -> Any:
    """Returns `execution` joined with the workflow that each run is of."""
    return execution.outerjoin(
        workflow_execution, workflow_execution.c.id == e.workflow_execution_id
    ).outerjoin(workflow, workflow.c.id == workflow_execution.c.workflow_id)
