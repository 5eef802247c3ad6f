"""Whether a container's content is what its newest record says.

A record that tells the content was made at a known time. A change after that, and before the next
run began, was made by nobody who recorded it. What is compared is the content digest where it is at
hand, else the times of change in the inode tables: those are read in milliseconds.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from uuid import UUID

from pyext2fs import Ext2fsError
from pyext2fs.changes import last_change
from pyext2fs.superblock import superblock
from sifprov.content import Deadline
from sifprov.errors import SifprovError
from sifprov.frozen import dataclass
from sifprov.identity import Identity
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.record import CHANGED_OUTSIDE, PROVISIONAL, Record
from sifprov.model.request import parse_request
from sifprov.model.timestamp import from_ns, to_ns
from sifprov.partition import scan_partition
from sifprov.placement import named, read_place
from sifprov.records import newest_first
from sifprov.sif import FsType, open_image
from sifprov.spool import Waiting, waiting
from sifprov.survivors import is_locked, who, writers
from sifprov.whereabouts import remembered

_FOR_EVER = 2**63


@dataclass(frozen=True)
class Stated:
    """What a record says of the content of the container that it speaks of: its digest, when that
    was read (ns since 1970), and whether a process was still writing."""

    digest: str | None
    at_ns: int
    provisional: bool


def stated(records: Iterable[Record], uuid: UUID) -> Stated | None:
    """Returns what the first of `records`, newest first, says that tells the content of the
    container `uuid`."""
    for record in records:
        it = record.itself()
        if record.container != uuid or not (record.origin or it):
            continue
        at = to_ns(record.recorded)
        if record.origin:
            return Stated(record.origin.digest, at, False)
        if it:
            return Stated(it.digest, at, PROVISIONAL in it.marks)
    return None


def stated_in(identity: Identity) -> Stated | None:
    """Returns what the newest record that the container carries says of its content. Raises
    SifprovError."""
    if identity.uuid is None:
        return None
    with open_image(identity.path) as (file, image):
        return stated(newest_first(file, image), identity.uuid)


def newest_change(identity: Identity, before_ns: int | None = None) -> int | None:
    """Returns when anything in an ext3 container changed last (before `before_ns`), in ns since
    1970; None where that cannot be told."""
    partition = identity.partition
    if partition is None or partition.fs != FsType.EXT3:
        return None
    try:
        descriptor = os.open(identity.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return last_change(descriptor, partition.offset, before_ns=before_ns)
        finally:
            os.close(descriptor)
    except (OSError, Ext2fsError):
        return None


@dataclass(frozen=True)
class Standing:
    """A container's content as it stands now, beside what its newest record says.

    `state` is one of the five below. `digest` is the content's now, where it had to be read;
    `changed_at` when it changed last (RFC 3339); `who` still writes.
    """

    state: str
    digest: str | None = None
    changed_at: str | None = None
    who: str | None = None

    def to_json(self) -> Json:
        """Returns the JSON object of this standing."""
        who = text_to_json(self.who) if self.who else None
        return {
            "changed_at": self.changed_at, "digest": self.digest, "state": self.state, "who": who
        }  # fmt: skip


# Nothing in it changed since; somebody may be writing; the record is provisional, and `digest` is
# what it came to; changed by nobody who recorded it; it cannot be told.
AS_RECORDED, IN_USE, WAS_PROVISIONAL = "as-recorded", "in-use", PROVISIONAL
CHANGED, UNTOLD = CHANGED_OUTSIDE, "unknown"


def standing(
    identity: Identity, records: Iterable[Record], metadata: str = "", *, reads: bool = True
) -> Standing | None:
    """Returns how the content of a data container stands now, after `records`, newest first; None
    where they say nothing of it.

    Reads the inode tables; the files only when the newest record is provisional, unless `reads`
    is False.
    """
    partition = identity.partition
    newest = stated(records, identity.uuid) if identity.uuid else None
    if newest is None or partition is None:
        return None
    there = writers(identity.path, partition.offset)
    if there:
        return Standing(IN_USE, who=who(there))
    try:
        if is_locked(identity.path, partition.offset, partition.size):
            return Standing(IN_USE, who="a run")
        if newest.provisional and not reads:
            return Standing(WAS_PROVISIONAL)
        if newest.provisional:
            tree = scan_partition(identity.path, partition, Deadline())
            return Standing(WAS_PROVISIONAL, tree.digest)
        if (
            partition.fs == FsType.EXT3
            and superblock(identity.path, partition.offset).needs_recovery
        ):
            return Standing(UNTOLD)
        last = newest_change(identity)
        if last is None:
            return Standing(AS_RECORDED if partition.fs == FsType.SQUASHFS else UNTOLD)
        if changed_outside(identity, None, _FOR_EVER, metadata):
            return Standing(CHANGED, changed_at=from_ns(last))
    except (SifprovError, Ext2fsError, OSError):
        return Standing(UNTOLD)
    return Standing(AS_RECORDED)


def changed_outside(
    identity: Identity, digest: str | None, started_ns: int, metadata: str = ""
) -> bool:
    """Whether the content was changed since the container's newest record and before a run that
    began at `started_ns`, by no recorded run.

    `digest` is the content's at the start, where it is known. A container that carries no
    record, or whose newest one is provisional, is not judged. The newest record may also stand in
    the place `metadata`, in one that the user named for an earlier run, or wait in the spool.
    """
    if identity.uuid is None:
        return False
    try:
        newest = stated_in(identity)
        if newest is None and not metadata:
            return False
        if newest and not _differs(identity, digest, started_ns, newest):
            return False
        # Only now is it worth to look further.
        others = list(_elsewhere(identity, metadata))
    except (SifprovError, OSError):
        return False
    told = [s for s in (newest, *others) if s]
    # A run whose record is not to be had may have changed anything.
    if None in others or not told:
        return False
    return _differs(identity, digest, started_ns, max(told, key=lambda s: s.at_ns))


def _differs(identity: Identity, digest: str | None, started_ns: int, newest: Stated) -> bool:
    if newest.provisional:
        return False
    if digest and newest.digest:
        # A record that came after this run's start, as for a late flush, says nothing of before.
        return digest != newest.digest and newest.at_ns < started_ns
    last = newest_change(identity, started_ns)
    return last is not None and last > newest.at_ns


def _elsewhere(identity: Identity, metadata: str) -> Iterator[Stated | None]:
    """What records that are not in the container say of it; None for a run whose record is still to
    be made, and for records that stood where nothing is now."""
    uuid = identity.uuid
    if uuid is None:
        return
    known = remembered(uuid)
    for place in dict.fromkeys((*known, *([metadata] if metadata else ()))):
        if os.path.lexists(place):
            records = [s.record for s in read_place(named(place), uuid) if s.record]
            found = stated(reversed(records), uuid)
            if found:
                yield found
        elif place in known:
            yield None
    for item in waiting():
        if not isinstance(item, Waiting):
            continue
        if item.record:
            found = stated([item.record], uuid)
            if found:
                yield found
        elif item.request:
            request = parse_request(item.request[0])
            paths = (os.path.join(request.cwd, bind.source) for bind in request.binds)
            if os.path.realpath(identity.path) in map(os.path.realpath, paths):
                yield None
