"""Progress of a program that does not tell: how much of its file it has written."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_INTERVAL = 0.5


@contextmanager
def watched(path: str, expected: int, text: str, on_step: Callable[[str], None]) -> Iterator[None]:
    """Shows `text`, and then which part of the `expected` bytes the file already takes on disk."""
    on_step(text)
    done = threading.Event()

    def watch() -> None:
        while not done.wait(_INTERVAL):
            part = min(os.stat(path).st_blocks * 512 / expected, 0.99) if expected else 0
            on_step(f"{text} ({part:.0%})")

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
