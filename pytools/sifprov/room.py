"""Makes room in a full descriptor table: earlier unsigned records go into one bundle.

What a signature covers and what is not ours stays where it is. An older bundle is taken in only
when what it is merged with is as large: so a container with n records is rewritten about log(n)
times, not n times, and keeps few bundles.
"""

from __future__ import annotations

from typing import BinaryIO

from sifprov.bundle import MAX_BYTES, MAX_OBJECT, MAX_RECORDS, pack, unpack
from sifprov.errors import FormatError, RecordError
from sifprov.groups import BUNDLE_NAME, by_offset, is_bundle, signed_groups
from sifprov.model.canonical import record_digest
from sifprov.model.record import SCHEMA
from sifprov.sif import Descriptor, Image, read_object
from sifprov.sif.merge import Merge, can_keep

MAX_RECORD = 16 * 1024 * 1024
MARK = SCHEMA.partition("/")[0].encode("ascii")


def read_stored(file: BinaryIO, item: Descriptor) -> tuple[bytes, ...]:
    """Returns the bytes of the records in an object that goes by one of our names, or nothing
    where it is a foreign one.

    Raises FormatError for one too large, RecordError for a broken bundle.
    """
    if is_bundle(item):
        data = read_object(file, item, limit=MAX_OBJECT)
        return unpack(data) if b"sifprov.bundle" in data else ()
    data = read_object(file, item, limit=MAX_RECORD)
    # The runtimes put JSON objects of their own beside ours: a record also names our schema.
    return (data,) if MARK in data else ()


def plan_bundle(file: BinaryIO, image: Image, slots: int = 1) -> Merge | None:
    """Chooses what to bundle, so that `slots` descriptors more are free; None when it cannot be."""
    signed = signed_groups(image) | {0}
    candidates = [d for d in by_offset(image) if d.group not in signed]
    chosen: dict[Descriptor, tuple[bytes, ...]] = {}
    stored = total = count = 0
    # The records that stand alone, then the bundles from the smallest on.
    for item in sorted(candidates, key=lambda d: (is_bundle(d), d.size)):
        enough = len(chosen) > slots and any(can_keep(image.header, d) for d in chosen)
        if enough and is_bundle(item) and item.size > stored:
            break
        try:
            records = read_stored(file, item)
        except (FormatError, RecordError):
            continue
        size = sum(map(len, records))
        if not records or total + size > MAX_BYTES or count + len(records) > MAX_RECORDS:
            continue
        chosen[item] = records
        stored, total, count = stored + item.size, total + size, count + len(records)
    keep = next((d for d in chosen if can_keep(image.header, d)), None)
    if keep is None or len(chosen) <= slots:
        return None
    # A crash between the steps of an earlier merge leaves records that stand in a bundle too.
    unique = {
        record_digest(r): r for d in sorted(chosen, key=lambda d: d.offset) for r in chosen[d]
    }
    freed = tuple(d for d in chosen if d != keep)
    return Merge(keep, freed, BUNDLE_NAME.encode("ascii"), pack(list(unique.values())))
