"""The whole sifprov that takes reports of runs to a catalog on a server, for the plugin's helper.

It runs with the rights of whoever runs a container, root too, so nobody else than root may be able
to change any of it: the program, its packages, and where else that Python imports from.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from sifprov.pluginadmin.trusted import unreachable, untrusted

_ROOT = 0
# What a delivery imports beside Python's own.
_PACKAGES = ("sifprov", "pyext2fs", "click", "sqlalchemy", "psycopg")
# Where that Python looks without variables, user site and current folder, and where it has them.
_ASK = (
    "import importlib.util, json, sys\n"
    "found = {n: importlib.util.find_spec(n) for n in json.loads(sys.argv[1])}\n"
    "print(json.dumps([sys.path, {n: s and s.origin for n, s in found.items()}]))"
)


def deliver_command(interpreter: str = sys.executable) -> tuple[str, ...]:
    """Returns the command line of our own `sifprov`; empty where others than root could have
    changed it, or ordinary users cannot reach it: reports then wait for a reader of the catalog."""
    ask = [interpreter, "-I", "-c", _ASK, json.dumps(_PACKAGES)]
    try:
        done = subprocess.run(ask, capture_output=True, timeout=60, check=True)
        paths, origins = json.loads(done.stdout)
        if not all(origins.values()):
            return ()
        main = os.path.join(os.path.dirname(origins["sifprov"]), "__main__.py")
        looked = [interpreter, main, *(path for path in paths if os.path.lexists(path))]
        if any(True for path in looked for _ in untrusted(path)):
            return ()
        if any(True for path in (interpreter, main) for _ in unreachable(path)):
            return ()
        if any(_is_open(path) for origin in origins.values() for path in _below(origin)):
            return ()
    except (OSError, ValueError, subprocess.SubprocessError):
        return ()
    return (interpreter, "-I", main)


def _below(origin: str) -> Iterator[str]:
    """Yields all files and folders of a package."""
    top = os.path.dirname(origin)
    for folder, _, names in os.walk(top):
        yield folder
        yield from (os.path.join(folder, name) for name in names)


def _is_open(path: str) -> bool:
    status = os.lstat(path)
    return status.st_uid != _ROOT or bool(status.st_mode & 0o022 and not os.path.islink(path))
