"""Which signals were sent to the whole process group, and so have reached the runtime already.

The kernel does not tell whoever gets a signal whether others got it too (`kill -INT -GROUP`, a
shell's `kill %1`, timeout, a batch system). So a witness stands beside us: a fork in the same
group that takes every signal and does nothing but remember it. A group's newest process is served
first (attach_pid in the kernel's kernel/pid.c): what was sent to a group has reached the witness
before us.

    us ──question: signal, sender──▶ witness
       ◀──answer: y or n───────────
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import struct
import time
from collections.abc import Set

# From <asm-generic/siginfo.h>: a signal that the kernel made, for a terminal.
SI_KERNEL = 0x80
_QUESTION = struct.Struct("=ii")
# Seconds: how long what the witness took belongs to what we take; what senders that signal process
# by process may need from us to the witness; and when one that is silent is stopped, or lost.
_TOGETHER = 2.0
_ONE_BY_ONE = 0.003
_SLOW, _SILENT = 0.05, 5.0


class Witness:
    """One that lives until `close`, or until we are gone."""

    def __init__(self, signals: Set[int]) -> None:
        """Starts it, for signals which this process blocks. Raises OSError."""
        ends: list[int] = []
        try:
            ends += pipe()
            ends += pipe()
            self._pid = os.fork()
        except OSError:
            for number in ends:
                os.close(number)
            raise
        asked, self._question, self._answer, answer = ends
        if self._pid == 0:
            _be_witness(signals, asked, answer)
        os.close(asked)
        os.close(answer)

    def saw(self, info: signal.struct_siginfo) -> bool:
        """Whether a signal that we took was sent to the whole group. False where it is not known:
        a signal that comes twice does less harm than one that is lost."""
        if not self._pid:
            return False
        if self._ask(info):
            return True
        time.sleep(_ONE_BY_ONE)
        return self._ask(info)

    def _ask(self, info: signal.struct_siginfo) -> bool:
        if not self._pid:
            return False
        try:
            os.write(self._question, _QUESTION.pack(info.si_signo, info.si_pid))
            if not select.select([self._answer], [], [], _SLOW)[0]:
                # Somebody may have stopped the whole group, and woken us alone.
                os.kill(self._pid, signal.SIGCONT)
            if select.select([self._answer], [], [], _SILENT)[0]:
                answer = os.read(self._answer, 1)
                if answer:
                    return answer == b"y"
        except OSError:
            pass
        self.close()
        return False

    def close(self) -> None:
        """Ends it."""
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            os.close(self._question)
            os.close(self._answer)
            self._pid = 0


def _be_witness(signals: Set[int], asked: int, answer: int) -> None:
    """Does the witness's work. Does not return."""
    try:
        for wanted, descriptor in enumerate((asked, answer)):
            os.dup2(descriptor, wanted)
        # Whoever waits for the end of a pipe of ours waits for the run, not for the witness.
        os.closerange(2, os.sysconf("SC_OPEN_MAX"))
        # A question, and our end, come as a signal too.
        fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(0, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)
        seen: dict[tuple[int, int], float] = {}
        while _answer_all(signals, seen):
            _note(signal.sigwaitinfo(signals), seen)
    finally:
        os._exit(0)


def _answer_all(signals: Set[int], seen: dict[tuple[int, int], float]) -> bool:
    """Answers what was asked. Returns false when there is nobody any more to ask."""
    while True:
        try:
            question = os.read(0, _QUESTION.size)
        except BlockingIOError:
            return True
        if not question:
            return False
        # What came before the question came first.
        while info := signal.sigtimedwait(signals, 0):
            _note(info, seen)
        when = seen.pop(_QUESTION.unpack(question), None)
        known = when is not None and time.monotonic() - when < _TOGETHER
        os.write(1, b"y" if known else b"n")


def _note(info: signal.struct_siginfo, seen: dict[tuple[int, int], float]) -> None:
    if info.si_code == SI_KERNEL:
        return  # nobody asks about these
    now = time.monotonic()
    for key in [key for key, when in seen.items() if now - when >= _TOGETHER]:
        del seen[key]
    seen[info.si_signo, info.si_pid] = now


def pipe() -> tuple[int, int]:
    """A pipe that is none of the standard streams, even where those are closed."""
    made = os.pipe()
    try:
        reading, writing = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3) for fd in made)
    finally:
        for fd in made:
            os.close(fd)
    return reading, writing
