"""What `install` puts in place: the compiled plugin, the helper and the configuration."""

from __future__ import annotations

import glob
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyext2fs
import sifprov
from sifprov.assets import asset_folder
from sifprov.errors import FileError, MissingError, SifprovError
from sifprov.model.canonical import Json
from sifprov.model.environment import DEFAULT
from sifprov.pluginadmin.place import Place, read_conf, run
from sifprov.pluginadmin.trusted import unreachable, untrusted
from sifprov.sitelog import SiteLog
from sifprov.version import VERSION

CONFIG_SCHEMA = "sifprov.plugin-config/1"
TIMEOUT = 300
# The plugin takes no longer one (plugin/config.go).
_MAX_TIMEOUT = 24 * 3600
# Compiling takes about 20 s on two cores; a machine under load gets its time.
_COMPILE_TIMEOUT = 1800
_START = """\
import gc
import marshal
import os
import sys

# A process of one run: what it makes lives to its end, and looking for garbage takes time.
gc.disable()
sys.path.append({folder!r})
# All modules in one file (sifprov/startup.py), where this very Python made it, and it is whole.
mine = sys.version.encode() + b"\\0"
bundle = None
try:
    with open({bundle!r}, "rb", buffering=0) as file:
        data = file.read()
    if data.startswith(mine):
        bundle = marshal.loads(memoryview(data)[len(mine) :])
except (OSError, EOFError, ValueError, TypeError):
    pass
if bundle:
    start = {{}}
    exec(bundle[0], start)
    start["use"](bundle[1])
    start["quick_uuid"]()
from sifprov.helper import main

code = main()
sys.stderr.flush()
# So does taking the interpreter apart: a tenth of all that the helper does.
os._exit(code)
"""
_BUNDLE = """\
import os
import sys
before = set(sys.modules)
sys.path.insert(0, {folder!r})
from sifprov.startup import bundle
with open({bundle!r}, "wb") as file:
    file.write(bundle(before))
    file.flush()
    os.fsync(file.fileno())
"""


def find_interpreter(wanted: str | None) -> str:
    """Returns a Python that every user may run and only root may change. Raises MissingError."""
    tried: list[str] = []
    for path in (wanted,) if wanted else _interpreters():
        problem = _unfit(path)
        if problem is None:
            return path
        tried.append(problem)
    raise MissingError(
        f"no Python that ordinary users may run and only root may change: {'; '.join(tried)}",
        hint="install Python 3.10 or later from the distribution, or name one with --python",
    )


def _interpreters() -> list[str]:
    # An older distribution has the newer ones beside its own.
    newer = sorted(glob.glob("/usr/bin/python3.1[0-9]"), reverse=True)
    return ["/usr/bin/python3", *newer, os.path.realpath(sys.executable)]


def _unfit(path: str) -> str | None:
    if not os.access(path, os.X_OK):
        return f"{path} is not there"
    problems = [*untrusted(path), *unreachable(path)]
    if problems:
        return problems[0]
    code = "import sys; print(sys.version_info >= (3, 10))"
    try:
        answer = run([path, "-I", "-S", "-c", code], f"asking {path} for its version")
    except MissingError as error:
        return str(error)
    return None if answer.strip() == "True" else f"{path} is older than Python 3.10"


def want_support(place: Place) -> None:
    """Raises MissingError when this build of the runtime compiles and installs no plugin."""
    if place.refuses_plugins:
        raise MissingError(
            f"{place.runtime.path}: this build refuses plugins, as packaged ones do",
            hint="use 'sifprov exec' in place of the runtime's, or build the runtime from source",
        )


def find_go(place: Place) -> str:
    """Returns the Go that the runtime would take, also where sudo has shortened PATH.

    Raises MissingError, also when the runtime's source is not there.
    """
    want_support(place)
    if not (place.source / "pkg/plugin/plugin.go").is_file():
        raise MissingError(
            f"{place.source}: the source that {place.runtime.path} was built from is not there",
            hint="--object installs what 'sifprov plugin compile' made where it is; "
            "'sifprov exec' needs no plugin",
        )
    named = read_conf(place.conf).get("go path")
    for path in (shutil.which("go"), named, "/usr/local/go/bin/go"):
        if path and os.access(path, os.X_OK):
            return path
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


