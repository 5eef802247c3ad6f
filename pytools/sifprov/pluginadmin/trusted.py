"""Who could have written a file: the plugin and its helper work for root too, so only root may."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator


def untrusted(path: str) -> Iterator[str]:
    """Says which component of a path somebody else than root could have written."""
    for part in _components(path):
        status = os.lstat(part)
        if status.st_uid != 0:
            yield f"{part} belongs to user {status.st_uid}, not to root"
        elif not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o022:
            yield f"{part} can be written by others (mode {stat.S_IMODE(status.st_mode):o})"


def unreachable(path: str) -> Iterator[str]:
    """Says which folder on the way, or that the file itself, is closed to ordinary users."""
    for part in _components(path):
        mode = os.lstat(part).st_mode
        wanted = 0o001 if stat.S_ISDIR(mode) else 0o004
        if not stat.S_ISLNK(mode) and not mode & wanted:
            yield f"{part} is closed to ordinary users (mode {stat.S_IMODE(mode):o})"


def _components(path: str) -> Iterator[str]:
    """Yields every folder and link on the way to `path`, and what the links lead to."""
    seen: set[str] = set()
    todo = [os.path.abspath(path)]
    while todo:
        at = todo.pop()
        while at not in seen:
            seen.add(at)
            yield at
            if os.path.islink(at):
                target = os.path.join(os.path.dirname(at), os.readlink(at))
                todo.append(os.path.normpath(target))
            at = os.path.dirname(at)
