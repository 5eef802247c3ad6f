"""Reads back what the application of a recorded run printed (`sifprov exec --log`)."""

from __future__ import annotations

from sifprov.beside import load_object, newest_with
from sifprov.errors import RecordError
from sifprov.groups import is_log
from sifprov.model.log import Log
from sifprov.model.record import Record


def read_log(path: str, record: str | None = None, metadata: str = "") -> tuple[Record, Log]:
    """Returns the run whose id begins with `record`, by default the newest one of the container
    at `path` that kept a log, and the log. `metadata` names a place that holds records of many.
    Raises NoRecordError, FileError."""
    about, place, digest = newest_with(
        path, "log", record, metadata,
        none="no run that kept what its application printed",
        hint="'sifprov exec --log' keeps it",
    )  # fmt: skip
    data = load_object(place, digest, is_log)
    if data is None:
        raise RecordError("run.facts.log", f"the log {digest} is not in {place}")
    return about, Log.from_bytes(data)
