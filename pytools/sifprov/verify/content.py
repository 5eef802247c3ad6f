"""The content of a container or a folder against the newest record that tells it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from pyext2fs import Ext2fsError
from pyext2fs.superblock import superblock
from sifprov.carrier import Carrier
from sifprov.changes import changed_outside, newest_change
from sifprov.compare import ONLY_FIRST, ONLY_SECOND, SAME, FileVerdict, compare
from sifprov.content import Deadline, Known, TooLateError, Tree, scan_folder
from sifprov.digestcache import DigestCache
from sifprov.errors import MissingError, SifprovError
from sifprov.frozen import dataclass
from sifprov.manifests import read_manifest, stated
from sifprov.model.container import FOLDER, PROVISIONAL, Container
from sifprov.model.record import Origin, Record
from sifprov.model.timestamp import from_ns, to_ns
from sifprov.partition import scan_partition
from sifprov.sif import FsType
from sifprov.survivors import is_locked, who, writers
from sifprov.terminal import counted
from sifprov.verify.check import Check, Findings, Verdict

# Seconds, and bytes a second that every disk can read.
_PATIENCE, _SLOWEST = 600, 10_000_000
TOO_LATE = "not read: that would take longer than for its size on the disk"
_FOR_EVER = 2**63
_WORDS = {ONLY_FIRST: "is missing", ONLY_SECOND: "is new"}
Step = Callable[[str], None]


@dataclass(frozen=True)
class Told:
    """What a record says of a container's content."""

    record: Record
    about: Container | Origin

    @property
    def provisional(self) -> bool:
        """Whether a process was still writing then."""
        return isinstance(self.about, Container) and PROVISIONAL in self.about.marks


def told(records: Sequence[Record], carrier: Carrier) -> Told | None:
    """Returns what the newest of `records`, oldest first, that tells it says of the content."""
    for record in reversed(records):
        about = stated(record)
        if about and record.container == carrier.identity.uuid:
            return Told(record, about)
    return None


def unreadable(carrier: Carrier) -> str | None:
    """Says why the content cannot be read now: somebody can write into it, or its file system was
    not unmounted."""
    partition, path = carrier.identity.partition, carrier.identity.path
    if partition is None:
        return None
    with suppress(OSError, Ext2fsError):
        there = writers(path, partition.offset)
        if there:
            return f"{who(there)} can still write into it"
        if is_locked(path, partition.offset, partition.size):
            return "a run is using it"
        if partition.fs == FsType.EXT3 and superblock(path, partition.offset).needs_recovery:
            return "its file system was not unmounted ('e2fsck -p' repairs it)"
    return None


def patience(path: str) -> Deadline:
    """Grants time for what a file takes on the disk: a hostile one may claim holes without end.
    Raises OSError."""
    deadline = Deadline()
    deadline.start(_PATIENCE + os.stat(path).st_blocks * 512 / _SLOWEST)
    return deadline


def read_tree(carrier: Carrier, cache: DigestCache | None) -> Tree | Known:
    """Reads the content of a container or a folder. Raises SifprovError, OSError, TooLateError."""
    identity = carrier.identity
    if identity.partition is None:
        return scan_folder(identity.path, Deadline())
    deadline = patience(identity.path)
    if cache:
        return cache.tree(identity.path, identity.partition, deadline)
    return scan_partition(identity.path, identity.partition, deadline)


def check_content(
    carrier: Carrier, cache: DigestCache | None, metadata: str, on_step: Step
) -> Check:
    """Reads the content, as far as `cache` cannot prove it, and compares."""
    found = Findings("content")
    records = [r for _, r in carrier.good]
    newest = told(records, carrier)
    if newest is None:
        if carrier.identity.partition is None and carrier.kind != FOLDER:
            found.left_out("it holds no files")
            return found.check("", partly=False)
        found.missing("no record tells it")
    else:
        compare_with(newest, carrier, cache, metadata, on_step, found)
    about = newest.about.digest if newest else None
    changed = len(found.texts(Verdict.GOOD))
    rest = f"; permissions of {counted(changed, 'file')} were changed" if changed else ""
    return found.check(f"as its newest record says: {about}{rest}")


