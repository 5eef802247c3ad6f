"""What one record tells, ready to be put into the tables: texts, numbers and tuples alone.

No I/O and no database, so that many processes can do it side by side.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sifprov.catalog import facts
from sifprov.catalog.texts import compact, escaped, fingerprint, list_text, long, object_text, short
from sifprov.errors import RecordError
from sifprov.model.canonical import Json, loads, record_digest
from sifprov.model.container import (
    APPLICATION,
    CHANGED_OUTSIDE,
    FOLDER,
    INPUT,
    OUTPUT,
    Container,
)
from sifprov.model.record import Record, Run
from sifprov.model.timestamp import to_ns

MAKING, RUNNING = "making", "run"
# Of a run's facts: those that each of its records tells for itself.
_OF_ONE_RECORD = ("lineage", "log")
EXECUTION_COLUMNS = (
    "kind", "activity", "scheduler", "job_id", "array_job_id", "task_id", "started_us", "ended_us",
    "elapsed_us", "outcome", "exit_code", "signal", "action", "captured_by", "replays", "source",
    "cpu_us", "max_memory_bytes", "likeness",
)  # fmt: skip
START_COLUMNS = ("fingerprint", "argv", "command", "cwd", "environment")


class Named(NamedTuple):
    """A container as a record names it: `who` is its UUID, of what has none the hash of its path,
    `record` the digest of the newest record that it carried, `content` the digest of its content.
    """

    who: str
    record: str | None
    content: str | None
    is_changed: bool
    has_uuid: bool
    name: str | None
    path: str | None
    mount: str | None
    marks: str | None
    files: int | None
    created_us: int | None


class Image(NamedTuple):
    """An application container: what it is known by, and what is told of it."""

    key: str
    content: str | None
    uuid: str | None
    name: str | None
    path: str | None
    created_us: int | None


class Told(NamedTuple):
    """One record. `execution` has the values of EXECUTION_COLUMNS; it, `made` and what belongs to
    them are None for words, which have `about` and `about_id`: the digest and the id of the record
    that they speak of. `took_over` says that the record before it may be another container's."""

    digest: str
    kind: str
    id: str
    container: str
    previous: str | None
    recorded_us: int
    captured_by: str
    version: str
    about: str | None
    about_id: str | None
    verdict: str | None
    tags: tuple[tuple[str, str], ...]
    metrics: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    took_over: bool = False
    made: Named | None = None
    used: tuple[Named, ...] = ()
    siblings: tuple[Named, ...] = ()
    execution: tuple[Any, ...] | None = None
    image: Image | None = None
    start: tuple[Any, ...] | None = None
    facts: facts.Told | None = None

    def named(self) -> Iterator[str]:
        """Yields the digests of the records that it names."""
        for digest in (self.previous, self.about, *(u.record for u in self.used)):
            if digest:
                yield digest


def of_bytes(data: bytes) -> Told:
    """Returns what a record's stored bytes tell. Raises RecordError."""
    value = loads(data)
    record = Record.from_json(value)
    if not isinstance(value, Mapping):
        raise RecordError("", "not an object")
    return _told(record, value, record_digest(data))


def of_record(record: Record) -> Told:
    """As `of_bytes`, of a record that was read already."""
    return of_bytes(record.to_bytes())


def _told(record: Record, value: Mapping[str, Json], digest: str) -> Told:
    words = record.annotation
    about = record.about
    told = Told(
        digest=digest,
        kind=record.kind,
        id=str(record.id),
        container=str(record.container),
        previous=record.previous,
        recorded_us=to_ns(record.recorded) // 1000,
        captured_by=record.captured_by,
        version=short(record.version),
        about=about.record if about else None,
        about_id=str(about.id) if about else None,
        verdict=record.verdict.result if record.verdict else None,
        tags=tuple((short(n), short(v)) for n, v in words.tags) if words else (),
        metrics=tuple((short(n), v) for n, v in words.metrics) if words else (),
        notes=tuple(map(long, words.notes)) if words else (),
    )
    if about:
        return told
    known = facts.of_run(record.run) if record.run else None
    application = next(iter(record.with_role(APPLICATION)), None)
    outputs = record.with_role(OUTPUT)
    # Of an application there is no more to say, unless it carries a record.
    used = [c for c in record.with_role(APPLICATION) if c.record]
    used += record.with_role(INPUT)
    return told._replace(
        took_over=bool(record.origin and record.containers),
        made=_made(record),
        used=tuple(map(_named, used)),
        siblings=tuple(_named(c) for c in outputs if c.uuid != record.container),
        execution=_execution(record, value, known),
        image=image_of(application) if application else None,
        start=start_of(record.run) if record.run else None,
        facts=known,
    )


