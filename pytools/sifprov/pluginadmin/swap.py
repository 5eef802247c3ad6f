"""Changing an installed plugin so that whatever goes wrong, what was there before is there again.

Running jobs have the old object mapped: its file is moved, never written to. A job that starts
meanwhile finds no plugin, and is not recorded.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sifprov.errors import FileError
from sifprov.pluginadmin.installed import own_plugin
from sifprov.pluginadmin.place import Place

_ASIDE = ".sifprov-before-"


@contextmanager
def only_one(place: Place) -> Iterator[None]:
    """Waits for another administrator's, or a package hook's, change of the plugins to end."""
    try:
        descriptor = os.open(place.plugin_root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise FileError(f"{place.plugin_root}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def put_aside(place: Place) -> Iterator[None]:
    """Takes the installed plugin away; restores it when the block fails or is interrupted.

    Earlier helpers stay in their place: some may be at work.
    """
    for left in place.plugin_root.glob(_ASIDE + "*"):
        shutil.rmtree(left)  # of an installation that was killed
    helpers = set(place.folder.glob("helper-*"))
    aside = Path(tempfile.mkdtemp(prefix=_ASIDE, dir=place.plugin_root))
    moved: list[tuple[Path, Path]] = []
    own = own_plugin(place.plugin_root)
    files = [place.object, place.object.with_suffix(".manifest"), place.config]
    # The list's entry goes first and comes back last: it must never name what is not there.
    for path in [*([own.path] if own else []), *files]:
        if path.exists():
            path.rename(aside / path.name)
            moved.append((aside / path.name, path))
    try:
        yield
    except BaseException:
        new = own_plugin(place.plugin_root)
        for path in [*([new.path] if new else []), *files]:
            path.unlink(missing_ok=True)
        for helper in set(place.folder.glob("helper-*")) - helpers:
            shutil.rmtree(helper)
        for saved, path in reversed(moved):
            saved.rename(path)
        with suppress(OSError):  # it is not empty when there was a plugin before
            place.folder.rmdir()
        raise
    finally:
        shutil.rmtree(aside)
