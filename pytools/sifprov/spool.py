"""Where what could not be recorded waits: `~/.local/state/sifprov/spool/`, the user's own, mode
0700.

Which kinds of files wait there says `waiting.py`. Where no such folder takes a file it goes beside
the output, as `.sifprov-UUID.record.json`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from uuid import uuid4

from sifprov.embedded import Lineage
from sifprov.errors import FileError, RecordError
from sifprov.model.canonical import Json, dumps, loads, text_to_json
from sifprov.model.record import Record
from sifprov.model.request import parse_request
from sifprov.placement import CONTAINER, same_run
from sifprov.room import MAX_RECORD
from sifprov.userstate import check_own, state_folders, write_whole
from sifprov.waiting import (
    MAX_FILE,
    PREFIX,
    RECORD,
    REQUEST,
    SCHEMA,
    STARTED,
    Waiting,
    names,
    no_link,
    read_all,
)

__all__ = [
    "PREFIX",
    "RECORD",
    "REQUEST",
    "Waiting",
    "count",
    "folder",
    "folders",
    "save",
    "waiting",
]

_LOCK = ".lock"
_UNFINISHED = (".tmp", ".part")
_DAY_NS = 24 * 3600 * 10**9


def folders() -> tuple[str, ...]:
    """Returns every folder where something of this user may wait, the preferred one first."""
    return state_folders("spool")


def folder() -> str:
    """Returns the folder where this process keeps what it cannot deliver."""
    return next(iter(folders()), "/")


def how_to_flush(path: str) -> str:
    """Returns the words that say how the waiting file at `path` is delivered."""
    where = os.path.dirname(path)
    if where in folders():
        return "'sifprov flush' delivers it"
    import shlex  # rarely needed

    return f"'sifprov flush --search {shlex.quote(where)}' delivers it"


@contextmanager
def only_one() -> Iterator[None]:
    """Holds the spool's lock, so that two deliveries at once do not do the work twice.

    Where there are no locks, as on some network file systems, it goes on without: a delivery is
    safe by itself, for it looks into the container, under that one's lock, before it appends.
    """
    path = os.path.join(folder(), _LOCK)
    try:
        # A file, not the folder: over NFS only what is open for writing can be locked.
        descriptor = no_link(path, os.O_RDWR | os.O_CREAT)
    except OSError:
        yield  # no folder, nothing to deliver
        return
    try:
        with contextlib.suppress(OSError):
            fcntl.lockf(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def save(
    target: str,
    record: Record,
    *,
    kind: str = CONTAINER,
    reason: str | None = None,
    near: str | None = None,
    lineage: Lineage | None = None,
) -> str:
    """Keeps a record for the place at `target`; returns the file's path.

    It is written once: where a record of the same run for the same place waits, that one's path is
    returned. `near` is a folder to try when no spool takes it. What the record is to embed of
    `lineage` is kept too, for its inputs may be gone when it is delivered. Raises FileError.
    """
    embedded = _kept(lineage)
    document: dict[str, Json] = {
        **({"lineage": embedded} if embedded else {}),
        "kind": kind,
        "reason": None if reason is None else text_to_json(reason),
        "record": record.to_json(),
        "schema": SCHEMA,
        "target": text_to_json(target),
    }
    return _keep(dumps(document), RECORD, near, already=lambda where: _same(where, target, record))


def _kept(lineage: Lineage | None) -> list[Json]:
    """The objects of lineage, the nearest ancestors' first, as far as a file may be that large."""
    found: list[Json] = []
    room = MAX_FILE - MAX_RECORD
    for data in lineage.objects() if lineage else ():
        room -= len(data)
        if room < 0:
            break
        found.append(loads(data))
    return found


def save_request(lines: bytes, near: str | None = None) -> str:
    """Keeps a capture request, its first and its last line; returns the file's path.

    `near` is a folder to try when no spool takes it. Raises FileError.
    """
    return _keep(lines, REQUEST, near, lambda where: None)


