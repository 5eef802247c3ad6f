"""Folders where something of the user's own waits: below `~/.local/state/sifprov/`, mode 0700."""

from __future__ import annotations

import contextlib
import os
import pwd
import stat

from sifprov.errors import FileError
from sifprov.newfile import sync_folder

_STATE, _OURS = (".local", "state"), "sifprov"


def state_folders(name: str) -> tuple[str, ...]:
    """Returns every folder `name` where something of this user may wait, the preferred one first.

    The plugin goes by the user's environment; the helper, which has none, by the password database.
    """
    states = []
    state = os.environ.get("XDG_STATE_HOME", "")
    if state.startswith("/"):  # by the XDG specification a relative path is no path
        states.append(state)
    homes = [os.path.expanduser("~")]
    # A user may have no entry there, as in some containers.
    with contextlib.suppress(KeyError):
        homes.append(pwd.getpwuid(os.getuid()).pw_dir)
    states += [os.path.join(home, *_STATE) for home in homes if home.startswith("/")]
    return tuple(dict.fromkeys(os.path.join(s, _OURS, name) for s in states))


def check_own(where: str) -> None:
    """Raises FileError for what is no folder that only this user can write to, OSError for one that
    cannot be looked at."""
    status = os.lstat(where)
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o022:
        raise FileError(f"{where}: not a folder that only you can write to")


def write_whole(path: str, data: bytes, *, sync: bool = True) -> None:
    """Writes a file that is either there whole or not at all; unless `sync` is False it waits until
    that is on the disk. Raises OSError."""
    temporary = path + ".tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(temporary, flags, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.rename(temporary, path)
    except OSError:
        os.unlink(temporary)
        raise
    if sync:
        sync_folder(path)
