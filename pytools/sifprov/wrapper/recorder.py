"""A process beside the run that makes its record: it reads and hashes while the application runs.

It is a fork of ours in a session of its own, which nothing that a terminal sends can reach. It
learns of the run's end by a pipe, in the words of docs/formats.md ("Capture request"): end of file
without them means that we were killed, and the outcome is unknown.
"""

from __future__ import annotations

import binascii
import fcntl
import os
import resource
import select
import signal
import sys
import time
from contextlib import suppress

from sifprov.frozen import NamedTuple
from sifprov.wrapper.group import pipe
from sifprov.wrapper.line import Prepared, working_folder
from sifprov.wrapper.starts import Verdict
from sifprov.wrapper.supervise import WATCHED, Ended, stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sifprov.model.annotation import Annotation
    from sifprov.wrapper.atomic import Late

# Seconds: for reading the content after the end, and what is granted beyond that.
TIMEOUT = 300
_MARGIN = 10
# An interrupt this soon after the end is the one that ended the application.
_SAME_KEY = 0.3
_MAX_MESSAGE = 4096
# The recorder's own number of the file with the output.
LOG_FILE = 3
_BLOCK = 512  # what getrusage counts in
# Ending on these signals is not ours to delay.
_IMPATIENT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_IGNORED = (*_IMPATIENT, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


class Run(NamedTuple):
    """A run that has begun: `started_ns` is nanoseconds since 1970, `words` are the user's.

    `metadata` is what takes the records, None where the settings say so, and `folders` are plain
    folders that count as outputs, each with the place where it is bound. `log` is the file that
    will hold the application's output. `digest` and `telemetry` are the settings of these names,
    where they were typed. `late` are results that get their names when the run has ended. `id` is
    what its records will be called. `live`: it is to be reported when it starts and when it has
    ended. `runtime` is the runtime's process.
    """

    prepared: Prepared
    started_ns: int
    cwd: str
    words: Annotation | None = None
    metadata: str | None = None
    folders: tuple[tuple[str, str], ...] = ()
    log: int | None = None
    digest: str | None = None
    late: tuple[Late, ...] = ()
    telemetry: str | None = None
    id: str = ""
    live: bool = False
    runtime: int | None = None

    @property
    def instance(self) -> bool:
        """Whether it joins an instance, whose containers stay mounted."""
        return bool(self.prepared.instance)


def begun(
    prepared: Prepared,
    words: Annotation | None = None,
    metadata: str | None = None,
    folders: tuple[tuple[str, str], ...] = (),
) -> Run:
    """Returns the run that starts now."""
    run = Run(prepared, time.time_ns(), working_folder(), words, metadata, folders)
    return run._replace(id=_random_uuid())


def _random_uuid() -> str:
    """As str(uuid.uuid4()): to import that takes milliseconds."""
    t = os.urandom(16).hex()
    return f"{t[:8]}-{t[8:12]}-4{t[13:16]}-{'89ab'[int(t[16], 16) & 3]}{t[17:20]}-{t[20:]}"


class Recorder:
    """The recorder of one run."""

    def __init__(self, run: Run, runtime: int) -> None:
        """Starts it; `runtime` is the runtime's process. Raises OSError."""
        self._run = run = run._replace(runtime=runtime)
        orders, self._orders = pipe()
        self._message, message = pipe()
        watched = _handles(os.getpid(), runtime)
        self._pid = os.fork()
        if self._pid == 0:
            _be_recorder(run, orders, message, watched)
        for descriptor in watched:
            os.close(descriptor)
        os.close(orders)
        os.close(message)
        self._tell(b'{"event":"running","pid":%d}\n' % runtime)

    def finish(self, ended: Ended) -> bool:
        """Tells it of the end and waits until the record is written, for a limited time. Returns
        whether it has ended.

        Whoever interrupts us then does not wait; the recorder goes on. What could not be recorded
        goes into the spool. Prints at most one line.
        """
        line = b"" if ended.started.alone else end_line(ended)
        self._tell(line)
        os.close(self._orders)
        status = self._wait()
        if status is None:
            return False
        said = os.read(self._message, _MAX_MESSAGE).decode(errors="replace").partition("\n")[0]
        if status == 0:
            if said:
                warn(said)
        else:
            keep(self._run, line, said or f"the recorder {_how(status)}")
        return True

    def _tell(self, line: bytes) -> None:
        # When it has ended already, its status tells.
        with suppress(OSError):
            os.write(self._orders, line)

    def _wait(self) -> int | None:
        """Returns its wait status, None when we are not to wait any longer."""
        began = time.monotonic()
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                return status
            info = signal.sigtimedwait(WATCHED, began + TIMEOUT + _MARGIN - time.monotonic())
            if info is None:
                warn("the record takes very long; it is still being written, in the background")
                return None
            if info.si_signo == signal.SIGTSTP:
                stop(signal.SIGTSTP)
            elif info.si_signo in _IMPATIENT and time.monotonic() - began > _SAME_KEY:
                warn("interrupted; the record is still being written, in the background")
                return None


def _how(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"ended with {code}" if code >= 0 else f"was ended by signal {-code}"


def _handles(*pids: int) -> tuple[int, ...]:
    """Handles of processes, above the descriptors that the recorder works with; none where the
    kernel has no such thing (Linux before 5.3)."""
    found: tuple[int, ...] = ()
    with suppress(OSError, AttributeError):
        for pid in pids:
            made = os.pidfd_open(pid)
            found += (fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, 16),)
            os.close(made)
    return found


def _end_together(wrapper: int, runtime: int) -> None:
    """Ends the runtime, and so the application, where we are killed: a runtime that is killed takes
    the application along."""
    select.select([wrapper], [], [])
    with suppress(OSError):
        signal.pidfd_send_signal(runtime, signal.SIGKILL)


def _be_recorder(run: Run, orders: int, message: int, watched: tuple[int, ...]) -> None:
    """Does the recorder's work. Does not return."""
    code = 1
    try:
        os.setsid()
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        log = run.log
        run = run if log is None else run._replace(log=LOG_FILE)
        # Whoever waits for the end of a pipe of ours, or for a lock, waits for the run, not for us.
        null = os.open(os.devnull, os.O_RDWR)
        ours = [orders, null, message, *([] if log is None else [log]), *watched]
        for wanted, descriptor in enumerate(ours):
            os.dup2(descriptor, wanted)
        os.closerange(len(ours), os.sysconf("SC_OPEN_MAX"))
        # Imported here, where they cost nobody time.
        import gc
        from threading import Thread

        # A process of one run: what it makes lives to its end, and looking for garbage takes time.
        gc.disable()
        from sifprov.startup import quick_uuid

        quick_uuid()
        from sifprov.wrapper.record import record

        if len(watched) == 2:
            Thread(target=_end_together, args=range(len(ours))[-2:], daemon=True).start()
        sys.stderr = open(2, "w", errors="backslashreplace", closefd=False)  # noqa: SIM115
        with open(0, "rb", closefd=False) as source:
            code = record(run, source)
        sys.stderr.flush()
    except BaseException as error:
        text = f"the recorder failed: {type(error).__name__}: {error}"
        os.write(2, text.replace("\n", " ").encode(errors="replace") + b"\n")
    finally:
        os._exit(code)


def end_line(ended: Ended) -> bytes:
    """Returns the last line of a capture request."""
    code = os.waitstatus_to_exitcode(ended.status)
    seconds, rest = divmod(ended.ended_ns, 10**9)
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:09}Z"
    fields = [
        '"event":"end"',
        f'"ended":"{when}"',
        # Where it is not known, the exit code is kept, and the fact tells.
        f'"started_process":{"false" if ended.started.started is False else "true"}',
        f'"exit_code":{code if code >= 0 else "null"}',
        f'"signal":{-code if code < 0 else "null"}',
        f'"facts":{{"started":{_fact(ended.started)},"resources":{_used(ended.usage)}}}',
    ]
    if ended.started.refused:
        fields.append('"refused":true')
    if ended.mounts:
        table = binascii.b2a_base64(ended.mounts, newline=False).decode()
        fields.append(f'"mounts":"{table}"')
    return ("{" + ",".join(fields) + "}\n").encode()


