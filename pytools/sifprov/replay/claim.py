"""Takes a work folder, `.NEW.sif.parts/`, for one replay: its `plan.json` is locked and says which.

    {"schema": "sifprov.replay-work/1", "plan": {…}}    canonical JSON; empty for a moment only

The folder is its owner's alone. Another user's, a link, and one that belongs to another replay are
left as they are.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from contextlib import suppress

from sifprov.errors import FileError
from sifprov.model.canonical import Json, dumps

PLAN = "plan.json"
SCHEMA = "sifprov.replay-work/1"
# More than a plan's key has; what is larger is none.
_MOST = 16 << 20


class TakenError(FileError):
    """The folder belongs to another replay, or one that is at work."""


class Claim:
    """A folder that is ours until `release`. `fresh`: nothing was done in it before."""

    def __init__(self, folder: str, lock: int, fresh: bool) -> None:
        self.folder, self.fresh = folder, fresh
        self._lock = lock

    def release(self) -> None:
        """Lets others have it."""
        os.close(self._lock)


def claim(folder: str, key: Json, *, make: bool = True) -> Claim | None:
    """Takes the folder for the replay that `key` tells, and makes it unless `make` is False; None
    where there is none then. Raises TakenError, FileError."""
    document = _document(key)
    made = False
    if make:
        try:
            os.mkdir(folder, 0o700)
            made = True
        except FileExistsError:
            pass
        except OSError as error:
            raise FileError(f"{folder}: {error.strerror}") from error
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        if make:  # somebody has just finished with it
            return claim(folder, key)
        return None
    except OSError as error:
        raise _not_ours(folder, "it is no folder", made) from error
    try:
        status = os.fstat(opened)
        if status.st_uid != os.geteuid():
            raise _not_ours(folder, "it is another user's", made)
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise _not_ours(folder, "others may look into it or write there", made)
        lock = _locked(folder, opened, made)
        try:
            return _fitting(folder, opened, lock, document)
        except BaseException:
            os.close(lock)
            raise
    finally:
        os.close(opened)


def is_of(folder: str, key: Json) -> bool:
    """Whether the folder was left by the replay that `key` tells. Takes nothing."""
    try:
        lock = os.open(os.path.join(folder, PLAN), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        return os.pread(lock, _MOST, 0) == _document(key)
    except OSError:
        return False
    finally:
        os.close(lock)


def _document(key: Json) -> bytes:
    return dumps({"plan": key, "schema": SCHEMA})


def _locked(folder: str, opened: int, made: bool) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        lock = os.open(PLAN, flags, 0o600, dir_fd=opened)
    except OSError as error:
        raise _not_ours(folder, f"{PLAN}: {error.strerror}", made) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        there = os.stat(PLAN, dir_fd=opened, follow_symlinks=False)
        if not (os.path.samestat(there, os.fstat(lock)) and stat.S_ISREG(there.st_mode)):
            raise FileNotFoundError(errno.ENOENT, "it is being removed")
        return lock
    except OSError as error:
        os.close(lock)
        if error.errno not in (errno.EAGAIN, errno.EACCES, errno.ENOENT):
            raise _not_ours(folder, f"{PLAN}: {error.strerror}", made) from error
        raise TakenError(
            f"{folder}: another rerun is at work in it", hint="wait for it, or name another --into"
        ) from error


def _fitting(folder: str, opened: int, lock: int, document: bytes) -> Claim:
    written = os.pread(lock, _MOST, 0)
    if written == document:
        return Claim(folder, lock, fresh=False)
    if written or set(os.listdir(opened)) != {PLAN}:
        raise TakenError(
            f"{folder}: holds what another replay has left",
            hint="name another --into, or remove that folder",
        )
    try:
        os.write(lock, document)
        os.fsync(lock)
    except OSError as error:
        with suppress(OSError):
            os.ftruncate(lock, 0)
        raise FileError(f"{folder}: {error.strerror}") from error
    return Claim(folder, lock, fresh=True)


def _not_ours(folder: str, why: str, made: bool) -> FileError:
    """The error for a folder that cannot be used; where we have `made` it just now, no other name
    beside it would be better."""
    if not made:
        return TakenError(f"{folder}: {why}", hint="name another --into, or remove it")
    with suppress(OSError):
        os.rmdir(folder)
    return FileError(f"{folder}: {why}", hint="name an --into on another file system")
