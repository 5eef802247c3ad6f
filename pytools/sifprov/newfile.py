"""Files that appear under their name only when they are whole.

Until then they are called `.NAME.HOST.RANDOM.sifprov-part` and locked by their maker. What a maker
that was killed has left behind is removed by the next one in the same folder: only files of
this user with such a name, whose lock nobody holds. A lock may not reach other hosts, so one
of theirs must also be a week old.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import stat
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from zlib import crc32

from sifprov.errors import FileError

_SUFFIX = ".sifprov-part"
_LEFTOVER = r"(?s)\..+\.[0-9a-f]{8}\.[0-9a-f]{8}" + re.escape(_SUFFIX)
_WEEK = 7 * 24 * 3600
# <asm-generic/fcntl.h>; Python's fcntl module names it from 3.9 on where libc does.
_F_OFD_SETLK = getattr(fcntl, "F_OFD_SETLK", 37)


@contextmanager
def new_file(path: str) -> Iterator[str]:
    """Yields a temporary file beside `path` that takes its name when all went well, else is
    removed. Never replaces another file. Raises FileError."""
    if os.path.lexists(path):
        raise _exists(path)
    with scratch_beside(path) as temporary:
        try:
            yield temporary
            publish(temporary, path)
        except OSError as error:
            raise FileError(f"{path}: {error.strerror or error}") from error


@contextmanager
def scratch_beside(path: str, mode: int = 0o666) -> Iterator[str]:
    """Yields a new, empty file in the folder of `path`, and removes whatever then has its name.

    Removes what makers that were killed have left there. Raises FileError.
    """
    folder, name = os.path.split(os.path.abspath(path))
    remove_leftovers(folder)
    try:
        temporary, descriptor = _make_locked(folder, name, mode)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    try:
        yield temporary
    finally:
        # The lock goes last: nobody else is to remove it meanwhile, or to take it for a leftover.
        try:
            if os.path.lexists(temporary):
                os.unlink(temporary)
        finally:
            os.close(descriptor)


def _make_locked(folder: str, name: str, mode: int) -> tuple[str, int]:
    # A name may have 255 bytes, and this one is longer than the file's.
    short = os.fsdecode(os.fsencode(name)[:200])
    while True:
        temporary = os.path.join(folder, f".{short}.{_host()}.{os.urandom(4).hex()}{_SUFFIX}")
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, mode)
        try:
            # Without locks nobody will take it for a leftover. Before we had it, somebody may have.
            if _lock(descriptor) is None or _is_still(temporary, descriptor):
                return temporary, descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def remove_leftovers(folder: str) -> None:
    """Removes the unfinished files in a folder whose makers are no more. What cannot be removed
    stays; nothing is raised."""
    with suppress(OSError), os.scandir(folder) as entries:
        for path in [e.path for e in entries if re.fullmatch(_LEFTOVER, e.name)]:
            with suppress(OSError):
                _remove_leftover(path)


def _remove_leftover(path: str) -> None:
    # It is opened for writing, as a lock demands, and never written to.
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = os.open(path, flags)
    try:
        status = os.fstat(descriptor)
        ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
        here = path.split(".")[-3] == _host()
        old = time.time() - max(status.st_mtime, status.st_ctime) > _WEEK
        if ours and (here or old) and _lock(descriptor) and _is_still(path, descriptor):
            os.unlink(path)
    finally:
        os.close(descriptor)


def _is_still(path: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lock(descriptor: int) -> bool | None:
    """Whether the file is locked now, by us: until it is closed. None where there are no locks."""
    # Far behind everything: the append lock and the runtimes' are on other bytes. An open-file-
    # description lock, so that closing the file elsewhere in this process does not drop it.
    wanted = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 1 << 62, 1, 0)
    try:
        fcntl.fcntl(descriptor, _F_OFD_SETLK, wanted)
    except OSError as error:
        return False if error.errno in (errno.EAGAIN, errno.EACCES) else None
    return True


def _host() -> str:
    return f"{crc32(os.fsencode(os.uname().nodename)):08x}"


def publish(temporary: str, path: str) -> None:
    """Gives a finished file its name, never replacing another one, and waits until it is on the
    disk. The old name may stay. Raises FileError where the new one is taken, OSError."""
    sync(temporary)
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        # A file system without hard links: a name that appears just now could be replaced.
        if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
            raise
        if os.path.lexists(path):
            raise _exists(path) from None
        os.rename(temporary, path)
    sync_folder(path)


def sync(path: str) -> None:
    """Returns when the file is on the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def syncing(path: str) -> Iterator[None]:
    """Lets the disk write the file during the `with`; afterwards it has. Raises OSError."""
    failed: list[OSError] = []

    def work() -> None:
        try:
            sync(path)
        except OSError as error:
            # The kernel tells of a failed write only once: it must not be lost.
            failed.append(error)

    # A daemon: whoever interrupts the program does not wait for the disk.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    thread.join()
    if failed:
        raise failed[0]


def sync_folder(path: str) -> None:
    """Returns when the name `path` is on the disk. Raises OSError."""
    sync(os.path.dirname(os.path.abspath(path)))


def _exists(path: str) -> FileError:
    return FileError(f"{path}: exists already", hint="choose another name, or remove it first")
