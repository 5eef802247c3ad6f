"""Installs the runtime's plugin, looks at it, removes it.

Everything of it stands in one folder, `PLUGIN_ROOTDIR/sifprov`, that belongs to root:

    object.so, object.manifest   the runtime's own: the compiled plugin
    sifprov.json                 the plugin's configuration (docs/formats.md)
    helper-VERSION-ID/           the helper: these packages, standard library only

so that `singularity plugin uninstall sifprov` takes all of it away.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyext2fs
import sifprov
from sifprov.assets import asset_folder
from sifprov.errors import FileError, MissingError, SifprovError
from sifprov.model.canonical import Json
from sifprov.model.environment import DEFAULT
from sifprov.runtime.find import Runtime
from sifprov.version import VERSION

NAME = "sifprov"
CONFIG_SCHEMA = "sifprov.plugin-config/1"
TIMEOUT = 300
# Compiling takes about 20 s on two cores; a machine under load gets its time.
_COMPILE_TIMEOUT = 1800
_START = """\
import sys

sys.path.insert(0, {folder!r})
from sifprov.helper import main

sys.exit(main())
"""


@dataclass(frozen=True)
class Place:
    """Where a runtime keeps its plugins and its source."""

    runtime: Runtime
    plugin_root: Path
    source: Path

    @property
    def folder(self) -> Path:
        """The plugin's own folder."""
        return self.plugin_root / NAME

    @property
    def config(self) -> Path:
        """The plugin's configuration."""
        return self.folder / "sifprov.json"


@dataclass(frozen=True)
class Status:
    """What stands there now. `problems` says in words what is wrong, and what to do."""

    place: Place
    installed: bool
    version: str | None
    helper: tuple[str, ...]
    problems: tuple[str, ...]

    def to_json(self) -> Json:
        """Returns the JSON document that `sifprov plugin status --json` prints."""
        runtime = self.place.runtime
        return {
            "config": str(self.place.config),
            "helper": list(self.helper),
            "installed": self.installed,
            "problems": list(self.problems),
            "runtime": {"name": runtime.name, "path": runtime.path, "version": runtime.version},
            "schema": "sifprov.plugin-status/1",
            "version": self.version,
        }


def find_place(runtime: Runtime) -> Place:
    """Asks a runtime where its plugins and its source are. Raises MissingError."""
    text = _run([runtime.path, "buildcfg"], "asking the runtime for its configuration")
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    root = values.get("PLUGIN_ROOTDIR")
    if not root:
        raise MissingError(f"{runtime.path}: this build has no support for plugins")
    build = Path(values.get("BUILDDIR", ""))
    return Place(runtime, Path(root), Path(values.get("SOURCEDIR") or build.parent))


def install(
    place: Place, *, python: str | None = None, on_step: Callable[[str], None] = lambda text: None
) -> Status:
    """Compiles and installs the plugin, its helper and its configuration. Wants root.

    Raises MissingError when something that it needs is not there; what was there before then
    stands as it was.
    """
    if os.geteuid() != 0:
        raise SifprovError("installing a plugin wants root", hint="run it with sudo")
    interpreter = _interpreter(python)
    _check_toolchain(place)
    with tempfile.TemporaryDirectory(prefix="sifprov-") as work:
        built = Path(work) / "sifprov.sif"
        on_step("compiling the plugin")
        _compile(place, built)
        on_step("installing it")
        place.plugin_root.mkdir(parents=True, exist_ok=True)
        helper = _install_helper(place, interpreter)
        _write_config(place, [interpreter, "-I", "-S", str(helper)])
        _run([place.runtime.path, "plugin", "install", str(built)], "installing the plugin")
    _remove_old_helpers(place, keep=helper.parent)
    on_step("checking it")
    return status(place)


def remove(place: Place) -> bool:
    """Takes the plugin away; False when there was none. The plugin itself is not loaded."""
    if not _installed(place) and not place.folder.exists():
        return False
    if os.geteuid() != 0:
        raise SifprovError("removing a plugin wants root", hint="run it with sudo")
    if _installed(place):
        _run([place.runtime.path, "plugin", "uninstall", NAME], "removing the plugin")
    if place.folder.exists():
        shutil.rmtree(place.folder)
    return True


