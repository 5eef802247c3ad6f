"""Looks at a container now and then, in a thread beside the capture, and costs at most a hundredth
of a core.

It looks often at first, so that a run of a second has a few samples; then once an interval, which
doubles in a long run (series.py). A look that takes long makes the next one wait. When the first
process of the container ends, it looks once more, at once: until the runtime has ended too, what
that used can still be read.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from sifprov.model.telemetry import Telemetry
from sifprov.telemetry.series import Series
from sifprov.telemetry.view import View

# The first samples, in intervals since the first of all.
_FIRST = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
# Of a core, with room for what is not measured: waking up, and the start.
_SHARE = 0.008
_LEAST = 0.01
# How often the first process is looked for.
_FIRST_LOOK, _LAST_LOOK = 0.01, 1.0
# Seconds that the record waits for a look that goes on.
_PATIENCE = 5.0


class Sampler:
    """Measures one run, from when it is made until `stop`."""

    def __init__(
        self,
        find: Callable[[], int],
        parent: int,
        interval_us: int,
        began_ns: int,
        *,
        joined: bool = False,
    ) -> None:
        """`find` returns the first process of the container, 0 as long as there is none; `parent`
        started it. `began_ns` is the run's start, since 1970. `joined`: the container was there
        before, and runs others too."""
        self._find, self._parent, self._joined = find, parent, joined
        self._series = Series(interval_us)
        self._since = time.monotonic_ns() - (time.time_ns() - began_ns)
        self._spent = 0.0
        self._source = ""
        self._whose: str | None = None
        self._why = "the run ended before the first look"
        self._ended, self._end = os.pipe()
        self._thread = threading.Thread(target=self._guarded, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends it: the run has ended."""
        os.close(self._end)
        self._thread.join(_PATIENCE)

    def settle(self, totals: Mapping[str, int]) -> None:
        """Takes what was counted of the whole run, by column, once it was stopped. A control group
        counts more processes, and needs no such help."""
        if not self._thread.is_alive() and self._source == "/proc":
            self._series.settle(totals)

    def result(self) -> tuple[Telemetry | None, str]:
        """Returns what was measured, once it was stopped; else why there is nothing."""
        if self._thread.is_alive():
            return None, "the kernel took too long to tell"
        if not len(self._series):
            return None, self._why
        found = self._series.columns()
        return Telemetry(self._series.interval_us, self._source, self._whose, found), ""

    @property
    def cost_us(self) -> int:
        """The processor time that it took."""
        return round(self._spent * 1e6)

    def _guarded(self) -> None:
        try:
            self._run()
        except Exception as error:  # telemetry never costs a record
            self._why = f"measuring failed: {type(error).__name__}: {error}"
        self._spent = time.thread_time()
        os.close(self._ended)

    def _run(self) -> None:
        first = self._await()
        if not first:
            self._why = "the container's process was not seen"
            return
        handle = _handle(first)
        try:
            self._follow(View(first, self._parent, joined=self._joined), handle)
        finally:
            if handle is not None:
                os.close(handle)

    def _await(self) -> int:
        pause = _FIRST_LOOK
        while not (first := self._find()):
            if self._pause(pause):
                return 0
            pause = min(pause * 1.3, _LAST_LOOK)
        return first

    def _follow(self, view: View, handle: int | None) -> None:
        self._source, self._whose = view.source, view.whose
        waits = self._waits()
        over = False
        while not over:
            before = time.thread_time()
            values = view.read()
            if view.over:
                break
            self._add(values)
            spent = time.thread_time() - before
            over = self._pause(max(next(waits), spent / _SHARE, _LEAST), handle)
        if len(self._series):
            self._add(view.read_last())

    def _add(self, values: dict[str, int]) -> None:
        self._series.add((time.monotonic_ns() - self._since) // 1000, values)

    def _waits(self) -> Iterator[float]:
        """Yields how long to wait for the next sample, in seconds."""
        began = due = time.monotonic()
        for part in _FIRST:
            due = began + part * self._series.interval_us / 1e6
            yield due - time.monotonic()
        while True:
            # On the beat, however long a look took; what was missed is not made up for.
            due = max(due + self._series.interval_us / 1e6, time.monotonic())
            yield due - time.monotonic()

    def _pause(self, seconds: float, handle: int | None = None) -> bool:
        """Waits so long, or until the process behind the handle, or the run, has ended; returns
        whether one has."""
        waiting = select.poll()
        for descriptor in (self._ended, handle):
            if descriptor is not None:
                waiting.register(descriptor, select.POLLIN)
        return bool(waiting.poll(max(seconds, 0) * 1000))


def _handle(pid: int) -> int | None:
    """A handle that tells of a process's end; None where the kernel has no such thing (Linux before
    5.3), or it is gone."""
    with suppress(OSError, AttributeError):
        return os.pidfd_open(pid)
    return None
