"""Starts what takes reports to a catalog on a server, so that others see a run at once.

A file needs none: who reads it takes the reports in first. What is started is a process in a
session of its own, with a low priority, no descriptor of ours and a time limit; nobody waits for
it. At most one is at work for a user and a machine. What it cannot deliver the next one does, or a
flush, or whoever reads the catalog.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from sifprov import livereports
from sifprov.settings import Settings

# The descriptors that a recorder or a helper works with (wrapper/recorder.py) are below.
_DESCRIPTORS = range(3, 16)
# Nothing from the current folder is imported.
_START = (
    "import sys; sys.path[:] = [p for p in sys.path if p]; "
    "from sifprov.__main__ import entry; entry()"
)


def ours() -> tuple[str, ...]:
    """Returns the command line of the `sifprov` that runs here."""
    return (sys.executable, "-c", _START)


class Messenger:
    """Delivers by the program `command`; for a catalog that is a file, or none, not at all."""

    def __init__(self, settings: Settings, command: Sequence[str]) -> None:
        place = settings.catalog
        is_wanted = bool(command) and place.startswith(("postgresql", "postgres"))
        self._command = (*command, "catalog", "deliver", "--background") if is_wanted else ()
        self._started: int | None = None

    def send(self) -> None:
        """Starts a delivery, unless one is at work. Raises nothing."""
        if not self._command:
            return
        with suppress(OSError):
            if self._started:
                os.waitpid(self._started, os.WNOHANG)
        with livereports.delivering() as is_free:
            # Who is at work looks once more, when it has let the lock go, for what came meanwhile.
            if not is_free:
                return
        with suppress(OSError, NotImplementedError):
            self._started = os.posix_spawn(
                self._command[0],
                self._command,
                os.environ,
                setsid=True,
                # The recorder ignores what ends others.
                setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
                setsigmask=(),
                file_actions=_files(),
            )


def _files() -> list[tuple[object, ...]]:
    null = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    return [*null, *((os.POSIX_SPAWN_CLOSE, number) for number in _DESCRIPTORS)]
