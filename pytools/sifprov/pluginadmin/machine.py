"""The runtimes of a machine: on PATH and where they are usually installed."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Mapping

from sifprov.errors import MissingError, SifprovError
from sifprov.frozen import dataclass
from sifprov.pluginadmin.place import Place, find_place
from sifprov.pluginadmin.trusted import untrusted
from sifprov.runtime.find import ENVIRONMENT, Runtime, find_runtime, identify

FOLDERS = (
    "/usr/bin", "/usr/local/bin", "/usr/local/*/bin", "/opt/bin", "/opt/*/bin", "/opt/*/*/bin",
    "/usr/libexec/*/bin",
)  # fmt: skip
_NAMES = ("singularity", "apptainer")


@dataclass(frozen=True)
class Machine:
    """The runtimes that were found, and in words what was passed over."""

    runtimes: tuple[Runtime, ...]
    skipped: tuple[str, ...]


def find_runtimes(
    environ: Mapping[str, str] | None = None, folders: tuple[str, ...] = FOLDERS
) -> Machine:
    """Returns every runtime: $SIFPROV_RUNTIME's first, then PATH's, then those in `folders`.

    As root a program that somebody else could have written is not run, only told, unless
    $SIFPROV_RUNTIME names it.
    """
    environ = os.environ if environ is None else environ
    runtimes: list[Runtime] = []
    skipped: list[str] = []
    named = environ.get(ENVIRONMENT)
    if named:
        try:
            runtimes.append(find_runtime(named))
        except MissingError as error:
            skipped.append(str(error))
    seen = {os.path.realpath(runtime.path) for runtime in runtimes}
    for path in _programs(environ.get("PATH", ""), folders):
        if path in seen:
            continue
        seen.add(path)
        reason = next(untrusted(path), None) if os.geteuid() == 0 else None
        if reason:
            skipped.append(f"{path}: not run as root: {reason}")
            continue
        try:
            runtimes.append(identify(path))
        except MissingError as error:
            skipped.append(str(error))
    return Machine(tuple(runtimes), tuple(skipped))


def _programs(path: str, folders: tuple[str, ...]) -> Iterator[str]:
    """Yields the real path of each program with a runtime's name: one may have several names."""
    places = [folder for folder in path.split(os.pathsep) if folder.startswith("/")]
    for pattern in folders:
        places += sorted(glob.glob(pattern))
    for folder in places:
        for name in _NAMES:
            program = os.path.join(folder, name)
            if os.path.isfile(program) and os.access(program, os.X_OK):
                yield os.path.realpath(program)


def all_places() -> tuple[list[Place], list[str]]:
    """Returns every runtime that knows plugins, and in words what was passed over.

    Raises MissingError when there is no runtime at all.
    """
    machine = find_runtimes()
    places, skipped = [], list(machine.skipped)
    for runtime in machine.runtimes:
        try:
            places.append(find_place(runtime))
        except MissingError as error:
            skipped.append(str(error))
    if not places:
        raise MissingError(
            "; ".join(["no runtime that takes plugins was found", *skipped]),
            hint="name one with --runtime PATH",
        )
    return places, skipped


def named_place(wanted: str | None) -> Place | None:
    """Returns the runtime that `wanted` or else $SIFPROV_RUNTIME names; None when neither does."""
    if wanted or os.environ.get(ENVIRONMENT):
        return find_place(find_runtime(wanted))
    return None


def the_only(places: list[Place], *, or_all: bool = True) -> Place:
    """Returns the place when there is one. Raises SifprovError when there are several.

    `or_all` says whether the verb could take all of them.
    """
    if len(places) > 1:
        paths = ", ".join(place.runtime.path for place in places)
        raise SifprovError(
            f"there are {len(places)} runtimes: {paths}",
            hint="name one with --runtime PATH" + (", or take --all" if or_all else ""),
        )
    return places[0]
