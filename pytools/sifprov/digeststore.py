"""A small database of digests, the user's own: `~/.cache/sifprov/digests.sqlite`, mode 0600.

Nothing here ever fails for its user: what cannot be opened, locked, read or written within a short
time is as if nothing were stored. Every value carries a check of its own, so that damage to the
file gives no digest instead of a wrong one.
"""

from __future__ import annotations

import fcntl
import os
import stat
import threading
import time
from collections.abc import Callable, Mapping

from sifprov.hostfs import is_local
from sifprov.sha import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from typing import TypeVar

    _T = TypeVar("_T")
else:
    # `sqlite3` takes twice as long, to know of dates.
    import _sqlite3 as sqlite3

NAME = "digests.sqlite"
# How long to wait for another process that writes, in seconds.
_PATIENCE = 0.5
_PAGE = 4096
MAX_BYTES = 64 << 20
MAX_VALUE = 16 << 20
_CHECK = 16
# A value that was useful counts as used again after a day, so that reading seldom writes.
_DAY = 24 * 3600
# Of a damaged database even the complaint may be no text.
_BROKEN = (sqlite3.DatabaseError, ValueError, OverflowError)


class Store:
    """The database in the folder `folder`, which is made where it is not there.

    Several threads may use it."""

    def __init__(self, folder: str, *, patience: float = _PATIENCE) -> None:
        self._path = os.path.join(folder, NAME)
        self._folder = -1
        self._lock = threading.Lock()
        self._database: sqlite3.Connection | None = None
        try:
            self._open(folder, patience)
        except (OSError, sqlite3.OperationalError):
            self.close()
        except _BROKEN:
            self._remove()

    def _open(self, folder: str, patience: float) -> None:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._folder = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        status = os.fstat(self._folder)
        if status.st_uid != os.getuid() or status.st_mode & 0o022 or not is_local(folder):
            raise OSError("not a local folder that only its user can write to")
        # Held while the database is open: whoever removes a broken one wants it alone.
        fcntl.flock(self._folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(NAME, flags, 0o600, dir_fd=self._folder)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
                raise OSError("not a file of the user")
        finally:
            os.close(descriptor)
        self._database = base = sqlite3.connect(
            self._path, timeout=patience, isolation_level=None, check_same_thread=False
        )
        base.execute("PRAGMA trusted_schema = OFF")
        # What a power failure takes is only read again; what it damages is noticed.
        base.execute("PRAGMA synchronous = OFF")
        base.execute(f"PRAGMA max_page_count = {MAX_BYTES // _PAGE}")
        if not base.execute("SELECT 1 FROM sqlite_master WHERE name = 'entry'").fetchone():
            base.execute(
                "CREATE TABLE IF NOT EXISTS entry"
                " (key BLOB PRIMARY KEY, value BLOB NOT NULL, used INTEGER NOT NULL)"
            )

    @property
    def usable(self) -> bool:
        """Whether anything can be stored."""
        return self._database is not None

    def get(self, key: bytes) -> bytes | None:
        """Returns what was stored under `key`."""

        def read(base: sqlite3.Connection) -> bytes | None:
            query = "SELECT value, used FROM entry WHERE key = ? AND length(value) <= ?"
            row = base.execute(query, (key, MAX_VALUE + _CHECK)).fetchone()
            if row is None or not isinstance(row[0], bytes):
                return None
            check, value = row[0][:_CHECK], row[0][_CHECK:]
            if check != _check(key, value):
                return None
            if isinstance(row[1], int) and abs(row[1] - time.time()) > _DAY:
                base.execute("UPDATE entry SET used = ? WHERE key = ?", (int(time.time()), key))
            return value

        return self._do(read)

    def put(self, values: Mapping[bytes, bytes]) -> None:
        """Stores values by their keys, all or none."""
        now = int(time.time())
        rows = [
            (key, _check(key, value) + value, now)
            for key, value in values.items()
            if len(value) <= MAX_VALUE
        ]

        def write(base: sqlite3.Connection) -> None:
            base.execute("BEGIN IMMEDIATE")
            try:
                _make_room(base, sum(len(row[1]) for row in rows))
                base.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", rows)
                base.execute("COMMIT")
            except BaseException:
                if base.in_transaction:
                    base.execute("ROLLBACK")
                raise

        if rows:
            self._do(write)

    def _do(self, work: Callable[[sqlite3.Connection], _T]) -> _T | None:
        with self._lock:
            if self._database is None:
                return None
            try:
                return work(self._database)
            except sqlite3.OperationalError:
                return None  # locked, full, read-only
            except _BROKEN:
                self._remove()
                return None

    def _remove(self) -> None:
        """Removes a broken database with its journal, unless another process has it open."""
        if self._database:
            self._database.close()
            self._database = None
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for name in (NAME + "-journal", NAME):
                if os.path.lexists(os.path.join(os.path.dirname(self._path), name)):
                    os.unlink(name, dir_fd=self._folder)
        except OSError:
            pass  # the next one will
        self.close()

    def close(self) -> None:
        """Closes the database; afterwards nothing is stored."""
        if self._database:
            self._database.close()
            self._database = None
        if self._folder >= 0:
            os.close(self._folder)
            self._folder = -1


def _check(key: bytes, value: bytes) -> bytes:
    return sha256(key + value).digest()[:_CHECK]


def _make_room(base: sqlite3.Connection, wanted: int) -> None:
    """Removes what was not used for longest, until `wanted` bytes more fit well."""
    while True:
        (pages,) = base.execute("PRAGMA page_count").fetchone()
        (free,) = base.execute("PRAGMA freelist_count").fetchone()
        (count,) = base.execute("SELECT count(*) FROM entry").fetchone()
        if (pages - free) * _PAGE + wanted < MAX_BYTES * 3 // 4 or not count:
            return
        base.execute(
            "DELETE FROM entry WHERE key IN (SELECT key FROM entry ORDER BY used LIMIT ?)",
            (-(-count // 2),),
        )
