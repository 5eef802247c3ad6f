"""The capture request: what the plugin, or the wrapper, knows of a run. See docs/formats.md."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from uuid import UUID

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.annotation import Annotation
from sifprov.model.canonical import Json, dumps, loads, text_to_json
from sifprov.model.fact import Fact, facts_from_json, facts_to_json
from sifprov.model.reader import Reader
from sifprov.model.record import EXITED, NOT_STARTED, PLUGIN, SIGNALED, UNKNOWN, WRAPPER
from sifprov.model.redact import redact, redact_environment

SCHEMA = "sifprov.capture-request/1"
# The runtime's numbers of what an image is and is for: nobody else knows them.
_ONLY_THE_PLUGINS: dict[str, Json] = {"usage": 0, "type": 0}


@dataclass(frozen=True)
class Bind:
    """One image bound into the application's file system. `id` chooses a data object by its id."""

    source: str
    destination: str
    image_src: str | None
    id: str | None
    read_only: bool
    read_only_added: bool

    @property
    def partition_id(self) -> int | None:
        """The object id that `id` names; None for the first data partition."""
        return int(self.id) if self.id and self.id.isdigit() else None


@dataclass(frozen=True)
class Folder:
    """A plain folder of the host that counts as an output of the run."""

    source: str
    destination: str


@dataclass(frozen=True)
class BoundImage:
    """One image of the runtime's own list: its real path, and whether it was opened for writing."""

    path: str
    writable: bool


