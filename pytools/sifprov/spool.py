"""Where what could not be recorded waits: `~/.local/state/sifprov/spool/`, the user's own, mode
0700.

Two kinds of files (docs/formats.md): `UUID.record.json`, a finished record with its target, and
`UUID.request.jsonl`, a capture request that the plugin could not hand to the helper.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

from sifprov.errors import FileError, RecordError
from sifprov.model.canonical import dumps, loads, text_to_json
from sifprov.model.reader import Reader
from sifprov.model.record import Record

SCHEMA = "sifprov.spool/1"
_BELOW_HOME = (".local", "state", "sifprov", "spool")
RECORD, REQUEST = ".record.json", ".request.jsonl"
MAX_FILE = 16 * 1024 * 1024


@dataclass(frozen=True)
class Waiting:
    """One file of the spool; exactly one of `record` (for the container at `target`) and
    `request`."""

    path: str
    target: str | None = None
    record: Record | None = None
    request: tuple[bytes, bytes] | None = None


def folders() -> tuple[str, ...]:
    """Returns every folder where something of this user may wait.

    The plugin goes by the user's HOME; the helper, which has none, by the password database.
    """
    homes = [os.path.expanduser("~")]
    # A user may have no entry there, as in some containers.
    with contextlib.suppress(KeyError):
        homes.append(pwd.getpwuid(os.getuid()).pw_dir)
    return tuple(dict.fromkeys(os.path.join(home, *_BELOW_HOME) for home in homes))


def folder() -> str:
    """Returns the folder where this process keeps what it cannot deliver."""
    return folders()[0]


@contextmanager
def only_one() -> Iterator[None]:
    """Holds the spool's lock, so that two deliveries at once bring nothing twice."""
    where = folder()
    try:
        descriptor = os.open(where, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        yield  # no folder, nothing to deliver
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def save(target: str, record: Record) -> str:
    """Keeps a record for the container at `target`; returns the file's path. Raises FileError."""
    document = {"record": record.to_json(), "schema": SCHEMA, "target": text_to_json(target)}
    where = folder()
    path = os.path.join(where, f"{uuid4()}{RECORD}")
    try:
        os.makedirs(where, mode=0o700, exist_ok=True)
        _check_own(where)
        _write(path, dumps(document))
    except OSError as error:
        raise FileError(f"{path}: cannot keep the record: {error.strerror}") from error
    return path


def _check_own(where: str) -> None:
    status = os.lstat(where)
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o022:
        raise FileError(f"{where}: not a folder that only you can write to")


def _no_link(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _write(path: str, data: bytes) -> None:
    """Writes a file that is either there whole or not at all."""
    temporary = path + ".tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise


def waiting() -> Iterator[Waiting | FileError]:
    """Yields what waits, oldest first; a broken file comes as its error."""
    found: list[str] = []
    for where in folders():
        try:
            names = [n for n in os.listdir(where) if n.endswith((RECORD, REQUEST))]
            # Under sudo it may be another user's, whose files root would then follow.
            _check_own(where)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise FileError(f"{where}: {error.strerror}") from error
        found += [os.path.join(where, name) for name in names]
    for path in sorted(found, key=_age):
        try:
            yield _read(path)
        except FileNotFoundError:
            continue  # another flush was faster
        except (OSError, RecordError, FileError) as error:
            yield FileError(f"{path}: {error}", hint="look at it, then remove it by hand")


def _age(path: str) -> tuple[int, str]:
    try:
        return os.lstat(path).st_mtime_ns, path
    except OSError:
        return 0, path


def _read(path: str) -> Waiting:
    with open(path, "rb", opener=_no_link) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise FileError("no regular file")
        data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise FileError(f"more than {MAX_FILE} bytes")
    if path.endswith(REQUEST):
        first, _, second = data.partition(b"\n")
        return Waiting(path, request=(first, second))
    r = Reader(loads(data), "")
    r.word("schema", SCHEMA)
    return Waiting(path, target=r.text("target"), record=Record.from_json(r.json("record")))
