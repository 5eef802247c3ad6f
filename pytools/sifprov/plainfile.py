"""Reads a file of a bounded size as a whole."""

from __future__ import annotations

import os

from sifprov.errors import FileError


def read_plain(path: str | os.PathLike[str], limit: int, what: str) -> bytes:
    """Returns the content of a file that can be at most `limit` bytes long; a larger one is no
    `what`. Raises FileError, which names the file."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            data = file.read(limit + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise FileError(f"{path}: {reason}") from error
    if len(data) > limit:
        raise FileError(f"{path}: larger than {limit} bytes: this is no {what}")
    return data


def _without_waiting(path: str, flags: int) -> int:
    # A FIFO is opened at once, and is empty.
    return os.open(path, flags | os.O_NONBLOCK)
