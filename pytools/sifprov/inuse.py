"""Who uses a container: processes, loop devices, and the runtimes' lock on a partition."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import iglob
from typing import BinaryIO

from sifprov.errors import FileError
from sifprov.sif.write import F_OFD_SETLK
from sifprov.survivors import loops

_F_OFD_GETLK = 36  # <asm-generic/fcntl.h>


def refuse_users(path: str) -> None:
    """Raises FileError when a loop device or another process holds the file.

    An ordinary user sees only their own processes; see `partition_lock` for the others'.
    """
    wanted = os.stat(path)
    for loop in loops(path):
        raise _in_use(path, f"/dev/{loop.name}")
    for folder in iglob("/proc/[0-9]*"):
        pid = int(folder.rpartition("/")[2])
        if pid != os.getpid() and _holds(folder, wanted):
            raise _in_use(path, f"process {pid} ({_name(folder)})")


def _holds(folder: str, wanted: os.stat_result) -> bool:
    for names in ("fd", "map_files"):
        # What has ended meanwhile, or is another user's, cannot be looked into.
        with suppress(OSError):
            for name in os.listdir(f"{folder}/{names}"):
                with suppress(OSError):
                    if os.path.samestat(os.stat(f"{folder}/{names}/{name}"), wanted):
                        return True
    return False


def _name(folder: str) -> str:
    with suppress(OSError), open(f"{folder}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
    return "ended"


def is_locked(path: str, start: int, size: int) -> bool:
    """Whether a runtime has the partition of the file at `path` open for writing: it then locks
    its bytes. Raises OSError only where the file cannot be opened."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks
            found = fcntl.fcntl(descriptor, _F_OFD_GETLK, _lock(fcntl.F_RDLCK, start, size))
            return bool(struct.unpack_from("h", found)[0] != fcntl.F_UNLCK)
    finally:
        os.close(descriptor)
    return False


@contextmanager
def partition_lock(file: BinaryIO, path: str, start: int, size: int) -> Iterator[None]:
    """Holds what the runtimes hold on a partition that they write: nobody can bind it meanwhile.

    They lock its bytes as POSIX does. Raises FileError when one of them is there.
    """
    try:
        fcntl.fcntl(file, F_OFD_SETLK, _lock(fcntl.F_WRLCK, start, size))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise _in_use(path, "a run") from error
        raise FileError(
            f"{path}: this file system does not support locks ({error.strerror})",
            hint="move the container to a file system with locks, such as a local disk",
        ) from error
    try:
        yield
    finally:
        fcntl.fcntl(file, F_OFD_SETLK, _lock(fcntl.F_UNLCK, start, size))


def _lock(kind: int, start: int, size: int) -> bytes:
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, start, size, 0)


def _in_use(path: str, who: str) -> FileError:
    return FileError(f"{path}: {who} is using it", hint="try again when that has ended")
