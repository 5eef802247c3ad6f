"""Brings a record to where it belongs, else into the spool."""

from __future__ import annotations

from sifprov import placement, spool
from sifprov.embedded import Lineage
from sifprov.errors import FileError
from sifprov.frozen import dataclass
from sifprov.model.record import Record
from sifprov.placement import Place
from sifprov.whereabouts import remember


@dataclass(frozen=True)
class Written:
    """Where one record of a run now is.

    `path` is the place that it is for. Where that cannot take it, `spooled` says why, and `kept` is
    the file that keeps it; that is None when no spool took it either, as `spooled` then says too.
    """

    path: str
    record: Record
    digest: str | None
    spooled: str | None
    kept: str | None = None

    @property
    def warning(self) -> str | None:
        """The line for the user about a record that is not where it belongs."""
        if self.spooled is None:
            return None
        if self.kept is None:
            return f"this run was not recorded: {self.spooled}"
        return f"{self.spooled}; the record waits in {self.kept}, {spool.how_to_flush(self.kept)}"


def deliver(
    place: Place,
    record: Record,
    *,
    once: bool = False,
    near: str | None = None,
    lineage: Lineage | None = None,
) -> Written:
    """Appends `record` to the place, behind what of `lineage` is not there yet; both into the spool
    when that cannot take them. Raises nothing.

    The container must still be the one that the record is for. `once`: not when a record of the
    same run is there. `near` is a folder to keep it in when no spool of the user takes it.
    """
    try:
        stored, digest = placement.append_to(place, record, once=once, lineage=lineage)
    except FileError as error:
        reason = str(error)
    else:
        remember(place, stored)
        return Written(place.path, stored, digest, None)
    try:
        kept = spool.save(
            place.path, record, kind=place.kind, reason=reason, near=near, lineage=lineage
        )
    except FileError as error:
        return Written(place.path, record, None, f"{reason}; {error}")
    return Written(place.path, record, None, reason, kept)


def append_to(path: str, record: Record) -> tuple[Record, str]:
    """Appends `record` behind the newest one of the container at `path`. Raises FileError."""
    return placement.append_to(Place(placement.CONTAINER, path), record)
