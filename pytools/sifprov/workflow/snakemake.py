"""Snakemake, as a process: it decides when and where each step runs.

It is in a process group of its own, which gets what ends us just once. Whatever it and the steps
print goes into a file.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import metadata, util
from types import FrameType

from sifprov.errors import FileError, MissingError
from sifprov.frozen import dataclass

_LOOK = 0.1
# Seconds that Snakemake and its steps are given to end before they are killed.
_PATIENCE = 60.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOCAL = "local"


@dataclass(frozen=True)
class Engine:
    """How Snakemake is to work: at most `jobs` steps at a time (None: as many as there are
    processors, or as a profile says), by an `executor` (`slurm`), with a `profile`, and with
    `more` arguments of its own."""

    jobs: int | None = None
    executor: str | None = None
    profile: str | None = None
    more: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """The executor, as a record names it."""
        return self.executor or ("profile" if self.profile else LOCAL)


def version() -> str:
    """Returns Snakemake's version. Raises MissingError where there is none."""
    try:
        if util.find_spec("snakemake") is None:
            raise metadata.PackageNotFoundError("snakemake")
        return metadata.version("snakemake")
    except metadata.PackageNotFoundError as error:
        raise MissingError(
            "Snakemake is not installed, which carries out workflows",
            hint="pip install 'sifprov[workflow]'",
        ) from error


def command_line(engine: Engine, folder: str) -> list[str]:
    """Returns Snakemake's command line for the Snakefile in `folder`."""
    argv = [
        sys.executable, "-m", "snakemake", "--snakefile", "Snakefile", "--directory", folder,
        # What is up to date we decide by content; only one engine is at work there, by our lock.
        "--rerun-triggers", "mtime", "--rerun-incomplete", "--nolock",
        # The solver of the other one is a program that not every machine can run.
        "--scheduler", "greedy",
    ]  # fmt: skip
    if engine.profile:
        argv += ["--profile", engine.profile]
    if engine.executor:
        argv += ["--executor", engine.executor]
    if engine.where == LOCAL:
        argv += ["--cores", str(engine.jobs or len(os.sched_getaffinity(0)))]
    elif engine.jobs or not engine.profile:
        argv += ["--jobs", str(engine.jobs or 100)]
    return [*argv, *engine.more]


def run(
    argv: Sequence[str],
    folder: str,
    log: str,
    environ: Mapping[str, str],
    on_look: Callable[[], None],
) -> int:
    """Runs Snakemake to its end and returns its exit code; calls `on_look` some times a second.

    SIGINT, SIGTERM and SIGHUP are handed on to its process group; what has not ended a minute
    later is killed. Then it raises KeyboardInterrupt or SystemExit, as the signal would have
    done. Raises FileError where it cannot be started.
    """
    got: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        got.append(number)

    before = {number: signal.signal(number, note) for number in _ENDING}
    try:
        with open(log, "ab") as out:
            process = subprocess.Popen(
                argv, cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL, stdout=out,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        code = _follow(process, got, on_look)
        if got:
            _wait_for_steps(process.pid)
    except OSError as error:
        raise FileError(f"{error.filename or argv[0]}: {error.strerror}") from error
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    on_look()
    if got:
        if got[0] == signal.SIGINT:
            raise KeyboardInterrupt
        sys.exit(128 + got[0])
    return code


def _follow(
    process: subprocess.Popen[bytes], got: Sequence[int], on_look: Callable[[], None]
) -> int:
    handed, since = 0, 0.0
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(timeout=_LOOK)
        on_look()
        while handed < len(got):
            _send(process.pid, got[handed])
            handed, since = handed + 1, since or time.monotonic()
        if since and time.monotonic() - since > _PATIENCE:
            _send(process.pid, signal.SIGKILL)


def _wait_for_steps(group: int) -> None:
    """Returns when the steps have ended, too: Snakemake does not wait for them when it is ended."""
    end = time.monotonic() + _PATIENCE
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < end:
            os.killpg(group, 0)
            time.sleep(_LOOK)
        os.killpg(group, signal.SIGKILL)


def _send(group: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
