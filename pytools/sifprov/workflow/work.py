"""The work folder of a workflow, `.NAME.workflow/` beside its file, and what its steps left there.

    lock                 locked while an engine is at work
    execution.json       which execution is under way or was interrupted (`sifprov.workflow-work/1`)
    Snakefile            what Snakemake reads (snakefile.py)
    snakemake.log        what Snakemake said
    .sifprov/0001.json   how the last run of the first step went (`sifprov.workflow-step/1`)
    .sifprov/0001.log    what it printed
    .sifprov/0001.done   there when its outputs are: all that Snakemake looks at

The folder is its owner's alone. It is only a place to look: what counts are the containers.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

from sifprov.errors import FileError, RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, dumps, loads, text_to_json
from sifprov.model.reader import Reader

STEPS = ".sifprov"
WORK_SCHEMA, STEP_SCHEMA = "sifprov.workflow-work/1", "sifprov.workflow-step/1"
DONE, UP_TO_DATE, FAILED, RUNNING = "done", "up-to-date", "failed", "running"
_STATES = (DONE, UP_TO_DATE, FAILED, RUNNING)
_MAX_FILE = 1 << 20


@dataclass(frozen=True)
class Result:
    """An output of a step that ran: the id and digest of its run's record, and its content."""

    name: str
    path: str
    record: str
    digest: str
    content: str | None

    def to_json(self) -> Json:
        """Returns the JSON object of this result."""
        return {
            "content": self.content,
            "digest": self.digest,
            "name": self.name,
            "path": text_to_json(self.path),
            "record": self.record,
        }

    @classmethod
    def from_json(cls, value: Json, path: str) -> Result:
        """Reads a result. Raises RecordError."""
        r = Reader(value, path)
        found = cls(
            name=r.word("name"),
            path=r.text("path"),
            record=str(r.uuid("record")),
            digest=r.digest("digest"),
            content=r.optional("content", r.digest),
        )
        r.end()
        return found


@dataclass(frozen=True)
class State:
    """How a step went: `state` is one of DONE, UP_TO_DATE, FAILED, RUNNING; `why` is what made it
    run, or fail. `seconds` is what it took, `exit_code` the application's as a shell gives it."""

    number: int
    activity: str
    state: str
    why: str = ""
    exit_code: int | None = None
    milliseconds: int = 0
    execution: str | None = None
    outputs: tuple[Result, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Returns the JSON document."""
        return {
            "activity": self.activity,
            "execution": self.execution,
            "exit_code": self.exit_code,
            "milliseconds": self.milliseconds,
            "number": self.number,
            "outputs": [each.to_json() for each in self.outputs],
            "schema": STEP_SCHEMA,
            "state": self.state,
            "why": text_to_json(self.why),
        }

    @classmethod
    def from_json(cls, value: Json) -> State:
        """Reads a document. Raises RecordError."""
        r = Reader(value, "")
        r.word("schema", STEP_SCHEMA)
        found = cls(
            number=r.integer("number", 1, 1 << 20),
            activity=r.word("activity"),
            state=r.word("state", *_STATES),
            why=r.text("why"),
            exit_code=r.optional("exit_code", lambda n: r.integer(n, 0, 255)),
            milliseconds=r.integer("milliseconds", 0, 1 << 52),
            execution=r.optional("execution", lambda n: str(r.uuid(n))),
            outputs=r.items("outputs", Result.from_json),
        )
        r.end()
        return found


class Steps:
    """What the steps leave in the folder `.sifprov` of `folder`."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.join(folder, STEPS)

    def make(self) -> None:
        """Makes the folder. Raises FileError."""
        try:
            os.makedirs(self.folder, 0o700, exist_ok=True)
        except OSError as error:
            raise FileError(f"{self.folder}: {error.strerror}") from error

    def path(self, number: int, suffix: str) -> str:
        """Returns the path of a step's file."""
        return os.path.join(self.folder, f"{number:04}.{suffix}")

    def write(self, state: State) -> None:
        """Keeps how a step went. Raises FileError."""
        write_whole(self.path(state.number, "json"), dumps(state.to_json()))

    def read(self, number: int) -> State | None:
        """Returns how a step went, None where nothing readable says it."""
        with suppress(RecordError, OSError):
            found = State.from_json(loads(read_small(self.path(number, "json"))))
            return found if found.number == number else None
        return None

    def mark(self, number: int) -> None:
        """Says that the outputs of a step are there. Raises FileError."""
        write_whole(self.path(number, "done"), b"")

    def unmark(self, number: int) -> None:
        """Says that they are not."""
        with suppress(FileNotFoundError):
            os.unlink(self.path(number, "done"))

    def marked(self, number: int) -> bool:
        """Whether they are said to be there."""
        return os.path.exists(self.path(number, "done"))

    def log(self, number: int) -> str:
        """Returns the end of what a step printed."""
        with suppress(OSError), open(self.path(number, "log"), "rb") as file:
            file.seek(max(os.fstat(file.fileno()).st_size - 4096, 0))
            return file.read().decode("utf-8", "replace")
        return ""


class Work:
    """The work folder, ours until the lock is closed."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.steps = Steps(folder)

    def unfinished(self, document: str) -> str | None:
        """Returns the id of the execution of this document (a digest) that was not finished."""
        with suppress(RecordError, OSError, ValueError):
            r = Reader(loads(read_small(os.path.join(self.folder, "execution.json"))), "")
            r.word("schema", WORK_SCHEMA)
            if r.digest("document") == document:
                return str(r.uuid("id"))
        return None

    def begin(self, execution: str, document: str) -> None:
        """Keeps which execution is under way. Raises FileError."""
        value: Json = {"document": document, "id": str(UUID(execution)), "schema": WORK_SCHEMA}
        write_whole(os.path.join(self.folder, "execution.json"), dumps(value))

    def end(self) -> None:
        """Forgets the execution: it is finished."""
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(self.folder, "execution.json"))


def folder_of(folder: str, name: str) -> str:
    """Returns the work folder of the workflow `name` whose paths start from `folder`."""
    return os.path.join(folder, f".{name}.workflow")


@contextmanager
def work_folder(path: str) -> Iterator[Work]:
    """Makes and locks the work folder. Raises FileError where another engine has it, or where it is
    not ours alone."""
    try:
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
        status = os.lstat(path)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise FileError(f"{path}: is no folder of yours", hint="remove it, or rename it")
        if stat.S_IMODE(status.st_mode) & 0o022:
            raise FileError(f"{path}: others may write there", hint=f"chmod go-w {path}")
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        lock = os.open(os.path.join(path, "lock"), flags, 0o600)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        work = Work(path)
        work.steps.make()
        yield work
    except BlockingIOError as error:
        raise FileError(f"{path}: this workflow is being run", hint="wait for that") from error
    finally:
        os.close(lock)


def read_small(path: str) -> bytes:
    """Returns the content of a small file of ours. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        return file.read(_MAX_FILE)


def write_whole(path: str, data: bytes) -> None:
    """Replaces a file, so that nobody sees a half of it. Raises FileError."""
    part = f"{path}.part"
    try:
        with open(part, "wb") as file:
            file.write(data)
        os.replace(part, path)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