def go_environment(go: str, work: Path) -> dict[str, str]:
    """Returns our environment as Go wants it: a package manager's hook may have no HOME."""
    environment = {**os.environ, "PATH": f"{os.path.dirname(go)}:{os.environ.get('PATH', '')}"}
    if not environment.get("HOME"):
        environment |= {"HOME": str(work), "GOPATH": str(work / "go")}
    return environment


def compile_plugin(place: Place, built: Path, go: str, sources: list[Path] | None = None) -> None:
    """Compiles `sources`, by default ours, to a plugin's SIF. Raises FileError, MissingError."""
    # It has to stand inside the runtime's source tree, and without a go.mod of its own.
    folder = place.source / "plugins" / f"sifprov-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True)
        for file in sources or plugin_source():
            shutil.copy(file, folder)
        argv = [place.runtime.path, "plugin", "compile", "-o", str(built), str(folder)]
        environment = go_environment(go, built.parent)
        run(argv, "compiling the plugin", timeout=_COMPILE_TIMEOUT, env=environment)
    except OSError as error:
        raise FileError(f"{folder}: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def copy_helper(place: Place, interpreter: str) -> Path:
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
        bundle = folder / "modules"
        script.write_text(_START.format(folder=str(folder), bundle=str(bundle)), encoding="utf-8")
        # Ordinary users cannot write the bytecode beside it, and would compile it at every run.
        run([interpreter, "-I", "-m", "compileall", "-q", str(folder)], "compiling the helper")
        write = _BUNDLE.format(folder=str(folder), bundle=str(bundle))
        # Without the columns of tracebacks it is a fifth smaller.
        argv = [interpreter, "-I", "-S", "-X", "no_debug_ranges", "-c", write]
        run(argv, "bundling the helper")
    finally:
        os.umask(previous)
    return script


def helper_command(interpreter: str, script: Path) -> list[str]:
    """Returns how the plugin starts the helper: no variable, user site or working directory may
    choose what Python imports."""
    return [interpreter, "-I", "-S", str(script)]


def site_log_of(place: Place) -> Json:
    """Returns what the configuration that is there says of the site log; None for nothing."""
    try:
        document = json.loads(place.config.read_bytes())
        return SiteLog.from_json(document["site_log"], "site_log").to_json()
    except (OSError, ValueError, TypeError, LookupError, SifprovError):
        return None


def settings_of(place: Place) -> dict[str, Json]:
    """Returns what an administrator may have changed in the configuration that is there."""
    try:
        found = json.loads(place.config.read_bytes())
        names, bound, ro = (found.get(k) for k in ("environment", "timeout_seconds", "ro_inputs"))
    except (OSError, ValueError, AttributeError):
        return {}
    kept: dict[str, Json] = {}
    if isinstance(names, list) and all(isinstance(name, str) and name for name in names):
        kept["environment"] = names
    if type(bound) is int and 1 <= bound <= _MAX_TIMEOUT:
        kept["timeout_seconds"] = bound
    if isinstance(ro, bool):
        kept["ro_inputs"] = ro
    return kept


def write_config(
    place: Place,
    helper: list[str],
    site_log: Json = None,
    kept: Mapping[str, Json] | None = None,
    deliver: Sequence[str] = (),
) -> None:
    """Writes the plugin's configuration (docs/formats.md); `kept` counts more than the defaults."""
    document: dict[str, Json] = {
        "environment": list(DEFAULT),
        "ro_inputs": True,
        "timeout_seconds": TIMEOUT,
        **(kept or {}),
        "helper": list(helper),
        "runtime_version": place.runtime.version,
        "schema": CONFIG_SCHEMA,
    }
    if site_log is not None:
        document["site_log"] = site_log
    if deliver:
        document["deliver"] = list(deliver)
    temporary = place.config.with_suffix(".tmp")
    temporary.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    temporary.replace(place.config)


def open_to_all(place: Place) -> None:
    """Lets every user read what stands there: root's umask may be strict, and runs would fail."""
    for path in (place.folder, *place.folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def remove_old_helpers(place: Place, keep: Path | None) -> None:
    """Removes earlier helpers, but those that are at work: they may read their files yet."""
    for folder in place.folder.glob("helper-*"):
        if folder != keep and not any(str(folder).encode() in line for line in _command_lines()):
            shutil.rmtree(folder)


def _command_lines() -> Iterator[bytes]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue  # ended meanwhile
