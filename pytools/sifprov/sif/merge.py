"""Replaces several objects of a SIF by one, for a descriptor table that is full.

No free slot is needed: one of the objects, `keep`, becomes the new one. A crash at any point leaves
the old objects, or the new one beside some of the old:

    1. the new data, behind everything that is in use                       fdatasync
    2. the header's counters: another writer would make a negative number
       of `dfree` if that were still 0 when the others are free; and in
       the descriptor of `keep` no digest, for the old one will be wrong    fdatasync
    3. offset, size, times and name in the descriptor of `keep`, one
       write within one sector: from here on the new object is there        fdatasync
    4. its digest, and the `used` byte of the others, in any order          fdatasync

A reader must cope with the new object and old ones at once. The old data is never overwritten, so
that one who read the table before still reads what it says; its space is not used again.
"""

from __future__ import annotations

import os

from sifprov.frozen import dataclass, replace
from sifprov.sif.disk import Disk, write_behind
from sifprov.sif.format import (
    EXTRA_OFFSET,
    EXTRA_SIZE,
    NAME_SIZE,
    PLACE_OFFSET,
    SECTOR,
    USED_OFFSET,
    Descriptor,
    Header,
    counters,
    own_digest,
)
from sifprov.sif.image import Image


@dataclass(frozen=True)
class Merge:
    """`keep` becomes an object called `name` with this `data`; `freed` go."""

    keep: Descriptor
    freed: tuple[Descriptor, ...]
    name: bytes
    data: bytes


def can_keep(header: Header, item: Descriptor) -> bool:
    """Whether what a merge changes in this descriptor lies within one sector."""
    start = header.place(item.slot)
    return (start + PLACE_OFFSET) // SECTOR == (start + EXTRA_OFFSET - 1) // SECTOR


def merge_objects(disk: Disk, image: Image, merge: Merge, now: int) -> None:
    """Writes the new object and frees the others' descriptors. Raises OSError."""
    if not can_keep(image.header, merge.keep):
        raise ValueError(f"the descriptor in slot {merge.keep.slot} lies across two sectors")
    offset = image.tail
    write_behind(disk, merge.data, offset, image.size)
    new = replace(
        merge.keep,
        offset=offset,
        size=len(merge.data),
        padded=len(merge.data) + offset - image.data_end,
        modified=now,
        uid=os.getuid(),
        gid=os.getgid(),
        name=merge.name.ljust(NAME_SIZE, b"\0"),
    )
    after = len(image.descriptors) - len(merge.freed)
    disk.pwrite(*counters(image.header, after, new.end, now))
    start = image.header.place(new.slot)
    disk.pwrite(bytes(EXTRA_SIZE), start + EXTRA_OFFSET)
    disk.sync()
    disk.pwrite(new.pack()[PLACE_OFFSET:EXTRA_OFFSET], start + PLACE_OFFSET)
    disk.sync()
    disk.pwrite(own_digest(new.datatype, merge.data), start + EXTRA_OFFSET)
    for item in merge.freed:
        disk.pwrite(b"\0", image.header.place(item.slot) + USED_OFFSET)
    disk.sync()
