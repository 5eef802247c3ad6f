"""Reads what files carry for the catalog: headers, descriptor tables and records, never content.

A document that the catalog has is not parsed again; which those are is asked for many files at
once. What stands in one object is unpacked within the bounds of records.py and embedded.py, and
parsed before the next is.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from typing import BinaryIO, NamedTuple

from sifprov.catalog.texts import long
from sifprov.catalog.told import Told, of_bytes
from sifprov.catalog.walk import Stat, stat_of
from sifprov.embedded import MAX_DOCUMENTS, is_line, lineage_objects, open_lineage, read_lineage
from sifprov.embedded import MAX_TOTAL as MAX_EMBEDDED
from sifprov.errors import FormatError, RecordError, SifprovError
from sifprov.groups import by_offset
from sifprov.hostfs import RACY_NS
from sifprov.model.canonical import record_digest
from sifprov.model.record import SCHEMA
from sifprov.placement import is_metadata
from sifprov.records import MAX_TOTAL, newest_digest, speaks_of
from sifprov.room import read_stored
from sifprov.sidecar import EXTENSION, MAX_LINE, MAX_LINES, SUFFIX
from sifprov.sif.image import Image, load

GOOD, FOREIGN, UNREADABLE, VANISHED = "good", "foreign", "unreadable", "vanished"
CONTAINER, APPLICATION, METADATA, SIDECAR = "container", "application", "metadata", "sidecar"
_MAGIC = (32, b"SIF_MAGIC\0")
# How a line of a sidecar may begin.
_LINES = (b'{"annotates":', b'{"annotation":', b'{"captured_by":', b'{"data":"', b'{"container":')
_RECORD = b'"schema":"' + SCHEMA.encode("ascii") + b'"'
_TRIES = 3
# Bytes that wait for the answer whether they are known.
_WAITING = 4 * 1024 * 1024
# Digests that are remembered as known.
_MOST = 200_000
_REASON = 300


class File(NamedTuple):
    """One file to be read: its folder and name on the disk, and its name in the catalog."""

    folder: str
    name: str
    key: str


class Seen(NamedTuple):
    """What a file was found to be. `uuid` is the container's, of a sidecar that of the one folder
    whose records it holds. `own` are the digests of the records that stand in it, `newest` the
    newest one's; `is_inside` says that they stand in the container itself."""

    file: File
    status: str
    state: Stat
    reason: str | None = None
    kind: str = CONTAINER
    uuid: str | None = None
    created_us: int | None = None
    own: tuple[str, ...] = ()
    newest: str | None = None

    @property
    def is_inside(self) -> bool:
        """Whether its records stand in the very container that they were written for."""
        return self.kind in (CONTAINER, APPLICATION)


