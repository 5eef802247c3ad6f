"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import errno
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sifprov.errors import FileError


@contextmanager
def new_file(path: str) -> Iterator[str]:
    """Yields a temporary file beside `path` that takes its name when all went well, else is
    removed. Never replaces another file. Raises FileError."""
    if os.path.lexists(path):
        raise _exists(path)
    with scratch_beside(path) as temporary:
        try:
            yield temporary
            _publish(temporary, path)
        except OSError as error:
            raise FileError(f"{path}: {error.strerror or error}") from error


@contextmanager
def scratch_beside(path: str, mode: int = 0o666) -> Iterator[str]:
    """Yields a new, empty file in the folder of `path`, and removes whatever then has its name."""
    folder, name = os.path.split(os.path.abspath(path))
    # A name may have 255 bytes, and this one is longer than the file's.
    short = os.fsdecode(os.fsencode(name)[:200])
    temporary = os.path.join(folder, f".{short}.{secrets.token_hex(4)}.part")
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    try:
        yield temporary
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


def _publish(temporary: str, path: str) -> None:
    """Gives a finished file its name, never replacing another one, and waits until it is on the
    disk."""
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
