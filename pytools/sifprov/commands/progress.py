"""Progress of long work: on standard error, only on a terminal, gone when the work is done."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Yields a function that shows the step that is under way."""
    stream = sys.stderr
    if not stream.isatty():
        yield lambda text: None
        return

    def show(text: str) -> None:
        stream.write(f"\r\x1b[K{text} …")
        stream.flush()

    try:
        yield show
    finally:
        stream.write("\r\x1b[K")
        stream.flush()
