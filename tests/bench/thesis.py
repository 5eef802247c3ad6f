"""What the parts of `make bench-thesis` share: where they work, and what they hand back.

A part measures (`measure(place, options) -> raw`), and tells what was measured (`report(raw)`)
from nothing but that, so that the tables can be printed again from the file of raw results.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.bench.jobs import runtime_flags, tool
from tests.real.harness import plugin_state

Raw = dict[str, Any]
SIFPROV = str(Path(sys.executable).with_name("sifprov"))
LIMIT = 600.0


@dataclass(frozen=True)
class Options:
    """What the caller chose; `models` are those of `time`."""

    runs: int = 30
    rounds: int = 5
    megabytes: int = 2100
    seed: int = 2020
    models: tuple[str, ...] = ()


@dataclass
class Report:
    """The lines to print, Markdown, and which bounds are kept: (what it says, whether)."""

    lines: list[str] = field(default_factory=list)
    bars: list[tuple[str, bool]] = field(default_factory=list)

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Adds a table, with an empty line before it."""
        self.lines += ["", f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
        self.lines += [f"| {' | '.join(row)} |" for row in rows]


@dataclass(frozen=True)
class Place:
    """The runtime, and a folder to work in, with a home that nothing else uses."""

    runtime: str
    flags: tuple[str, ...]
    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """The environment of every run."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        return {"HOME": str(home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def argv(self, binds: Mapping[str, str], app: str, *command: str) -> list[str]:
        """What follows `singularity exec`: `binds` maps mount points to containers; what begins
        with `/Inputs` is only read."""
        words = [*self.flags]
        for mount, sif in binds.items():
            read_only = ",ro" if mount.startswith("/Inputs") else ""
            words += ["-B", f"{sif}:{mount}:image-src={mount}{read_only}"]
        return [*words, app, *command]


def make_place(folder: Path) -> Place:
    """Finds the runtime and what it needs."""
    runtime = tool("find-runtime")
    return Place(runtime, runtime_flags(runtime, app("tests/real/busybox.def")), folder)


@cache
def app(definition: str) -> str:
    """The path of an application container, built when it is not there."""
    return tool("build-app", definition)


def timed(
    argv: Sequence[str | Path],
    place: Place,
    cwd: Path,
    *,
    plugin: bool = False,
    stdout: Path | None = None,
) -> float:
    """Seconds that a program takes, which must succeed. Without `plugin`, the runtime sees none."""
    with plugin_state(place.runtime, present=plugin), _output(stdout) as output:
        began = time.perf_counter()
        done = subprocess.run(
            argv, cwd=cwd, env=place.env, stdin=subprocess.DEVNULL, stdout=output,
            stderr=subprocess.PIPE, timeout=LIMIT, check=False,
        )  # fmt: skip
        took = time.perf_counter() - began
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise SystemExit(f"exit code {done.returncode}: {argv}\n{said[-2000:]}")
    return took


@contextmanager
def _output(path: Path | None) -> Iterator[int]:
    if path is None:
        yield subprocess.DEVNULL
        return
    with path.open("wb") as file:
        yield file.fileno()


def shuffled(
    tasks: Mapping[str, Callable[[], float]],
    rounds: int,
    seed: int,
    label: str,
    *,
    warm_up: int = 1,
) -> dict[str, list[float]]:
    """Runs every task once a round, in an order that `seed` decides, after `warm_up` rounds that do
    not count. A task returns the seconds that count."""
    chance = random.Random(seed)  # noqa: S311 - no secret: the same order every time
    times: dict[str, list[float]] = {name: [] for name in tasks}
    began = time.monotonic()
    for number in range(-warm_up, rounds):
        names = list(tasks)
        chance.shuffle(names)
        for name in names:
            took = tasks[name]()
            if number >= 0:
                times[name].append(took)
        progress(f"{label}: round {number + 1} of {rounds}, {time.monotonic() - began:.0f} s")
    return times


def progress(text: str) -> None:
    """A line about what goes on, for whoever waits."""
    print(f"  {text}", file=sys.stderr, flush=True)


def flush(path: Path) -> None:
    """Waits until a file, and its name, are on the disk."""
    for name in (path, path.parent):
        fd = os.open(name, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def forget(*paths: Path) -> str:
    """Makes the kernel forget what it has cached. Returns how, in words."""
    os.sync()
    with suppress(OSError):
        Path("/proc/sys/vm/drop_caches").write_text("3")
        return "drop_caches"
    for path in paths:
        with path.open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return "posix_fadvise of the files"


def remember(path: Path) -> None:
    """Reads a file, so that it is cached."""
    with path.open("rb", buffering=0) as file:
        buffer = bytearray(1 << 20)
        while file.readinto(buffer):
            pass
