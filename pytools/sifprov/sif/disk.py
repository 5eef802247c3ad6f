"""The writes that change a SIF, behind a protocol."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


class Disk(Protocol):
    """What an append does to a file, so that a test can record it or let it fail."""

    def pwrite(self, data: bytes, offset: int) -> None:
        """Writes all of `data` at `offset`."""

    def sync(self) -> None:
        """Returns when everything written before is on the disk; raises OSError otherwise."""

    def truncate(self, size: int) -> None:
        """Cuts or extends the file."""


class FileDisk:
    """`Disk` on an open file."""

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor

    def pwrite(self, data: bytes, offset: int) -> None:
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            view, offset = view[written:], offset + written

    def sync(self) -> None:
        os.fdatasync(self._fd)

    def truncate(self, size: int) -> None:
        os.ftruncate(self._fd, size)


def write_behind(disk: Disk, data: bytes, offset: int, size: int) -> None:
    """Writes data that nothing refers to yet behind a file of `size` bytes, and syncs it.

    When that fails, a full disk gets its space back.
    """
    try:
        disk.pwrite(data, offset)
        disk.sync()
    except OSError:
        disk.truncate(size)
        raise