@dataclass(frozen=True)
class CaptureRequest:
    """A run that begins.

    `variables` are for the helper alone: words of the user, the batch job, options of the runtime.
    `annotation` holds the user's words where they were given otherwise. `log` returns, once the run
    has ended, what the application printed (model/log.py), where that is kept.
    `metadata` is the absolute path of what takes the records instead of the outputs: empty for
    nothing, whatever the settings say, and None where only they are to be asked. `names` returns,
    once the run has ended, by path how files that are to be renamed will be called: nobody but who
    renames them knows that, so it waits in no spool. `id` is what its records and reports will be
    called, where that was drawn already. `live`: it is to be reported when it starts and when it
    has ended (capture/live.py), `deliver` the command that takes reports to a catalog on a server.
    """

    captured_by: str
    version: str
    runtime_name: str
    runtime_version: str
    argv: tuple[str, ...] | None
    command: tuple[str, ...]
    cwd: str
    started: str
    environment: tuple[tuple[str, str], ...]
    image: str
    binds: tuple[Bind, ...]
    images: tuple[BoundImage, ...]
    timeout: int
    facts: tuple[Fact, ...] = ()
    metadata: str | None = None
    folders: tuple[Folder, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    annotation: Annotation | None = None
    log: Callable[[], bytes] | None = None
    names: Callable[[CaptureEnd], Mapping[str, str]] | None = None
    id: UUID | None = None
    live: bool = False
    deliver: tuple[str, ...] = ()


@dataclass(frozen=True)
class CaptureEnd:
    """How a run ended; `ended` is None when nobody saw it. `mounts` is the mount table of the
    container's process (proc(5), mountinfo), None where nobody could read it in time. `refused`:
    the runtime made no container, so there is nothing to record."""

    ended: str | None
    outcome: str
    exit_code: int | None
    signal: int | None
    facts: tuple[Fact, ...] = ()
    mounts: bytes | None = None
    refused: bool = False


LOST = CaptureEnd(ended=None, outcome=UNKNOWN, exit_code=None, signal=None)


def parse_request(line: bytes) -> CaptureRequest:
    """Reads a request's first line. Raises RecordError."""
    r = Reader(loads(line), "")
    r.word("schema", SCHEMA)
    r.word("event", "start")
    by = Reader(r.json("captured_by"), "captured_by")
    runtime = Reader(r.json("runtime"), "runtime")
    return CaptureRequest(
        captured_by=by.word("kind", PLUGIN, WRAPPER),
        version=by.word("version"),
        runtime_name=runtime.word("name"),
        runtime_version=runtime.word("version"),
        argv=r.optional("argv", lambda n: r.items(n, _raw)),
        command=r.optional("command", lambda n: r.items(n, _raw)) or (),
        cwd=_raw(r.json("cwd"), "cwd"),
        started=r.time("started"),
        environment=_variables(r, "environment"),
        image=_raw(r.json("image"), "image"),
        binds=r.items("binds", _bind),
        images=r.items("images", _image),
        timeout=r.integer("timeout_seconds", 0, 7 * 24 * 3600),
        facts=_facts(r),
        metadata=_metadata(r) if r.has("metadata") else None,
        folders=r.items("folders", _folder) if r.has("folders") else (),
        variables=_variables(r, "variables") if r.has("variables") else (),
        annotation=(
            Annotation.from_json(r.json("annotation"), "annotation")
            if r.has("annotation")
            else None
        ),
        id=r.uuid("record_id") if r.has("record_id") else None,
        live=r.has("live") and r.flag("live"),
        deliver=r.items("deliver", _word) if r.has("deliver") else (),
    )


def dump_request(request: CaptureRequest) -> bytes:
    """Returns a request's first line as it may lie on disk, without secrets; `parse_request` reads
    it."""
    argv = None if request.argv is None else redact(request.argv)[0]
    environment = redact_environment(request.environment)
    document: dict[str, Json] = {
        "schema": SCHEMA,
        "event": "start",
        "captured_by": {"kind": request.captured_by, "version": request.version},
        "runtime": {"name": request.runtime_name, "version": request.runtime_version},
        "argv": None if argv is None else [_base64(a) for a in argv],
        "command": [_base64(a) for a in redact(request.command)[0]],
        "cwd": _base64(request.cwd),
        "started": request.started,
        "environment": {name: text_to_json(value) for name, value in environment},
        "image": _base64(request.image),
        "binds": [
            {
                "source": _base64(b.source),
                "destination": _base64(b.destination),
                "image_src": None if b.image_src is None else _base64(b.image_src),
                "id": b.id,
                "ro": b.read_only,
                "ro_added": b.read_only_added,
            }
            for b in request.binds
        ],
        "images": [
            {"path": _base64(i.path), "writable": i.writable, **_ONLY_THE_PLUGINS}
            for i in request.images
        ],
        # Only the plugin knows of these.
        "instance": False,
        "fakeroot": False,
        "timeout_seconds": request.timeout,
    }
    if request.id:
        document["record_id"] = str(request.id)
    if request.live:
        document["live"] = True
    if request.facts:
        document["facts"] = facts_to_json(request.facts)
    if request.variables:
        document["variables"] = {n: text_to_json(v) for n, v in request.variables}
    if request.annotation:
        document["annotation"] = request.annotation.to_json()
    if request.metadata is not None:
        document["metadata"] = _base64(request.metadata)
    if request.folders:
        document["folders"] = [
            {"source": _base64(f.source), "destination": _base64(f.destination)}
            for f in request.folders
        ]
    return dumps(document) + b"\n"


def _base64(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode("ascii")


def is_running(line: bytes) -> bool:
    """Whether a line only says that the container's process runs now."""
    if not line.strip():
        return False
    return Reader(loads(line), "").word("event") == "running"


def running_process(line: bytes) -> int:
    """Returns the process that such a line names, 0 for none: the container's first one by the
    plugin, the runtime by the wrapper."""
    r = Reader(loads(line), "")
    return r.integer("pid", 1, 2**31) if r.has("pid") else 0


def parse_end(line: bytes) -> CaptureEnd:
    """Reads a request's second line; no line at all means that the runtime was killed."""
    if not line.strip():
        return LOST
    r = Reader(loads(line), "")
    r.word("event", "end")
    exit_code = r.optional("exit_code", lambda n: r.integer(n, 0, 255))
    signal = r.optional("signal", lambda n: r.integer(n, 1, 64))
    if not r.flag("started_process"):
        outcome = NOT_STARTED
    else:
        outcome = EXITED if exit_code is not None else SIGNALED if signal is not None else UNKNOWN
    mounts = _mounts(r) if r.has("mounts") else None
    refused = r.has("refused") and r.flag("refused")
    return CaptureEnd(r.time("ended"), outcome, exit_code, signal, _facts(r), mounts, refused)


def _mounts(r: Reader) -> bytes | None:
    text = r.optional("mounts", lambda n: _raw(r.json(n), n))
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _variables(r: Reader, field: str) -> tuple[tuple[str, str], ...]:
    value = r.json(field)
    if not isinstance(value, dict):
        raise RecordError(r.path(field), "not an object")
    values = Reader(value, r.path(field))
    return tuple((name, values.text(name)) for name in sorted(value))


def _facts(r: Reader) -> tuple[Fact, ...]:
    return facts_from_json(r.json("facts"), r.path("facts")) if r.has("facts") else ()


def _metadata(r: Reader) -> str | None:
    path = r.optional("metadata", lambda n: _raw(r.json(n), n))
    if path and not path.startswith("/"):
        raise RecordError(r.path("metadata"), "not an absolute path")
    return path


def _folder(value: Json, path: str) -> Folder:
    r = Reader(value, path)
    return Folder(
        source=_raw(r.json("source"), r.path("source")),
        destination=_raw(r.json("destination"), r.path("destination")),
    )


def _word(value: Json, path: str) -> str:
    if not isinstance(value, str):
        raise RecordError(path, "not a string")
    return value


def _raw(value: Json, path: str) -> str:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True).decode("utf-8", "surrogateescape")
        except (binascii.Error, ValueError):
            pass
    raise RecordError(path, "not base64")


def _bind(value: Json, path: str) -> Bind:
    r = Reader(value, path)
    return Bind(
        source=_raw(r.json("source"), r.path("source")),
        destination=_raw(r.json("destination"), r.path("destination")),
        image_src=r.optional("image_src", lambda n: _raw(r.json(n), r.path(n))),
        id=r.optional("id", r.word),
        read_only=r.flag("ro"),
        read_only_added=r.flag("ro_added"),
    )


def _image(value: Json, path: str) -> BoundImage:
    r = Reader(value, path)
    return BoundImage(path=_raw(r.json("path"), r.path("path")), writable=r.flag("writable"))
