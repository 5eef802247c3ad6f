"""The runs that have ended, by their records and, where none was read yet, by their reports."""

from __future__ import annotations

from sqlalchemy import Connection, func, or_, select

from sifprov.catalog.lists import left_by
from sifprov.catalog.reported import LOST
from sifprov.catalog.runs import exit_number
from sifprov.catalog.tables import (
    env_partition,
    execution,
    person,
    report,
    start_command,
    workflow,
    workflow_execution,
)
from sifprov.catalog.toldtexts import command_of, job_of, outputs_of, user_is, user_of
from sifprov.model.answer import ID, NUMBER, SPAN, TEXTS, TIME, Answer, Column, Value
from sifprov.model.report import RECORDED, WAITS
from sifprov.model.run import EXITED, NOT_STARTED, SIGNALED

COLUMNS = (
    Column("id", ID), Column("started", TIME), Column("elapsed_s", SPAN, "elapsed"),
    Column("outcome"), Column("exit", NUMBER), Column("user"), Column("host"), Column("job"),
    Column("workflow"), Column("activity"), Column("command"), Column("outputs", TEXTS),
    Column("record"), Column("reason"),
)  # fmt: skip
SHOWN = (
    "id", "started", "elapsed_s", "outcome", "user", "host", "job", "command", "outputs",
)  # fmt: skip


def ended(
    connection: Connection,
    *,
    failed: bool = False,
    since_us: int | None = None,
    user: str | None = None,
    limit: int | None = None,
) -> Answer:
    """Returns the runs that have ended, the newest first. `failed`: those alone that did not end
    with 0; `since_us`: that began then or later."""
    e = execution.c
    wanted = (
        select(
            e.id, e.uuid, e.started_us, e.elapsed_us, e.outcome, e.exit_code, e.signal, e.activity,
            e.job_id, e.array_job_id, e.task_id, e.likeness, exit_number.label("number"),
            person.c.name.label("user"), person.c.uid, workflow.c.wf_key_name,
            start_command.c.command, start_command.c.argv, report.c.became, report.c.reason,
            report.c.containers, func.coalesce(env_partition.c.host, report.c.host).label("host"),
        )
        .select_from(execution)
        .outerjoin(report, report.c.execution_id == e.id)
        .outerjoin(person, person.c.id == e.person_id)
        .outerjoin(env_partition, env_partition.c.id == e.env_partition_id)
        .outerjoin(start_command, start_command.c.id == e.start_command_id)
        .outerjoin(workflow_execution, workflow_execution.c.id == e.workflow_execution_id)
        .outerjoin(workflow, workflow.c.id == workflow_execution.c.workflow_id)
        .where(e.kind == "run")
        .order_by(e.started_us.desc(), e.id.desc())
    )  # fmt: skip
    if failed:
        wanted = wanted.where(or_(e.outcome != EXITED, e.exit_code != 0))
    if since_us is not None:
        wanted = wanted.where(e.started_us >= since_us)
    if user is not None:
        wanted = wanted.where(user_is(user))
    if limit is not None:
        wanted = wanted.limit(limit + 1)
    there = connection.execute(wanted).all()
    left = left_by(connection, [of.id for of in there if of.likeness is not None])
    rows: list[tuple[Value, ...]] = []
    for of in there:
        is_recorded = of.likeness is not None
        outputs = tuple(left.get(of.id, ())) if is_recorded else ()
        if of.became in (RECORDED, WAITS):
            outputs = outputs_of(of.containers)
        rows.append((
            of.uuid, of.started_us, of.elapsed_us, outcome_of(of.outcome, of.exit_code, of.signal),
            of.number, user_of(of.user, of.uid), of.host,
            job_of(of.job_id, of.array_job_id, of.task_id), of.wf_key_name, of.activity,
            command_of(of.command, of.argv), outputs, RECORDED if is_recorded else of.became,
            of.reason,
        ))  # fmt: skip
    return Answer(_asked(failed=failed, user=user), COLUMNS, tuple(rows)).limited(limit)


def outcome_of(outcome: str | None, code: int | None, signal: int | None) -> str:
    """Returns how a run ended, in words."""
    if outcome == EXITED:
        return "good" if code == 0 else f"exit code {code}"
    if outcome == SIGNALED:
        return f"signal {signal}"
    return {NOT_STARTED: "not started", LOST: "lost"}.get(outcome or "", "unknown")


def _asked(*, failed: bool, user: str | None) -> str:
    return f"runs{f' of {user}' if user else ''} that {'failed' if failed else 'have ended'}"