def who(container: Container) -> str:
    """Returns what a container is known by, as `entity_key` does."""
    if container.uuid:
        return str(container.uuid)
    path = container.path.encode("utf-8", "surrogateescape")
    return "path-" + hashlib.sha256(path).hexdigest()[:32]


def _named(container: Container) -> Named:
    marks = container.marks
    created = container.created
    return Named(
        who(container),
        container.record,
        container.digest,
        CHANGED_OUTSIDE in marks,
        container.uuid is not None,
        short(container.name) or None,
        long(container.path) or None,
        short(container.mount) if container.mount is not None else None,
        list_text(list(marks)) if marks else None,
        container.files.count if container.files else None,
        to_ns(created) // 1000 if created and FOLDER not in marks else None,
    )


def _made(record: Record) -> Named:
    it, origin = record.itself(), record.origin
    if it:
        return _named(it)._replace(content=origin.digest if origin else it.digest)
    files = origin.files.count if origin and origin.files else None
    content = origin.digest if origin else None
    return Named(
        str(record.container), None, content, False, True, None, None, None, None, files, None
    )


def _execution(
    record: Record, value: Mapping[str, Json], known: facts.Told | None
) -> tuple[Any, ...]:
    recorded = to_ns(record.recorded) // 1000
    by = record.captured_by
    likeness = _likeness(value)
    replays = record.replays.record if record.replays else None
    if record.run is None or known is None:
        source = long(record.origin.source) if record.origin else None
        none = (None,) * 5
        return (
            MAKING, *none, recorded, recorded, None, None, None, None, None, by, replays, source,
            None, None, likeness,
        )  # fmt: skip
    run = record.run
    started = to_ns(run.started) // 1000
    ended = to_ns(run.ended) // 1000 if run.ended else None
    wall, cpu, memory = known.usage
    elapsed = max(ended - started, 0) if ended is not None and wall is None else wall
    activity = known.workflow[2] if known.workflow else None
    return (
        RUNNING, activity, known.scheduler, *known.job, started, ended, elapsed, run.outcome,
        run.exit_code, run.signal, short(run.action), by, replays, None, cpu, memory, likeness,
    )  # fmt: skip


def _likeness(value: Mapping[str, Json]) -> int:
    """A hash of what all records of one run have in common (see lineage/order.py)."""
    run = value["run"]
    if isinstance(run, Mapping):
        of_facts = run.get("facts")
        if isinstance(of_facts, Mapping):
            kept = {n: f for n, f in of_facts.items() if n not in _OF_ONE_RECORD}
            run = {**run, "facts": kept}
    containers = value["containers"]
    shared: list[Json] = [run, value["origin"]]
    for each in containers if isinstance(containers, list) else ():
        if isinstance(each, Mapping) and each["role"] == OUTPUT and "files" in each:
            each = {name: field for name, field in each.items() if name != "files"}
        shared.append(each)
    data = compact(shared).encode("ascii")
    return int.from_bytes(hashlib.sha256(data).digest()[:8], "big", signed=True)


def image_of(container: Container) -> Image:
    """Returns an application container as its record names it."""
    uuid = str(container.uuid) if container.uuid else None
    key = container.digest or (f"uuid:{uuid}" if uuid else who(container))
    return Image(
        key,
        container.digest,
        uuid,
        short(container.name) or None,
        long(container.path) or None,
        to_ns(container.created) // 1000 if container.created else None,
    )


def start_of(run: Run) -> tuple[Any, ...]:
    """Returns the values of START_COLUMNS of a run."""
    argv, command = list(map(escaped, run.argv)), list(map(escaped, run.command))
    cwd = escaped(run.cwd)
    environment = {escaped(n): escaped(v) for n, v in run.environment}
    return (
        fingerprint(argv, command, cwd, environment),
        list_text(argv),
        list_text(command),
        long(cwd),
        object_text(environment),
    )
