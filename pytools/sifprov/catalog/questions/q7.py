"""q7: how compositions differ between environments."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import median

from sqlalchemy import Connection

from sifprov.catalog.questions import MAX, Asked
from sifprov.catalog.questions.groups import Group, groups, metric_column
from sifprov.catalog.questions.scope import about_newest_workflow, scope
from sifprov.model.answer import NUMBER, SPAN, Answer, Column, Row

_COLUMNS = (
    Column("job_id"), Column("composition"), Column("elapsed_s", SPAN, "elapsed time"),
    Column("env_name"),
)  # fmt: skip
_ALL = (
    Column("env_name"), Column("composition"), Column("executions", NUMBER),
    Column("elapsed_s", SPAN, "shortest time"), Column("median_s", SPAN, "median time"),
    Column("longest_s", SPAN, "longest time"),
)  # fmt: skip


def ask(connection: Connection, asked: Asked) -> Answer:
    """A row for each environment, the quickest first; with `everything` one for each composition in
    each environment."""
    asked = about_newest_workflow(connection, asked)
    metrics = [(asked.metric, asked.best)] if asked.metric else []
    found = [
        group for group in groups(connection, scope(connection, asked), metrics)
        if group.elapsed_us is not None and (asked.failed or not group.failed)
    ]  # fmt: skip
    columns = _ALL if asked.everything else _COLUMNS
    if asked.metric:
        heading = f"best {asked.metric}" if asked.everything else ""
        columns = (*columns, metric_column(asked.metric, heading))
    rows = (_all if asked.everything else _quickest)(found, asked)
    return Answer(f"compositions of {asked.words()}", columns, tuple(rows))


def _quickest(found: Iterable[Group], asked: Asked) -> Iterator[Row]:
    by_place: dict[str, list[Group]] = defaultdict(list)
    for group in found:
        by_place[group.environment].append(group)
    firsts = [min(several, key=lambda g: _order(g, asked)) for several in by_place.values()]
    for group in sorted(firsts, key=lambda g: _order(g, asked)):
        yield (group.job, group.composition, group.elapsed_us, group.environment, *group.metrics)


def _order(group: Group, asked: Asked) -> tuple[int, float]:
    """The shortest time first, and between equals the better metric."""
    value = next((value for value in group.metrics if value is not None), None)
    if value is None:
        return group.elapsed_us or 0, float("inf")
    return group.elapsed_us or 0, -value if asked.best == MAX else value


def _all(found: Iterable[Group], asked: Asked) -> Iterator[Row]:
    by_both: dict[tuple[str, str], list[Group]] = defaultdict(list)
    for group in found:
        by_both[group.environment, group.composition or ""].append(group)
    for (place, composition), several in sorted(by_both.items()):
        times = [group.elapsed_us or 0 for group in several]
        row: Row = (place, composition or None, len(several), min(times), round(median(times)),
                    max(times))  # fmt: skip
        values = [v for group in several for v in group.metrics if v is not None]
        best = (max if asked.best == MAX else min)(values, default=None)
        yield (*row, best) if asked.metric else row
