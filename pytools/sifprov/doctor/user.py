"""The user's own: home, settings, spool."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sifprov import settings, spool
from sifprov.doctor.check import Check, bad, ok, warn
from sifprov.errors import FileError, SifprovError
from sifprov.terminal import counted

# What the wrapper and a replay set for the runtime: a run that has one is recorded by them.
_CAPTURED = ("SIFPROV_CAPTURED", "SINGULARITY_SIFPROV_CAPTURED")


def environment(environ: Mapping[str, str]) -> Check:
    """Whether a variable keeps runs from being recorded."""
    name = "environment"
    found = [variable for variable in _CAPTURED if environ.get(variable)]
    if found:
        text = f"{' and '.join(found)} is set, so runs count as recorded already"
        return bad(name, text, f"unset {' '.join(found)}")
    return ok(name, "no variable keeps runs from being recorded")


def home(environ: Mapping[str, str]) -> Check:
    """Whether there is a place for what cannot be delivered, and for the cache of digests."""
    name, folder = "home", settings.home_folder(environ)
    if not folder:
        return bad(name, "you have none", "set HOME: records that cannot be written wait there")
    for below in (".local/state/sifprov", ".cache/sifprov"):
        at = Path(folder, below)
        while not at.exists() and at != at.parent:
            at = at.parent
        if not at.is_dir() or not os.access(at, os.W_OK | os.X_OK):
            return warn(
                name, f"{at} is not writable, so there can be no {Path(folder, below)}",
                "make it writable: what a container cannot take waits there, or is lost",
            )  # fmt: skip
    return ok(name, f"{folder} is writable")


def settings_files(environ: Mapping[str, str], site: str = settings.SITE_FILE) -> Check:
    """Whether the settings of site and user can be used."""
    name, own = "settings", settings.user_file(environ)
    try:
        found = settings.load(environ, site=site)
    except SifprovError as error:
        return bad(name, f"{error}; none is used", error.hint or "mend it (docs/reference.md)")
    if found.warnings:
        return warn(name, "; ".join(found.warnings), "chmod go-w it, as its owner")
    files = [path for path in (site, own) if path and os.path.exists(path)]
    return ok(name, f"read from {' and '.join(files)}" if files else "none: the defaults hold")


def waiting_records() -> Check:
    """How many records wait for a container that could not take them."""
    name = "spool"
    try:
        number = spool.count()
    except (FileError, OSError) as error:
        return warn(name, str(error), "look at it, and give it back to yourself alone")
    if number:
        return warn(name, f"{counted(number, 'record')} waiting", "deliver them: sifprov flush")
    return ok(name, "nothing waits")
