"""Whether the command in the container was ever started.

The runtimes do not tell: an exit code of 255 may be theirs or the command's, and so may 1. The
kernel tells, to whoever asks before the start, of every process and program that begins and of
every one that ends (its process events connector; for all users since Linux 6.6). A command
that ran is a process below the runtime that began a program of its own and ended as the runtime
did; what the runtime starts for itself ends otherwise. Where the kernel does not tell, a look at
/proc now and then finds commands that run for a while.

Source: the kernel's include/uapi/linux/cn_proc.h and drivers/connector/cn_proc.c.
"""

from __future__ import annotations

import _socket
import fcntl
import os
import signal
import struct
import time
from contextlib import suppress

from sifprov.frozen import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NETLINK, _CONNECTOR, _DATAGRAM = 16, 11, 2
_CN_PROC = 1
_LISTEN, _IGNORE = 1, 2
_FORK, _EXEC, _EXIT = 0x00000001, 0x00000002, 0x80000000
_NONZERO_EXIT = 0x20000000
_OVERFLOW_ROOM = 1 << 20
# By this signal the kernel says that it has told something: one that ends nobody who forgets it.
# (fcntl.h, siginfo.h; Python has no names for them.)
_KNOCK, _SETOWN, _SETSIG, _POLL_IN = signal.SIGURG, 8, 10, 1
# After so many a busy machine shall not wake us for every program that begins on it.
_MOST_KNOCKS = 2000
# The kernel tells a parent of an end first, and us afterwards: so long we wait for that, seconds.
_LATE = 0.25
# Codes that the runtimes give too: 1 for a command line that they do not understand, 2 is Go's for
# a program that broke, 255 for everything else.
_RUNTIMES_OWN = (1, 2, 255)
# What the runtimes start beside the container, by the first 15 letters of its name.
_HELPERS = {
    "fuse2fs", "squashfuse", "squashfuse_ll", "fuse-overlayfs", "gocryptfs", "stdbuf",
    "newuidmap", "newgidmap", "cryptsetup", "unsquashfs", "ldconfig", "nvidia-containe",
    "starter", "starter-suid", "singularity", "apptainer", "fusermount", "fusermount3", "proot",
}  # fmt: skip
_MAX_PROCESSES = 4096
_MAX_MOUNTS = 256 * 1024
_FORK_NO_EXEC = 0x40
# In a wait status: a core was written.
_CORE = 0x80


class Verdict(NamedTuple):
    """`started` is None where it is not known; `why` names the source, else the reason. `alone`:
    the runtime was killed, and what it started may live on. `refused`: it did not come as far as
    starting the command."""

    started: bool | None
    why: str
    alone: bool = False
    refused: bool = False


