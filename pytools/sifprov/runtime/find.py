"""Finds a container runtime and knows its version."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress

from sifprov.errors import MissingError
from sifprov.frozen import dataclass
from sifprov.runtime.program import ENVIRONMENT as ENVIRONMENT
from sifprov.runtime.program import find_program

_VERSION = r"(?m)^(singularity-ce|singularity|apptainer) version (\S+)"
_CACHE = "runtimes.json"
_MAX_CACHE = 64 * 1024


@dataclass(frozen=True)
class Runtime:
    """A runtime's program, and the name and version that it gives itself."""

    path: str
    name: str
    version: str


def find_runtime(wanted: str | None = None) -> Runtime:
    """Returns the runtime `wanted` (a path or a name), else $SIFPROV_RUNTIME's, else the first
    on PATH.

    Raises MissingError.
    """
    return identify(find_program(wanted))


def identify(path: str) -> Runtime:
    """Asks the program at `path` for its version. Raises MissingError when it is no runtime."""
    import subprocess  # not where the answer is known

    try:
        result = subprocess.run(
            [path, "--version"], capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=60, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{path}: does not run: {error}") from error
    match = re.search(_VERSION, result.stdout)
    if result.returncode or not match:
        raise MissingError(f"{path}: this is neither singularity nor apptainer")
    return Runtime(os.path.abspath(path), match.group(1), match.group(2))


def identify_once(path: str) -> Runtime:
    """As `identify`, but remembers the answer for as long as the program is the same file."""
    store = os.path.join(_cache_folder(), _CACHE)
    key = _key(path)
    known = _read(store)
    if key and known.get(path, [])[: len(key)] == key:
        return Runtime(path, *known[path][len(key) :])
    found = identify(path)
    if key:
        _write(store, {**known, path: [*key, found.name, found.version]})
    return found


def _key(path: str) -> list[str]:
    """What changes when the program does; empty for a script, which may start any other one."""
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if file.read(2) == b"#!":
                return []
    except OSError:
        return []
    return [f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"]


def _cache_folder() -> str:
    base = os.environ.get("XDG_CACHE_HOME", "")
    # By the XDG Base Directory Specification a relative path is no path.
    if not base.startswith("/"):
        base = os.path.expanduser("~/.cache")
    return os.path.join(base, "sifprov")


def _read(store: str) -> dict[str, list[str]]:
    try:
        with open(store, "rb") as file:
            found = json.loads(file.read(_MAX_CACHE))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        path: row
        for path, row in found.items()
        if isinstance(row, list) and len(row) == 3 and all(isinstance(w, str) for w in row)
    }


def _write(store: str, known: dict[str, list[str]]) -> None:
    # What cannot be remembered is asked again.
    temporary = f"{store}.{os.getpid()}"
    with suppress(OSError):
        os.makedirs(os.path.dirname(store), mode=0o700, exist_ok=True)
        try:
            with open(temporary, "x", encoding="ascii") as file:
                json.dump(known, file)
            os.replace(temporary, store)
        except OSError:
            os.unlink(temporary)
