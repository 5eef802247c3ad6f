"""The record: what one run, or one making of a data container, was."""

from __future__ import annotations

from uuid import UUID

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.annotation import Annotation
from sifprov.model.canonical import Json, dumps, loads, text_to_json
from sifprov.model.container import (
    APPLICATION,
    CHANGED_OUTSIDE,
    FOLDER,
    INPUT,
    MARKS,
    OUTPUT,
    PROVISIONAL,
    SOURCE_LINK,
    SOURCE_OUTSIDE,
    Container,
)
from sifprov.model.files import Files
from sifprov.model.reader import Reader
from sifprov.model.run import EXITED, NOT_STARTED, SIGNALED, UNKNOWN, Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sifprov.model.verdict import Verdict

__all__ = [
    "ANNOTATE",
    "ANNOTATION",
    "APPLICATION",
    "CHANGED_OUTSIDE",
    "CREATE",
    "EXITED",
    "FOLDER",
    "INPUT",
    "MARKS",
    "NOT_STARTED",
    "ORIGIN",
    "OUTPUT",
    "PLUGIN",
    "PROVISIONAL",
    "RERUN",
    "RUN",
    "SCHEMA",
    "SIGNALED",
    "SOURCE_LINK",
    "SOURCE_OUTSIDE",
    "UNKNOWN",
    "VERDICT",
    "WRAPPER",
    "Container",
    "Origin",
    "Record",
    "Replay",
    "Run",
]

SCHEMA = "sifprov.record/1"

RUN, ORIGIN, ANNOTATION, VERDICT = "run", "origin", "annotation", "verdict"
PLUGIN, WRAPPER, CREATE = "plugin", "wrapper", "create"
ANNOTATE, RERUN = "annotate", "rerun"


@dataclass(frozen=True)
class Replay:
    """Which record a run replayed, or an annotation or a verdict speaks of."""

    record: str
    id: UUID

    def to_json(self) -> Json:
        """Returns the JSON object of this reference."""
        return {"id": str(self.id), "record": self.record}

    @classmethod
    def from_json(cls, value: Json, path: str) -> Replay:
        """Reads a reference. Raises RecordError."""
        r = Reader(value, path)
        found = cls(record=r.digest("record"), id=r.uuid("id"))
        r.end()
        return found


@dataclass(frozen=True)
class Origin:
    """Where the content of a data container came from: a folder, at the time of its making."""

    source: str
    digest: str
    files: Files | None = None

    def to_json(self) -> Json:
        """Returns the JSON object of this origin."""
        files: dict[str, Json] = {"files": self.files.to_json()} if self.files else {}
        return {**files, "digest": self.digest, "source": text_to_json(self.source)}

    @classmethod
    def from_json(cls, value: Json, path: str) -> Origin:
        """Reads an origin. Raises RecordError."""
        r = Reader(value, path)
        found = cls(
            source=r.text("source"),
            digest=r.digest("digest"),
            files=Files.from_json(r.json("files"), r.path("files")) if r.has("files") else None,
        )
        r.end()
        return found


@dataclass(frozen=True)
class Record:
    """One record, as it stands in the container `container`: of a run, of a making (`origin`), of
    words about an earlier record (`annotates`, in `annotation`), or of what a replay showed
    (`verdict`).

    `replays` is the record that was replayed. A run's own words stand in `annotation` too. A run
    with several outputs stores one record in each: the same `id`, each with its own `container` and
    `previous` (the record digest of the newest record that was there before).
    """

    id: UUID
    container: UUID
    previous: str | None
    recorded: str
    captured_by: str
    version: str
    run: Run | None
    origin: Origin | None
    containers: tuple[Container, ...]
    replays: Replay | None
    annotation: Annotation | None = None
    annotates: Replay | None = None
    verdict: Verdict | None = None

    @property
    def kind(self) -> str:
        """`run`, `origin`, `annotation` or `verdict`."""
        if self.verdict:
            return VERDICT
        return RUN if self.run else ORIGIN if self.origin else ANNOTATION

    @property
    def about(self) -> Replay | None:
        """The record that this one only says something of: that of the run or making that an
        annotation is about, of the replay that a verdict is about; None for what tells a run or a
        making itself."""
        return self.verdict.run if self.verdict else self.annotates

    def with_role(self, role: str) -> tuple[Container, ...]:
        """Returns the containers that played this role."""
        return tuple(c for c in self.containers if c.role == role)

    def itself(self) -> Container | None:
        """Returns the entry of the container that this record stands in."""
        return next((c for c in self.with_role(OUTPUT) if c.uuid == self.container), None)

    def to_json(self) -> Json:
        """Returns the JSON document."""
        words: dict[str, Json] = {}
        if self.annotation:
            words["annotation"] = self.annotation.to_json()
        if self.annotates:
            words["annotates"] = self.annotates.to_json()
        if self.verdict:
            words["verdict"] = self.verdict.to_json()
        return {
            **words,
            "captured_by": {"kind": self.captured_by, "version": self.version},
            "container": str(self.container),
            "containers": [c.to_json() for c in self.containers],
            "id": str(self.id),
            "origin": self.origin.to_json() if self.origin else None,
            "previous": self.previous,
            "recorded": self.recorded,
            "replays": self.replays.to_json() if self.replays else None,
            "run": self.run.to_json() if self.run else None,
            "schema": SCHEMA,
        }

    def to_bytes(self) -> bytes:
        """Returns the canonical bytes that are stored."""
        return dumps(self.to_json())

    @classmethod
    def from_json(cls, value: Json) -> Record:
        """Reads a record. Raises RecordError, naming the JSON path."""
        r = Reader(value, "")
        r.word("schema", SCHEMA)
        by = Reader(r.json("captured_by"), "captured_by")
        found = cls(
            id=r.uuid("id"),
            container=r.uuid("container"),
            previous=r.optional("previous", r.digest),
            recorded=r.time("recorded"),
            captured_by=by.word("kind", PLUGIN, WRAPPER, CREATE, ANNOTATE, RERUN),
            version=by.word("version"),
            run=r.optional("run", lambda n: Run.from_json(r.json(n), n)),
            origin=r.optional("origin", lambda n: Origin.from_json(r.json(n), n)),
            containers=r.items("containers", Container.from_json),
            replays=r.optional("replays", lambda n: Replay.from_json(r.json(n), n)),
            annotation=(
                Annotation.from_json(r.json("annotation"), "annotation")
                if r.has("annotation")
                else None
            ),
            annotates=(
                Replay.from_json(r.json("annotates"), "annotates") if r.has("annotates") else None
            ),
            verdict=_verdict(r) if r.has("verdict") else None,
        )
        by.end()
        r.end()
        kinds = (found.run, found.origin, found.annotates, found.verdict)
        if sum(x is not None for x in kinds) != 1:
            names = "'run', 'origin', 'annotates', 'verdict'"
            raise RecordError("run", f"exactly one of {names} must be given")
        if found.annotates and not found.annotation:
            raise RecordError("annotation", "missing")
        if found.verdict and not found.replays:
            raise RecordError("replays", "missing")
        return found

    @classmethod
    def from_bytes(cls, data: bytes) -> Record:
        """Reads stored bytes. Raises RecordError."""
        return cls.from_json(loads(data))


def _verdict(r: Reader) -> Verdict:
    from sifprov.model.verdict import Verdict  # few containers hold one

    return Verdict.from_json(r.json("verdict"), "verdict")
