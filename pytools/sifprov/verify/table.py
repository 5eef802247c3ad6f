"""The header and the descriptor table, beyond what every reader demands (sif/format.py)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from sifprov.errors import FormatError
from sifprov.groups import stands_with_records
from sifprov.sif import DataType, Descriptor, FsType, Image, PartType, read_object, text_of
from sifprov.sif.format import (
    ARCHITECTURES,
    DESCRIPTOR_SIZE,
    HEADER_SIZE,
    LAUNCH,
    USED_OFFSET,
    own_digest,
)
from sifprov.verify.check import Check, Findings

_TYPES = frozenset(map(int, DataType))
_SYSTEMS = frozenset(map(int, FsType))
_PARTS = frozenset(map(int, PartType))
# More than this between the table and the data is not read.
_MAX_GAP = 1 << 20
_MARK = b"sha256:"
# fuse2fs (e2fsprogs 1.47.0) writes counts and times of the superblock there, and not into the
# partition: its library forgets the offset.
_SUPERBLOCK = (1024, 2048)
# A page of any machine: objects begin at most so far behind the one before.
_MAX_PAD = 1 << 16


def check_header(file: BinaryIO, image: Image, *, ours: bool) -> Check:
    """The header's counts, times and slack. `ours`: no other program made it, as far as it says."""
    header, found = image.header, Findings("header")
    used, slots = len(image.descriptors), header.dtotal
    if header.launch != LAUNCH:
        if ours:
            found.broken("its first line is not the runtime's: who runs the file starts that")
        else:
            found.good("its first line is not the one that sifprov writes")
    if header.arch not in ARCHITECTURES:
        (found.broken if ours else found.good)("its architecture is none that is known")
    if header.descrlen != slots * DESCRIPTOR_SIZE:
        found.broken(f"its table has {header.descrlen} bytes, which {slots} slots do not make")
    if header.dfree < slots - used:
        found.broken(f"it counts {slots - header.dfree} objects, and the table holds {used}")
    elif header.dfree > slots - used:
        # The table is written first.
        found.good(f"it counts {slots - header.dfree} of {used} objects: an append was cut off")
    if not 0 <= header.created <= header.modified:
        found.good("it was modified before it was created: a clock was wrong")
    table_end = header.descroff + slots * DESCRIPTOR_SIZE
    before, behind = _SUPERBLOCK
    for start, end in (
        (HEADER_SIZE, min(before, header.descroff)),
        (behind, header.descroff),
        (table_end, header.dataoff),
    ):
        if start < end:
            _check_gap(file, start, end, found, ours)
    return found.check(f"a SIF with {used} objects in {slots} slots")


def _check_gap(file: BinaryIO, start: int, end: int, found: Findings, ours: bool) -> None:
    if end - start > _MAX_GAP:
        found.left_out(f"bytes {start} to {end}, where nothing is to stand")
        return
    if any(os.pread(file.fileno(), end - start, start)):
        text = f"something stands in bytes {start} to {end}, which are no part of anything"
        (found.broken if ours else found.good)(text)


def check_objects(file: BinaryIO, image: Image, *, ours: bool) -> Check:
    """Each object's descriptor, and the digest of its bytes where one stands beside them."""
    found = Findings("objects")
    length = image.header.dtotal * DESCRIPTOR_SIZE
    table = os.pread(file.fileno(), length, image.header.descroff)
    ids = {d.id for d in image.descriptors}
    groups = {d.group for d in image.descriptors}
    with_digest = 0
    for item in image.descriptors:
        known = ours or stands_with_records(item) or item.extra.startswith(_MARK)
        for text in _problems(item, table, known):
            # Another program, or a later one, may write what is not known here.
            (found.broken if known else found.good)(f"object {item.id}: {text}")
        if item.id != item.slot + 1:
            found.good(f"object {item.id}: another program gave it its number")
        group = item.linked_group
        if group is not None and group not in groups:
            found.broken(f"object {item.id}: signs group {group}, of which nothing is there")
        elif group is None and item.link and item.link not in ids:
            found.broken(f"object {item.id}: belongs to object {item.link}, which is not there")
        with_digest += _check_digest(file, item, found)
    text = f"{len(image.descriptors)} in their places"
    return found.check(f"{text}, {with_digest} with the digest of their bytes")


def _problems(item: Descriptor, table: bytes, known: bool) -> Iterator[str]:
    if item.datatype not in _TYPES:
        yield f"of the unknown type {item.datatype:#x}"
    partition = item.partition
    if partition and (partition[0] not in _SYSTEMS or partition[1] not in _PARTS):
        yield "a partition of an unknown kind"
    if partition and item.arch not in ARCHITECTURES:
        yield "its architecture is none that is known"
    if item.extra.startswith(_MARK) and not stands_with_records(item):
        what = "has not the type" if item.datatype != DataType.JSON else "has not the name"
        yield f"{what} of what stands with records, though it was written so"
    if not known:
        return
    if table[item.slot * DESCRIPTOR_SIZE + USED_OFFSET] != 1:
        yield "its place in the table is neither used nor free"
    name = text_of(item.name).encode("utf-8", "surrogateescape")
    # A bundle takes the place of a record, so its name is written whole too.
    if any(item.name[len(name) :]):
        yield "something stands behind its name"
    if not item.size <= item.padded <= item.size + _MAX_PAD:
        yield f"with its padding it has {item.padded} bytes, and without {item.size}"


def _check_digest(file: BinaryIO, item: Descriptor, found: Findings) -> bool:
    """Whether the object's bytes have the digest that stands in its descriptor."""
    if item.datatype != DataType.JSON or not any(item.extra):
        if stands_with_records(item):
            found.left_out(f"object {item.id} has no digest beside it")
        return False
    if not (item.extra.startswith(_MARK) or stands_with_records(item)):
        return False  # another program's words
    try:
        data = read_object(file, item)
    except FormatError as error:
        found.left_out(str(error))
        return False
    wanted = own_digest(item.datatype, data).ljust(len(item.extra), b"\0")
    if item.extra == wanted:
        return True
    if all(one in (0, two) for one, two in zip(item.extra, wanted, strict=True)):
        found.left_out(f"object {item.id}: its digest was only half written")
        return False
    found.broken(f"object {item.id}: its bytes are not those that were written")
    return False
