"""The record of a workflow's executions: `NAME.workflow.jsonl` beside its file.

One line of canonical JSON for each execution (`sifprov.workflow-run/1`); of two with one id, the
later one counts: an execution that was interrupted and went on. The runs themselves are recorded in
their containers; here stands what ties them together.
"""

from __future__ import annotations

import os

from sifprov.errors import FileError, NoRecordError, RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, dumps, loads, record_digest, text_to_json
from sifprov.model.reader import Reader
from sifprov.model.workflowpart import COMPOSITIONS
from sifprov.newfile import sync_folder
from sifprov.plainfile import read_plain
from sifprov.version import VERSION
from sifprov.workflow.document import Workflow
from sifprov.workflow.reading import from_json
from sifprov.workflow.work import DONE, FAILED, UP_TO_DATE, Result

SCHEMA = "sifprov.workflow-run/1"
COMPLETE, INTERRUPTED, NOT_RUN = "complete", "interrupted", "not-run"
SUFFIX = ".workflow.jsonl"
_STATES = (COMPLETE, FAILED, INTERRUPTED)
_STEP_STATES = (DONE, UP_TO_DATE, FAILED, NOT_RUN)
_MOST = 256 << 20


@dataclass(frozen=True)
class StepRun:
    """How a step went in an execution: `results` are the records that stand for it, also where it
    was up to date. `exit_code` and `milliseconds` are of its run, where it ran."""

    activity: str
    state: str
    why: str
    exit_code: int | None
    milliseconds: int
    results: tuple[Result, ...]

    def to_json(self) -> Json:
        """Returns the JSON object of this step."""
        return {
            "activity": self.activity,
            "exit_code": self.exit_code,
            "milliseconds": self.milliseconds,
            "outputs": [each.to_json() for each in self.results],
            "state": self.state,
            "why": text_to_json(self.why),
        }

    @classmethod
    def from_json(cls, value: Json, path: str) -> StepRun:
        """Reads a step. Raises RecordError."""
        r = Reader(value, path)
        found = cls(
            activity=r.word("activity"),
            state=r.word("state", *_STEP_STATES),
            why=r.text("why"),
            exit_code=r.optional("exit_code", lambda n: r.integer(n, 0, 255)),
            milliseconds=r.integer("milliseconds", 0, 1 << 52),
            results=r.items("outputs", Result.from_json),
        )
        r.end()
        return found


@dataclass(frozen=True)
class WorkflowRun:
    """One execution: `id` is what its runs have as `SIFPROV_WORKFLOW_ID`, `engine` (name, version,
    executor) what started them. Times are UTC."""

    id: str
    workflow: Workflow
    composition: str
    folder: str
    engine: tuple[str, str, str]
    started: str
    ended: str
    state: str
    steps: tuple[StepRun, ...]
    version: str = VERSION

    def to_json(self) -> dict[str, Json]:
        """Returns the JSON document."""
        name, version, executor = self.engine
        return {
            "composition": self.composition,
            "ended": self.ended,
            "engine": {"executor": executor, "name": name, "version": version},
            "folder": text_to_json(self.folder),
            "id": self.id,
            "schema": SCHEMA,
            "started": self.started,
            "state": self.state,
            "steps": [step.to_json() for step in self.steps],
            "version": self.version,
            "workflow": self.workflow.to_json(),
        }

    @classmethod
    def from_json(cls, value: Json) -> WorkflowRun:
        """Reads a document. Raises RecordError."""
        r = Reader(value, "")
        r.word("schema", SCHEMA)
        engine = Reader(r.json("engine"), "engine")
        found = cls(
            id=str(r.uuid("id")),
            workflow=from_json(r.json("workflow")),
            composition=r.word("composition", *COMPOSITIONS),
            folder=r.text("folder"),
            engine=(engine.word("name"), engine.word("version"), engine.word("executor")),
            started=r.time("started"),
            ended=r.time("ended"),
            state=r.word("state", *_STATES),
            steps=r.items("steps", StepRun.from_json),
            version=r.word("version"),
        )
        engine.end()
        r.end()
        return found


def digest_of(workflow: Workflow) -> str:
    """Returns what tells two workflows apart."""
    return record_digest(dumps(workflow.to_json()))


def history_of(folder: str, name: str) -> str:
    """Returns the path of the file for the workflow `name` whose paths start from `folder`."""
    return os.path.join(folder, name + SUFFIX)


def append(path: str, run: WorkflowRun) -> None:
    """Adds an execution, with one write. Raises FileError."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o644)
        try:
            end = os.fstat(descriptor).st_size
            # What a killed writer left of a line is ended, and is a line that nobody can read.
            torn = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
            os.write(descriptor, (b"\n" if torn else b"") + dumps(run.to_json()) + b"\n")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_folder(path)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error


def read(path: str) -> tuple[WorkflowRun, ...]:
    """Returns the executions, oldest first, each once. A line that cannot be read is left out.
    Raises FileError, NoRecordError where there is none."""
    data = read_plain(path, _MOST, "record of workflows")
    found: dict[str, WorkflowRun] = {}
    for line in data.split(b"\n"):
        try:
            run = WorkflowRun.from_json(loads(line))
        except RecordError:
            continue
        found.pop(run.id, None)
        found[run.id] = run
    if not found:
        raise NoRecordError(f"{path}: no record of an execution of a workflow")
    return tuple(found.values())


def last(path: str, execution: str | None) -> WorkflowRun | None:
    """Returns what is recorded of an execution, None where nothing is."""
    try:
        return next((run for run in read(path) if run.id == execution), None)
    except (FileError, NoRecordError):
        return None
