"""Puts the application's output beside the record of the run, as an object of its own."""

from __future__ import annotations

from uuid import UUID

from sifprov.capture.beside import append_beside
from sifprov.errors import RecordError
from sifprov.groups import LOG_NAME
from sifprov.model.canonical import record_digest
from sifprov.model.fact import Fact
from sifprov.model.log import Log
from sifprov.placement import Place


def store(place: Place, container: UUID, data: bytes) -> Fact:
    """Appends a log to the place of the records of `container`; returns the fact that names it, or
    says why there is none."""
    try:
        log = Log.from_bytes(data)
    except RecordError as error:
        return Fact("log", None, reason=str(error))
    problem = append_beside(place, container, LOG_NAME, data)
    if problem:
        return Fact("log", None, reason=problem)
    return Fact(
        "log",
        {
            "bytes": sum(size for _, size in log.sizes),
            "cut": log.cut,
            "digest": record_digest(data),
            "object": LOG_NAME,
        },
        source="relay of the wrapper",
    )
