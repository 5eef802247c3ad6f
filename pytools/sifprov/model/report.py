"""A report: what a capture tells the catalog of a run when it starts, and when it has ended.

A report of the end holds all that the one of the start held, so that either may be missing. No I/O.
"""

from __future__ import annotations

from uuid import UUID

from sifprov.errors import RecordError
from sifprov.frozen import dataclass, replace
from sifprov.model.canonical import Json, dumps, loads, text_to_json
from sifprov.model.container import Container, maybe_text
from sifprov.model.reader import Reader
from sifprov.model.record import PLUGIN, WRAPPER
from sifprov.model.run import Run

SCHEMA = "sifprov.report/1"
START, END = "start", "end"
# What became of the record of a run that has ended.
RECORDED, WAITS, NOT_RECORDED = "recorded", "waits", "not-recorded"
UNCHANGED, REFUSED = "unchanged", "refused"
_BECAME = (RECORDED, WAITS, NOT_RECORDED, UNCHANGED, REFUSED)
# A document is never longer: what would make it so is left out of it.
MAX_REPORT = 64 * 1024
_MAX_WORDS, _MAX_WORD = 64, 256
_MAX_CONTAINERS = 64
_MAX_PID, _MAX_NUMBER = 2**31 - 1, 2**53


@dataclass(frozen=True)
class Process:
    """A process of the machine: its number, and its start in clock ticks since the boot, which no
    other process of that number shares (proc_pid_stat(5), starttime)."""

    pid: int
    started: int

    def to_json(self) -> Json:
        """Returns the JSON object of this process."""
        return {"pid": self.pid, "started": self.started}

    @classmethod
    def from_json(cls, value: Json, path: str) -> Process:
        """Reads a process. Raises RecordError."""
        r = Reader(value, path)
        found = cls(r.integer("pid", 1, _MAX_PID), r.integer("started", 0, _MAX_NUMBER))
        r.end()
        return found


@dataclass(frozen=True)
class Where:
    """Where a run goes on: the machine's name, its boot (and the PID namespace, where that is not
    the machine's own), the runtime's process, and the one that will tell of the end."""

    host: str
    boot: str
    runtime: Process | None
    recorder: Process | None

    def to_json(self) -> Json:
        """Returns the JSON object of this place."""
        return {
            "boot": self.boot,
            "host": text_to_json(self.host),
            "recorder": self.recorder.to_json() if self.recorder else None,
            "runtime": self.runtime.to_json() if self.runtime else None,
        }

    @classmethod
    def from_json(cls, value: Json, path: str) -> Where:
        """Reads a place. Raises RecordError."""
        r = Reader(value, path)

        def process(name: str) -> Process:
            return Process.from_json(r.json(name), r.path(name))

        found = cls(
            host=r.text("host"),
            boot=r.word("boot"),
            runtime=r.optional("runtime", process),
            recorder=r.optional("recorder", process),
        )
        r.end()
        return found


@dataclass(frozen=True)
class Kept:
    """One record of a run: the container that it is in, or for. `digest` is None where it is not
    there: then `reason` says why, and `file` is what keeps it meanwhile."""

    container: UUID
    place: str
    digest: str | None
    file: str | None = None
    reason: str | None = None

    def to_json(self) -> Json:
        """Returns the JSON object of this record's place."""
        return {
            "container": str(self.container),
            "digest": self.digest,
            "file": maybe_text(self.file),
            "place": text_to_json(self.place),
            "reason": maybe_text(self.reason),
        }

    @classmethod
    def from_json(cls, value: Json, path: str) -> Kept:
        """Reads a record's place. Raises RecordError."""
        r = Reader(value, path)
        found = cls(
            container=r.uuid("container"),
            place=r.text("place"),
            digest=r.optional("digest", r.digest),
            file=r.optional("file", r.text),
            reason=r.optional("reason", r.text),
        )
        r.end()
        return found


@dataclass(frozen=True)
class Report:
    """One report of the run `id`, which its records are called too.

    `told` is when it was written. The `run` of a start has the outcome `unknown`, and no end.
    `became` says what became of the record of a run that has ended, `records` where it is; `reason`
    why it was not recorded. `cut`: something was too long and was left out.
    """

    event: str
    id: UUID
    captured_by: str
    version: str
    told: str
    where: Where
    run: Run
    containers: tuple[Container, ...]
    became: str | None = None
    records: tuple[Kept, ...] = ()
    reason: str | None = None
    cut: bool = False

    def to_json(self) -> Json:
        """Returns the JSON document."""
        return {
            "became": self.became,
            "captured_by": {"kind": self.captured_by, "version": self.version},
            "containers": [c.to_json() for c in self.containers],
            "cut": self.cut,
            "event": self.event,
            "id": str(self.id),
            "reason": maybe_text(self.reason),
            "records": [k.to_json() for k in self.records],
            "run": self.run.to_json(),
            "schema": SCHEMA,
            "told": self.told,
            "where": self.where.to_json(),
        }

    def to_bytes(self) -> bytes:
        """Returns the document, of at most MAX_REPORT bytes; where all of it is more, without what
        is long. Raises ValueError where even the rest is too long."""
        for kept in (self, _short(self), _shortest(self)):
            data = dumps(kept.to_json())
            if len(data) <= MAX_REPORT:
                return data
        raise ValueError(f"a report of {len(data)} bytes")

    @classmethod
    def from_bytes(cls, data: bytes) -> Report:
        """Reads a document. Raises RecordError."""
        if len(data) > MAX_REPORT:
            raise RecordError("", f"more than {MAX_REPORT} bytes")
        r = Reader(loads(data), "")
        r.word("schema", SCHEMA)
        by = Reader(r.json("captured_by"), "captured_by")
        found = cls(
            event=r.word("event", START, END),
            id=r.uuid("id"),
            captured_by=by.word("kind", PLUGIN, WRAPPER),
            version=by.word("version"),
            told=r.time("told"),
            where=Where.from_json(r.json("where"), "where"),
            run=Run.from_json(r.json("run"), "run"),
            containers=r.items("containers", Container.from_json),
            became=r.optional("became", lambda n: r.word(n, *_BECAME)),
            records=r.items("records", Kept.from_json),
            reason=r.optional("reason", r.text),
            cut=r.flag("cut"),
        )
        by.end()
        r.end()
        if (found.event == END) != (found.became is not None):
            raise RecordError("became", "does not fit the event")
        return found


def _short(report: Report) -> Report:
    """Without the lists of files, and what is long in the command line."""
    run = report.run
    argv, command = _first(run.argv), _first(run.command)
    return replace(
        report,
        run=replace(
            run,
            argv=argv,
            command=command,
            redacted=tuple(n for n in run.redacted if n < len(argv)),
        ),
        containers=tuple(replace(c, files=None) for c in report.containers[:_MAX_CONTAINERS]),
        records=report.records[:_MAX_CONTAINERS],
        cut=True,
    )


def _shortest(report: Report) -> Report:
    """What names the run, and no more."""
    report = _short(report)
    run = replace(report.run, environment=(), facts=(), argv=(), redacted=())
    return replace(report, run=run, containers=report.containers[:4], records=report.records[:4])


def _first(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(w if len(w) <= _MAX_WORD else w[:_MAX_WORD] + "…" for w in words[:_MAX_WORDS])
