"""Keeps the application's output (`--log`) without changing where it goes.

A process of its own stands between: it reads what the runtime writes, hands it on to our own
standard output and error, and keeps the first and the last of it. Where one of them is a terminal,
the runtime gets a pseudo-terminal in its place, else a pipe; its standard input, its controlling
terminal and its process group stay as they are, so that job control works as without us. The
terminal's own settings are never touched.

    runtime ──stdout──▶ pty or pipe ──▶ relay ──▶ our stdout
                                          └─▶ a file in memory ──▶ recorder

Whoever stops reading our output (`| head`) stops the runtime's writing, as without us.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from sifprov.frozen import NamedTuple

_CHUNK = 64 * 1024
# Bytes of the application. As JSON each may take six, and no larger object is read than 64 MiB.
MAX_LOG = 8 * 1024 * 1024
_STDOUT, _STDERR = 1, 2
_IGNORED = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGTSTP, signal.SIGTTIN,
    signal.SIGTTOU, signal.SIGPIPE,
)  # fmt: skip
# <asm-generic/ioctls.h>: 8 bytes, rows and columns first.
_WINDOW = 8


class Stream(NamedTuple):
    """One stream: what we read (`source`), what the runtime writes to (`given`), and where it goes
    (`target`, one of our own descriptors). `terminal` says that it is a pseudo-terminal."""

    name: str
    source: int
    given: int
    target: int
    terminal: bool


class Tee:
    """The relay of one run. `log` is the file in memory that holds the log once `close` returned
    true."""

    def __init__(self, limit: int) -> None:
        """Starts it; `limit` is in bytes. Raises OSError."""
        # Imported before the fork: what fails here fails before anything was started.
        from sifprov.wrapper.relay import relay

        limit = min(limit, MAX_LOG)
        self._streams = _open_streams()
        self.log = os.memfd_create("sifprov-log")
        ended, self._ended = os.pipe()
        self._done, done = os.pipe()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._ended)
            os.close(self._done)
            pairs = [(s.name, s.source, s.target) for s in self._streams]
            ours = {s.source for s in self._streams} | {self.log, ended, done}
            _be_relay(self._streams, ours, partial(relay, pairs, limit, self.log, ended, done))
        os.close(ended)
        os.close(done)
        for stream in self._streams:
            if not stream.terminal:
                os.close(stream.source)

    @property
    def files(self) -> dict[int, int]:
        """What the runtime gets as standard output and error: its number and our descriptor."""
        both = {s.target: s.given for s in self._streams}
        if len(self._streams) == 1 and self._streams[0].name == "both":
            both[_STDERR] = both[_STDOUT]
        return both

    def started(self) -> None:
        """The runtime has its copies: ours would keep a stream from ever ending."""
        for stream in self._streams:
            os.close(stream.given)

    def resize(self) -> None:
        """Gives the pseudo-terminals the size of ours."""
        for stream in self._streams:
            if stream.terminal:
                _copy_size(stream.target, stream.source)

    def close(self) -> bool:
        """Waits until what was written up to now is handed on and kept; returns whether it is. An
        interrupt ends the waiting. What still runs in the background is handed on further."""
        os.close(self._ended)
        try:
            while not select.select([self._done], [], [], 0.1)[0]:
                if signal.sigpending() & {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}:
                    return False
            return os.read(self._done, 1) == b"1"
        finally:
            os.close(self._done)
            for stream in self._streams:
                if stream.terminal:
                    os.close(stream.source)


def _open_streams() -> tuple[Stream, ...]:
    made: list[Stream] = []
    one = _identity(_STDOUT)
    if one and one == _identity(_STDERR):
        return (_open_stream("both", _STDOUT),)
    for name, target in (("stdout", _STDOUT), ("stderr", _STDERR)):
        # One that is closed stays closed.
        if _identity(target):
            made.append(_open_stream(name, target))
    return tuple(made)


def _identity(number: int) -> tuple[int, int, int] | None:
    try:
        status = os.fstat(number)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_rdev


def _open_stream(name: str, target: int) -> Stream:
    if not os.isatty(target):
        source, given = os.pipe()
        return Stream(name, source, given, target, False)
    source, given = os.openpty()
    attributes = termios.tcgetattr(given)
    # The real terminal does what its user has set; nothing is to be done twice.
    attributes[1] &= ~termios.OPOST
    attributes[3] &= ~termios.ECHO
    termios.tcsetattr(given, termios.TCSANOW, attributes)
    _copy_size(target, source)
    return Stream(name, source, given, target, True)


def _copy_size(terminal: int, pseudo: int) -> None:
    with suppress(OSError):
        size = fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(_WINDOW))
        fcntl.ioctl(pseudo, termios.TIOCSWINSZ, size)


def _be_relay(streams: tuple[Stream, ...], ours: set[int], work: Callable[[], None]) -> None:
    """Does the relay's work, with the descriptors `ours`. Does not return."""
    try:
        os.setsid()
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        for stream in streams:
            os.close(stream.given)
        if 0 not in ours:
            # Whoever feeds the application is to learn of its end.
            with suppress(OSError):
                os.close(0)
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def write_all(number: int, data: bytes) -> bool:
    """Writes all of it; returns False when nobody reads any more."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(number, view) :]
        except BlockingIOError:
            # Whoever shares it with us has made it so.
            select.select([], [number], [])
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            return False
    return True


def read_some(number: int) -> bytes:
    """Returns what is there, empty at the end; a pseudo-terminal ends with an error."""
    while True:
        try:
            return os.read(number, _CHUNK)
        except BlockingIOError:
            time.sleep(0.01)
        except OSError as error:
            if error.errno != errno.EINTR:
                return b""