def status(place: Place) -> Status:
    """Looks at what is installed, without loading it."""
    installed = _installed(place)
    problems: list[str] = []
    helper: tuple[str, ...] = ()
    if installed:
        try:
            config = json.loads(place.config.read_bytes())
            helper = tuple(config["helper"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            problems.append(f"{place.config}: {error}; run 'sifprov plugin install' again")
    for path in (str(place.config), *(h for h in helper if h.startswith("/"))):
        problems.extend(_untrusted(path) if os.path.lexists(path) else ())
    for path in helper:
        if path.startswith("/") and not os.path.exists(path):
            problems.append(f"{path} is not there; run 'sifprov plugin install' again")
    version = _helper_version(helper)
    if version and version != VERSION:
        problems.append(
            f"it is of version {version}, this is {VERSION}; run 'sifprov plugin install' again"
        )
    return Status(place, installed, version, helper, tuple(dict.fromkeys(problems)))


def _installed(place: Place) -> bool:
    for meta in place.plugin_root.glob("*.meta"):
        try:
            if json.loads(meta.read_bytes()).get("Name") == NAME:
                return True
        except (OSError, ValueError, AttributeError):
            continue
    return False


def _helper_version(helper: Sequence[str]) -> str | None:
    """The version in the helper's folder name, `helper-VERSION-ID`."""
    if not helper:
        return None
    parts = Path(helper[-1]).parent.name.split("-")
    return parts[1] if len(parts) == 3 and parts[0] == "helper" else None


def _interpreter(wanted: str | None) -> str:
    """Returns a Python that every user may run and only root may change."""
    tried = []
    for path in (wanted,) if wanted else ("/usr/bin/python3", os.path.realpath(sys.executable)):
        if not os.access(path, os.X_OK):
            tried.append(f"{path} is not there")
            continue
        problems = [*_untrusted(path), *_unreachable(path)]
        if not problems:
            return path
        tried.extend(problems)
    raise MissingError(
        f"no Python that ordinary users may run and only root may change: {'; '.join(tried)}",
        hint="install the distribution's python3, or name another one with --python",
    )


def _untrusted(path: str) -> Iterator[str]:
    """Says which component of a path somebody else than root could have written."""
    for part in _components(path):
        status = os.lstat(part)
        if status.st_uid != 0:
            yield f"{part} belongs to user {status.st_uid}, not to root"
        elif not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o022:
            yield f"{part} can be written by others (mode {stat.S_IMODE(status.st_mode):o})"


def _unreachable(path: str) -> Iterator[str]:
    for part in _components(path):
        mode = os.lstat(part).st_mode
        if not stat.S_ISLNK(mode) and not mode & 0o001:
            yield f"{part} is closed to ordinary users"


def _components(path: str) -> Iterator[str]:
    """Yields every folder and link on the way to `path`, and what the links lead to."""
    seen: set[str] = set()
    todo = [os.path.abspath(path)]
    while todo:
        at = todo.pop()
        while at not in seen:
            seen.add(at)
            yield at
            if os.path.islink(at):
                target = os.path.join(os.path.dirname(at), os.readlink(at))
                todo.append(os.path.normpath(target))
            at = os.path.dirname(at)


def _check_toolchain(place: Place) -> None:
    if not (place.source / "pkg/plugin/plugin.go").is_file():
        raise MissingError(
            f"{place.source}: the source that {place.runtime.path} was built from is not there",
            hint="install the runtime from source; without a plugin, 'sifprov rerun' still works",
        )
    if not shutil.which("go"):
        raise MissingError(
            "go is not on PATH", hint="the plugin wants the Go that the runtime was built with"
        )


def plugin_source() -> list[Path]:
    """Returns the plugin's Go files, of the checkout or of the installed package."""
    folder = asset_folder("plugin")
    files = sorted(p for p in folder.glob("*.go") if not p.name.endswith("_test.go"))
    if not files:
        raise MissingError(f"the plugin's source is not in {folder}")
    return files


def _compile(place: Place, built: Path) -> None:
    # It has to stand inside the runtime's source tree, and without a go.mod of its own.
    folder = place.source / "plugins" / f"sifprov-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True)
        for file in plugin_source():
            shutil.copy(file, folder)
        argv = [place.runtime.path, "plugin", "compile", "-o", str(built), str(folder)]
        _run(argv, "compiling the plugin", timeout=_COMPILE_TIMEOUT)
    except OSError as error:
        raise FileError(f"{folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _install_helper(place: Place, interpreter: str) -> Path:
    """Copies these packages to where only root writes; returns the script to start."""
    folder = place.folder / f"helper-{VERSION}-{secrets.token_hex(4)}"
    previous = os.umask(0o022)
    try:
        folder.mkdir(parents=True)
        for package in (sifprov, pyext2fs):
            source = Path(package.__file__ or "").parent
            shutil.copytree(
                source,
                folder / source.name,
                ignore=shutil.ignore_patterns("__pycache__", "commands", "cli.py"),
                copy_function=shutil.copyfile,
            )
        script = folder / "sifprov-helper.py"
        script.write_text(_START.format(folder=str(folder)), encoding="utf-8")
        # Ordinary users cannot write the bytecode beside it, and would compile it at every run.
        _run([interpreter, "-I", "-m", "compileall", "-q", str(folder)], "compiling the helper")
    finally:
        os.umask(previous)
    for path in (place.folder, *place.folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return script


def _write_config(place: Place, helper: list[str]) -> None:
    document = {
        "environment": list(DEFAULT),
        "helper": helper,
        "ro_inputs": True,
        "runtime_version": place.runtime.version,
        "schema": CONFIG_SCHEMA,
        "timeout_seconds": TIMEOUT,
    }
    temporary = place.config.with_suffix(".tmp")
    temporary.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.chmod(0o644)
    temporary.replace(place.config)


def _remove_old_helpers(place: Place, keep: Path) -> None:
    for folder in place.folder.glob("helper-*"):
        if folder != keep:
            shutil.rmtree(folder)


def _run(argv: Sequence[str], what: str, timeout: float = 120) -> str:
    try:
        result = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingError(f"{what}: {error}") from error
    if result.returncode:
        lines = (result.stderr or result.stdout).strip().splitlines()
        detail = lines[-1] if lines else f"exit code {result.returncode}"
        raise MissingError(f"{what}: {detail}")
    return result.stdout
