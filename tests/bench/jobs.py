"""The three jobs, the containers that they run on, and the runtime's command line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sifprov.create import create_data
from sifprov.sizes import parse_size
from tests.bench.peers import ROOT

MB = 1_000_000
LARGE, FILES = 100 * MB, 1000
LACKS_CAPABILITY = "Requesting capability set"


@dataclass(frozen=True)
class Job:
    """What runs in the application container, and how often it is measured by default."""

    name: str
    script: str
    rounds: int


JOBS = (
    Job("true", "true", 31),
    Job("SHA-256 of a 100 MB file", "sha256sum /Inputs/large > /Outputs/sum", 11),
    Job(
        "writing 1,000 small files",
        "cd /Outputs && seq 1000 | while read n; do echo $n > f$n; done",
        11,
    ),
)


@dataclass(frozen=True)
class Site:
    """A runtime, an application, a folder with `input.sif`, `output.sif` and a home."""

    runtime: str
    flags: tuple[str, ...]
    app: str
    folder: Path

    @property
    def home(self) -> Path:
        """A home that nothing else uses."""
        return self.folder / "home"

    @property
    def env(self) -> dict[str, str]:
        """The environment of every run."""
        return {"HOME": str(self.home), "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}

    def argv(
        self, script: str, *, input_sif: str = "input.sif", program: tuple[str, ...] = ()
    ) -> list[str]:
        """The command line; `program` in the place of the runtime and `exec`."""
        start = program or (self.runtime, "exec")
        binds = [f"{input_sif}:/Inputs:image-src=/Inputs,ro"]
        binds.append("output.sif:/Outputs:image-src=/Outputs")
        options = [word for bind in binds for word in ("-B", bind)]
        command = script.split() if script == "true" else ["sh", "-c", script]
        return [*start, *self.flags, *options, self.app, *command]

    def fresh(self, name: str) -> Path:
        """Returns a new folder with copies of the two containers."""
        folder = self.folder / name
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir()
        for sif in ("input.sif", "output.sif"):
            copy(self.folder / sif, folder / sif)
        return folder


def copy(source: Path, target: Path) -> None:
    """Copies a container with its holes."""
    subprocess.run(["cp", "--sparse=always", source, target], check=True)


def tool(*argv: str) -> str:
    """The last line that one of the tools prints."""
    argv = (str(ROOT / "tools" / argv[0]), *argv[1:])
    done = subprocess.run(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()[-1]


def runtime_flags(runtime: str, app: str) -> tuple[str, ...]:
    """What the runtime needs here before it runs a container."""
    argv = [runtime, "exec", app, "true"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return ("--no-privs",) if LACKS_CAPABILITY in done.stderr else ()


def make_site(folder: Path) -> Site:
    """Makes the containers."""
    runtime, app = tool("find-runtime"), tool("build-app", "tests/real/busybox.def")
    site = Site(runtime, runtime_flags(runtime, app), app, folder)
    site.home.mkdir()
    (site.home / ".gitconfig").write_text("[user]\n\tname = bench\n\temail = bench@example.org\n")
    make_input(folder / "input.sif", LARGE)
    # Room for a thousand files: an inode for each 16 KiB.
    create_data(str(folder / "output.sif"), mount="/Outputs", free=parse_size("20M"))
    return site


def make_input(path: Path, size: int) -> None:
    """A data container with one file of `size` bytes, which does not compress."""
    source = path.parent / "source"
    source.mkdir()
    with (source / "large").open("wb") as file:
        for at in range(0, size, MB):
            file.write(os.urandom(min(MB, size - at)))
    create_data(str(path), mount="/Inputs", source=str(source))
    shutil.rmtree(source)


@contextmanager
def plugin_installed(runtime: str) -> Iterator[None]:
    """Installs the plugin where it is not; then removes it again."""
    program = [str(Path(sys.executable).with_name("sifprov")), "plugin"]
    there = _run([*program, "status", "--runtime", runtime]).returncode != 3
    done = _run([*program, "install", "--runtime", runtime])
    if done.returncode:
        raise SystemExit(f"the plugin cannot be installed: {done.stderr.strip()}")
    try:
        yield
    finally:
        if not there:
            _run([*program, "remove", "--runtime", runtime])


def _run(argv: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=900, check=False
    )