def _fact(verdict: Verdict) -> str:
    if verdict.started is None:
        return f'{{"reason":"{verdict.why}","value":null}}'
    return f'{{"source":"{verdict.why}","value":{"true" if verdict.started else "false"}}}'


def _used(usage: resource.struct_rusage) -> str:
    """The fact `resources`, as capture/facts/resources.py describes it."""
    values = {
        "user_us": round(usage.ru_utime * 1_000_000),
        "system_us": round(usage.ru_stime * 1_000_000),
        "peak_memory_bytes": usage.ru_maxrss * 1024,
        "storage_read_bytes": usage.ru_inblock * _BLOCK,
        "storage_write_bytes": usage.ru_oublock * _BLOCK,
    }
    fields = "".join(f',"{name}":{value}' for name, value in values.items())
    return f'{{"source":"wait4","value":{{"scope":"runtime"{fields}}}}}'


def keep(run: Run, line: bytes, why: str) -> None:
    """Puts a run that was not recorded into the spool, and says so."""
    if not (run.prepared.binds or run.folders):
        return  # it was only to be reported
    try:
        from sifprov.wrapper.record import keep_request

        how = keep_request(run, line)
    except Exception as error:
        warn(f"this run was not recorded ({why}), nor kept for later ({error})")
        return
    warn(f"this run was not recorded ({why}); {how}")


def warn(text: str) -> None:
    """Prints one line for the user."""
    shown = "".join(c if c.isprintable() else "?" for c in text)
    # Maybe nobody listens.
    with suppress(OSError):
        os.write(2, f"sifprov: {shown}\n".encode(errors="backslashreplace"))
