"""Brings a record to where it belongs: into its container, else into the spool."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from sifprov import spool
from sifprov.errors import FileError
from sifprov.model.record import Record
from sifprov.records import append_record
from sifprov.sif import Image


@dataclass(frozen=True)
class Written:
    """One place where the record of a run now is: `spooled` when the container could not take
    it."""

    path: str
    record: Record
    digest: str | None
    spooled: str | None


def deliver(path: str, record: Record) -> Written:
    """Appends `record` to the container at `path`; into the spool when that cannot take it.

    The container must still be the one that the record is for.
    """
    try:
        stored, digest = append_to(path, record)
    except FileError as error:
        spool.save(path, record)
        return Written(path, record, None, str(error))
    return Written(path, stored, digest, None)


def append_to(path: str, record: Record) -> tuple[Record, str]:
    """Appends `record` behind the newest one of the container at `path`. Raises FileError."""

    def build(image: Image, previous: str | None) -> Record:
        uuid = image.header.uuid
        if uuid != record.container:
            raise FileError(f"{path}: this is another container now ({uuid})")
        return replace(record, previous=previous)

    return append_record(path, build, now=time.time_ns() // 1_000_000_000)
