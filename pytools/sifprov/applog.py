"""Reads back what the application of a recorded run printed (`sifprov exec --log`)."""

from __future__ import annotations

from collections.abc import Mapping

from sifprov.carrier import elsewhere, read_carrier
from sifprov.errors import FormatError, NoRecordError, RecordError, SifprovError
from sifprov.groups import is_log
from sifprov.model.canonical import Json, record_digest
from sifprov.model.log import Log
from sifprov.model.record import Record
from sifprov.model.timestamp import to_ns
from sifprov.sif import open_image, read_object


def read_log(path: str, record: str | None = None, metadata: str = "") -> tuple[Record, Log]:
    """Returns the run whose id begins with `record`, by default the newest one of the container
    at `path` that kept a log, and the log. `metadata` names a place that holds records of many.
    Raises NoRecordError, FileError."""
    carrier = read_carrier(path, elsewhere(metadata))
    runs = [
        (to_ns(r.run.started), s.place or path, r, _named(r))
        for s, r in carrier.good
        if r.run and str(r.id).startswith((record or "").lower())
    ]
    kept = [found for found in runs if isinstance(found[3], str)]
    if not kept:
        why = next((v for *_, v in reversed(runs) if isinstance(v, SifprovError)), None)
        raise NoRecordError(
            f"{path}: {why}" if why else f"{path}: no run that kept what its application printed",
            hint="'sifprov exec --log' keeps it",
        )
    _, place, about, digest = max(kept, key=lambda found: found[0])
    return about, _load(place, str(digest))


def _named(record: Record) -> str | SifprovError | None:
    """The digest of a run's log, or why it has none, or None for a run that was not to have one."""
    facts = record.run.facts if record.run else ()
    fact = next((f for f in facts if f.name == "log"), None)
    if fact is None:
        return None
    value: Json = fact.value.get("digest") if isinstance(fact.value, Mapping) else None
    return value if isinstance(value, str) else SifprovError(f"no log: {fact.reason}")


def _load(path: str, digest: str) -> Log:
    """Returns the log with this digest: what an object says of itself is not believed."""
    with open_image(path) as (file, image):
        for item in filter(is_log, image.descriptors):
            try:
                data = read_object(file, item)
            except FormatError:
                continue
            if record_digest(data) == digest:
                return Log.from_bytes(data)
    raise RecordError("run.facts.log", f"the log {digest} is not in {path}")
