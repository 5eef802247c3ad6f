"""A run that goes on: waiting for what it prints, looking at its processes, sending signals."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.real.harness import descendants, words_of

PATIENCE = 60.0


class Live:
    """A started program. `seen` is what was read of its standard output so far; `notes` what
    a case wants compared."""

    def __init__(self, process: subprocess.Popen[bytes], name: str) -> None:
        self.process = process
        self.name = name
        self.seen = b""
        self.notes: list[str] = []
        self._watched: list[int] = []

    @property
    def pid(self) -> int:
        return self.process.pid

    def until(self, text: bytes) -> bytes:
        """Reads standard output until it holds `text`; returns the last whole line."""
        assert self.process.stdout
        descriptor = self.process.stdout.fileno()
        deadline = time.monotonic() + PATIENCE
        while text not in self.seen or not self.seen.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise TimeoutError(f"no {text!r} within {PATIENCE:g} s")
            piece = os.read(descriptor, 65536)
            if not piece:
                raise EOFError(f"ended without {text!r}")
            self.seen += piece
        return self.seen.splitlines()[-1]

    def ready(self) -> int:
        """Waits for the line `ready PID`, which is then left out; returns the application's id."""
        number = int(self.until(b"ready ").split()[-1])
        self.seen = self.seen.rpartition(b"ready ")[0]
        self._watched += [os.pidfd_open(pid) for pid in (number, *self._drivers())]
        return number

    def _drivers(self) -> list[int]:
        """The drivers of mounted images, which stay when a kill takes everything else."""
        found = []
        for pid in self.below():
            with contextlib.suppress(OSError):
                name = Path(f"/proc/{pid}/comm").read_text()
                found += [pid] if name.startswith(("fuse2fs", "squashfuse")) else []
        return found

    def asleep(self) -> int:
        """`ready`, and then waits until the application's shell has become `sleep`: a signal on the
        way there may be lost, with us or without."""
        number = self.ready()
        assert self.wait(lambda: words_of(number)[:1] == [b"sleep"])
        return number

    def wait(self, what: Callable[[], bool], limit: float = PATIENCE) -> bool:
        """Waits until something is so; False when it does not come to pass."""
        deadline = time.monotonic() + limit
        while not what():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def state(self, pid: int) -> str:
        """The kernel's letter for a process: R, S, T, Z …; X when it is gone."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return "X"
        return text.rpartition(")")[2].split()[0]

    def is_in(self, pid: int, states: str) -> bool:
        return self.wait(lambda: self.state(pid) in states)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def below(self) -> list[int]:
        return descendants(self.pid)

    def end(self) -> None:
        """Ends what a case left running on purpose."""
        while self._watched:
            descriptor = self._watched.pop()
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)
