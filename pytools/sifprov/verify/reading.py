"""Reads records as they stand, one by one: doubles, order and bytes are what is to be checked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import BinaryIO

from sifprov.errors import FormatError, RecordError
from sifprov.frozen import dataclass
from sifprov.groups import by_offset, is_bundle
from sifprov.model.canonical import dumps, loads
from sifprov.model.record import Record
from sifprov.records import MAX_TOTAL, Stored, parse_stored
from sifprov.room import read_stored
from sifprov.sif import Image, read_object
from sifprov.verify.check import Findings


@dataclass(frozen=True)
class Piece:
    """One record as it stands: alone, or in the bundle that is `stored.object_id`."""

    stored: Stored
    bundled: bool = False

    @property
    def digest(self) -> str:
        """Its record digest."""
        return self.stored.digest

    @property
    def record(self) -> Record | None:
        """What it says; None where it cannot be read."""
        return self.stored.record


def read_pieces(file: BinaryIO, image: Image, found: Findings) -> tuple[Piece, ...]:
    """Returns all records in a SIF in the order in which they stand there; what is wrong with their
    objects goes into `found`."""
    pieces: list[Piece] = []
    room = MAX_TOTAL
    for item in by_offset(image):
        what = f"object {item.id}"
        try:
            several = read_stored(file, item)
        except (FormatError, RecordError) as error:
            found.broken(f"{what}: {error}")
            continue
        if not several:
            found.good(f"{what} goes by the name of our objects, and is another program's")
            continue
        room -= sum(map(len, several))
        if room < 0:
            found.missing(f"{what} and others: more than {MAX_TOTAL} bytes of records are not read")
            break
        bundled = is_bundle(item)
        if bundled:
            check_packed(read_object(file, item), what, found)
        for number, data in enumerate(several):
            where = f"record {number + 1} of {what}" if bundled else what
            pieces.append(Piece(_parsed(item.id, item.group, data, where, found), bundled))
    return tuple(pieces)


def _parsed(place: int, group: int, data: bytes, where: str, found: Findings) -> Stored:
    stored = parse_stored(place, group, data)
    if stored.record is None:
        found.broken(f"{where}: {stored.error}")
    elif stored.record.to_bytes() != data:
        found.broken(f"{where}: its bytes are not in the canonical form")
    return stored


def check_packed(data: bytes, where: str, found: Findings) -> None:
    """Checks the form of an object that holds others, which could be unpacked."""
    document = loads(data)
    if dumps(document) != data:
        found.broken(f"{where}: its bytes are not in the canonical form")
    text = document.get("data") if isinstance(document, dict) else None
    try:
        # The last letter may have bits that stand for nothing.
        if isinstance(text, str) and base64.b64encode(base64.b64decode(text)).decode() != text:
            found.broken(f"{where}: its data is not in the canonical form")
    except binascii.Error:
        found.broken(f"{where}: its data is not base64")


def lines(stored: tuple[Stored, ...], found: Findings) -> Iterator[Piece]:
    """Yields the records of a sidecar, as far as they are told by its lines."""
    for one in stored:
        if one.record is None:
            found.broken(f"line {one.object_id}: {one.error}")
        yield Piece(one)
