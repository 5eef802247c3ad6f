"""SQLite below a catalog: a file of mode 0600, with a write-ahead log beside it.

A log needs memory that all who have the file open share, so on a file system that other machines
may reach there is none: there the journal is rolled back, every commit waits for the disk, and a
writer also holds a lock on `FILE.lock`.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from sifprov.catalog.place import missing
from sifprov.errors import FileError
from sifprov.hostfs import is_local

# The option of a connection whose transaction is to write.
WRITE = "sifprov_write"
_CACHE_KIB = 64 * 1024
_LOOK = 0.02


def prepare(path: str, *, create: bool) -> bool:
    """Makes the file and its folder where they are not there and `create` says so; returns whether
    other machines may open it. Raises MissingError, FileError."""
    folder = os.path.dirname(path)
    try:
        if create:
            os.makedirs(folder, mode=0o700, exist_ok=True)
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
        descriptor = os.open(path, flags | (os.O_CREAT if create else 0), 0o600)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise FileError(f"{path}: no regular file, so no catalog")
            head = os.read(descriptor, 16)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise missing(path) from None
    except OSError as error:
        raise FileError(f"{path}: cannot be opened: {error.strerror}") from error
    if head and head != b"SQLite format 3\0":
        raise FileError(f"{path}: this is no catalog", hint="name another file with --catalog")
    return not is_local(path)


def make_engine(
    path: str, patience: float, *, is_safe_mode: bool, read_only: bool = False
) -> Engine:
    """Returns an engine for the file at `path`."""

    def connect() -> sqlite3.Connection:
        mode = "ro" if read_only or not os.access(path, os.W_OK) else "rw"
        base = sqlite3.connect(
            f"file:{quote(path)}?mode={mode}", uri=True, timeout=patience, isolation_level=None,
            check_same_thread=False, cached_statements=256,
        )  # fmt: skip
        base.execute("PRAGMA trusted_schema = OFF")
        base.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        base.execute("PRAGMA temp_store = MEMORY")
        if read_only:
            base.execute("PRAGMA query_only = ON")
        elif mode == "rw":
            _set_journal(base, "DELETE" if is_safe_mode else "WAL")
            # Within a log, a power failure takes the last commits at most.
            base.execute(f"PRAGMA synchronous = {'FULL' if is_safe_mode else 'NORMAL'}")
        return base

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _set_journal(base: sqlite3.Connection, wanted: str) -> None:
    ((found,),) = base.execute("PRAGMA journal_mode").fetchall()
    if found.upper() != wanted:
        base.execute(f"PRAGMA journal_mode = {wanted}")


def _begin(connection: Connection) -> None:
    # Who reads first and writes then could find that another one has written meanwhile.
    options = connection.get_execution_options()
    if options.get("isolation_level") == "AUTOCOMMIT":
        return
    is_writer = options.get(WRITE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")


@contextmanager
def locked(path: str, patience: float, *, is_safe_mode: bool) -> Iterator[None]:
    """Holds the lock of writers on several machines, where there may be some."""
    if not is_safe_mode:
        yield
        return
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path + ".lock", flags, 0o600)
    except OSError as error:
        raise FileError(f"{path}.lock: cannot be opened: {error.strerror}") from error
    try:
        _wait(descriptor, path, patience)
        yield
    finally:
        os.close(descriptor)


def _wait(descriptor: int, path: str, patience: float) -> None:
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if time.monotonic() > end:
                raise FileError(
                    f"{path}: another process is writing into the catalog ({error.strerror})",
                    hint="try again",
                ) from error
        time.sleep(_LOOK)


@contextmanager
def first(path: str) -> Iterator[bool]:
    """Yields whether no other index has this catalog open."""
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path + ".index", flags, 0o600)
    except OSError:
        yield True
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
    finally:
        os.close(descriptor)
