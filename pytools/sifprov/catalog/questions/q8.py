"""q8: the environment and the composition with the best result."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, select

from sifprov.catalog.questions import MAX, Asked
from sifprov.catalog.questions.groups import (
    Group,
    best_values,
    groups,
    images_of,
    metric_column,
    of_keys,
    with_metric,
)
from sifprov.catalog.questions.scope import e, group_alone, group_job, is_narrow, scope
from sifprov.catalog.tables import execution, metric
from sifprov.model.answer import ID, SPAN, TEXTS, Answer, Column

# So many of the best runs are looked at where no workflow is named: enough that those of others
# than the composition that is wanted do not take all places.
_BEST = 1000


def ask(connection: Connection, asked: Asked) -> Answer:
    """A row for each execution of a workflow, the best first; one where no limit is given."""
    name = asked.metric or ""
    where = scope(connection, asked)
    if not is_narrow(asked):
        where = _best_runs(connection, where, name, asked.best)
    found = with_metric(connection, groups(connection, where), where, name, asked.best)
    found = [
        group for group in found
        if group.metric is not None
        and (asked.failed or not group.failed)
        and asked.composition in (None, group.composition)
    ]  # fmt: skip
    second = best_values(connection, where, asked.then, asked.then_best) if asked.then else {}
    found.sort(key=lambda group: _order(group, second, asked))
    limit = 1 if asked.limit is None else asked.limit
    found = found[:limit]
    images = images_of(connection, [group.key for group in found])
    columns = [
        Column("workflow"), Column("execution", ID), Column("job_id"), Column("composition"),
        Column("environment"), Column("containers", TEXTS), Column("elapsed_s", SPAN, "elapsed"),
        metric_column(name),
    ]  # fmt: skip
    if asked.then:
        columns.append(metric_column(asked.then))
    rows = tuple(
        (
            group.workflow, group.execution, group.job, group.composition, group.environment,
            images.get(group.key, ()), group.elapsed_us, group.metric,
            *([second.get(group.key)] if asked.then else []),
        )
        for group in found
    )  # fmt: skip
    return Answer(f"the best of {asked.words()}", tuple(columns), rows)


def _order(group: Group, second: dict[object, float], asked: Asked) -> tuple[float, bool, float]:
    first = group.metric or 0.0
    then = second.get(group.key)
    sign, then_sign = (-1 if best == MAX else 1 for best in (asked.best, asked.then_best))
    return sign * first, then is None, then_sign * (then or 0.0)


def _best_runs(
    connection: Connection, where: ColumnElement[bool], name: str, best: str
) -> ColumnElement[bool]:
    """Returns the WHERE of the groups of the runs with the best values."""
    value = metric.c.value
    query = (
        select(e.workflow_execution_id, group_job, group_alone)
        .select_from(metric.join(execution, e.id == metric.c.execution_id))
        .where(metric.c.name == name, value.is_not(None), where)
        .order_by(value.desc() if best == MAX else value)
        .limit(_BEST)
    )
    keys = {tuple(row) for row in connection.execute(query)}
    return of_keys(connection.dialect, keys) & (e.kind == "run")
