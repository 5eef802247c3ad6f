"""Adds words about an earlier record: a record of its own, which changes none."""

from __future__ import annotations

import time
from uuid import uuid4

from sifprov.carrier import Carrier, elsewhere, read_carrier
from sifprov.errors import NoRecordError, SifprovError
from sifprov.frozen import dataclass
from sifprov.model.annotation import Annotation
from sifprov.model.record import ANNOTATE, Record, Replay
from sifprov.model.timestamp import from_ns, to_ns
from sifprov.placement import CONTAINER, Place, append_to, named
from sifprov.records import Stored
from sifprov.version import VERSION

_SHORTEST_ID = 4


@dataclass(frozen=True)
class Annotated:
    """The record that was written, its digest, and the one that it speaks of."""

    record: Record
    digest: str
    about: Record


def annotate(
    path: str, annotation: Annotation, record: str | None = None, metadata: str = ""
) -> Annotated:
    """Appends `annotation` where the record stands that it is about: the one of the container at
    `path` whose id begins with `record`, by default its newest run (without one, its newest
    origin). `metadata` names a place that holds records of many. Raises FileError, NoRecordError.
    """
    if not annotation:
        raise SifprovError(
            "nothing to say", hint="give --note TEXT, --tag KEY=VALUE or --metric NAME=NUMBER"
        )
    carrier = read_carrier(path, elsewhere(metadata))
    stored, about = _chosen(path, carrier, record)
    place = _place(path, carrier, stored)
    own = carrier.identity.uuid if place.kind == CONTAINER else None
    words = Record(
        id=uuid4(),
        container=own or about.container,
        previous=None,
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
    made, digest = append_to(place, words)
    return Annotated(made, digest, about)


def _place(path: str, carrier: Carrier, stored: Stored) -> Place:
    """Where the record stands, so that the chain goes on there."""
    if stored.place:
        return named(stored.place)
    return named(path) if carrier.of_many else Place(CONTAINER, path)


def _chosen(path: str, carrier: Carrier, wanted: str | None) -> tuple[Stored, Record]:
    records = [(s, r) for s, r in reversed(carrier.good) if not r.about]
    if wanted is None:
        if not records:
            raise NoRecordError(
                f"{path}: carries no record of a run or a making",
                hint="a record is written when a run that is captured writes into the container",
            )
        runs = [(pair, pair[1].run) for pair in records if pair[1].run]
        # One that waited in the spool may stand behind newer ones.
        return max(runs, key=lambda r: to_ns(r[1].started))[0] if runs else records[0]
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
