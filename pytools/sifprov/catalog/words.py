"""What users say of runs: tags, metrics and notes. Of several values under one name the newest
counts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from sqlalchemy import Table

from sifprov.catalog.bulk import Bulk, Row
from sifprov.catalog.executions import Execution
from sifprov.catalog.tables import metric, note, tag
from sifprov.catalog.told import Told

_Values = dict[tuple[int, str], tuple[int, str]]


def put_words(bulk: Bulk, told: Iterable[Told], executions: Mapping[str, Execution]) -> None:
    """Puts in what new records say, of the executions by their digests."""
    tags: _Values = {}
    metrics: _Values = {}
    notes: dict[tuple[int, str, int], str] = {}
    for each in told:
        if not (each.tags or each.metrics or each.notes) or each.digest not in executions:
            continue
        of = executions[each.digest].id
        for name, value in each.tags:
            _newest(tags, (of, name), (each.recorded_us, value))
        for name, value in each.metrics:
            _newest(metrics, (of, name), (each.recorded_us, value))
        # All records of a run have its notes.
        notes.update(((of, each.id, n), text) for n, text in enumerate(each.notes))
    _write(bulk, tag, tags, "value")
    _write(bulk, metric, metrics, "text")
    rows = [(*key, text) for key, text in notes.items()]
    bulk.insert(note, ("execution_id", "said_by", "place", "text"), rows, missing=True)


def _newest(values: _Values, key: tuple[int, str], said: tuple[int, str]) -> None:
    values[key] = max(said, values.get(key, said))


def _write(bulk: Bulk, table: Table, values: _Values, column: str) -> None:
    if not values:
        return
    asked = {number for number, _ in values}
    columns = f"execution_id, name, recorded_us, {column}"
    old = []
    for number, name, recorded, value in bulk.rows(columns, table.name, "execution_id", asked):
        said = values.get((number, name))
        if said is not None and said > (recorded, value):
            old.append((number, name))
        elif said is not None:
            del values[number, name]
    bulk.delete_each(table, ("execution_id", "name"), old)
    rows: list[Row] = [(*key, value, recorded) for key, (recorded, value) in values.items()]
    names = ["execution_id", "name", column, "recorded_us"]
    if table is metric:
        names.append("value")
        rows = [(*row, _number(row[2])) for row in rows]
    bulk.insert(table, names, rows)


def _number(text: str) -> float | None:
    """The number that a text is nearest to; None where it has no finite one."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
