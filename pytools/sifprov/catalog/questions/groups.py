"""Runs that belong together: of one execution of a workflow, else of one batch job."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, case, func, or_, select, union

from sifprov.catalog.matching import among
from sifprov.catalog.questions import MAX
from sifprov.catalog.questions.places import composed, counts, environments
from sifprov.catalog.questions.scope import e, group_alone, group_job, job
from sifprov.catalog.runs import exit_number
from sifprov.catalog.tables import (
    container_image,
    execution,
    metric,
    workflow,
    workflow_execution,
)
from sifprov.model.answer import NUMBER, Column

# The id of a workflow's execution; or a batch job; or the id of a run.
Key: TypeAlias = "tuple[int | None, str | None, int | None]"
# So many jobs are looked up at a time.
_JOBS = 500
_KEY = (e.workflow_execution_id, group_job, group_alone)


@dataclass(frozen=True)
class Group:
    """Runs that belong together. `elapsed_us` is from the first begin to the last end, `failed` how
    many did not end with 0, `environment` where they ran, `metrics` the best value of each that was
    asked for."""

    key: Key
    workflow: str | None
    execution: str | None
    job: str | None
    composition: str | None
    started_us: int | None
    elapsed_us: int | None
    runs: int
    failed: int
    environment: str
    metrics: tuple[float | None, ...] = ()


def groups(
    connection: Connection,
    where: ColumnElement[bool],
    metrics: Sequence[tuple[str, str]] = (),
) -> list[Group]:
    """Returns the groups of the runs that fulfil `where`, oldest first; `metrics` are names, each
    with which value is the best."""
    good = case((exit_number == 0, 1), else_=0)
    partition = e.env_partition_id
    summed = (
        select(
            *(part.label(f"key{n}") for n, part in enumerate(_KEY)),
            func.min(job).label("job"), func.min(e.started_us).label("started"),
            func.max(e.ended_us).label("ended"), func.count().label("runs"),
            func.sum(good).label("good"), func.min(partition).label("first"),
            func.max(partition).label("last"),
            *(count.label(f"count{n}") for n, count in enumerate(counts())),
            *(_best(*m).label(f"metric{n}") for n, m in enumerate(metrics)),
        )
        .where(where)
        .group_by(*_KEY)
        .subquery()
    )  # fmt: skip
    query = (
        select(summed, workflow_execution.c.uuid, workflow_execution.c.composition,
               workflow.c.wf_key_name)
        .outerjoin(workflow_execution, workflow_execution.c.id == summed.c.key0)
        .outerjoin(workflow, workflow.c.id == workflow_execution.c.workflow_id)
        .order_by(summed.c.started, summed.c.key0, summed.c.key1, summed.c.key2)
    )  # fmt: skip
    rows = connection.execute(query).all()
    several = [tuple(r[:3]) for r in rows if r.first != r.last]
    spread = _spread(connection, several)
    ids = {r.first for r in rows} | {p for found in spread.values() for p in found}
    names = environments(connection, ids - {None})
    return [
        _group(row, spread, names, tuple(getattr(row, f"metric{n}") for n in range(len(metrics))))
        for row in rows
    ]


def _best(name: str, best: str) -> Any:
    """The best value of a metric. Read for each run, for they are fewer than all that have it."""
    value = (
        select(metric.c.value)
        .where(metric.c.execution_id == e.id, metric.c.name == name)
        .correlate(execution)
        .scalar_subquery()
    )
    return (func.max if best == MAX else func.min)(value)


def _group(
    row: Any,
    spread: Mapping[Key, set[int]],
    names: Mapping[int, str],
    metrics: tuple[float | None, ...],
) -> Group:
    key: Key = tuple(row[:3])
    partitions = spread.get(key) or {row.first}
    where = sorted({names.get(p, "unknown") for p in partitions})
    elapsed = None if None in (row.started, row.ended) else row.ended - row.started
    return Group(
        key, row.wf_key_name, row.uuid, row.job,
        composed(row.composition, row.count0, row.count1, row.count2),
        row.started, elapsed, row.runs, row.runs - row.good, " + ".join(where),
        metrics,
    )  # fmt: skip


def of_keys(connection: Connection, keys: Iterable[Any]) -> ColumnElement[bool]:
    """Returns the WHERE of the runs of these groups."""
    keys = list(keys)
    runs = [key[2] for key in keys if key[2] is not None]
    jobs = sorted({key[1] for key in keys if key[1] is not None})
    for place in range(0, len(jobs), _JOBS):
        some = jobs[place : place + _JOBS]
        found = union(*(select(e.id).where(c.in_(some), group_job.in_(some))
                        for c in (e.job_id, e.array_job_id)))  # fmt: skip
        runs += connection.scalars(found)
    dialect = connection.dialect
    executions = [key[0] for key in keys if key[0] is not None]
    return or_(among(dialect, e.workflow_execution_id, executions), among(dialect, e.id, runs))


def _spread(connection: Connection, keys: list[Any]) -> dict[Key, set[int]]:
    """Returns where the runs of groups were that ran in more than one partition."""
    found: dict[Key, set[int]] = defaultdict(set)
    if keys:
        query = select(*_KEY, e.env_partition_id).where(
            of_keys(connection, keys), e.env_partition_id.is_not(None)
        ).distinct()  # fmt: skip
        for *key, partition in connection.execute(query):
            found[tuple(key)].add(partition)
    return found


def metric_column(name: str, heading: str = "") -> Column:
    """Returns the column of a metric, whose name no other column can have."""
    return Column(f"metric.{name}", NUMBER, heading or name)


def images_of(connection: Connection, keys: Iterable[Key]) -> dict[Key, tuple[str, ...]]:
    """Returns the names of the images of groups, each once."""
    found: dict[Any, set[str]] = defaultdict(set)
    query = (
        select(*_KEY, container_image.c.name)
        .join(container_image, container_image.c.id == e.container_image_id)
        .where(of_keys(connection, keys))
        .distinct()
    )
    for *key, name in connection.execute(query):
        found[tuple(key)].add(name or "?")
    return {key: tuple(sorted(names)) for key, names in found.items()}
