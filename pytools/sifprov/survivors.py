"""Processes that outlive the command of a run, and still hold the container that it wrote.

The kernel keeps a partition mounted as long as a process is in a mount namespace that has it,
whoever started it; SingularityCE's lock on the container is gone by then. Such a process is found
by the device of the mount in its `mountinfo` (proc(5)); the container by the loop devices that
stand on its file (the kernel's ABI/testing/sysfs-block-loop, loop(4)).
"""

from __future__ import annotations

import fcntl
import os
import struct
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from sifprov.frozen import NamedTuple

# Where the runtime itself has the partition: it was mounted there first. See `runtime.mounts`.
_SESSION = b"/session/data-images"
_LOOP_GET_STATUS64 = 0x4C05  # <linux/loop.h>
_F_OFD_GETLK = 36  # <asm-generic/fcntl.h>
_DELETED = b" (deleted)"
# Seconds for processes that end just after the command did, such as those of a pipe.
GRACE = 0.5
_LET_GO = 0.1


class Process(NamedTuple):
    """A process of a container; `name` is the kernel's name of it."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name})"


class Loop(NamedTuple):
    """A loop device: `number` is its device number, `offset` where in the file it begins."""

    name: str
    number: int
    offset: int
    writable: bool


def processes(device: int, *, proc: str = "/proc") -> tuple[Process, ...]:
    """Returns the processes in containers where the file system of this device number is mounted.

    The runtime's own are not among them, nor are we. An ordinary user sees only their own.
    """
    wanted = b" %d:%d " % (os.major(device), os.minor(device))
    seen: dict[object, bool] = {}
    ours = {str(os.getpid()), str(os.getppid())}
    found = []
    for name in os.listdir(proc):
        if not name.isdigit() or name in ours:
            continue
        folder = f"{proc}/{name}"
        # What has ended meanwhile, or is another user's, cannot be looked into.
        with suppress(OSError):
            # A table shows what can be reached from the process's root in its namespace.
            root = os.stat(f"{folder}/root")
            view = (os.readlink(f"{folder}/ns/mnt"), root.st_dev, root.st_ino)
            if view not in seen:
                seen[view] = _mounted(f"{folder}/mountinfo", wanted)
            if seen[view]:
                found.append(Process(int(name), process_name(folder)))
    return tuple(sorted(found))


def _mounted(table: str, wanted: bytes) -> bool:
    with open(table, "rb") as file:
        text = file.read()
    if wanted not in text:
        return False
    for line in text.split(b"\n"):
        # 36 35 7:0 /Outputs /Outputs rw,noatime - ext3 /dev/loop0 rw
        fields = line.split(b" ", 5)
        if len(fields) < 6 or fields[2] != wanted.strip():
            continue
        folder, _, number = fields[4].rpartition(b"/")
        if not (folder.endswith(_SESSION) and number.isdigit()):
            return True
    return False


def process_name(folder: str) -> str:
    """Returns the name of the process whose folder `/proc/PID` is."""
    with suppress(OSError), open(f"{folder}/comm", encoding="utf-8", errors="replace") as file:
        return file.read().strip()
    return "ended"


def loops(
    path: str, *, sys: str = "/sys/block", partitions: str = "/proc/partitions"
) -> tuple[Loop, ...]:
    """Returns the loop devices that stand on the file at `path`. Raises OSError without one."""
    return tuple(_loops(os.stat(path), sys, _in_use(sys, partitions)))


def _in_use(sys: str, partitions: str) -> list[str]:
    """Returns the loop devices that have a size, and maybe others. A machine may have hundreds that
    are not in use: asking each takes longer than all else that is done at the end of a run."""
    try:
        with open(partitions, "rb") as file:
            rows = [line.split() for line in file.read().split(b"\n")]
        names = [row[3].decode("ascii") for row in rows if len(row) == 4]
    except (OSError, ValueError):
        names = []
    if not names:  # not even the headings: something hides it
        try:
            names = os.listdir(sys)
        except OSError:
            return []
    return [name for name in names if name.startswith("loop")]


def _loops(wanted: os.stat_result, sys: str, names: Iterable[str]) -> Iterator[Loop]:
    for name in names:
        # One that is not in use has no such files.
        with suppress(OSError, ValueError):
            folder = f"{sys}/{name}"
            backing = _read(f"{folder}/loop/backing_file")
            if not _is_file(name, backing, wanted):
                continue
            major, minor = _read(f"{folder}/dev").split(b":")
            yield Loop(
                name,
                os.makedev(int(major), int(minor)),
                int(_read(f"{folder}/loop/offset")),
                _read(f"{folder}/ro") == b"0",
            )


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read().rstrip(b"\n")


def _is_file(name: str, backing: bytes, wanted: os.stat_result) -> bool:
    """The kernel tells the file's present path; the device itself, to root, the file."""
    try:
        return os.path.samestat(os.stat(backing), wanted)
    except OSError:
        if not backing.endswith(_DELETED):
            return False
    # One of several names was deleted.
    descriptor = os.open(f"/dev/{name}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        info = bytearray(232)
        fcntl.ioctl(descriptor, _LOOP_GET_STATUS64, info)
    finally:
        os.close(descriptor)
    device, inode = struct.unpack_from("=QQ", info)
    # lo_device is in the kernel's own form for the user: minor's low byte, major, minor's rest.
    same = (device & 0xFF | device >> 12 & 0xFFF00, device >> 8 & 0xFFF)
    return inode == wanted.st_ino and same == (os.minor(wanted.st_dev), os.major(wanted.st_dev))


def writers(path: str, offset: int | None = None) -> tuple[Loop, ...]:
    """Returns the loop devices that can write the file at `path`: all, or those at `offset`."""
    with suppress(OSError):
        return tuple(
            each for each in loops(path) if each.writable and offset in (None, each.offset)
        )
    return ()


def after_the_run(device: int, *, grace: float = GRACE) -> tuple[Process, ...]:
    """Returns the processes that go on when the command of a run has ended.

    `device` is that of the mount, which the runtime still has. Gives those that are about to end
    `grace` seconds.
    """
    end = time.monotonic() + grace
    while True:
        found = processes(device)
        if not found or time.monotonic() > end:
            return found
        time.sleep(0.02)


def still_held(
    path: str, offset: int, *, apart: int | None = None, grace: float = GRACE
) -> str | None:
    """Says who still writes the partition at `offset` when a run has ended; None: nobody.

    The kernel takes a moment to let go of it. `apart` is the device number of the loop device that
    the run itself has.
    """
    end = time.monotonic() + grace
    while True:
        found = tuple(loop for loop in writers(path, offset) if loop.number != apart)
        if not found:
            return None
        if time.monotonic() > end:
            return who(found)
        time.sleep(0.02)


def who(found: tuple[Loop, ...]) -> str:
    """Names the processes behind loop devices, as far as we may see them, else the devices."""
    there = tuple(p for each in found for p in processes(each.number))
    return named(there) if there else f"/dev/{found[0].name}"


def named(found: tuple[Process, ...]) -> str:
    """Names processes, in a few words however many they are."""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0]}{more}"


def is_locked(path: str, start: int = 0, size: int = 0) -> bool:
    """Whether a runtime has what stands there in the file at `path` (to its end where `size` is 0)
    open for writing: it then locks the partition's bytes. Raises OSError where the file cannot be
    opened."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks
            answer = fcntl.fcntl(descriptor, _F_OFD_GETLK, lock_range(fcntl.F_RDLCK, start, size))
            return bool(struct.unpack_from("h", answer)[0] != fcntl.F_UNLCK)
    finally:
        os.close(descriptor)
    return False


def lock_range(kind: int, start: int, size: int) -> bytes:
    """Returns a `struct flock` of the 64-bit kind (fcntl(2))."""
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, start, size, 0)


def warning(path: str) -> str | None:
    """Returns what to tell a user before something writes into the container at `path`; None where
    nobody else does, or where a run does: then the runtime refuses another one by itself."""
    found = writers(path)
    if found:
        # The kernel takes a moment to let go of what a run just before had.
        time.sleep(_LET_GO)
        found = writers(path)
    with suppress(OSError):
        if found and not is_locked(path):
            return (
                f"{path}: {who(found)} of an earlier run can still write into it: end it before "
                "another run writes there, for one of the two will lose files"
            )
    return None
