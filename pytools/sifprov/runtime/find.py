"""Finds a container runtime and knows its version."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from sifprov.errors import MissingError

ENVIRONMENT = "SIFPROV_RUNTIME"
_NAMES = ("singularity", "apptainer")
_VERSION = re.compile(r"^(singularity-ce|singularity|apptainer) version (\S+)", re.MULTILINE)


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
    choice = wanted or os.environ.get(ENVIRONMENT)
    for name in (choice,) if choice else _NAMES:
        path = shutil.which(name)
        if path:
            return identify(path)
    if choice:
        where = "--runtime" if wanted else f"${ENVIRONMENT}"
        raise MissingError(f"{choice}: no such program ({where})")
    raise MissingError(
        "neither singularity nor apptainer is on PATH",
        hint=f"name one with --runtime PATH or ${ENVIRONMENT}",
    )


def identify(path: str) -> Runtime:
    """Asks the program at `path` for its version. Raises MissingError when it is no runtime."""
    try:
        result = subprocess.run(
            [path, "--version"], capture_output=True, text=True, errors="replace",
            stdin=subprocess.DEVNULL, timeout=60, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{path}: does not run: {error}") from error
    match = _VERSION.search(result.stdout)
    if result.returncode or not match:
        raise MissingError(f"{path}: this is neither singularity nor apptainer")
    return Runtime(os.path.abspath(path), match.group(1), match.group(2))
