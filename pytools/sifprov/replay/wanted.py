"""Which of a container's records is replayed. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

from sifprov.errors import MissingError, NoRecordError, SifprovError
from sifprov.model.record import Record
from sifprov.model.timestamp import to_ns
from sifprov.trail import Trail

_SHOW = "'sifprov trail' shows the records and their ids"


def wanted(trail: Trail, which: str = "") -> str:
    """Returns the digest of the record to replay: that of the newest run, or of the one whose id or
    digest begins with `which`, of the container itself or of an ancestor.

    Raises NoRecordError, MissingError, and SifprovError where several begin so.
    """
    carrier = trail.start
    path = carrier.identity.path
    if carrier.of_many:
        raise MissingError(
            f"{path}: holds the records of other containers",
            hint="name the container to replay, and this file with --metadata",
        )
    if which:
        return _named(trail, path, which)
    runs = [(s.digest, r.run) for s, r in carrier.good if r.run]
    if runs:
        # One that waited in the spool may stand behind newer ones.
        return max(runs, key=lambda found: to_ns(found[1].started))[0]
    if any(s.error for s in carrier.records):
        what = "only a broken record"
    elif carrier.foreign and not carrier.good:
        what = "only another program's record, which tells no command line and no content"
    else:
        what = "no record of a run"
    raise NoRecordError(f"{path}: carries {what}, so there is nothing to replay")


def _named(trail: Trail, path: str, which: str) -> str:
    begins = which.lower()
    found = {
        digest: record
        for digest, record in _records(trail)
        if str(record.id).startswith(begins) or _has(digest, begins)
    }
    if not found:
        raise NoRecordError(f"{path}: no record whose id begins with {which}", hint=_SHOW)
    runs = {digest: record for digest, record in found.items() if record.run}
    if not runs:
        raise NoRecordError(
            f"{path}: the record {which} is not of a run, so there is nothing to replay", hint=_SHOW
        )
    # The records of one run in its outputs share an id; the container's own comes first.
    if len({record.id for record in runs.values()}) > 1:
        raise SifprovError(
            f"{path}: {len(runs)} records begin with {which}",
            hint="name more of its id, or its record digest",
        )
    return next(iter(runs))


def _records(trail: Trail) -> Iterator[tuple[str, Record]]:
    yield from ((s.digest, r) for s, r in trail.start.good)
    yield from trail.records.items()


def _has(digest: str, begins: str) -> bool:
    return digest.removeprefix("sha256:").startswith(begins.removeprefix("sha256:"))