class Reader:
    """Reads files. `known` returns which of some digests the catalog has already."""

    def __init__(self, known: Callable[[Collection[str]], Collection[str]]) -> None:
        self._known = known
        self._seen: set[str] = set()
        self._waiting: dict[str, bytes] = {}
        self._size = 0
        self._told: list[Told] = []
        self._errors: dict[str, str] = {}

    def read(self, files: Sequence[File]) -> tuple[list[Seen], list[Told]]:
        """Returns what the files were found to be, and what the records tell that are new. What is
        no container and no sidecar is left out."""
        found = [seen for file in files if (seen := self._one(file))]
        self._parse()
        told, self._told = self._told, []
        errors, self._errors = self._errors, {}
        return [_with_errors(seen, errors) for seen in found], told

    def _one(self, file: File) -> Seen | None:
        path = os.path.join(file.folder, file.name)
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW
        try:
            descriptor = os.open(path, flags)
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._closed(file, path, error)
        with os.fdopen(descriptor, "rb", buffering=0) as opened:
            before = os.fstat(opened.fileno())
            if not stat.S_ISREG(before.st_mode):
                return None
            for _ in range(_TRIES):
                found = self._opened(file, opened, before)
                after = os.fstat(opened.fileno())
                if stat_of(after) == stat_of(before):
                    break
                # Somebody was writing: what was read may be of two times.
                before = after
            return found

    @staticmethod
    def _closed(file: File, path: str, error: OSError) -> Seen | None:
        """Of what cannot be opened, only the name tells that it might be a container."""
        if not file.name.endswith((".sif", EXTENSION)):
            return None
        try:
            status = os.lstat(path)
        except OSError:
            return None
        return Seen(file, UNREADABLE, stat_of(status), error.strerror)

    def _opened(self, file: File, opened: BinaryIO, status: os.stat_result) -> Seen | None:
        state = stat_of(status)
        if time.time_ns() - status.st_ctime_ns < RACY_NS:
            # A later write may leave the file's times as they are: it is to be read again.
            state = state._replace(ctime_ns=0)
        try:
            head = os.pread(opened.fileno(), _MAGIC[0] + len(_MAGIC[1]), 0)
            if head[_MAGIC[0] :] == _MAGIC[1]:
                return self._container(file, opened, load(opened), state)
            if file.name.endswith(EXTENSION) and head.startswith(_LINES):
                return self._sidecar(file, opened, state)
        except (SifprovError, OSError, ValueError, MemoryError) as error:
            return Seen(file, UNREADABLE, state, long(str(error), _REASON))
        return None

    def _container(self, file: File, opened: BinaryIO, image: Image, state: Stat) -> Seen:
        own: dict[str, None] = {}
        errors = []
        others = False
        uuid = image.header.uuid
        room = MAX_TOTAL
        for item in by_offset(image):
            try:
                pieces = read_stored(opened, item)
                room -= sum(map(len, pieces))
                if room < 0:
                    raise RecordError("", f"all records have more than {MAX_TOTAL} bytes")
            except (FormatError, RecordError) as error:
                errors.append(f"object {item.id}: {error}")
                continue
            for piece in pieces:
                own[self._take(piece)] = None
                others = others or not speaks_of(piece, uuid)
        for item in lineage_objects(image):
            try:
                self._take_lineage(read_lineage(opened, item))
            except (FormatError, RecordError) as error:
                errors.append(f"object {item.id}: {error}")
        kind = APPLICATION if image.is_application else CONTAINER
        if is_metadata(image) and others:
            kind = METADATA
        newest = newest_digest(opened, image) if own and kind != METADATA else None
        return Seen(
            file, GOOD if own else UNREADABLE if errors else FOREIGN, state,
            long(f"broken record: {errors[0]}", _REASON) if errors else None, kind, str(uuid),
            _time(image.header.created), tuple(own), newest,
        )  # fmt: skip

    def _sidecar(self, file: File, opened: BinaryIO, state: Stat) -> Seen | None:
        own: dict[str, None] = {}
        of: set[bytes] = set()
        for line in _lines(opened):
            if is_line(line):
                self._take_lineage(line)
            elif _RECORD in line:
                own[self._take(line)] = None
                # Beside a folder it is the folder's own; any other holds those of many.
                if file.name.endswith(SUFFIX) and len(of) < 2:
                    of.add(_container_of(line))
        if not own:
            return None
        only = of.pop().decode("ascii", "replace") if len(of) == 1 else None
        newest = next(reversed(own)) if only else None
        return Seen(file, GOOD, state, kind=SIDECAR, uuid=only, own=tuple(own), newest=newest)

    def _take_lineage(self, data: bytes) -> None:
        """Takes what an object embeds; the same object stands in many containers."""
        whole = "object " + record_digest(data)
        if not data or whole in self._seen:
            return
        room, count = MAX_EMBEDDED, 0
        for piece in open_lineage(data):
            room, count = room - len(piece), count + 1
            if room < 0 or count > MAX_DOCUMENTS:
                raise RecordError("", "too many documents")
            # Lists of files are among them.
            if _RECORD in piece:
                self._take(piece)
        self._seen.add(whole)

    def _take(self, data: bytes) -> str:
        digest = record_digest(data)
        if digest not in self._seen and digest not in self._waiting:
            self._waiting[digest] = data
            self._size += len(data)
            if self._size > _WAITING:
                self._parse()
        return digest

    def _parse(self) -> None:
        if not self._waiting:
            return
        waiting, self._waiting, self._size = self._waiting, {}, 0
        if len(self._seen) > _MOST:
            self._seen.clear()
        known = self._known(waiting.keys())
        for digest, data in waiting.items():
            if digest not in known:
                try:
                    self._told.append(of_bytes(data))
                except (RecordError, ValueError, RecursionError, OverflowError) as error:
                    self._errors[digest] = str(error)
                    continue
            self._seen.add(digest)


def _with_errors(seen: Seen, errors: dict[str, str]) -> Seen:
    """A file with the first reason for which one of its records is left out."""
    broken = next((d for d in seen.own if d in errors), None) if errors else None
    if broken is None:
        return seen
    own = tuple(d for d in seen.own if d not in errors)
    newest = seen.newest if seen.newest not in errors else (own[-1] if own else None)
    reason = seen.reason or long(f"broken record: {errors[broken]}", _REASON)
    status = seen.status if own else UNREADABLE
    return seen._replace(own=own, newest=newest, reason=reason, status=status)


def _lines(opened: BinaryIO) -> Iterator[bytes]:
    """The whole lines of a sidecar; what a crash left behind the last one is none."""
    room = MAX_TOTAL
    with closing(os.fdopen(os.dup(opened.fileno()), "rb")) as file:
        file.seek(0)
        for number, line in enumerate(iter(lambda: file.readline(MAX_LINE + 1), b"")):
            room -= len(line)
            if len(line) > MAX_LINE or room < 0 or number > MAX_LINES:
                raise RecordError("", f"line {number + 1}: too long, or too many before it")
            if line.endswith(b"\n") and line != b"\n":
                yield line[:-1]


def _container_of(line: bytes) -> bytes:
    """The container that a record speaks of, by its canonical bytes."""
    return line.partition(b'"container":"')[2][:36]


def _time(seconds: int) -> int | None:
    # A SIF's header may hold any 64 bits; years of four digits are shown.
    return seconds * 1_000_000 if 0 < seconds < 253_402_300_800 else None
