"""Whether a folder's file system knows the locks that appends and the runtimes take."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import tempfile
from pathlib import Path

from sifprov.doctor.check import Check, bad, ok, skip, warn
from sifprov.sif.write import F_OFD_SETLK

_NAME = "locks"
# What has to be known of a network file system, where two nodes may write one container.
_REMARKS = {
    "nfs": "over NFS they hold between nodes, if the server's lock service runs",
    "nfs4": "over NFS they hold between nodes",
    "lustre": "on Lustre they hold between nodes with the mount option flock",
    "cifs": "over SMB they depend on the server",
    "smb3": "over SMB they depend on the server",
}
_ONE_NODE = ("localflock", "nolock", "local_lock=all", "local_lock=posix")


def locks(folder: Path, *, mounts: Path = Path("/proc/self/mountinfo")) -> Check:
    """Tries the locks on a temporary file in `folder`."""
    where = f"in {folder}"
    try:
        with (
            tempfile.NamedTemporaryFile(prefix=".sifprov-", dir=folder, buffering=0) as first,
            open(first.name, "r+b", buffering=0) as second,
        ):
            problem = _try(first.fileno(), second.fileno())
    except OSError as error:
        return skip(_NAME, f"{where}: no file can be made there: {error.strerror or error}")
    kind, options = file_system(folder, mounts)
    if problem:
        return bad(
            _NAME,
            f"{where} ({kind}): {problem}",
            "keep containers on another file system: there, records could only wait in the spool",
        )
    if any(option in options for option in _ONE_NODE):
        return warn(
            _NAME,
            f"{where} ({kind}): they hold on this node only",
            "let no two nodes write into one container, or mount it with locks",
        )
    remark = _REMARKS.get(kind)
    return ok(_NAME, f"{where} ({kind}): tried" + (f"; {remark}" if remark else ""))


def _try(first: int, second: int) -> str | None:
    """Says what is wrong; both are descriptors of the same file, opened twice."""
    for command, kind in ((F_OFD_SETLK, "open-file-description"), (fcntl.F_SETLK, "POSIX")):
        try:
            fcntl.fcntl(first, command, _flock(fcntl.F_WRLCK))
        except OSError as error:
            return f"no {kind} locks ({error.strerror})"
        try:
            fcntl.fcntl(second, F_OFD_SETLK, _flock(fcntl.F_WRLCK))
            return f"{kind} locks exclude nobody"
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return f"no open-file-description locks ({error.strerror})"
        fcntl.fcntl(first, command, _flock(fcntl.F_UNLCK))
    return None


def _flock(kind: int) -> bytes:
    return struct.pack("hhqqi4x", kind, os.SEEK_SET, 0, 1, 0)


def file_system(folder: Path, mounts: Path) -> tuple[str, list[str]]:
    """Returns the type and the options of the file system that `folder` stands on."""
    wanted = os.path.realpath(folder)
    best, found = -1, ("unknown file system", list[str]())
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return found
    for line in lines:
        left, _, right = line.partition(" - ")
        fields, source = left.split(), right.split()
        if len(fields) < 6 or len(source) < 3:
            continue
        # A space in a mount point is written as \040, and so on.
        point = fields[4].encode("ascii", "surrogateescape").decode("unicode_escape")
        inside = wanted == point or wanted.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:  # the last one of several covers the others
            best = len(point)
            found = (source[0], [*fields[5].split(","), *source[2].split(",")])
    return found
