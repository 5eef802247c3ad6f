"""Finds a runtime's program, without running it: this is on the user's clock."""

from __future__ import annotations

import os

from sifprov.errors import MissingError

ENVIRONMENT = "SIFPROV_RUNTIME"
_NAMES = ("singularity", "apptainer")


def find_program(wanted: str | None = None) -> str:
    """Returns the path of the runtime `wanted` (a path or a name), else $SIFPROV_RUNTIME's, else
    of the first on PATH. Raises MissingError."""
    choice = wanted or os.environ.get(ENVIRONMENT)
    for name in (choice,) if choice else _NAMES:
        path = _which(name)
        if path:
            return os.path.abspath(path)
    if choice:
        where = "--runtime" if wanted else f"${ENVIRONMENT}"
        raise MissingError(f"{choice}: no such program ({where})")
    raise MissingError(
        "neither singularity nor apptainer is on PATH",
        hint=f"name one with --runtime PATH or ${ENVIRONMENT}",
    )


def _which(name: str) -> str | None:
    if "/" in name:
        return name if _runs(name) else None
    for folder in os.get_exec_path():
        path = os.path.join(folder, name)
        if _runs(path):
            return path
    return None


def _runs(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def is_apptainer(path: str) -> bool:
    """Whether the program is Apptainer, by its name: it installs `singularity` as a link to it."""
    return "apptainer" in os.path.basename(os.path.realpath(path))
