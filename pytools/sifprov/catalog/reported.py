"""Puts reports of runs into the tables: of those that go on, and of ends that no record tells yet.

What a record tells counts more: of a run whose record was read a report changes nothing, and the
first record of a run takes the place of all that was reported (executions.py).
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from sifprov.catalog import facts
from sifprov.catalog.bulk import Bulk, Row
from sifprov.catalog.executions import LINKS, Executions
from sifprov.catalog.images import Images
from sifprov.catalog.intern import Interned
from sifprov.catalog.tables import content, execution, report
from sifprov.catalog.texts import list_text, long, short
from sifprov.catalog.told import EXECUTION_COLUMNS, RUNNING, Told, image_of, start_of
from sifprov.model.canonical import Json
from sifprov.model.container import APPLICATION, Container
from sifprov.model.report import END, Report
from sifprov.model.timestamp import to_ns

# Outcomes that no record has: the run goes on; it ended, and nobody was left to tell.
GOES_ON, LOST = "running", "lost"
_REPORT_COLUMNS = (
    "host", "boot_id", "pid", "pid_started", "recorder_pid", "recorder_started", "started_us",
    "seen_us", "is_ended", "became", "reason", "containers",
)  # fmt: skip


def put_reports(connection: Connection, reports: Iterable[Report]) -> None:
    """Puts in what reports tell, in a writer's transaction; twice is as good as once."""
    newest: dict[str, Report] = {}
    for each in sorted(reports, key=lambda r: (r.event == END, r.told)):
        newest[str(each.id)] = each
    bulk = Bulk(connection)
    try:
        _put(bulk, newest)
    finally:
        bulk.close()


def _put(bulk: Bulk, newest: dict[str, Report]) -> None:
    got = bulk.rows("uuid, id, likeness", "execution", "uuid", list(newest))
    rows = {uuid: number for uuid, number, _ in got}
    recorded = {uuid for uuid, _, likeness in got if likeness is not None}
    before: dict[int | None, bool] = dict(
        bulk.rows("execution_id, is_ended", "report", "execution_id", list(rows.values()))
    )
    wanted = {
        uuid: each
        for uuid, each in newest.items()
        if uuid not in recorded and (each.event == END or not before.get(rows.get(uuid)))
    }
    new = [uuid for uuid in wanted if uuid not in rows]
    rows.update(zip(new, bulk.new_ids(execution, len(new)), strict=True))
    images = Images(Interned(content, "digest"))
    told = {uuid: _told(uuid, each) for uuid, each in wanted.items()}
    links = Executions(images).links(bulk, list(told.values()), images.put(bulk, told.values()))
    columns = (*EXECUTION_COLUMNS, *LINKS)
    values = {uuid: (*(t.execution or ()), *links[t.digest]) for uuid, t in told.items()}
    bulk.insert(
        execution, ("id", "uuid", *columns), [(rows[u], u, *values[u]) for u in values if u in new]
    )
    bulk.update(execution, "id", columns, [(rows[u], *values[u]) for u in values if u not in new])
    there = [uuid for uuid in wanted if rows[uuid] in before]
    of_reports = {uuid: _row(each) for uuid, each in wanted.items()}
    bulk.insert(
        report,
        ("execution_id", *_REPORT_COLUMNS),
        [(rows[u], *row) for u, row in of_reports.items() if u not in there],
    )
    bulk.update(report, "execution_id", _REPORT_COLUMNS, [(rows[u], *of_reports[u]) for u in there])


def _told(uuid: str, each: Report) -> Told:
    """A report as if it were a record, but for what only records tell."""
    application = next((c for c in each.containers if c.role == APPLICATION), None)
    known = facts.of_run(each.run)
    return Told(
        digest=uuid,
        kind=RUNNING,
        id=uuid,
        container="",
        previous=None,
        recorded_us=_us(each.told),
        captured_by=each.captured_by,
        version=short(each.version),
        about=None,
        about_id=None,
        verdict=None,
        tags=(),
        metrics=(),
        notes=(),
        execution=_execution(each, known),
        image=image_of(application) if application else None,
        start=start_of(each.run),
        facts=known,
    )


def _execution(each: Report, known: facts.Told) -> Row:
    run, is_ended = each.run, each.event == END
    started = _us(run.started)
    ended = _us(run.ended) if run.ended else None
    wall, cpu, memory = known.usage
    elapsed = max(ended - started, 0) if ended is not None and wall is None else wall
    values = {
        # What goes on answers no question yet.
        "kind": RUNNING if is_ended else None,
        "activity": known.workflow[2] if known.workflow else None,
        "scheduler": known.scheduler,
        **dict(zip(("job_id", "array_job_id", "task_id"), known.job, strict=True)),
        "started_us": started,
        "ended_us": ended,
        "elapsed_us": elapsed,
        "outcome": run.outcome if is_ended else GOES_ON,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "action": short(run.action),
        "captured_by": each.captured_by,
        "cpu_us": cpu,
        "max_memory_bytes": memory,
    }
    return tuple(values.get(name) for name in EXECUTION_COLUMNS)


def _row(each: Report) -> Row:
    where = each.where
    runtime, recorder = where.runtime, where.recorder
    return (
        short(where.host),
        short(where.boot),
        runtime.pid if runtime else None,
        runtime.started if runtime else None,
        recorder.pid if recorder else None,
        recorder.started if recorder else None,
        _us(each.run.started),
        _us(each.told),
        each.event == END,
        each.became,
        long(each.reason) if each.reason else None,
        list_text([_named(c) for c in each.containers]),
    )


def _named(container: Container) -> Json:
    return {
        "mount": container.mount and short(container.mount),
        "name": short(container.name),
        "path": long(container.path),
        "role": container.role,
        "uuid": str(container.uuid) if container.uuid else None,
    }


def _us(text: str) -> int:
    return to_ns(text) // 1000