class Starts:
    """Watches one run. Made before the start.

    `knock`: the kernel is to signal that there is something to look at. Else one waits until
    `socket` can be read.
    """

    def __init__(self, *, knock: bool = True) -> None:
        self._socket = _listen(_EXEC | _NONZERO_EXIT, knock)
        # Every thread's birth and end, which nobody needs to be woken for.
        self._births = _listen(_FORK | _EXIT, False) if self._socket else None
        self._runtime = 0
        self._command = 0
        self._knocks = 0
        self._begun: list[int] = []
        self._group = os.getpgrp()
        self.mounts = b""
        self._overflow = self._socket is None
        self._executed: set[int] = set()
        self._ended: dict[int, tuple[int, int]] = {}
        self._below: set[int] = set()
        self._gone: set[int] = set()

    @property
    def socket(self) -> _socket.socket | None:
        """What the kernel tells by; None when it tells nothing any more."""
        return self._socket

    def began(self, runtime: int, group: int | None = None) -> None:
        """The runtime is process `runtime`, in the process group `group` (default: ours)."""
        self._runtime = runtime
        self._group = self._group if group is None else group

    @property
    def settled(self) -> bool:
        """Whether nothing is left to find out while the run goes on."""
        return self._command > 0

    def look(self, *, knocked: bool = False) -> None:
        """Takes what the kernel has told meanwhile, and looks at /proc; when it only `knocked`, if
        a program began in the runtime's process group."""
        self._begun.clear()
        self._receive()
        if knocked and not any(_group_of(pid) == self._group for pid in self._begun):
            return
        if not self._command:
            self._command = _command_below(self._runtime)
            if self._command:
                self.mounts = _mounts_of(self._command)
                self.close()

    def is_knock(self, info: signal.struct_siginfo) -> bool:
        """Whether a signal is the kernel's, that there is something to look at."""
        if info.si_signo != _KNOCK or info.si_code != _POLL_IN:
            return False
        self._knocks += 1
        if self._knocks == _MOST_KNOCKS and self._socket:
            _knock(self._socket, False)
        return True

    def close(self) -> None:
        """Lets the kernel tell no more."""
        for socket in (self._socket, self._births):
            if socket:
                with suppress(OSError):
                    socket.send(_message(_IGNORE))
                socket.close()
        self._socket = self._births = None

    def verdict(self, status: int) -> Verdict:
        """Returns what is known once the runtime has ended, with the wait status `status`."""
        try:
            self._receive()
            return self._verdict(status)
        finally:
            self.close()

    def _verdict(self, status: int) -> Verdict:
        code = os.waitstatus_to_exitcode(status)
        killed = code == -signal.SIGKILL
        if self._command:
            return Verdict(
                True, "process table", killed and os.path.exists(f"/proc/{self._command}")
            )
        if code >= 0 and code not in _RUNTIMES_OWN:
            return Verdict(True, "exit code")
        if self._overflow or self._runtime not in self._executed:
            return Verdict(None, f"the runtime itself may have ended so, {_ended(code)}", killed)
        all_told = self._await_ends()
        alike = [p for p, (end, _) in self._ended.items() if end & ~_CORE == status & ~_CORE]
        below = {pid: self._is_below(pid) for pid in alike}
        ran = [below[pid] for pid in alike if pid in self._executed]
        if True not in ran and (None in ran or not all_told):
            return Verdict(None, f"a command may have ended so, {_ended(code)}", killed)
        # What could not become the command ended with an error of its own; a container that could
        # not be made took it along, or there was nobody.
        refused = code > 0 and True not in below.values() and None not in below.values()
        return Verdict(True in ran, "process events", killed and True not in ran, refused)

    def _await_ends(self) -> bool:
        """Waits until the end of every program below the runtime has been told that is over; False
        where that did not come."""
        end = time.monotonic() + _LATE
        while self._births and any(
            pid not in self._gone and not os.path.exists(f"/proc/{pid}")
            for pid in self._executed & self._below
        ):
            if time.monotonic() > end:
                return False
            time.sleep(0.002)
            self._receive()
        return True

    def _is_below(self, pid: int) -> bool | None:
        """Whether a process that has ended was started by the runtime, as its child or deeper;
        None where nobody told of births, and its parent was faster than the kernel's event."""
        if self._births:
            return pid in self._below
        for _ in range(len(self._ended)):
            if pid == self._runtime or pid not in self._ended:
                return False
            pid = self._ended[pid][1]
            if pid == self._runtime:
                return True
            if pid == 0:
                return None
        return False

    def _receive(self) -> None:
        if self._births and not _take_all(self._births, self._take_birth):
            self._births.close()
            self._births = None
        if self._socket and not _take_all(self._socket, self._take):
            self._overflow = True

    def _take_birth(self, event: int, data: bytes) -> None:
        if event == _FORK:
            _, parent, thread, pid = struct.unpack_from("=IIII", data)
            if thread != pid:
                return
            # A number may be given again, to somebody else's.
            self._gone.discard(pid)
            self._below.discard(pid)
            if parent == self._runtime or parent in self._below:
                self._below.add(pid)
        elif event == _EXIT:
            thread, pid, code = struct.unpack_from("=III", data)
            if thread == pid and pid in self._below:
                self._gone.add(pid)
                if code:
                    # It may be in this queue a moment before it is in the other.
                    self._take(event, data)

    def _take(self, event: int, data: bytes) -> None:
        _, pid = struct.unpack_from("=II", data)
        if event == _EXEC:
            self._executed.add(pid)
            self._begun.append(pid)
        elif event == _EXIT:
            code, _, _, parent = struct.unpack_from("=IIII", data, 8)
            # One event for each thread; those behind the first know no parent.
            known = self._ended.get(pid, (0, 0))[1]
            self._ended[pid] = (code, parent or known)


