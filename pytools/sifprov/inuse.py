"""Who uses a container: processes, loop devices, and the runtimes' lock on a partition."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import iglob
from typing import BinaryIO

from sifprov.errors import FileError
from sifprov.sif.write import F_OFD_SETLK
from sifprov.survivors import lock_range, loops, process_name, who


def refuse_users(path: str) -> None:
    """Raises FileError when a loop device or another process holds the file.

    An ordinary user sees only their own processes; see `partition_lock` for the others'.
    """
    wanted = os.stat(path)
    for loop in loops(path):
        raise _in_use(path, who((loop,)))
    for folder in iglob("/proc/[0-9]*"):
        pid = int(folder.rpartition("/")[2])
        if pid != os.getpid() and _holds(folder, wanted):
            raise _in_use(path, f"process {pid} ({process_name(folder)})")


def _holds(folder: str, wanted: os.stat_result) -> bool:
    for names in ("fd", "map_files"):
        # What has ended meanwhile, or is another user's, cannot be looked into.
        with suppress(OSError):
            for name in os.listdir(f"{folder}/{names}"):
                with suppress(OSError):
                    if os.path.samestat(os.stat(f"{folder}/{names}/{name}"), wanted):
                        return True
    return False


@contextmanager
def partition_lock(file: BinaryIO, path: str, start: int, size: int) -> Iterator[None]:
    """Holds what the runtimes hold on a partition that they write: nobody can bind it meanwhile.

    They lock its bytes as POSIX does. Raises FileError when one of them is there.
    """
    try:
        fcntl.fcntl(file, F_OFD_SETLK, lock_range(fcntl.F_WRLCK, start, size))
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
        fcntl.fcntl(file, F_OFD_SETLK, lock_range(fcntl.F_UNLCK, start, size))


def _in_use(path: str, who: str) -> FileError:
    return FileError(f"{path}: {who} is using it", hint="try again when that has ended")
