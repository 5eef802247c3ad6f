"""The runtime of one step: started in a session of its own, followed by a thread, ended by signals.

A terminal's ^C reaches our process group and not the runtimes', so each of them gets what ends us
just once: from us (`Runtimes.signal`).
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from sifprov.errors import MissingError
from sifprov.frozen import dataclass
from sifprov.wrapper.starts import Starts
from sifprov.wrapper.supervise import Ended

# How often the process table is looked at, in seconds: quickly at first, then ever less.
_FIRST_LOOK, _LAST_LOOK = 0.02, 1.0
# A shell, for it starts in a millisecond. Each line that it reads names all groups that run; the
# end of the input without an empty line before it means that we were killed. A runtime that is
# killed may leave its drivers behind, so it is asked first.
_GUARD = """
while read -r line; do g=$line; done
for p in $g; do kill -s TERM -- "$p"; done
n=0
while [ -n "$g" ] && [ $n -lt 100 ]; do
    sleep 0.1
    n=$((n + 1)) all=$g g=
    for p in $all; do kill -s 0 -- "$p" && g="$g $p"; done
done
for p in $g; do kill -s KILL -- "$p"; done
"""


@dataclass(frozen=True)
class Streams:
    """What an application reads and writes, as descriptors; None for ours."""

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None


class Runtimes:
    """The runtimes that are running. When we are killed, they are."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pids: set[int] = set()
        self._guard: subprocess.Popen[bytes] | None = None
        self.stopped: int | None = None

    def start(
        self, argv: Sequence[str], cwd: str, environ: Mapping[str, str], streams: Streams
    ) -> Running:
        """Starts a runtime. Raises MissingError where it cannot be started."""
        sys.stdout.flush()
        starts = Starts(knock=False)
        try:
            with self._lock:
                process = subprocess.Popen(
                    argv,
                    cwd=cwd,
                    env=dict(environ),
                    stdin=streams.stdin,
                    stdout=streams.stdout,
                    stderr=streams.stderr,
                    start_new_session=True,
                )
                self._pids.add(process.pid)
                self._tell()
        except OSError as error:
            starts.close()
            raise MissingError(f"{argv[0]}: {error.strerror}") from error
        starts.began(process.pid, process.pid)
        if self.stopped is not None:
            _send(process.pid, self.stopped)
        return Running(process, starts, self)

    def ended(self, pid: int) -> None:
        """A runtime has ended."""
        with self._lock:
            self._pids.discard(pid)
            self._tell()

    def signal(self, number: int) -> None:
        """Hands a signal on to all that run, and to what still begins."""
        self.stopped = number
        for pid in tuple(self._pids):
            _send(pid, number)

    def kill(self) -> None:
        """Ends all that run."""
        for pid in tuple(self._pids):
            _send(pid, signal.SIGKILL)

    def close(self) -> None:
        """Ends the guard. Nothing runs any more."""
        guard = self._guard
        if guard and guard.stdin:
            with suppress(OSError):
                guard.stdin.close()
            guard.wait()

    def _tell(self) -> None:
        """Lets the guard know what runs; without one a runtime outlives us when we are killed."""
        with suppress(OSError):
            if self._guard is None:
                null = subprocess.DEVNULL
                argv = ["/bin/sh", "-c", _GUARD]
                self._guard = subprocess.Popen(
                    argv, stdin=subprocess.PIPE, stdout=null, stderr=null, start_new_session=True
                )
            if self._guard.stdin:
                groups = " ".join(f"-{pid}" for pid in sorted(self._pids))
                self._guard.stdin.write(groups.encode("ascii") + b"\n")
                self._guard.stdin.flush()


class Running:
    """One runtime that runs."""

    def __init__(
        self, process: subprocess.Popen[bytes], starts: Starts, runtimes: Runtimes
    ) -> None:
        self._process, self._starts, self._runtimes = process, starts, runtimes

    @property
    def pid(self) -> int:
        """The runtime's process."""
        return self._process.pid

    def wait(self) -> Ended:
        """Waits for its end, and finds out meanwhile whether the command was started."""
        process, starts = self._process, self._starts
        try:
            self._follow()
            _, status, usage = os.wait4(process.pid, 0)
        finally:
            self._runtimes.ended(process.pid)
        # So that nobody waits for it once more.
        process.returncode = os.waitstatus_to_exitcode(status)
        now = time.time_ns()
        return Ended(status, now, usage, starts.verdict(status), starts.mounts)

    def _follow(self) -> None:
        """Returns when the command is known to run, or the runtime has ended."""
        starts = self._starts
        try:
            handle = os.pidfd_open(self._process.pid)
        except OSError:  # Linux before 5.3
            return
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        told = starts.socket
        if told:
            poll.register(told, select.POLLIN)
        pause = _FIRST_LOOK
        try:
            while not starts.settled:
                ready = [descriptor for descriptor, _ in poll.poll(pause * 1000)]
                if handle in ready:
                    return
                if ready:
                    starts.look(knocked=True)
                else:
                    starts.look()
                    pause = min(pause * 1.3, _LAST_LOOK)
        finally:
            os.close(handle)


def _send(pid: int, number: int) -> None:
    """To the whole group, as a terminal does."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
