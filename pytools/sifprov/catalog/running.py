"""The runs that go on, by their reports; and those of which nobody will tell the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Connection, or_, select

from sifprov import livereports
from sifprov.catalog.reported import LOST
from sifprov.catalog.store import Catalog
from sifprov.catalog.tables import (
    container_image,
    execution,
    person,
    report,
    start_command,
    workflow,
    workflow_execution,
)
from sifprov.catalog.toldtexts import command_of, job_of, names_of, user_is, user_of
from sifprov.model.answer import ID, SPAN, TEXTS, TIME, Answer, Column
from sifprov.model.report import Process

# What is known of a run whose end was not reported.
RUNNING, ENDING, UNWATCHED, SILENT = "running", "ending", "unwatched", "not heard of"
# A run on another machine says that it goes on every 900 s (capture/live.py).
PATIENCE_US = 2_000_000_000
COLUMNS = (
    Column("id", ID), Column("state"), Column("started", TIME),
    Column("elapsed_s", SPAN, "elapsed"), Column("heard_s", SPAN, "heard of"),
    Column("user"), Column("host"), Column("job"),
    Column("workflow"), Column("activity"), Column("command"), Column("image"),
    Column("containers", TEXTS),
)  # fmt: skip
SHOWN = (
    "id", "state", "started", "elapsed_s", "user", "host", "job", "workflow", "activity", "command",
    "containers",
)  # fmt: skip


class Machine(NamedTuple):
    """This machine as reports name it, the time (us), and a look at one of its processes."""

    host: str
    boot: str
    now_us: int
    process: Callable[[int], Process | None] = livereports.process


def this_machine() -> Machine:
    """Returns the machine that we are on, now. Raises OSError."""
    return Machine(*livereports.here(), time.time_ns() // 1000)


def standing(of: Any, machine: Machine) -> str:
    """Returns what is known of a run that has not reported its end; `of` is its report's row.

    On this machine its processes tell: the runtime's, and the one that will report the end. On
    another one, how long ago it was heard of.
    """
    is_silent = machine.now_us - (of.seen_us or 0) > PATIENCE_US
    if of.host != machine.host or _space(of.boot_id) != _space(machine.boot):
        return SILENT if is_silent else RUNNING
    if of.boot_id != machine.boot:
        # We were started anew, or it is another machine of our name, as some have: that one talks.
        return LOST if is_silent else RUNNING
    lives = _lives(of.pid, of.pid_started, machine)
    is_watched = _lives(of.recorder_pid, of.recorder_started, machine)
    if lives:
        return RUNNING if is_watched else UNWATCHED
    return ENDING if is_watched else LOST


def _space(boot: str | None) -> str:
    """The PID namespace: from within another one the numbers of processes mean others."""
    return (boot or "").partition(" ")[2]


def _lives(pid: int | None, started: int | None, machine: Machine) -> bool:
    found = machine.process(pid) if pid else None
    return found is not None and found.started == started


def settle(catalog: Catalog, machine: Machine) -> tuple[str, ...]:
    """Notes which runs of this machine are lost: they have ended, and nobody is left who could tell
    how. A report that comes all the same counts more. Returns their ids. Raises FileError."""
    with catalog.reading() as connection:
        wanted = (
            select(*report.c, execution.c.uuid)
            .join(execution, execution.c.id == report.c.execution_id)
            .where(
                report.c.is_ended.is_(False), report.c.host == machine.host,
                execution.c.outcome != LOST,
            )
        )  # fmt: skip
        there = connection.execute(wanted).all()
    lost = {of.execution_id: of.uuid for of in there if standing(of, machine) == LOST}
    if not lost:
        return ()

    def work(connection: Connection) -> None:
        change = execution.update().where(
            execution.c.id.in_(list(lost)), execution.c.likeness.is_(None),
            execution.c.id.in_(select(report.c.execution_id).where(report.c.is_ended.is_(False))),
        )  # fmt: skip
        connection.execute(change.values(outcome=LOST, kind="run"))

    catalog.write(work)
    return tuple(lost.values())


def running(
    connection: Connection, machine: Machine, *, user: str | None, limit: int | None = None
) -> Answer:
    """Returns the runs that go on, of one user (a name or a number) or of all, the newest first."""
    e = execution.c
    wanted = (
        select(
            e.uuid, e.activity, e.job_id, e.array_job_id, e.task_id, person.c.name.label("user"),
            person.c.uid, workflow.c.wf_key_name, start_command.c.command, start_command.c.argv,
            container_image.c.name.label("image"), *report.c,
        )
        .join(report, report.c.execution_id == e.id)
        .outerjoin(person, person.c.id == e.person_id)
        .outerjoin(start_command, start_command.c.id == e.start_command_id)
        .outerjoin(container_image, container_image.c.id == e.container_image_id)
        .outerjoin(workflow_execution, workflow_execution.c.id == e.workflow_execution_id)
        .outerjoin(workflow, workflow.c.id == workflow_execution.c.workflow_id)
        .where(report.c.is_ended.is_(False), or_(e.outcome.is_(None), e.outcome != LOST))
        .order_by(report.c.started_us.desc(), e.uuid)
    )  # fmt: skip
    if user is not None:
        wanted = wanted.where(user_is(user))
    if limit is not None:
        wanted = wanted.limit(limit + 1)
    found = []
    for of in connection.execute(wanted):
        state = standing(of, machine)
        found.append((
            of.uuid, state, of.started_us, max(machine.now_us - (of.started_us or 0), 0),
            max(machine.now_us - (of.seen_us or 0), 0), user_of(of.user, of.uid), of.host,
            job_of(of.job_id, of.array_job_id, of.task_id), of.wf_key_name, of.activity,
            command_of(of.command, of.argv), of.image, names_of(of.containers),
        ))  # fmt: skip
    whose = "" if user is None else f" of {user}"
    return Answer(f"runs{whose} that go on", COLUMNS, tuple(found)).limited(limit)


def me() -> str:
    """Returns this user's name as runs tell it, or the number of one who has none."""
    from sifprov.capture.facts.who import user

    value = user().value
    assert isinstance(value, dict)  # noqa: S101 - for mypy
    return str(value.get("name") or value["uid"])
