"""Where else the records of a container stand: in places that the user named with `--metadata`.

The container itself does not tell. So that a later run which names no such place does not take
what the earlier one wrote for nobody's, the user's state remembers it:
`~/.local/state/sifprov/elsewhere/UUID`, by the container's UUID, holds a path in each line. It is
an aid: what cannot be written is not remembered, and what is there is only looked at, as any other
place of records.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from uuid import UUID

from sifprov.model.record import FOLDER, Record
from sifprov.placement import CONTAINER, Place
from sifprov.spool import folders
from sifprov.waiting import no_link

_NAME = "elsewhere"
_MOST_PLACES = 16
_MAX_FILE = 128 * 1024
# More containers than this are not remembered; those of the longest time ago give way.
_MOST = 4096


def remember(place: Place, record: Record) -> None:
    """Remembers that `record`, which tells the content of its container, stands in `place`. Raises
    nothing."""
    it = record.itself()
    if place.kind == CONTAINER or it is None or FOLDER in it.marks:
        return
    path = os.path.abspath(place.path)
    if "\n" in path:
        return
    for where in _folders():
        known = [p for p in _read(where, record.container) if p != path]
        with suppress(OSError):
            _make_room(where)
            _write(where, record.container, [path, *known][:_MOST_PLACES])
            return


def remembered(uuid: UUID) -> tuple[str, ...]:
    """Returns the places where records of the container `uuid` were written; some may be gone."""
    return tuple(dict.fromkeys(p for where in _folders() for p in _read(where, uuid)))


def _folders() -> list[str]:
    """The folders of the user's state, the preferred one first: they are the spool's neighbours."""
    return [os.path.join(os.path.dirname(spool), _NAME) for spool in folders()]


def _read(where: str, uuid: UUID) -> list[str]:
    try:
        descriptor = no_link(os.path.join(where, str(uuid)), os.O_RDONLY)
    except OSError:
        return []
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.getuid():
            return []
        lines = file.read(_MAX_FILE).split(b"\n")
    return [os.fsdecode(line) for line in lines if line.startswith(b"/")][:_MOST_PLACES]


def _write(where: str, uuid: UUID, paths: list[str]) -> None:
    os.makedirs(where, mode=0o700, exist_ok=True)
    status = os.lstat(where)
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o022:
        raise PermissionError(where)
    target = os.path.join(where, str(uuid))
    temporary = f"{target}.{os.getpid()}"
    descriptor = no_link(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(b"".join(os.fsencode(path) + b"\n" for path in paths))
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise


def _make_room(where: str) -> None:
    with suppress(FileNotFoundError):
        found = [entry.path for entry in os.scandir(where)]
        if len(found) >= _MOST:
            found.sort(key=lambda path: os.lstat(path).st_mtime_ns)
            for path in found[: _MOST // 4]:
                os.unlink(path)
