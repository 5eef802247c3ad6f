"""q6: workflows of which a variable met a condition, under a composition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, select

from sifprov.catalog.questions import Asked
from sifprov.catalog.questions.groups import Group, groups, of_keys
from sifprov.catalog.questions.scope import e, group_alone, group_job, is_narrow, scope
from sifprov.catalog.questions.variables import Variable, met, said, variable
from sifprov.catalog.tables import container_image
from sifprov.model.answer import ID, TEXTS, Answer, Column, Row

COLUMNS = (
    Column("workflow"), Column("execution", ID), Column("job_id"), Column("composition"),
    Column("activity"), Column("run", ID), Column("variables", TEXTS), Column("image"),
    Column("environment"),
)  # fmt: skip
# So many runs are looked into at a time, until there are enough.
_AT_ONCE = 1000


def ask(connection: Connection, asked: Asked) -> Answer:
    """A row for each run that met all conditions, oldest first."""
    wanted = [variable(text) for text in asked.where]
    # The runs that are asked about narrow down where a variable is looked for.
    where: ColumnElement[bool] = scope(connection, asked)
    few = is_narrow(asked)
    for each in wanted:
        where = and_(where, met(connection, each, where, few=few))
    runs = connection.execute(
        select(e.workflow_execution_id, group_job, group_alone, e.id, e.uuid, e.activity,
               e.start_command_id, container_image.c.name)
        .outerjoin(container_image, container_image.c.id == e.container_image_id)
        .where(where)
        .order_by(e.started_us, e.id)
    ).all()  # fmt: skip
    rows: list[Row] = []
    for place in range(0, len(runs), _AT_ONCE):
        if asked.limit is not None and len(rows) > asked.limit:
            break
        rows += _rows(connection, runs[place : place + _AT_ONCE], asked.composition, wanted)
    return Answer(f"workflows with {asked.words()}", COLUMNS, tuple(rows))


def _groups(connection: Connection, keys: set[Any]) -> dict[Any, Group]:
    if not keys:
        return {}
    where = of_keys(connection, keys) & (e.kind == "run")
    return {group.key: group for group in groups(connection, where)}


def _rows(
    connection: Connection, runs: Sequence[Any], composition: str | None, wanted: list[Variable]
) -> Iterator[Row]:
    of = _groups(connection, {tuple(row[:3]) for row in runs})
    runs = [row for row in runs if composition in (None, of[tuple(row[:3])].composition)]
    values = said(connection, [(row.id, row.start_command_id) for row in runs], wanted)
    for row in runs:
        group = of[tuple(row[:3])]
        yield (
            group.workflow, group.execution, group.job, group.composition, row.activity, row.uuid,
            tuple(values.get(row.id, ())), row.name, group.environment,
        )  # fmt: skip
