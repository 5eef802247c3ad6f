"""Records in a SIF: append and read. What stands there is the truth."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from uuid import UUID

from sifprov.embedded import Embedded, Lineage, read_embedded
from sifprov.errors import FormatError, RecordError
from sifprov.frozen import dataclass, replace
from sifprov.groups import (
    BUNDLE_NAME,
    LINEAGE_NAME,
    OBJECT_NAME,
    by_offset,
    is_bundle,
    is_lineage,
    is_ours,
    open_group,
)
from sifprov.model.canonical import record_digest
from sifprov.model.fact import Fact
from sifprov.model.record import Record
from sifprov.room import plan_bundle, read_stored
from sifprov.sif import DataType, Image, NewObject
from sifprov.sif.disk import Disk, FileDisk
from sifprov.sif.merge import Merge
from sifprov.sif.write import append_all

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = [
    "BUNDLE_NAME",
    "OBJECT_NAME",
    "Embedded",
    "Stored",
    "append_record",
    "in_order",
    "newest_digest",
    "newest_first",
    "parse_stored",
    "read_embedded",
    "read_records",
    "speaks_of",
]

# The fact that tells of lineage that could not be embedded.
LINEAGE = "lineage"
# What is read of one container: bundles of a hostile one would unpack to a thousand times its size.
MAX_TOTAL = 512 * 1024 * 1024


@dataclass(frozen=True)
class Stored:
    """One record as it stands in a container, alone or in a bundle, in the object `object_id`.

    `error` says why `record` is None; `digest` is empty where it could not be read at all.
    `place` is the path of the file that holds it where that is not the container that it is read
    for; `object_id` then counts there, in a sidecar by lines.
    """

    object_id: int
    group: int
    digest: str
    record: Record | None
    error: str | None
    place: str | None = None


def read_records(file: BinaryIO, image: Image, of: UUID | None = None) -> tuple[Stored, ...]:
    """Returns a container's records, each once, oldest first; with `of` only those of this one.

    A record comes behind the one that it names as its previous one, and but for that they
    come in the order in which they stand in the file. Broken ones come with their error, so that
    one of them hides no other.
    """
    found: list[tuple[Stored, ...]] = []
    room = MAX_TOTAL
    for item in reversed(by_offset(image)):
        try:
            pieces = read_stored(file, item)
            room -= sum(map(len, pieces))
            if room < 0:
                raise FormatError(
                    f"all records together have more than {MAX_TOTAL} bytes",
                    offset=item.offset,
                    field=f"object {item.id}",
                )
        except (FormatError, RecordError) as error:
            if of:
                continue
            what = "bundle: " if is_bundle(item) else ""
            found.append((Stored(item.id, item.group, "", None, f"{what}{error}"),))
            continue
        mine = (data for data in pieces if speaks_of(data, of))
        found.append(tuple(parse_stored(item.id, item.group, data) for data in mine))
    once: dict[str | int, Stored] = {}
    for stored in (s for several in reversed(found) for s in several):
        # A crash while they were bundled leaves some both alone and in the bundle.
        once.setdefault(stored.digest or stored.object_id, stored)
    return in_order(tuple(once.values()))


def parse_stored(place: int, group: int, data: bytes) -> Stored:
    """Returns the record of these bytes, which stand in the object `place`."""
    digest = record_digest(data)
    try:
        return Stored(place, group, digest, Record.from_bytes(data), None)
    except RecordError as error:
        return Stored(place, group, digest, None, str(error))


def in_order(found: Sequence[Stored]) -> tuple[Stored, ...]:
    """Sorts by the chain, then by the place in `found`. Takes n log n, whatever the records say."""
    if len(found) < 2:
        return tuple(found)
    from heapq import heappop, heappush  # not where a container has one record

    known = {s.digest for s in found if s.digest}
    waiting: dict[str, list[int]] = {}
    ready: list[int] = []
    for place, stored in enumerate(found):
        previous = stored.record.previous if stored.record else None
        if previous in known and previous is not None:
            waiting.setdefault(previous, []).append(place)
        else:
            ready.append(place)
    result = []
    while ready:
        stored = found[heappop(ready)]
        result.append(stored)
        for place in waiting.pop(stored.digest, ()):
            heappush(ready, place)
    # A circle would need two records that hold each other's SHA-256.
    result.extend(found[place] for places in waiting.values() for place in places)
    return tuple(result)


def newest_digest(file: BinaryIO, image: Image, of: UUID | None = None) -> str | None:
    """Returns the record digest of the newest record, mostly without reading the others.

    `of` names the container whose records alone count, in a file that holds those of many.
    """
    for item in reversed(by_offset(image)):
        if is_bundle(item):
            # Only a crash leaves it behind all records, and a signed one may still be newer.
            break
        try:
            pieces = read_stored(file, item)
        except FormatError:
            continue  # one that is too large to be read has no digest to name
        if pieces and speaks_of(pieces[0], of):
            return record_digest(pieces[0])
    found = reversed(read_records(file, image, of))
    return next((s.digest for s in found if s.digest), None)


def newest_first(file: BinaryIO, image: Image) -> Iterator[Record]:
    """Yields a container's records, without reading what is older than the one that is wanted."""
    for item in reversed(by_offset(image)):
        if is_bundle(item):
            found = reversed(read_records(file, image))
            yield from (s.record for s in found if s.record)
            return
        # One that is broken tells nothing.
        with suppress(FormatError, RecordError):
            yield from map(Record.from_bytes, read_stored(file, item))