@contextmanager
def journaled(line: bytes) -> Iterator[None]:
    """Keeps a request's first line while its run goes on.

    When everything that knows of the run is killed at once, as batch systems do, the file is left,
    and a flush makes a record of it. A lock on it tells that the run goes on; where there are no
    locks nothing is kept, and neither is where nothing can be written.
    """
    path = os.path.join(folder(), f"{uuid4()}{STARTED}")
    descriptor = -1
    try:
        os.makedirs(folder(), mode=0o700, exist_ok=True)
        check_own(folder())
        descriptor = no_link(path + ".part", os.O_RDWR | os.O_CREAT | os.O_EXCL)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.write(descriptor, line)
        os.fsync(descriptor)
        os.rename(path + ".part", path)
    except (OSError, FileError):
        path += ".part"
    try:
        yield
    finally:
        if descriptor >= 0:
            with contextlib.suppress(OSError):
                os.unlink(path)
            os.close(descriptor)


def _keep(data: bytes, suffix: str, near: str | None, already: Callable[[str], str | None]) -> str:
    """Writes a file into the first place that takes it; `already` names one that is there."""
    name = f"{uuid4()}{suffix}"
    places = [(where, name) for where in folders()]
    places += [(near, PREFIX + name)] if near else []
    problems = []
    for where, name in places:
        path = os.path.join(where, name)
        try:
            if where != near:
                os.makedirs(where, mode=0o700, exist_ok=True)
                check_own(where)
                found = already(where)
                if found:
                    return found
            write_whole(path, data)
        except OSError as error:
            problems.append(f"{where}: {error.strerror}")
        except FileError as error:
            problems.append(str(error))
        else:
            return path
    raise FileError("the record cannot be kept either: " + "; ".join(problems))


def _same(where: str, target: str, record: Record) -> str | None:
    """Returns the file that keeps a record of this run already, as after a helper was killed."""
    for item in read_all(os.path.join(where, name) for name in names(where)):
        if isinstance(item, FileError) or item.target != target or not item.record:
            continue
        if same_run(item.record, record):
            return item.path
    return None


def waiting(search: Iterable[str] = ()) -> Iterator[Waiting | FileError]:
    """Yields what waits in the spool, and in the folders `search` outside of it, oldest first; a
    broken file comes as its error."""
    found: list[str] = []
    for where in folders():
        try:
            here = names(where)
            # Under sudo it may be another user's, whose files root would then follow.
            check_own(where)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise FileError(f"{where}: {error.strerror}") from error
        found += [os.path.join(where, name) for name in here]
    for where in search:
        try:
            here = [n for n in names(where) if n.startswith(PREFIX)]
        except OSError as error:
            raise FileError(f"{where}: {error.strerror}") from error
        paths = [os.path.join(os.path.abspath(where), name) for name in here]
        found += [path for path in paths if _is_own(path)]
    yield from read_all(dict.fromkeys(found))


def count() -> int:
    """Returns how many records and requests wait in the spool. Raises FileError."""
    return sum(1 for _ in waiting())


def ids() -> Iterator[str]:
    """Yields the ids that the records which wait have, or will have. Raises FileError."""
    for item in waiting():
        if isinstance(item, FileError):
            continue
        if item.record:
            yield str(item.record.id)
        elif item.request:
            with contextlib.suppress(RecordError):
                found = parse_request(item.request[0]).id
                if found:
                    yield str(found)


def clean() -> None:
    """Removes what a crash left of files that were never finished."""
    for where in folders():
        with contextlib.suppress(OSError, FileError):
            check_own(where)
            with os.scandir(where) as entries:
                old = [e for e in entries if e.name.endswith(_UNFINISHED)]
            for entry in old:
                if time.time_ns() - entry.stat(follow_symlinks=False).st_mtime_ns > _DAY_NS:
                    os.unlink(entry.path)


def _is_own(path: str) -> bool:
    try:
        return os.lstat(path).st_uid == os.getuid()
    except OSError:
        return False
