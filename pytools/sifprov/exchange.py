"""Puts a new file in the place of a container, in one step, when nobody has changed it meanwhile.

Whoever opened the old file before holds a file without a name then; see `_void`.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

from sifprov.errors import FileError
from sifprov.newfile import sync, sync_folder
from sifprov.sif import Descriptor
from sifprov.sif.format import HEADER_SIZE

_CHUNK = 1 << 20


def refuse_other_names(path: str, file: BinaryIO) -> os.stat_result:
    """Returns the file's status. Raises FileError where it has several names: the others would
    keep the old file."""
    before = os.fstat(file.fileno())
    if before.st_nlink > 1:
        raise FileError(
            f"{path}: it has {before.st_nlink} names (hard links), and only this one would grow",
            hint="remove the others, or grow a copy",
        )
    return before


def put_in_place(
    path: str,
    file: BinaryIO,
    before: os.stat_result,
    new: str,
    on_step: Callable[[str], None],
) -> None:
    """Gives the finished file `new` the owner, mode and name of the container at `path`.

    `file` is the container, locked, and `before` its status when the work began. Raises FileError,
    OSError.
    """
    real = os.path.realpath(path)
    on_step("keeping its owner and mode")
    _dress(path, before, real, new)
    sync(new)
    _check_untouched(path, real, before)
    on_step("giving it its name")
    os.rename(new, real)
    on_step("waiting for the disk")
    sync_folder(real)
    _void(file)


def object_digest(file: BinaryIO, item: Descriptor) -> bytes:
    """Returns the SHA-256 of an object's bytes, however many these are."""
    hasher, at = hashlib.sha256(), item.offset
    while data := os.pread(file.fileno(), min(_CHUNK, item.end - at), at):
        hasher.update(data)
        at += len(data)
    return hasher.digest()


def _dress(path: str, old: os.stat_result, real: str, new: str) -> None:
    """Gives the new file the old one's owner, mode and extended attributes."""
    made = os.stat(new)
    if (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
        try:
            os.chown(new, old.st_uid, old.st_gid)
        except PermissionError as error:
            raise FileError(
                f"{path}: belongs to {old.st_uid}:{old.st_gid}, which could not be kept",
                hint="let its owner grow it, or root",
            ) from error
    os.chmod(new, stat.S_IMODE(old.st_mode))
    # Some are the system's own, and some file systems have none.
    with suppress(OSError):
        for name in os.listxattr(real):
            with suppress(OSError):
                os.setxattr(new, name, os.getxattr(real, name))


def _check_untouched(path: str, real: str, before: os.stat_result) -> None:
    now = os.stat(real)
    fields = ("st_dev", "st_ino", "st_nlink", "st_size", "st_mtime_ns")
    if any(getattr(now, f) != getattr(before, f) for f in fields):
        raise FileError(f"{path}: somebody changed it meanwhile", hint="try again")


def _void(file: BinaryIO) -> None:
    """Lets an append that waits for the old file's lock fail, instead of writing into a file
    without a name: its record then goes to the spool."""
    if os.fstat(file.fileno()).st_nlink == 0:
        os.pwrite(file.fileno(), bytes(HEADER_SIZE), 0)
