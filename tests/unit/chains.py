"""Runs without a runtime: each is captured as a real one is, with containers that hold no file
system, so that many of them take little time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

from tests.unit.sifs import make_sif

from sifprov import capture
from sifprov.capture.lineage import Source
from sifprov.content import Deadline
from sifprov.embedded import Embedded, read_embedded
from sifprov.model.record import PLUGIN, Record, Replay
from sifprov.model.request import Bind, BoundImage, CaptureEnd, CaptureRequest, Folder
from sifprov.model.timestamp import from_ns
from sifprov.records import Stored, read_records
from sifprov.settings import Settings
from sifprov.sif import open_image

INPUT, OUTPUT = b"sifprov:input:/Inputs", b"sifprov:output:/Outputs"


def data(path: Path, name: bytes = OUTPUT, *, slots: int = 84) -> Path:
    """A data container with a UUID of its own."""
    return make_sif(path, uuid=uuid4(), name=name, descriptors=slots)


def request(
    inputs: tuple[Path, ...],
    outputs: tuple[Path, ...],
    metadata: Path | None = None,
    folders: tuple[Path, ...] = (),
) -> CaptureRequest:
    """The request of a run that starts now."""
    binds = [Bind(str(p), "/Inputs", "/Inputs", None, True, False) for p in inputs]
    binds += [Bind(str(p), "/Outputs", "/Outputs", None, False, False) for p in outputs]
    return CaptureRequest(
        captured_by=PLUGIN, version="0", runtime_name="apptainer", runtime_version="1",
        argv=("apptainer", "exec", "app.sif", "true"), command=("true",), cwd="/",
        started=from_ns(time.time_ns()), environment=(), image="/app.sif", binds=tuple(binds),
        images=tuple(BoundImage(b.source, not b.read_only) for b in binds), timeout=0,
        metadata=str(metadata) if metadata else "",
        folders=tuple(Folder(str(f), "/Outputs") for f in folders),
    )  # fmt: skip


def end() -> CaptureEnd:
    """A run that ended well, now."""
    return CaptureEnd(from_ns(time.time_ns()), "exited", 0, None)


def begin(asked: CaptureRequest, also: tuple[Source, ...] = ()) -> capture.Started:
    """The first half of its capture."""
    return capture.begin(asked, Deadline(), settings=Settings(), also=also)


def run(
    *inputs: Path,
    to: Path | tuple[Path, ...] = (),
    metadata: Path | None = None,
    folders: tuple[Path, ...] = (),
    replays: Replay | None = None,
    also: tuple[Source, ...] = (),
) -> capture.Finished:
    """A whole run of `inputs` into the output `to`, or several."""
    outputs = to if isinstance(to, tuple) else (to,)
    started = begin(request(inputs, outputs, metadata, folders), also)
    return capture.finish(started, end(), Deadline(), replays=lambda uuid: replays)


def digest(finished: capture.Finished) -> str:
    """The record digest of a run with one output."""
    (written,) = finished.written
    assert written.digest and written.spooled is None, written.spooled
    return written.digest


def own(path: Path) -> tuple[Stored, ...]:
    """The records of a container."""
    with open_image(str(path)) as (file, image):
        return read_records(file, image)


def embedded(path: Path) -> Embedded:
    """What a container embeds."""
    with open_image(str(path)) as (file, image):
        return read_embedded(file, image)


def names(path: Path) -> list[str]:
    """The names of a container's objects, without the partition, in the order of writing."""
    with open_image(str(path)) as (_, image):
        found = sorted(image.descriptors, key=lambda d: d.offset)
        return [d.name.rstrip(b"\0").decode() for d in found if not d.partition]


def fact(record: Record) -> str | None:
    """Why lineage is not complete, as the record says it."""
    facts = record.run.facts if record.run else ()
    return next((f.reason for f in facts if f.name == "lineage"), None)


def links(documents: Mapping[str, bytes]) -> set[str]:
    """All record digests that these records name."""
    found: set[str] = set()
    for data in documents.values():
        record = Record.from_bytes(data)
        found |= {c.record for c in record.containers if c.record}
        found |= {record.previous} if record.previous else set()
    return found
