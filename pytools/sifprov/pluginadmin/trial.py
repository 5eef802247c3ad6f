"""A real run in a temporary folder: first by the runtime alone, then to be recorded by the plugin.

The application is the machine's own `cp`, in a folder that the runtime takes for a container and
that has the machine's programs bound into it; input and output are small data containers.
"""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

from sifprov import spool
from sifprov.create import create_data
from sifprov.errors import Exit, FileError, MissingError, SifprovError
from sifprov.frozen import dataclass
from sifprov.pluginadmin.place import Place
from sifprov.records import read_records
from sifprov.sif import open_image

_TIMEOUT = 60
_FOLDERS = ("dev", "etc", "Inputs", "Outputs", "proc", "root", "sys", "tmp", "var/tmp")
# What programs of the host stand in and load; some are links to others of these.
_HOST = ("bin", "lib", "lib32", "lib64", "sbin", "usr")


class TrialError(SifprovError):
    """The run with the plugin failed, or left no record."""

    exit_code = Exit.DIFFERS


class RuntimeFailsError(MissingError):
    """The runtime cannot do the trial's run by itself; the plugin has no part in it."""


@dataclass(frozen=True)
class _Ended:
    code: int
    said: str


def prepare(folder: Path) -> None:
    """Makes the application and the two data containers in an empty folder."""
    root, source = folder / "app", folder / "data"
    for name in _FOLDERS:
        (root / name).mkdir(parents=True)
    for name in ("passwd", "group"):
        (root / "etc" / name).touch()
    for name in _HOST:
        there = Path("/", name)
        if there.is_symlink():
            (root / name).symlink_to(os.readlink(there))
        elif there.is_dir():
            (root / name).mkdir()
    source.mkdir()
    (source / "trial").write_text("a trial of sifprov's plugin\n", encoding="utf-8")
    create_data(str(folder / "input.sif"), mount="/Inputs", source=str(source))
    create_data(str(folder / "output.sif"), mount="/Outputs", free=65536)


def run_bare(place: Place, folder: Path) -> list[str]:
    """Runs without a plugin; returns the options that the runtime wants here for it.

    Raises RuntimeFailsError.
    """
    first = _exec(place, folder, [])
    if first.code == 0:
        return []
    # A root that lacks a capability, as in a container, cannot hand all of them on.
    if _exec(place, folder, ["--no-privs"]).code == 0:
        return ["--no-privs"]
    raise RuntimeFailsError(
        f"the runtime itself fails: {first.said}",
        hint="mend that first; --no-trial installs the plugin without a run",
    )


def run_recorded(place: Place, folder: Path, flags: list[str]) -> None:
    """Runs with the plugin and looks for the record. Raises TrialError."""
    try:
        ended = _exec(place, folder, flags)
        if ended.code:
            raise TrialError(f"a trial run fails with the plugin: {ended.said}")
        problem = _missing_in_record(folder / "output.sif")
        if problem:
            raise TrialError(f"a trial run left {problem}: {ended.said}")
    finally:
        _clean_spool(folder)


def _missing_in_record(output: Path) -> str | None:
    with open_image(str(output)) as (file, image):
        stored = read_records(file, image)
    record = stored[-1].record if stored else None
    if record is None or record.run is None:
        return "no record"
    itself = record.itself()
    if record.run.exit_code != 0 or itself is None or itself.digest is None:
        return "a record without the outcome or the content"
    return None


def _exec(place: Place, folder: Path, flags: list[str]) -> _Ended:
    argv = [place.runtime.path, "exec", *flags]
    for name, mount in (("input", "/Inputs"), ("output", "/Outputs")):
        argv += ["-B", f"{folder}/{name}.sif:{mount}:image-src={mount}"]
    app = folder / "app"
    for name in _HOST:
        if (app / name).is_dir() and not (app / name).is_symlink():
            argv += ["-B", f"/{name}:/{name}:ro"]
    argv += [str(app), "cp", "/Inputs/trial", "/Outputs/trial"]
    # Nothing of the administrator's own settings; the plugin's spool goes by HOME.
    environment = {"PATH": os.defpath + ":/usr/sbin:/sbin", "HOME": str(folder), "LANG": "C"}
    with open(folder / "said", "w+b") as said:
        # A file, for what the runtime leaves behind would hold a pipe open.
        try:
            process = subprocess.Popen(
                argv, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=said, stderr=said, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return _Ended(255, str(error))
        try:
            code = process.wait(_TIMEOUT)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return _Ended(255, f"no end within {_TIMEOUT} s")
        said.seek(0)
        lines = [line for line in said.read().decode(errors="replace").splitlines() if line.strip()]
    wanted = [line for line in lines if "WARNING" not in line and "INFO" not in line]
    return _Ended(code, " ".join(wanted[-2:]) or f"exit code {code}, no message")


def _clean_spool(folder: Path) -> None:
    """Removes the trial's record from the spool: it would wait there for ever."""
    with suppress(FileError, FileNotFoundError):
        for waiting in spool.waiting():
            if isinstance(waiting, spool.Waiting) and _is_below(waiting.target, folder):
                os.unlink(waiting.path)


def _is_below(path: str | None, folder: Path) -> bool:
    return path is not None and path.startswith(f"{folder}/")
