"""A new file that appears under its name when it is whole, and never replaces another."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from sifprov.errors import FileError


@contextmanager
def new_file(path: str) -> Iterator[str]:
    """Yields a temporary file beside `path` that takes its name when all went well, else is
    removed."""
    folder, name = os.path.split(os.path.abspath(path))
    temporary = os.path.join(folder, f".{name}.{secrets.token_hex(4)}.part")
    if os.path.lexists(path):
        raise _exists(path)
    try:
        os.close(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    try:
        yield temporary
        _publish(temporary, path, folder)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror or error}") from error
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


def _publish(temporary: str, path: str, folder: str) -> None:
    """Gives a finished file its name, never replacing another one, and waits until it is on the
    disk."""
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
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
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exists(path: str) -> FileError:
    return FileError(f"{path}: exists already", hint="choose another name, or remove it first")
