"""Copies ranges of files; what is zero stays a hole, or becomes one."""

from __future__ import annotations

import os

_CHUNK = 1 << 20
_PIECE = 64 * 1024
_ZEROS = bytes(_PIECE)
_FORGET = 64 << 20  # what is larger takes too long to read again
_PUNCH_HOLE = 0x1 | 0x2  # FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE


def copy_range(source: int, start: int, length: int, target: int, at: int) -> None:
    """Copies `length` bytes from `start` of an open file to `at` of a new one, where holes are.

    Raises OSError, EOFError when the source ends before.
    """
    end = start + length
    if os.fstat(source).st_size < end:
        raise EOFError("the file ends before")
    if os.fstat(target).st_size < at + length:
        os.ftruncate(target, at + length)
    position = start
    while position < end:
        try:
            position = os.lseek(source, position, os.SEEK_DATA)
            stop = min(os.lseek(source, position, os.SEEK_HOLE), end)
        except OSError:  # ENXIO: no data any more
            break
        while position < stop:
            data = os.pread(source, min(_CHUNK, stop - position), position)
            if not data:
                raise EOFError("the file became shorter")
            _write(target, data, at + position - start)
            position += len(data)


def _write(target: int, data: bytes, at: int) -> None:
    for offset in range(0, len(data), _PIECE):
        piece = memoryview(data)[offset : offset + _PIECE]
        if piece != _ZEROS[: len(piece)]:
            done = 0
            while done < len(piece):
                done += os.pwrite(target, piece[done:], at + offset + done)


def allocated(file: int, start: int, length: int) -> int:
    """Returns how many of the `length` bytes from `start` are no hole."""
    end, position, total = start + length, start, 0
    while position < end:
        try:
            position = os.lseek(file, position, os.SEEK_DATA)
            stop = min(os.lseek(file, position, os.SEEK_HOLE), end)
        except OSError:
            break
        total += max(stop - position, 0)
        position = stop
    return total


def release(file: int, start: int, length: int) -> None:
    """Gives back the room of what was reserved among the `length` bytes from `start`, but never
    written. No byte changes; where the file system cannot do it, nothing happens."""
    import ctypes  # only whom it serves pays for it

    libc = ctypes.CDLL(None, use_errno=True)
    punch = getattr(libc, "fallocate64", None) or getattr(libc, "fallocate", None)
    if punch is None:
        return
    if length <= _FORGET:
        # What a reader has cached of it would count as written.
        os.posix_fadvise(file, start, length, os.POSIX_FADV_DONTNEED)
    punch.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    end, position = start + length, start
    while position < end:
        try:
            # What was reserved and not written counts as a hole here.
            hole = os.lseek(file, position, os.SEEK_HOLE)
            position = os.lseek(file, hole, os.SEEK_DATA)
        except OSError:  # ENXIO: no data any more
            position = end
        stop = min(position, end)
        if hole < stop and punch(file, _PUNCH_HOLE, hole, stop - hole):
            break
