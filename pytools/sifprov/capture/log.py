"""Puts the application's output beside the record of the run, as an object of its own."""

from __future__ import annotations

import time
from uuid import UUID

from sifprov.errors import FileError, RecordError
from sifprov.groups import LOG_NAME, open_group
from sifprov.model.canonical import record_digest
from sifprov.model.fact import Fact
from sifprov.model.log import Log
from sifprov.placement import CONTAINER, SIDECAR, Place
from sifprov.room import plan_bundle
from sifprov.sif import DataType, Image, NewObject, append

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO


def store(place: Place, container: UUID, data: bytes) -> Fact:
    """Appends a log to the place of the records of `container`; returns the fact that names it, or
    says why there is none."""
    if place.kind == SIDECAR:
        return Fact("log", None, reason="a sidecar holds records alone")

    def build(_: BinaryIO, image: Image) -> NewObject:
        if place.kind == CONTAINER and image.header.uuid != container:
            raise FileError(f"{place.path}: this is another container now ({image.header.uuid})")
        name = LOG_NAME.encode("ascii")
        return NewObject(DataType.JSON, name, data, group=open_group(image))

    try:
        log = Log.from_bytes(data)
        append(place.path, build, now=time.time_ns() // 10**9, make_room=plan_bundle)
    except (FileError, RecordError) as error:
        return Fact("log", None, reason=str(error))
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
