"""q8: the environment and the composition with the best result."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, select

from sifprov.catalog.questions import MAX, Asked
from sifprov.catalog.questions.groups import Group, groups, images_of, metric_column, of_keys
from sifprov.catalog.questions.scope import e, group_alone, group_job, is_narrow, scope
from sifprov.catalog.tables import execution, metric
from sifprov.model.answer import ID, SPAN, TEXTS, Answer, Column

# So many of the best runs are looked at first where no workflow is named.
_FIRST = 100
_COLUMNS = (
    Column("workflow"), Column("execution", ID), Column("job_id"), Column("composition"),
    Column("environment"), Column("containers", TEXTS), Column("elapsed_s", SPAN, "elapsed"),
)  # fmt: skip


def ask(connection: Connection, asked: Asked) -> Answer:
    """A row for each execution of a workflow, the best first; one where no limit is given."""
    name = asked.metric or ""
    wanted = [(name, asked.best)] + ([(asked.then, asked.then_best)] if asked.then else [])
    limit = 1 if asked.limit is None else asked.limit
    where = scope(connection, asked)
    most: int | None = None if is_narrow(asked) else max(_FIRST, limit)
    while True:
        some = where if most is None else _best_runs(connection, where, name, asked.best, most)
        found = [
            group for group in groups(connection, some, wanted)
            if group.metrics[0] is not None
            and (asked.failed or not group.failed)
            and asked.composition in (None, group.composition)
        ]  # fmt: skip
        if most is None or len(found) >= limit:
            break
        # Those that failed, or are of another composition, took all places.
        most = most * 10 if most < _FIRST * 100 else None
    found = sorted(found, key=lambda group: _order(group, asked))[:limit]
    images = images_of(connection, [group.key for group in found])
    rows = tuple(
        (
            group.workflow, group.execution, group.job, group.composition, group.environment,
            images.get(group.key, ()), group.elapsed_us, *group.metrics,
        )
        for group in found
    )  # fmt: skip
    columns = (*_COLUMNS, *(metric_column(name) for name, _ in wanted))
    return Answer(f"the best of {asked.words()}", columns, rows)


def _order(group: Group, asked: Asked) -> tuple[float, bool, float]:
    first, then = (*group.metrics, None)[:2]
    sign, then_sign = (-1 if best == MAX else 1 for best in (asked.best, asked.then_best))
    return sign * (first or 0.0), then is None, then_sign * (then or 0.0)


def _best_runs(
    connection: Connection, where: ColumnElement[bool], name: str, best: str, most: int
) -> ColumnElement[bool]:
    """Returns the WHERE of the groups of the runs with the best values."""
    value = metric.c.value
    query = (
        select(e.workflow_execution_id, group_job, group_alone)
        .select_from(metric.join(execution, e.id == metric.c.execution_id))
        .where(metric.c.name == name, value.is_not(None), where)
        .order_by(value.desc() if best == MAX else value)
        .limit(most)
    )
    keys = {tuple(row) for row in connection.execute(query)}
    return of_keys(connection, keys) & (e.kind == "run")