def _take_all(socket: _socket.socket, take: Callable[[int, bytes], None]) -> bool:
    """Takes what the kernel has told so far; False when it dropped what we did not take in time."""
    while True:
        try:
            data = socket.recv(4096)
        except BlockingIOError:
            return True
        except OSError:
            return False
        # Netlink's header, the connector's, then the event: what, which processor, when, of whom.
        with suppress(struct.error):
            (event,) = struct.unpack_from("=I", data, 36)
            take(event, data[52:])


def _group_of(pid: int) -> int:
    """The process group of a process; 0 when it is gone."""
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


def _mounts_of(pid: int) -> bytes:
    """The mount table of the command, which is lost with it."""
    try:
        with open(f"/proc/{pid}/mountinfo", "rb") as file:
            table = file.read(_MAX_MOUNTS + 1)
    except OSError:
        return b""
    # Who sees the runtime's session is not in the container.
    points = b"\n".join(line.partition(b" - ")[0] for line in table.split(b"\n"))
    return b"" if len(table) > _MAX_MOUNTS or b"/mnt/session" in points else table


def _ended(code: int) -> str:
    return f"with {code}" if code >= 0 else f"by signal {-code}"


def _listen(events: int, knock: bool) -> _socket.socket | None:
    """Asks for the events that we want; None where the kernel gives none."""
    try:
        made = _socket.socket(_NETLINK, _DATAGRAM, _CONNECTOR)
    except OSError:
        return None
    try:
        made.setblocking(False)
        made.setsockopt(_socket.SOL_SOCKET, _socket.SO_RCVBUF, _OVERFLOW_ROOM)
        made.bind((0, _CN_PROC))
        if knock:
            _knock(made, True)
        made.send(_message(_LISTEN, events))
    except OSError:
        made.close()
        return None
    return made


def _knock(socket: _socket.socket, wanted: bool) -> None:
    """Lets the kernel signal that there is something to receive, so that a quick command is seen
    while it is there."""
    fcntl.fcntl(socket, _SETSIG, _KNOCK)
    fcntl.fcntl(socket, _SETOWN, os.getpid())
    flags = fcntl.fcntl(socket, fcntl.F_GETFL) & ~os.O_ASYNC
    fcntl.fcntl(socket, fcntl.F_SETFL, flags | (os.O_ASYNC if wanted else 0))


def _message(operation: int, events: int | None = None) -> bytes:
    body = struct.pack("=I", operation) + (b"" if events is None else struct.pack("=I", events))
    connector = struct.pack("=IIIIHH", _CN_PROC, 1, 0, 0, len(body), 0) + body
    return struct.pack("=IHHII", 16 + len(connector), 3, 0, 0, os.getpid()) + connector


def _command_below(runtime: int) -> int:
    """Returns a process below the runtime that runs a program, one that is no helper of the
    runtime's; 0 where there is none."""
    todo, count = _children(runtime), 0
    while todo and count < _MAX_PROCESSES:
        pid = todo.pop()
        count += 1
        try:
            with open(f"/proc/{pid}/stat", "rb") as file:
                name, _, rest = file.read().partition(b"(")[2].rpartition(b")")
        except OSError:
            continue
        flags = int(rest.split()[6])
        if not flags & _FORK_NO_EXEC and name.decode(errors="replace") not in _HELPERS:
            return pid
        todo += _children(pid)
    return 0


def first_below(runtime: int) -> int:
    """Returns the first process of the container: the one that the runtime itself started, and that
    is the command or above it; 0 where there is none yet."""
    pid = _command_below(runtime)
    for _ in range(_MAX_PROCESSES):
        parent = _parent_of(pid) if pid else runtime
        if parent == runtime:
            return pid
        pid = parent
    return 0


def _parent_of(pid: int) -> int:
    """The parent of a process; 0 when it is gone."""
    with suppress(OSError, ValueError, LookupError), open(f"/proc/{pid}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])
    return 0


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{task}/children", "rb") as file:
                found += [int(word) for word in file.read().split()]
    return found
