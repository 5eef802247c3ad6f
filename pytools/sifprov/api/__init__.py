"""sifprov from Python: what the command line does, as objects.

    import sifprov

    result = sifprov.open("output.sif")
    trail = result.trail()
    trail                            # in a notebook, a picture
    trail.table()                    # the runs, as a pandas.DataFrame
    result.verify().verdict          # 'good'

A method does what the command of its name does, prints nothing, and returns the job's own frozen
object. Errors are `sifprov.errors.SifprovError`, whose `hint` says what to do next. Paths may be
given as text or as `os.PathLike`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from sifprov.api.catalog import Catalog
from sifprov.api.container import Container, FileInside
from sifprov.api.replay import PlannedReplay
from sifprov.api.trail import Trail

if TYPE_CHECKING:
    from sifprov.doctor import Report as DoctorReport
    from sifprov.flush import Delivered
    from sifprov.layouts import Layout

__all__ = [
    "Catalog", "Container", "FileInside", "PlannedReplay", "Trail",
    "doctor", "flush", "layouts", "make", "open", "run",
]  # fmt: skip

PathLike = str | os.PathLike[str]


def open(path: PathLike, *, metadata: PathLike | None = None) -> Container:  # noqa: A001
    """Opens a container, a plain folder with a sidecar, a sidecar, or a metadata container.

    `metadata` names a place that holds records of many; by default it is what the user's settings
    say. Raises FileError for a path that is not there.
    """
    return Container(os.fspath(path), metadata=None if metadata is None else os.fspath(metadata))


def make(
    path: PathLike,
    *,
    mount: str,
    source: PathLike | None = None,
    role: str | None = None,
    free: int | str = 0,
    fs: str = "ext3",
    reproducible: bool = False,
) -> Container:
    """Makes a data container, as `sifprov data create` does, and opens it.

    Its files are those of the folder `source`, under the path `mount`; `free` is the room to leave,
    in bytes or as `8M`; `fs` is `ext3`, or `squashfs` for a sealed one. Refuses to overwrite.
    Raises FileError, MissingError.
    """
    from sifprov.create import create_data
    from sifprov.sizes import parse_size

    create_data(
        os.fspath(path),
        mount=mount,
        role=role,
        source=None if source is None else os.fspath(source),
        free=free if isinstance(free, int) else parse_size(free),
        fs=fs,
        reproducible=reproducible,
    )
    return open(path)


def run(
    argv: Sequence[PathLike],
    *,
    action: str = "exec",
    inputs: Iterable[PathLike] = (),
    output: PathLike | None = None,
    check: bool = False,
    environ: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Runs `sifprov exec` (or `run`) in a process of its own and returns how that ended.

    `argv` is what stands behind `exec`: options of the runtime, the application container, its
    command. `inputs` and `output` are data containers to bind where they say; an output that is
    not there is made. Standard streams are ours. With `check`, a code other than 0 raises
    subprocess.CalledProcessError.
    """
    words = [word for path in inputs for word in ("--in", os.fspath(path))]
    words += ["--out", os.fspath(output)] if output is not None else []
    line = [sys.executable, "-m", "sifprov", action, *words, *(os.fspath(word) for word in argv)]
    return subprocess.run(line, check=check, env=None if environ is None else dict(environ))


def flush(search: Iterable[PathLike] = ()) -> list[Delivered]:
    """Delivers the records that wait in the user's spool, as `sifprov flush` does."""
    from sifprov.flush import flush as deliver

    return list(deliver([os.fspath(folder) for folder in search]))


def doctor(runtime: str | None = None, folder: PathLike = ".") -> DoctorReport:
    """Says what of the user's runs will be captured, and what is in the way."""
    from pathlib import Path

    from sifprov.doctor import diagnose

    return diagnose(runtime, Path(folder))


def layouts() -> list[Layout]:
    """Returns the layouts that `sifprov data create --layout` knows by name."""
    from sifprov.layouts import all_layouts

    return all_layouts()
