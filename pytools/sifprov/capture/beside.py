"""Puts what belongs to a run beside its record, as an object of its own that the record names."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import BinaryIO
from uuid import UUID

from sifprov.errors import FileError
from sifprov.groups import open_group
from sifprov.placement import CONTAINER, SIDECAR, Place
from sifprov.room import plan_bundle
from sifprov.sif import DataType, Image, NewObject
from sifprov.sif.write import append_all


def append_beside(
    place: Place, container: UUID, name: str, data: bytes, *, spare: int = 1
) -> str | None:
    """Appends an object to the place of the records of `container`. Returns why it cannot, None
    when it is there. `spare` places in the table are left for what counts more: the record, and
    what its ancestors said."""
    if place.kind == SIDECAR:
        return "a sidecar holds records alone"

    def build(_: BinaryIO, image: Image) -> Sequence[NewObject]:
        if place.kind == CONTAINER and image.header.uuid != container:
            raise FileError(f"{place.path}: this is another container now ({image.header.uuid})")
        if len(image.free_slots()) <= spare:
            raise FileError(
                f"{place.path}: the table of objects has no room for it",
                hint="'sifprov data grow --records' makes it larger",
            )
        made = NewObject(DataType.JSON, name.encode("ascii"), data, group=open_group(image))
        return (made,)

    try:
        now = time.time_ns() // 10**9
        append_all(place.path, build, now=now, slots=1 + spare, make_room=plan_bundle)
    except FileError as error:
        return str(error)
    return None
