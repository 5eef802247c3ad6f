"""The queue of reports that captures leave for the catalog: `~/.local/state/sifprov/reports/`, the
user's own, mode 0700 (docs/live.md).

| name | holds |
|---|---|
| `UUID.start.json` | the report that a run began; written anew from time to time while it goes on |
| `UUID.end.json` | the report of its end, with all that the first one told |
| `UUID.….json.broken` | a file under such a name that held no report |
| `.dropped` | one byte for each run of which a report had to give way |

A capture only ever writes here, and never fails or waits for it. Who reads reports deletes a file
when what it told is safe elsewhere.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from sifprov.errors import FileError, RecordError
from sifprov.frozen import dataclass
from sifprov.model.report import END, MAX_REPORT, START, Process, Report
from sifprov.userstate import check_own, state_folders, write_whole

# With what a document may be, this bounds the bytes too.
MAX_FILES = 4096
_SUFFIX, _BROKEN, _UNFINISHED = ".json", ".broken", ".tmp"
_ENDS = {START: f".{START}{_SUFFIX}", END: f".{END}{_SUFFIX}"}
_DROPPED = ".dropped"
# What is left when the queue was full, so that not every run has to look through it.
_LEFT = MAX_FILES * 3 // 4
_BOOT = "/proc/sys/kernel/random/boot_id"
# The machine's own PID namespace (the kernel's include/linux/proc_ns.h, PROC_PID_INIT_INO).
_OUTERMOST = "pid:[4026531836]"
_DAY_NS = 24 * 3600 * 10**9


@dataclass(frozen=True)
class Waiting:
    """One report that waits, and the file that holds it, with its time of change (ns)."""

    path: str
    report: Report
    mtime_ns: int


def folders() -> tuple[str, ...]:
    """Returns every folder where reports of this user may wait, the preferred one first."""
    return state_folders("reports")


def leave(report: Report) -> bool:
    """Puts a report into the queue. Returns whether it is there; raises nothing."""
    try:
        data = report.to_bytes()
    except ValueError:
        return False
    for where in folders():
        with suppress(OSError, FileError):
            _leave(where, report, data)
            return True
    return False


def _leave(where: str, report: Report, data: bytes) -> None:
    os.makedirs(where, mode=0o700, exist_ok=True)
    check_own(where)
    path = os.path.join(where, f"{report.id}{_ENDS[report.event]}")
    if report.event == START:
        # Here, where the application is running, and not when somebody waits for the end.
        _make_room(where)
    # What a machine that crashes forgets is only that the run went on.
    write_whole(path, data, sync=False)
    if report.event == END:
        with suppress(FileNotFoundError):
            os.unlink(os.path.join(where, f"{report.id}{_ENDS[START]}"))


def _make_room(where: str) -> None:
    """Deletes the oldest reports of a queue that nobody reads: of ended runs, then of any."""
    names = [n for n in os.listdir(where) if not n.startswith(".")]
    if len(names) < MAX_FILES:
        return
    # What goes first, and of that the oldest.
    found = sorted((n.endswith(_ENDS[START]), _age(where, n), n) for n in names)
    gone = found[: len(names) - _LEFT]
    for _, _, name in gone:
        with suppress(OSError):
            os.unlink(os.path.join(where, name))
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(os.path.join(where, _DROPPED), flags, 0o600)
    try:
        os.write(descriptor, b"." * len(gone))
    finally:
        os.close(descriptor)


def _age(where: str, name: str) -> int:
    try:
        return os.lstat(os.path.join(where, name)).st_mtime_ns
    except OSError:
        return 0


def waiting() -> Iterator[Waiting | FileError]:
    """Yields what waits, starts before ends, the oldest first.

    A file that holds no report is put aside under another name, and comes as its error.
    """
    for where in folders():
        try:
            check_own(where)
            names = [n for n in os.listdir(where) if n.endswith(tuple(_ENDS.values()))]
        except (OSError, FileError):
            continue  # under sudo it may be another user's
        _clean(where)
        for _, _, name in sorted((n.endswith(_ENDS[END]), _age(where, n), n) for n in names):
            found = _read(os.path.join(where, name))
            if found is not None:
                yield found


def _read(path: str) -> Waiting | FileError | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
                raise FileError("no file of yours")
            data = file.read(MAX_REPORT + 1)
        if not data:
            # A machine that crashed kept the name alone.
            os.unlink(path)
            return None
        report = Report.from_bytes(data)
        if os.path.basename(path) != f"{report.id}{_ENDS[report.event]}":
            raise FileError("named unlike what it holds")
    except FileNotFoundError:
        return None  # another reader was faster
    except (OSError, RecordError, FileError) as error:
        return put_aside(path, error)
    return Waiting(path, report, status.st_mtime_ns)


def put_aside(path: str, error: Exception) -> FileError:
    """Gives what cannot be taken in another name; returns the error that says so."""
    with suppress(OSError):
        os.rename(path, path + _BROKEN)
    return FileError(f"{path}{_BROKEN}: no report: {error}", hint="look at it, then remove it")


def done(item: Waiting) -> None:
    """Deletes a report that is safe elsewhere, unless it was written anew meanwhile."""
    with suppress(OSError):
        if os.lstat(item.path).st_mtime_ns == item.mtime_ns:
            os.unlink(item.path)


def count() -> int:
    """Returns how many reports wait."""
    found = 0
    for where in folders():
        with suppress(OSError):
            found += sum(n.endswith(tuple(_ENDS.values())) for n in os.listdir(where))
    return found


def dropped() -> int:
    """Returns of how many reports nobody will hear any more, and forgets that number."""
    found = 0
    for where in folders():
        path = os.path.join(where, _DROPPED)
        with suppress(OSError):
            found += os.lstat(path).st_size
            os.unlink(path)
    return found


@contextmanager
def locked(name: str, patience: float = 0) -> Iterator[bool]:
    """Holds the lock `name` of the queue; yields whether it did not have to go on without, as after
    `patience` seconds, and where there are no locks."""
    descriptor = -1
    with suppress(OSError, IndexError):
        path = os.path.join(folders()[0], name)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
    end = time.monotonic() + patience
    try:
        while not (got := descriptor >= 0 and _lock(descriptor)) and time.monotonic() < end:
            time.sleep(0.02)
        yield got
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def delivering() -> AbstractContextManager[bool]:
    """Holds the lock of the one on this machine that takes reports to a server; yields whether we
    are it."""
    return locked(f".deliver-{os.uname().nodename}")


def _lock(descriptor: int) -> bool:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def process(pid: int) -> Process | None:
    """Returns a process of this machine; None for one that is not there, or has ended."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name, in parentheses, may hold anything.
            fields = file.read().rpartition(b")")[2].split()
        return None if fields[0] in (b"Z", b"X") else Process(pid, int(fields[19]))
    except (OSError, ValueError, IndexError):
        return None


def here() -> tuple[str, str]:
    """Returns this machine's name and boot, as reports name them (`Where`). Raises OSError."""
    with open(_BOOT, encoding="ascii") as file:
        boot = file.read().strip()
    space = os.readlink("/proc/self/ns/pid")
    return os.uname().nodename, boot if space == _OUTERMOST else f"{boot} {space}"


def _clean(where: str) -> None:
    """Removes what a crash left of files that were never finished."""
    with suppress(OSError), os.scandir(where) as entries:
        for entry in [e for e in entries if e.name.endswith(_UNFINISHED)]:
            if time.time_ns() - entry.stat(follow_symlinks=False).st_mtime_ns > _DAY_NS:
                os.unlink(entry.path)
