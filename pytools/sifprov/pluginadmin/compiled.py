"""The compiled plugin as a file of its own: made here, installed here or on another machine.

It is the SIF that the runtime's `plugin compile` writes and its `plugin install` reads: the object
and a manifest in JSON (pkg/plugin/manifest.go and internal/pkg/plugin of both runtimes).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from sifprov.errors import Exit, FileError, FormatError, SifprovError
from sifprov.pluginadmin import payload
from sifprov.pluginadmin.gobinary import GoBinaryError, misfits, packages
from sifprov.pluginadmin.place import NAME, Place
from sifprov.sif import Image, open_image, read_object, text_of
from sifprov.sif.image import open_file
from sifprov.version import VERSION

_OBJECT, _MANIFEST = "plugin.so", "plugin.manifest"
# The plugin's object has 8 MB.
_MAX_OBJECT, _MAX_MANIFEST = 256 * 1024 * 1024, 65536
_BROKEN = (
    FileError,
    FormatError,
    GoBinaryError,
    ValueError,
    LookupError,
    TypeError,
    RecursionError,
)
_COMPILE = "'sifprov plugin compile', called where the runtime's source is, makes one that fits"


class MisfitError(SifprovError):
    """A compiled plugin that would not load into this runtime, or that is of another version."""

    exit_code = Exit.DIFFERS


def compile_to(place: Place, path: Path) -> None:
    """Compiles the plugin for a runtime to a new file. Raises FileError, MissingError."""
    go = payload.find_go(place)
    if os.path.lexists(path):
        raise FileError(f"{path}: is there already", hint="remove it, or name another")
    try:
        with tempfile.TemporaryDirectory(prefix=".sifprov-", dir=path.parent.absolute()) as name:
            built = Path(name) / "sifprov.sif"
            payload.compile_plugin(place, built, go)
            built.replace(path)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error


def take_compiled(place: Place, path: Path, to: Path) -> None:
    """Copies a compiled plugin to `to`, in a private folder, and checks the copy: nobody can
    exchange it any more. Nothing of it is loaded or run.

    Raises FileError when it is no compiled plugin, MisfitError when it does not fit.
    """
    with open_file(str(path)) as source, open(to, "wb") as target:
        shutil.copyfileobj(source, target)
    loose = to.with_suffix(".so")
    try:
        with open_image(str(to)) as (file, image):
            loose.write_bytes(_read(file, image, _OBJECT, _MAX_OBJECT))
            manifest = json.loads(_read(file, image, _MANIFEST, _MAX_MANIFEST))
        name, version = manifest["name"], manifest["version"]
        found = packages(loose)
    except _BROKEN as error:
        raise FileError(f"{path}: this is no compiled plugin", hint=_COMPILE) from error
    finally:
        loose.unlink(missing_ok=True)
    if name != NAME:
        raise FileError(f"{path}: this is another plugin, {name}", hint=_COMPILE)
    if version != VERSION:
        raise MisfitError(f"{path}: it is of version {version}, this is {VERSION}", hint=_COMPILE)
    for program, reason in misfits(found, place.programs):
        raise MisfitError(f"{path}: it does not load into {program}, {reason}", hint=_COMPILE)


def _read(file: BinaryIO, image: Image, name: str, limit: int) -> bytes:
    found = [item for item in image.descriptors if text_of(item.name) == name]
    return read_object(file, found[0], limit=limit)
