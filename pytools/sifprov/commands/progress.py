"""Progress of long work: on standard error, only on a terminal, gone when the work is done."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sifprov.terminal import printable


@contextmanager
def steps() -> Iterator[Callable[[str], None]]:
    """Yields a function that shows the step that is under way."""
    stream = sys.stderr
    if not stream.isatty():
        yield lambda text: None
        return

    shown = False

    def show(text: str) -> None:
        nonlocal shown
        shown = True
        # A line that wraps could not be taken back.
        room = shutil.get_terminal_size().columns - 3
        stream.write(f"\r\x1b[K{printable(text)[:room]} …")
        stream.flush()

    try:
        yield show
    finally:
        if shown:
            stream.write("\r\x1b[K")
            stream.flush()
