"""Parses a SIF's header and descriptor table (format.py). Nothing that a file says is believed:
counts, offsets, sizes, ids and overlaps are checked against its length."""

from __future__ import annotations

from uuid import UUID

from sifprov.errors import FormatError
from sifprov.sif.format import (
    DESCRIPTOR,
    DESCRIPTOR_SIZE,
    GROUP_MASK,
    HEADER,
    HEADER_SIZE,
    MAGIC,
    MAX_DESCRIPTORS,
    MAX_PADDING,
    USED_OFFSET,
    VERSION,
    Descriptor,
    Header,
)


def parse_header(data: bytes, file_size: int) -> Header:
    """Parses the first 128 bytes of a file of `file_size` bytes.

    Raises FormatError when it is no SIF, or when the table or the data section cannot
    lie inside the file.
    """
    if len(data) < HEADER_SIZE:
        raise FormatError(
            f"only {len(data)} bytes, a SIF header has {HEADER_SIZE}", offset=0, field="header"
        )
    launch, magic, version, arch, uuid, *numbers = HEADER.unpack_from(data)
    if magic != MAGIC:
        raise FormatError("this is not a SIF file", offset=32, field="magic")
    if version != VERSION:
        raise FormatError(
            f"version {version!r} is not supported, only '01' is", offset=42, field="version"
        )
    header = Header(launch, version, arch, UUID(bytes=uuid), *numbers)
    _check_header(header, file_size)
    return header


def _check_header(header: Header, file_size: int) -> None:
    table = header.dtotal * DESCRIPTOR_SIZE
    behind = file_size - header.dataoff
    checks = (
        ("dtotal", 88, header.dtotal, 0 <= header.dtotal <= MAX_DESCRIPTORS),
        ("dfree", 80, header.dfree, 0 <= header.dfree <= header.dtotal),
        ("descroff", 96, header.descroff, HEADER_SIZE <= header.descroff <= file_size),
        # The table itself must be in the file; this bounds every later allocation.
        ("dtotal", 88, header.dtotal, header.descroff + table <= file_size),
        ("dataoff", 112, header.dataoff, header.descroff + table <= header.dataoff <= file_size),
        ("datalen", 120, header.datalen, 0 <= header.datalen <= behind + MAX_PADDING),
    )
    for field, offset, value, good in checks:
        if not good:
            raise FormatError(
                f"{value} does not fit a file of {file_size} bytes", offset=offset, field=field
            )


def parse_descriptors(table: bytes, header: Header, file_size: int) -> tuple[Descriptor, ...]:
    """Parses the table's used slots, in slot order.

    `table` holds `header.dtotal` descriptors. Raises FormatError where an object lies outside the
    data section or the file, overlaps another, or shares its id. Time and memory are linear in
    the table (the overlap check sorts it).
    """
    found: list[Descriptor] = []
    ids: set[int] = set()
    for slot in range(header.dtotal):
        start = slot * DESCRIPTOR_SIZE
        if not table[start + USED_OFFSET]:
            continue
        datatype, _, ident, group, link, *rest = DESCRIPTOR.unpack_from(table, start)
        item = Descriptor(slot, datatype, ident, group & ~GROUP_MASK, link, *rest)
        base = header.descroff + start
        if ident == 0 or ident in ids:
            raise FormatError(
                f"object id {ident} is zero or used twice",
                offset=base + 5,
                field=f"descriptor {slot} id",
            )
        ids.add(ident)
        limit = file_size if item.size else file_size + MAX_PADDING
        if not header.dataoff <= item.offset <= limit:
            raise FormatError(
                f"object {ident} starts at {item.offset}, outside the data section",
                offset=base + 17,
                field=f"descriptor {slot} offset",
            )
        if item.size < 0 or (item.size and item.size > file_size - item.offset):
            raise FormatError(
                f"object {ident} of {item.size} bytes does not fit a file of {file_size} bytes",
                offset=base + 25,
                field=f"descriptor {slot} size",
            )
        found.append(item)
    _check_overlaps(found, header)
    return tuple(found)


def _check_overlaps(found: list[Descriptor], header: Header) -> None:
    last: Descriptor | None = None
    for item in sorted((d for d in found if d.size), key=lambda d: d.offset):
        if last and item.offset < last.end:
            raise FormatError(
                f"object {item.id} overlaps object {last.id}",
                offset=header.descroff + item.slot * DESCRIPTOR_SIZE + 17,
                field=f"descriptor {item.slot} offset",
            )
        last = item
