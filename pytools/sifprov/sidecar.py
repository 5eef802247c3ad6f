"""Records in a text file, one canonical record a line: those of runs whose output is a plain
folder.

    {"captured_by":…,"container":"UUID",…}
    {"data":"…","digest":…,"schema":"sifprov.lineage/1","sizes":…}
    {"captured_by":…,"container":"UUID",…}

What a record's ancestors said stands before it, as in a container (embedded.py).
The newline is written when the rest of its line is on the disk. So a line that ends with one is
whole, and what stands behind the last one is what a crash left: readers do not see it, and the
next append cuts it off.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator
from functools import partial
from uuid import UUID

from sifprov.embedded import MAX_DOCUMENT, Embedded, Lineage, collect, is_line, open_lineage
from sifprov.errors import FileError
from sifprov.model.canonical import record_digest
from sifprov.model.record import Record
from sifprov.newfile import new_file
from sifprov.records import MAX_TOTAL, Stored, left_out, parse_stored, speaks_of
from sifprov.room import MARK
from sifprov.sif.disk import Disk, FileDisk
from sifprov.sif.write import locked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

SUFFIX = ".sifprov.jsonl"
EXTENSION = ".jsonl"
MAX_LINES = 1 << 20
# Lineage that does not compress fits, in base64.
MAX_LINE = 2 * MAX_DOCUMENT


def beside(folder: str) -> str:
    """Returns the path of the sidecar of a folder: beside it, under its name."""
    return os.path.abspath(folder) + SUFFIX


def read_sidecar(path: str, of: UUID | None = None) -> tuple[Stored, ...]:
    """Returns the records in the file at `path`, oldest first; with `of` those of this one.

    The place of a record is the number of its line. A broken line comes with its error. Raises
    FileError for a file that is too large, or holds no record at all.
    """
    with os.fdopen(_open(path, os.O_RDONLY), "rb") as file:
        found = [
            parse_stored(n, 0, line)
            for n, line, _ in _lines(file, path)
            if not is_line(line) and speaks_of(line, of)
        ]
    if not of and found and all(s.record is None for s in found):
        raise _foreign(path)
    return tuple(found)


def read_sidecar_embedded(path: str) -> Embedded:
    """Returns the lineage in the file at `path`. A broken line comes as an error, by its number.
    Raises FileError."""
    with os.fdopen(_open(path, os.O_RDONLY), "rb") as file:
        return _embedded(file, path)


def read_pieces(path: str) -> list[bytes]:
    """Returns the bytes of the records, the newest first, and of all that is embedded. Raises
    FileError."""
    with os.fdopen(_open(path, os.O_RDONLY), "rb") as file:
        found = [line for _, line, _ in _lines(file, path) if not is_line(line)][::-1]
        return [*found, *_embedded(file, path).documents.values()]


def newest_line(path: str, of: UUID) -> str | None:
    """Returns the digest of the newest record of the container `of`. Raises FileError."""
    newest = None
    with os.fdopen(_open(path, os.O_RDONLY), "rb") as file:
        for _, line, _ in _lines(file, path):
            if not is_line(line) and speaks_of(line, of):
                newest = line
    return record_digest(newest) if newest else None


def _embedded(file: BinaryIO, path: str) -> Embedded:
    file.seek(0)
    lines = (each for each in _lines(file, path) if is_line(each[1]))
    return collect(((n, len(line), partial(open_lineage, line)) for n, line, _ in lines))


def append_line(
    path: str,
    record: Callable[[str | None], Record],
    *,
    of: UUID,
    held: Callable[[Record], bool] | None = None,
    lineage: Lineage | None = None,
    disk: Callable[[int], Disk] = FileDisk,
) -> tuple[Record, str]:
    """Appends what `record` makes of the digest of the newest record of `of`, behind what of
    `lineage` is not there yet; returns it with its own record digest.

    A file that is missing gets its name when its first line is whole. A record there that
    `held` knows is returned instead, and nothing is appended. Raises FileError; the file then
    holds the records that it held.
    """
    try:
        made = None if os.path.lexists(path) else _create(path, record(None), lineage)
        if made:
            return made
        with os.fdopen(_open(path, os.O_RDWR), "r+b") as file, locked(file, path):
            _check_name(file, path)
            return _append(file, path, record, of, held, lineage, disk)
    except OSError as error:
        raise FileError(f"{path}: cannot write: {error.strerror or error}") from error


def _create(path: str, record: Record, lineage: Lineage | None) -> tuple[Record, str] | None:
    """Makes the file with its first record; None when somebody else just did."""
    more, record = _with_lineage(record, lineage, ())
    data = record.to_bytes()
    try:
        with new_file(path) as temporary, open(temporary, "r+b") as file:
            for line in (*more, data):
                file.write(line + b"\n")
    except FileError:
        if os.path.lexists(path):
            return None
        raise
    return record, record_digest(data)


def _append(
    file: BinaryIO,
    path: str,
    record: Callable[[str | None], Record],
    of: UUID,
    held: Callable[[Record], bool] | None,
    lineage: Lineage | None,
    disk: Callable[[int], Disk],
) -> tuple[Record, str]:
    newest, end, ours = None, 0, False
    there: set[str] = set()
    for number, line, behind in _lines(file, path):
        end, ours = behind, ours or MARK in line
        if is_line(line):
            continue
        if lineage:
            there.add(record_digest(line))
        if speaks_of(line, of):
            stored = parse_stored(number, 0, line)
            if held and stored.record and held(stored.record):
                return stored.record, stored.digest
            newest = stored.digest
    size = file.seek(0, os.SEEK_END)
    if size and not ours:
        raise _foreign(path)
    if lineage:
        there.update(_embedded(file, path).documents)
    more, made = _with_lineage(record(newest), lineage, there)
    data = made.to_bytes()
    writer = disk(file.fileno())
    for line in (*more, data):
        _write(writer, line, end, size)
        size = end = end + len(line) + 1
    return made, record_digest(data)


def _with_lineage(
    record: Record, lineage: Lineage | None, there: Collection[str]
) -> tuple[list[bytes], Record]:
    """Returns the lines of lineage that are missing there, and the record."""
    if lineage is None:
        return [], record
    told = left_out(record, lineage.reason) if lineage.reason else record
    return lineage.objects(there), told


def _write(disk: Disk, data: bytes, end: int, size: int) -> None:
    """Writes a line at `end`, behind the last whole one of a file of `size` bytes; takes it back
    when that fails."""
    if size > end:
        disk.truncate(end)
    try:
        disk.pwrite(data, end)
        disk.sync()
        disk.pwrite(b"\n", end + len(data))
        disk.sync()
    except OSError:
        disk.truncate(end)
        raise


def _lines(file: BinaryIO, path: str) -> Iterator[tuple[int, bytes, int]]:
    """Yields the number of each whole line, its bytes, and where it ends in the file."""
    end = number = 0
    while line := file.readline(MAX_LINE + 1):
        number, end = number + 1, end + len(line)
        if not line.endswith(b"\n"):
            if len(line) <= MAX_LINE:
                return
            raise FileError(f"{path}: line {number} has more than {MAX_LINE} bytes")
        if end > MAX_TOTAL or number > MAX_LINES:
            raise FileError(f"{path}: more than {MAX_TOTAL} bytes or {MAX_LINES} lines")
        if line != b"\n":
            yield number, line[:-1], end


def _open(path: str, flags: int) -> int:
    """Opens a regular file. A link is refused where something is to be written: in a folder that
    others may write to, it could lead anywhere."""
    flags |= os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
    if flags & os.O_RDWR:
        flags |= os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, 0o666)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        if isinstance(error, OSError) and error.errno == errno.ELOOP:
            reason = "a symbolic link; name the file itself"
        raise FileError(f"{path}: {reason}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileError(f"{path}: no regular file")
    return descriptor


def _check_name(file: BinaryIO, path: str) -> None:
    """A file that lost its name while we waited for its lock is nobody's sidecar any more."""
    if not os.path.samestat(os.fstat(file.fileno()), os.stat(path)):
        raise FileError(f"{path}: was replaced meanwhile", hint="try again")


def _foreign(path: str) -> FileError:
    return FileError(
        f"{path}: holds no record of ours", hint="name another file, or one that does not exist yet"
    )
