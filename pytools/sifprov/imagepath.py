"""Where `image-src` leads: the folder of a container that a run binds.

The runtimes clean it of `.` and `..` as text, join it to where they mounted the partition, and let
the kernel find it there. A symbolic link on the way is followed, and one that is absolute, or
climbs above the root, is followed on the host: the application then sees the host's files in the
container's name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import ExitStack

from sifprov.errors import SifprovError
from sifprov.filesystem import FileSystem, Node
from sifprov.filesystem.opening import open_filesystem
from sifprov.frozen import dataclass
from sifprov.model.record import SOURCE_LINK, SOURCE_OUTSIDE
from sifprov.sif import Partition

GOOD, LINK, OUTSIDE, MISSING, UNKNOWN = "good", "link", "outside", "missing", "unknown"
# As many as Linux follows.
_MAX_LINKS = 40


@dataclass(frozen=True)
class Verdict:
    """Where an image-src leads.

    `kind` is GOOD, LINK (through a symbolic link, to somewhere in the container), OUTSIDE (to the
    host), MISSING (nowhere: the runtime refuses it itself) or UNKNOWN (it cannot be told now).
    `reason` says in words why it is not GOOD.
    """

    kind: str
    reason: str = ""

    @property
    def refused(self) -> bool:
        """Whether a run must not be started on it."""
        return self.kind in (LINK, OUTSIDE)

    @property
    def mark(self) -> str | None:
        """The mark that a record gives to the container."""
        return {LINK: SOURCE_LINK, OUTSIDE: SOURCE_OUTSIDE}.get(self.kind)


# Tells what stands under a name in a folder, which is given by its components: the mode, and the
# target of a link. Raises FileNotFoundError.
_Look = Callable[[tuple[bytes, ...], bytes], tuple[int, bytes]]


def check_source(path: str, partition: Partition | None, image_src: str | None) -> Verdict:
    """Follows `image_src` in the data `partition` of the container at `path`, which nobody writes.

    Needs no mount, and reads only the folders on the way. An error makes it UNKNOWN.
    """
    parts = _parts(image_src)
    if not parts:
        return _short(image_src, parts)
    if partition is None:
        return Verdict(UNKNOWN, "no data partition")
    try:
        with open_filesystem(path, partition) as fs:
            return _follow(parts, _in_image(fs))
    except (SifprovError, OSError) as error:
        return Verdict(UNKNOWN, str(error))


def check_mounted(point: str, image_src: str | None) -> Verdict:
    """Follows `image_src` below the folder `point`, where the partition is mounted."""
    parts = _parts(image_src)
    if not parts:
        return _short(image_src, parts)
    with ExitStack() as stack:
        try:
            top = os.open(point, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, top)
            return _follow(parts, _in_folder(top))
        except OSError as error:
            return Verdict(UNKNOWN, f"{point}: {error.strerror}")


def _parts(image_src: str | None) -> list[bytes] | None:
    """Cleans the path as text, as the runtimes do. None: it climbs above the root."""
    found: list[bytes] = []
    for part in os.fsencode(image_src or "/").split(b"/"):
        if part == b"..":
            if not found:
                return None
            found.pop()
        elif part not in (b"", b"."):
            found.append(part)
    return found


def _short(image_src: str | None, parts: list[bytes] | None) -> Verdict:
    if parts is None:
        return Verdict(OUTSIDE, f"image-src {image_src} leads out of the container")
    return Verdict(GOOD)


def _follow(parts: list[bytes], look: _Look) -> Verdict:
    """Goes where the kernel would go, but stops where that is outside."""
    todo = parts[::-1]
    at: tuple[bytes, ...] = ()
    said = ""
    links = 0
    while todo:
        part = todo.pop()
        if part == b"..":
            if not at:
                return Verdict(OUTSIDE, f"{said}, out of the container")
            at = at[:-1]
            continue
        here = "/" + os.fsdecode(b"/".join((*at, part)))
        try:
            mode, target = look(at, part)
        except FileNotFoundError:
            return Verdict(MISSING, f"{here} is not in the container")
        if stat.S_ISLNK(mode):
            said = f"{here} is a symbolic link to {os.fsdecode(target)}"
            links += 1
            if target.startswith(b"/"):
                return Verdict(OUTSIDE, f"{said}, a path of the host")
            if links > _MAX_LINKS:
                return Verdict(MISSING, f"{here}: too many symbolic links")
            todo += [p for p in reversed(target.split(b"/")) if p not in (b"", b".")]
        elif todo and not stat.S_ISDIR(mode):
            return Verdict(MISSING, f"{here} is no folder")
        else:
            at = (*at, part)
    return Verdict(LINK, said) if links else Verdict(GOOD)


def _in_image(fs: FileSystem) -> _Look:
    known: dict[tuple[bytes, ...], dict[bytes, Node]] = {}

    def look(folder: tuple[bytes, ...], name: bytes) -> tuple[int, bytes]:
        # What leads to a folder was looked at before the folder itself.
        if folder not in known:
            node = known[folder[:-1]][folder[-1]] if folder else fs.root
            known[folder] = {child.name: child for child in fs.children(node)}
        found = known[folder].get(name)
        if found is None:
            raise FileNotFoundError(name)
        return found.mode, fs.readlink(found) if found.is_link else b""

    return look


def _in_folder(top: int) -> _Look:
    def look(folder: tuple[bytes, ...], name: bytes) -> tuple[int, bytes]:
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        with ExitStack() as stack:
            at = top
            for part in folder:
                at = os.open(part, flags, dir_fd=at)
                stack.callback(os.close, at)
            mode = os.stat(name, dir_fd=at, follow_symlinks=False).st_mode
            return mode, os.readlink(name, dir_fd=at) if stat.S_ISLNK(mode) else b""

    return look
