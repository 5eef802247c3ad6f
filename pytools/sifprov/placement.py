"""Where the records of a run go: into each output, or into one place that was named for all.

| place | when |
|---|---|
| the output container | by default |
| a metadata container, a SIF without a partition | `metadata` is a path |
| a sidecar, a text file | `metadata` ends in `.jsonl`; and of a plain folder, beside it |

docs/reference.md ("Where records go") says it for users.
"""

from __future__ import annotations

import os
import time
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from sifprov.embedded import Embedded, Lineage, read_embedded
from sifprov.errors import FileError
from sifprov.frozen import dataclass, replace
from sifprov.model.record import FOLDER, Container, Record
from sifprov.model.request import CaptureRequest
from sifprov.newfile import new_file
from sifprov.records import Stored, append_record, missing, newest_digest, read_records
from sifprov.settings import Settings
from sifprov.sidecar import (
    EXTENSION,
    SUFFIX,
    append_line,
    beside,
    newest_line,
    read_sidecar,
    read_sidecar_embedded,
)
from sifprov.sif import Image, begin, open_image

CONTAINER, METADATA, SIDECAR = "container", "metadata", "sidecar"
KINDS = (CONTAINER, METADATA, SIDECAR)


@dataclass(frozen=True)
class Place:
    """One place that takes records: its `kind` (of KINDS) and its path."""

    kind: str
    path: str


def metadata_of(request: CaptureRequest, settings: Settings) -> str:
    """Returns what takes the records of a run instead of its outputs; empty for nothing."""
    return settings.metadata if request.metadata is None else request.metadata


def named(metadata: str) -> Place:
    """Returns the place that `--metadata`, the variable or the setting names."""
    return Place(SIDECAR if metadata.endswith(EXTENSION) else METADATA, metadata)


def place_for(container: Container, metadata: str) -> Place:
    """Returns where the records of an output go."""
    if metadata:
        return named(metadata)
    if FOLDER in container.marks:
        return Place(SIDECAR, beside(container.path))
    return Place(CONTAINER, container.path)


def check(metadata: str) -> None:
    """Raises FileError when `metadata` can be no place for records, as far as can be seen before
    the run. It need not exist."""
    if not os.path.isdir(os.path.dirname(os.path.abspath(metadata))):
        raise FileError(f"{metadata}: there is no such folder", hint="make the folder first")
    if os.path.lexists(metadata):
        read_place(named(metadata))


def read_place(place: Place, of: UUID | None = None) -> tuple[Stored, ...]:
    """Returns the records in a place, oldest first; with `of` those of this one. Raises
    FileError."""
    if place.kind == SIDECAR:
        return read_sidecar(place.path, of)
    with open_image(place.path) as (file, image):
        if place.kind == METADATA:
            _check_metadata(place.path, image)
        return read_records(file, image, of)


def newest_in(metadata: str, of: UUID) -> str | None:
    """Returns the digest of the newest record of the container `of` in the place that `metadata`
    names, None where there is none. Raises FileError."""
    if not os.path.lexists(metadata):
        return None
    if metadata.endswith(EXTENSION):
        return newest_line(metadata, of)
    with open_image(metadata) as (file, image):
        return newest_digest(file, image, of)


def read_place_embedded(place: Place) -> Embedded:
    """Returns the ancestors' documents that a place embeds. Raises FileError."""
    if place.kind == SIDECAR:
        return read_sidecar_embedded(place.path)
    with open_image(place.path) as (file, image):
        return read_embedded(file, image)


def is_metadata(image: Image) -> bool:
    """Whether a SIF holds no data and no application, so that its records are those of others."""
    return not any(d.partition for d in image.descriptors)


def prepare(place: Place, lineage: Lineage) -> None:
    """Packs what of `lineage` a container does not hold yet, so that `append_to` has it ready.
    Raises nothing."""
    if not lineage:
        return
    try:
        with open_image(place.path) as (file, image):
            missing(file, image, lineage)
    except (FileError, OSError):
        lineage.objects()


def append_to(
    place: Place, record: Record, *, once: bool = False, lineage: Lineage | None = None
) -> tuple[Record, str]:
    """Appends `record` behind the newest one that the place holds of the same container.

    Returns it, and its record digest. What of `lineage` the place does not hold yet comes before it
    (see `append_record`). `once`: where the place holds a record of the same run for
    the same container, that is returned and nothing is appended. Raises FileError.
    """
    held = partial(same_run, record) if once else None
    if place.kind == SIDECAR:
        return append_line(
            place.path,
            lambda previous: replace(record, previous=previous),
            of=record.container,
            held=held,
            lineage=lineage,
        )
    if place.kind == METADATA and not os.path.lexists(place.path):
        _make_metadata(place.path)

    def build(image: Image, previous: str | None) -> Record:
        if place.kind == METADATA:
            _check_metadata(place.path, image)
        elif image.header.uuid != record.container:
            raise FileError(f"{place.path}: this is another container now ({image.header.uuid})")
        return replace(record, previous=previous)

    of = record.container if place.kind == METADATA else None
    return append_record(place.path, build, now=_now(), of=of, held=held, lineage=lineage)


def same_run(one: Record, other: Record) -> bool:
    """Whether two records tell the same run to the same container."""
    if one.container != other.container:
        return False
    # A run that was captured again has another id, but no two begin in one nanosecond.
    again = one.run and other.run and one.run.started == other.run.started
    return one.id == other.id or bool(again)


def folder_uuid(place: Place, path: str) -> UUID:
    """Returns the UUID that records give the plain folder at `path`.

    It is the one that it has in the place already. A new folder gets one that two runs which
    begin at once would give it both.
    """
    try:
        found = read_place(place) if os.path.lexists(place.path) else ()
    except FileError:
        found = ()  # the append will say why
    for stored in reversed(found):
        it = stored.record.itself() if stored.record else None
        # The sidecar beside it is its own, wherever both were moved to.
        if it and it.uuid and FOLDER in it.marks and path in (it.path, folder_beside(place.path)):
            return it.uuid
    try:
        status = os.stat(path)
    except OSError:
        return uuid4()
    where = f"{os.uname().nodename}:{status.st_dev}:{status.st_ino}:{path}"
    return uuid5(NAMESPACE_URL, f"sifprov:folder:{where}")


def folder_beside(path: str) -> str | None:
    """Returns the folder whose own sidecar would be at `path`, None where that is no such name."""
    folder = path.removesuffix(SUFFIX)
    return folder if folder != path and os.path.basename(folder) else None


def _check_metadata(path: str, image: Image) -> None:
    if not is_metadata(image):
        raise FileError(
            f"{path}: holds data or an application, so it is no container for others' records",
            hint="name a file that does not exist yet",
        )


def _make_metadata(path: str) -> None:
    try:
        with new_file(path) as temporary:
            begin(temporary, uuid=uuid4(), now=_now())
    except FileError:
        if not os.path.lexists(path):  # else another run was faster
            raise


def _now() -> int:
    return time.time_ns() // 1_000_000_000