def compare_with(
    newest: Told,
    carrier: Carrier,
    cache: DigestCache | None,
    metadata: str,
    on_step: Step,
    found: Findings,
) -> None:
    """Compares the content of a container with what a record says of it."""
    recorded = newest.about.digest
    if recorded is None:
        reason = newest.about.reason if isinstance(newest.about, Container) else None
        found.missing(f"its newest record does not know it: {reason}")
        return
    busy = unreadable(carrier)
    if busy:
        found.missing(f"not read: {busy}")
        return
    on_step(f"reading the content of {carrier.identity.name}")
    try:
        tree = read_tree(carrier, cache)
        if tree.digest != recorded and isinstance(tree, Known):
            tree = read_tree(carrier, None)
    except MissingError as error:
        found.missing(f"not read: {error}")
    except TooLateError:
        found.missing(TOO_LATE)
    except (SifprovError, OSError) as error:
        found.broken(f"cannot be read: {error}")
    else:
        if tree.digest != recorded:
            _differs(newest, carrier, tree, metadata, found)
        else:
            _modes(newest, carrier, tree, found)


def _differs(
    newest: Told, carrier: Carrier, tree: Tree | Known, metadata: str, found: Findings
) -> None:
    identity = carrier.identity
    if newest.provisional:
        found.missing(
            f"its newest record was made while a process still wrote: it says {newest.about.digest}"
            f", and now it is {tree.digest}"
        )
        return
    if identity.partition and not changed_outside(identity, tree.digest, _FOR_EVER, metadata):
        found.missing(
            "changed by a run whose record stands elsewhere: 'sifprov flush' delivers one that "
            "waits, --metadata names another place"
        )
        return
    found.broken(
        f"{_how(newest, carrier)}: it is {tree.digest}, and its newest record says "
        f"{newest.about.digest}"
    )
    for text in named_changes(newest, carrier, tree):
        found.broken(text)


def _modes(newest: Told, carrier: Carrier, tree: Tree | Known, found: Findings) -> None:
    """Tells of permissions that are not those in the record's list: no part of the content digest,
    so nothing is broken."""
    for row in _compared(newest, carrier, tree):
        if row.mode_differs and row.first and row.second:
            modes = f"{row.first.mode or 0:o} to {row.second.mode or 0:o}"
            found.good(f"the permissions of {_shown(row)} were changed from {modes}")


def _how(newest: Told, carrier: Carrier) -> str:
    """How it was changed, as far as the times in the inode tables say."""
    partition = carrier.identity.partition
    if partition is None:
        return "changed by no recorded run"
    last = newest_change(carrier.identity) if partition.fs == FsType.EXT3 else None
    if last is not None and last > to_ns(newest.record.recorded):
        return f"changed at {from_ns(last)}, after its newest record, by no recorded run"
    return "changed, though no time in it says so: its bytes were altered from outside"


def named_changes(newest: Told, carrier: Carrier, tree: Tree | Known) -> Iterator[str]:
    """Yields what differs, file by file, where the record lists the files."""
    for row in _compared(newest, carrier, tree):
        if row.verdict != SAME:
            yield f"{_shown(row)} {_WORDS.get(row.verdict, 'is changed')}"


def _compared(newest: Told, carrier: Carrier, tree: Tree | Known) -> tuple[FileVerdict, ...]:
    then = read_manifest(carrier, newest.about)
    if then.manifest is None or isinstance(tree, Known):
        return ()
    return compare(then.manifest.tree, tree)


def _shown(row: FileVerdict) -> str:
    return row.path.decode("utf-8", "surrogateescape")
