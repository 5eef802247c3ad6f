"""Where a runtime keeps its plugins, its programs, its configuration and its source."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sifprov.errors import MissingError
from sifprov.runtime.find import Runtime

NAME = "sifprov"
# What `mconfig --reproducible`, as packagers call it, puts in place of the source's path.
_REPRODUCIBLE = "REPRODUCIBLE_BUILD"


@dataclass(frozen=True)
class Place:
    """A runtime as an administrator sees it. `build` is what its verb `buildcfg` prints."""

    runtime: Runtime
    plugin_root: Path
    source: Path
    build: Mapping[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The plugin's own folder."""
        return self.plugin_root / NAME

    @property
    def config(self) -> Path:
        """The plugin's configuration."""
        return self.folder / "sifprov.json"

    @property
    def object(self) -> Path:
        """The compiled plugin."""
        return self.folder / "object.so"

    @property
    def word(self) -> str:
        """What the runtime's own files and folders are called: `singularity` or `apptainer`."""
        return "apptainer" if self.runtime.name == "apptainer" else "singularity"

    @property
    def refuses_plugins(self) -> bool:
        """Whether this build compiles and installs no plugin, as packaged builds do."""
        return self.build.get("BUILDDIR") == _REPRODUCIBLE

    @property
    def starters(self) -> tuple[Path, ...]:
        """The starter, and the setuid one where there is one: the programs that run containers."""
        folder = self.plugin_root.parent / "bin"
        found = (folder / "starter", folder / "starter-suid")
        return tuple(path for path in found if path.exists())

    @property
    def programs(self) -> tuple[Path, ...]:
        """Every program that loads plugins. `runtime.path` may be a script around the first."""
        main = Path(self.build.get("BINDIR", "")) / self.word
        if not main.is_file():
            main = Path(os.path.realpath(self.runtime.path))
        return (main, *self.starters)

    @property
    def conf(self) -> Path | None:
        """The runtime's own configuration file."""
        text = self.build.get(f"{self.word.upper()}_CONF_FILE")
        return Path(text) if text else None


def find_place(runtime: Runtime) -> Place:
    """Asks a runtime where its things are. Raises MissingError when it knows no plugins."""
    text = run([runtime.path, "buildcfg"], "asking the runtime for its configuration")
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    root = values.get("PLUGIN_ROOTDIR")
    if not root:
        raise MissingError(f"{runtime.path}: this build has no support for plugins")
    build = Path(values.get("BUILDDIR", ""))
    return Place(runtime, Path(root), Path(values.get("SOURCEDIR") or build.parent), values)


def read_conf(path: Path | None) -> dict[str, str]:
    """Returns the lines `key = value` of a runtime's configuration; none when it is unreadable."""
    if path is None:
        return {}
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}


def run(
    argv: Sequence[str],
    what: str,
    *,
    timeout: float = 120,
    env: Mapping[str, str] | None = None,
) -> str:
    """Runs a program to its end and returns what it printed; `what` says in an error what for.

    What it makes is readable by all, whatever the administrator's umask. Raises MissingError.
    """
    try:
        result = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
            env=env,
            umask=0o022,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{what}: {error}") from error
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        # A compiler says what is wrong before the runtime says that something is.
        detail = "; ".join(lines[-3:]) or f"exit code {result.returncode}"
        raise MissingError(f"{what}: {detail}")
    return result.stdout
