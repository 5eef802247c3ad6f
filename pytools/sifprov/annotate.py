"""Adds words about an earlier record: a record of its own, which changes none."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import uuid4

from sifprov.errors import FileError, NoRecordError, SifprovError
from sifprov.model.annotation import Annotation
from sifprov.model.record import ANNOTATE, ANNOTATION, Record, Replay
from sifprov.model.timestamp import from_ns
from sifprov.records import Stored, append_record
from sifprov.sif import Image
from sifprov.trail import Carrier, read_carrier
from sifprov.version import VERSION

_SHORTEST_ID = 4


@dataclass(frozen=True)
class Annotated:
    """The record that was written, its digest, and the one that it speaks of."""

    record: Record
    digest: str
    about: Record


def annotate(path: str, annotation: Annotation, record: str | None = None) -> Annotated:
    """Appends `annotation` to the container at `path`, about the record whose id begins with
    `record`, by default its newest run (without one, its newest origin). Raises FileError,
    NoRecordError."""
    if not annotation:
        raise SifprovError(
            "nothing to say", hint="give --note TEXT, --tag KEY=VALUE or --metric NAME=NUMBER"
        )
    carrier = read_carrier(path)
    stored, about = _chosen(path, carrier, record)
    uuid = carrier.identity.uuid

    def build(image: Image, previous: str | None) -> Record:
        if image.header.uuid != uuid:
            raise FileError(f"{path}: this is another container now ({image.header.uuid})")
        return Record(
            id=uuid4(),
            container=image.header.uuid,
            previous=previous,
            recorded=from_ns(time.time_ns()),
            captured_by=ANNOTATE,
            version=VERSION,
            run=None,
            origin=None,
            containers=(),
            replays=None,
            annotation=annotation,
            annotates=Replay(stored.digest, about.id),
        )

    made, digest = append_record(path, build, now=time.time_ns() // 10**9)
    return Annotated(made, digest, about)


def _chosen(path: str, carrier: Carrier, wanted: str | None) -> tuple[Stored, Record]:
    records = [(s, r) for s, r in reversed(carrier.good) if r.kind != ANNOTATION]
    if wanted is None:
        found = [pair for pair in records if pair[1].run] or records
        if not found:
            raise NoRecordError(
                f"{path}: carries no record of a run or a making",
                hint="a record is written when a run that is captured writes into the container",
            )
        return found[0]
    if len(wanted) < _SHORTEST_ID:
        raise SifprovError(f"{wanted!r} is too short for a record's id")
    found = [pair for pair in records if str(pair[1].id).startswith(wanted.lower())]
    if len({r.id for _, r in found}) != 1:
        many = "more than one record has" if found else "no record of a run or a making has"
        raise NoRecordError(
            f"{path}: {many} an id that begins with {wanted}",
            hint=f"'sifprov trail --json {path}' lists them",
        )
    return found[0]
