"""Reads back what was measured of recorded runs (`sifprov exec --telemetry`)."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from sifprov.beside import digest_in, load_object, newest_with
from sifprov.carrier import Carrier
from sifprov.errors import FileError, FormatError, RecordError
from sifprov.groups import is_telemetry
from sifprov.model.canonical import record_digest
from sifprov.model.record import Record
from sifprov.model.telemetry import MAX_OBJECT, Telemetry
from sifprov.sidecar import EXTENSION
from sifprov.sif import open_image, read_object
from sifprov.trail import Trail

# What is read for one trail: a hostile container may hold as many objects as its table has places.
_MAX_TOTAL = 64 * 1024 * 1024


def read_measured(
    path: str, record: str | None = None, metadata: str = ""
) -> tuple[Record, Telemetry]:
    """Returns the run whose id begins with `record`, by default the newest one of the container
    at `path` that was measured, and what was. `metadata` names a place that holds records of many.
    Raises NoRecordError, FileError."""
    about, place, digest = newest_with(
        path, "telemetry", record, metadata,
        none="no run that was measured",
        hint="'sifprov exec --telemetry' measures one",
    )  # fmt: skip
    data = load_object(place, digest, is_telemetry)
    if data is None:
        raise FileError(f"{place}: the telemetry {digest} that a record names is not there")
    try:
        return about, Telemetry.from_bytes(data)
    except RecordError as error:
        raise FileError(f"{place}: the telemetry {digest}: {error}") from error


def measured_in(trail: Trail) -> dict[str, Telemetry]:
    """Returns what was measured of the runs of a trail, by the digests that their records name: as
    far as it stands in containers that were found. What is broken is left out."""
    wanted: dict[str, set[str]] = {}
    for carrier in (trail.start, *trail.ancestors.values()):
        for place, digest in _named(carrier):
            wanted.setdefault(place, set()).add(digest)
    found: dict[str, Telemetry] = {}
    room = _MAX_TOTAL
    for place, digests in wanted.items():
        with suppress(FileError), open_image(place) as (file, image):
            for item in filter(is_telemetry, image.descriptors):
                room -= item.size
                if room < 0:
                    return found
                with suppress(FormatError, RecordError):
                    data = read_object(file, item, limit=MAX_OBJECT)
                    digest = record_digest(data)
                    if digest in digests:
                        found[digest] = Telemetry.from_bytes(data)
    return found


def _named(carrier: Carrier) -> Iterable[tuple[str, str]]:
    for stored, record in carrier.good:
        place, digest = stored.place or carrier.identity.path, digest_in(record, "telemetry")
        if digest and not place.endswith(EXTENSION):
            yield place, digest