def speaks_of(data: bytes, container: UUID | None) -> bool:
    """Whether a record's stored bytes name this container as theirs; None stands for any.

    They are canonical, so the field can be seen without reading the JSON.
    """
    return container is None or b'"container":"%s"' % str(container).encode("ascii") in data


class _HeldError(Exception):
    """A record that need not be appended, for it is there."""


def append_record(
    path: str,
    build: Callable[[Image, str | None], Record],
    *,
    now: int,
    of: UUID | None = None,
    held: Callable[[Record], bool] | None = None,
    lineage: Lineage | None = None,
    disk: Callable[[int], Disk] = FileDisk,
) -> tuple[Record, str]:
    """Appends the record that `build` makes of the table and the newest record's digest.

    Returns it with its record digest. `build` runs under the container's lock, so
    the chain has no forks. When the descriptor table is full, earlier records are bundled.
    `of` names the container whose chain it joins, in a file that holds those of many. A record
    there that `held` knows is returned instead, and nothing is appended. What of `lineage` is not
    there yet comes before the record; where the table has no room for it, the record says so.
    Raises FileError; the container then holds the records that it held.
    """
    made: list[tuple[Record, str]] = []
    before_merge: list[str | None] = []

    def make_room(file: BinaryIO, image: Image, slots: int) -> Merge | None:
        before_merge.append(newest_digest(file, image, of))
        return plan_bundle(file, image, slots)

    def new_objects(file: BinaryIO, image: Image) -> list[NewObject]:
        for stored in read_records(file, image, of) if held else ():
            if held and stored.record and held(stored.record):
                made.append((stored.record, stored.digest))
                raise _HeldError
        newest = before_merge[0] if before_merge else newest_digest(file, image, of)
        record, group = build(image, newest), open_group(image)
        more = missing(file, image, lineage)
        if len(more) >= len(image.free_slots()):
            record, more = left_out(record, "the table of objects has no room for it"), []
        elif lineage is not None and lineage.reason:
            record = left_out(record, lineage.reason)
        data = record.to_bytes()
        made.append((record, record_digest(data)))
        objects = [(LINEAGE_NAME, each) for each in more] + [(OBJECT_NAME, data)]
        return [NewObject(DataType.JSON, n.encode("ascii"), d, group=group) for n, d in objects]

    slots = 1 + (lineage.most if lineage else 0)
    with suppress(_HeldError):
        append_all(path, new_objects, now=now, slots=slots, disk=disk, make_room=make_room)
    return made[0]


def missing(file: BinaryIO, image: Image, lineage: Lineage | None) -> list[bytes]:
    """Returns the objects of `lineage` that hold what a container does not hold yet."""
    if not lineage:
        return []
    if not lineage.documents:
        return lineage.objects()  # whoever made its own has looked for them
    ours = [(d.offset, d.size) for d in image.descriptors if is_ours(d) or is_lineage(d)]
    status = os.fstat(file.fileno())
    key = (status.st_dev, status.st_ino, *ours)
    return lineage.objects(lineage.held(key, partial(held_digests, file, image)))


def held_digests(file: BinaryIO, image: Image) -> set[str]:
    """Returns the digests of all documents that a container holds: its records, and what it embeds.

    Nothing is parsed, and what cannot be read is passed over.
    """
    found = set(read_embedded(file, image).documents)
    room = MAX_TOTAL
    for item in reversed(by_offset(image)):
        with suppress(FormatError, RecordError):
            pieces = read_stored(file, item)
            room -= sum(map(len, pieces))
            if room < 0:
                break
            found.update(map(record_digest, pieces))
    return found


def left_out(record: Record, reason: str) -> Record:
    """Returns a run's record that says why what its inputs carried is not all beside it."""
    if record.run is None:
        return record
    found = {f.name: f for f in (*record.run.facts, Fact(LINEAGE, None, reason=reason))}
    facts = tuple(found[name] for name in sorted(found))
    return replace(record, run=replace(record.run, facts=facts))
