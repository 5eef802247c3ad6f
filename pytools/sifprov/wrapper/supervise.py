"""Starts the runtime and waits for it, so that whoever called us sees what they would see without
us.

The runtime is in our process group and on our terminal: what a terminal sends (^C, ^\\, ^Z, a
hang-up) reaches it by itself, and so does what is sent to the whole group. What was sent to our
process alone we hand on. When it stops, we stop; as it ends, we end.
"""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Mapping, Sequence

from sifprov.frozen import NamedTuple
from sifprov.wrapper.group import SI_KERNEL, Witness, pipe
from sifprov.wrapper.starts import Starts, Verdict

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sifprov.wrapper.tee import Tee

_NEVER = {
    signal.SIGKILL, signal.SIGSTOP,
    # These tell of an error of our own.
    signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS,
}  # fmt: skip
WATCHED = frozenset(signal.valid_signals() - _NEVER)
# Python ignores these from its start on; a program that we start is to be ended by them.
_PYTHONS = (signal.SIGPIPE, signal.SIGXFSZ)
_TERMINALS = {
    signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP, signal.SIGHUP, signal.SIGCONT, signal.SIGWINCH,
    signal.SIGTTIN, signal.SIGTTOU,
}  # fmt: skip
# How often the process table is looked at: quickly at first, then ever less.
_FIRST_LOOK, _LAST_LOOK = 0.02, 1.0


class Ended(NamedTuple):
    """How the runtime ended: its wait status, when (nanoseconds since 1970), the resources that it
    and its children used, whether the command in the container was started, and the mount table of
    that where it could be read."""

    status: int
    ended_ns: int
    usage: resource.struct_rusage
    started: Verdict
    mounts: bytes = b""


def unless_untouched(ended: Ended, written: Sequence[str], since_ns: int) -> Ended:
    """Returns `ended`; as refused by the runtime where none of the containers that it would have
    mounted for writing changed since then (ns since 1970)."""
    from sifprov.hostfs import changed_since  # few runs come here

    if not written or any(changed_since(path, since_ns) for path in written):
        return ended
    return ended._replace(started=Verdict(False, "untouched containers", refused=True))


class Process:
    """A runtime that runs. From its making on, no signal but KILL and STOP ends us."""

    def __init__(
        self, argv: tuple[str, ...], environ: Mapping[str, str], tee: Tee | None = None
    ) -> None:
        """Starts `argv`, whose first word is a path; `tee` gets its output. Raises OSError."""
        self._tee = tee
        # Were it ignored, no child could be waited for.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.mask = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        self._starts = Starts()
        try:
            self.pid = _spawn(argv, environ, tee.files if tee else {}, self.mask)
        except BaseException:
            self._starts.close()
            signal.pthread_sigmask(signal.SIG_SETMASK, self.mask)
            raise
        self._starts.began(self.pid)
        if tee:
            tee.started()

    def wait(self) -> Ended:
        """Waits for its end, and does with signals what they are for."""
        # Made here, where the runtime is at work already.
        witness = _witness()
        try:
            return self._wait(witness)
        finally:
            if witness:
                witness.close()

    def _wait(self, witness: Witness | None) -> Ended:
        pause = _FIRST_LOOK
        while True:
            if self._starts.settled:
                info = signal.sigwaitinfo(WATCHED)
            else:
                found = signal.sigtimedwait(WATCHED, pause)
                if found and self._starts.is_knock(found):
                    self._starts.look(knocked=True)
                    continue
                self._starts.look()
                pause = min(pause * 1.3, _LAST_LOOK)
                if found is None:
                    continue
                info = found
            if self._starts.is_knock(info):
                continue  # the last one
            if info.si_signo == signal.SIGCHLD:
                ended = self._look()
                if ended:
                    return ended
            elif info.si_signo == signal.SIGWINCH and self._tee:
                # The runtime's terminal is another than the one that was resized.
                self._tee.resize()
                os.kill(self.pid, signal.SIGWINCH)
            elif info.si_code == SI_KERNEL and info.si_signo in _TERMINALS:
                continue
            elif info.si_pid == os.getpid():
                continue  # a pipe of ours that nobody reads any more
            elif not (witness and witness.saw(info)):
                os.kill(self.pid, info.si_signo)

    def _look(self) -> Ended | None:
        """Waits for what has happened to the runtime; None when it goes on."""
        while True:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
            if pid == 0:
                return None
            if os.WIFSTOPPED(status):
                # Who stopped all of us may have woken us alone by now: then we wake the runtime.
                if signal.SIGCONT not in signal.sigpending():
                    stop(os.WSTOPSIG(status))
            elif not os.WIFCONTINUED(status):
                now = time.time_ns()
                verdict = self._starts.verdict(status)
                return Ended(status, now, usage, verdict, self._starts.mounts)


def _witness() -> Witness | None:
    """Without one, what is sent to a whole group reaches the runtime twice."""
    try:
        return Witness(WATCHED)
    except OSError:
        return None


def _spawn(
    argv: tuple[str, ...],
    environ: Mapping[str, str],
    files: Mapping[int, int],
    mask: set[int | signal.Signals],
) -> int:
    """Starts a program and returns its id; `files` are the descriptors that it gets, by the number
    that it knows them by. Raises OSError.

    os.posix_spawn would leave glibc's own signals ignored in it, and in the application.
    """
    reading, writing = pipe()
    pid = os.fork()
    if pid == 0:
        try:
            for wanted, descriptor in files.items():
                os.dup2(descriptor, wanted)
            for number in _PYTHONS:
                signal.signal(number, signal.SIG_DFL)
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            os.execve(argv[0], argv, environ)  # noqa: S606
        except OSError as error:
            os.write(writing, b"%d" % (error.errno or 0))
        finally:
            os._exit(255)
    os.close(writing)
    with open(reading, "rb") as file:
        problem = file.read()
    if problem:
        os.waitpid(pid, 0)
        raise OSError(int(problem), os.strerror(int(problem)))
    return pid


def stop(number: int) -> None:
    """Stops us as signal `number` does, until somebody lets us continue."""
    os.kill(os.getpid(), number)
    # A blocked one waits until here; STOP, which cannot be blocked, has worked already.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    signal.pthread_sigmask(signal.SIG_BLOCK, {number})


def end_as(status: int) -> None:
    """Ends this process as the one of this wait status ended. Does not return."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        # The core is the application's to write, not ours.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os._exit(128 + number)
    os._exit(os.WEXITSTATUS(status))


def become(argv: tuple[str, ...], environ: Mapping[str, str]) -> None:
    """Turns this process into the runtime. Does not return; raises OSError."""
    for number in _PYTHONS:
        signal.signal(number, signal.SIG_DFL)
    os.execve(argv[0], argv, environ)  # noqa: S606
