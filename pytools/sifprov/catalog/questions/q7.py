"""q7: how compositions differ between environments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import median

from sqlalchemy import Connection

from sifprov.catalog.questions import MAX, Asked
from sifprov.catalog.questions.groups import Group, groups, metric_column, with_metric
from sifprov.catalog.questions.scope import scope
from sifprov.model.answer import NUMBER, SPAN, Answer, Column, Row


def ask(connection: Connection, asked: Asked) -> Answer:
    """A row for each environment, the quickest first; with `everything` one for each composition in
    each environment."""
    where = scope(connection, asked)
    found = [group for group in groups(connection, where) if asked.failed or not group.failed]
    if asked.metric:
        found = with_metric(connection, found, where, asked.metric, asked.best)
    found = [group for group in found if group.elapsed_us is not None]
    said = f"compositions of {asked.words()}"
    if asked.everything:
        return Answer(said, _all_columns(asked.metric), tuple(_all(found, asked)))
    return Answer(said, _columns(asked.metric), tuple(_quickest(found, asked)))


def _columns(metric: str | None) -> tuple[Column, ...]:
    columns = (Column("job_id"), Column("composition"), Column("elapsed_s", SPAN, "elapsed time"),
               Column("env_name"))  # fmt: skip
    return (*columns, metric_column(metric)) if metric else columns


def _quickest(found: Iterable[Group], asked: Asked) -> Iterator[Row]:
    by_place: dict[str, list[Group]] = defaultdict(list)
    for group in found:
        by_place[group.environment].append(group)
    firsts = [min(several, key=lambda g: _order(g, asked)) for several in by_place.values()]
    for group in sorted(firsts, key=lambda g: _order(g, asked)):
        row: Row = (group.job, group.composition, group.elapsed_us, group.environment)
        yield (*row, group.metric) if asked.metric else row


def _order(group: Group, asked: Asked) -> tuple[int, float]:
    """The shortest time first, and between equals the better metric."""
    value = float("inf") if group.metric is None else group.metric
    return (
        group.elapsed_us or 0,
        -value if asked.best == MAX and group.metric is not None else value,
    )


def _all_columns(metric: str | None) -> tuple[Column, ...]:
    columns = (
        Column("env_name"), Column("composition"), Column("executions", NUMBER),
        Column("elapsed_s", SPAN, "shortest time"), Column("median_s", SPAN, "median time"),
        Column("longest_s", SPAN, "longest time"),
    )  # fmt: skip
    return (*columns, metric_column(metric, f"best {metric}")) if metric else columns


def _all(found: Iterable[Group], asked: Asked) -> Iterator[Row]:
    by_both: dict[tuple[str, str], list[Group]] = defaultdict(list)
    for group in found:
        by_both[group.environment, group.composition or ""].append(group)
    for (place, composition), several in sorted(by_both.items()):
        times = [group.elapsed_us or 0 for group in several]
        values = [group.metric for group in several if group.metric is not None]
        best = (max if asked.best == MAX else min)(values, default=None)
        row: Row = (place, composition or None, len(several), min(times), round(median(times)),
                    max(times))  # fmt: skip
        yield (*row, best) if asked.metric else row
