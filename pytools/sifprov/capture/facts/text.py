"""Reading a little text from wherever, bounded."""

from __future__ import annotations

import os

from sifprov.model.canonical import Json, text_to_json

MAX_TEXT = 1024


def read_text(path: str, limit: int) -> str:
    """Returns the first `limit` bytes of a file as text, empty where it cannot be read."""
    try:
        # O_NONBLOCK: a FIFO must not make us wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError):
        return ""
    try:
        return os.read(descriptor, limit).decode("utf-8", "replace")
    except OSError:
        return ""
    finally:
        os.close(descriptor)


def bounded(text: str) -> Json:
    """Returns a text as a record holds it, at most MAX_TEXT characters."""
    return text_to_json(text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…")
