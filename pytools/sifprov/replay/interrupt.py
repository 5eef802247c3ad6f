"""What ends us ends the applications first.

The first INT, TERM, HUP or QUIT is handed on to every runtime; those that have not ended ten
seconds later, or when a second one comes, are killed. Then we end as the signal asks.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

from sifprov.replay.process import Runtimes

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# Seconds: for runtimes to end by themselves, and then for what we are reading or writing.
_GRACE, _MORE = 10.0, 5.0


class Interrupts:
    """Takes these signals during the `with`, in the main thread; elsewhere they are others' to
    take. `number` is the one that came first, 0 for none."""

    def __init__(self, runtimes: Runtimes) -> None:
        self._runtimes = runtimes
        self._before: dict[int, object] = {}
        self._since = 0.0
        self._killed = False
        self.number = 0

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in _ENDING:
                # Who ignores one (nohup) goes on to.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(self, *problem: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def lost_patience(self) -> bool:
        """Kills what has not ended in time; returns whether there is nothing to wait for any
        more."""
        if not self.number:
            return False
        gone = time.monotonic() - self._since
        if gone > _GRACE and not self._killed:
            self._kill()
        return self._killed and gone > _GRACE + _MORE

    def leave(self) -> None:
        """Ends us when a signal has come: raises KeyboardInterrupt for INT, else SystemExit."""
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number:
            raise SystemExit(128 + self.number)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            self._kill()
            return
        self.number, self._since = number, time.monotonic()
        self._runtimes.signal(number)

    def _kill(self) -> None:
        self._killed = True
        self._since = min(self._since, time.monotonic() - _GRACE)
        self._runtimes.kill()
