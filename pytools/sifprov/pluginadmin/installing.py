"""Installs the plugin into a runtime, and removes it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from sifprov.errors import SifprovError
from sifprov.model.canonical import Json
from sifprov.pluginadmin import payload, trial
from sifprov.pluginadmin.compiled import take_compiled
from sifprov.pluginadmin.delivery import deliver_command
from sifprov.pluginadmin.installed import own_plugin, rivals
from sifprov.pluginadmin.place import Place, run
from sifprov.pluginadmin.states import Status, status
from sifprov.pluginadmin.swap import only_one, put_aside
from sifprov.sitelog import SiteLog


class RivalError(SifprovError):
    """Another plugin monitors containers: with two of them every run fails."""


def install(
    place: Place,
    *,
    python: str | None = None,
    compiled: Path | None = None,
    try_it: bool = True,
    site_log: SiteLog | None = None,
    on_step: Callable[[str], None] = lambda text: None,
) -> Status:
    """Compiles and installs the plugin, its helper and its configuration. Wants root.

    `compiled` is a file of `compile_to`'s to install instead: it needs neither source nor Go.
    `site_log` is where a line for each run goes; None keeps what is configured. With `try_it` a
    real run follows. Whatever fails, what was there before stands as it was.
    Raises MissingError when something that it needs is not there or the runtime itself
    fails, MisfitError, RivalError, TrialError.
    """
    _want_root("installing")
    interpreter = payload.find_interpreter(python)
    payload.want_support(place)
    go = None if compiled else payload.find_go(place)
    _refuse_rivals(place)
    with tempfile.TemporaryDirectory(prefix="sifprov-") as name:
        work = Path(name)
        built, folder = work / "sifprov.sif", work / "trial"
        if compiled:
            take_compiled(place, compiled, built)
        elif go:
            on_step("compiling the plugin")
            payload.compile_plugin(place, built, go)
        if try_it:
            on_step("preparing a trial run")
            folder.mkdir()
            trial.prepare(folder)
        _make_root(place)
        with only_one(place):
            _refuse_rivals(place)
            log = site_log.to_json() if site_log else payload.site_log_of(place)
            kept = payload.settings_of(place)
            with put_aside(place):
                on_step("trying the runtime")
                flags = trial.run_bare(place, folder) if try_it else []
                on_step("installing it")
                script = _install(place, built, interpreter, log, kept)
                on_step("trying it")
                if try_it:
                    trial.run_recorded(place, folder, flags)
            payload.remove_old_helpers(place, keep=script.parent)
    return status(place)


def _install(
    place: Place, built: Path, interpreter: str, site_log: Json, kept: dict[str, Json]
) -> Path:
    script = payload.copy_helper(place, interpreter)
    helper = payload.helper_command(interpreter, script)
    payload.write_config(place, helper, site_log, kept, deliver=deliver_command())
    # Last of all: from here on the runtime loads the plugin.
    payload.open_to_all(place)
    run([place.runtime.path, "plugin", "install", str(built)], "installing the plugin")
    payload.open_to_all(place)
    own = own_plugin(place.plugin_root)
    if own:
        own.path.chmod(0o644)
        _sync(place.object, place.config, own.path, place.folder, place.plugin_root)
    return script


def _sync(*paths: Path) -> None:
    # Half an object after a power cut would make every run crash.
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove(place: Place) -> bool:
    """Takes the plugin away; False when there was none. The plugin itself is not loaded."""
    if not own_plugin(place.plugin_root) and not place.folder.exists():
        return False
    _want_root("removing")
    with only_one(place) if place.plugin_root.exists() else nullcontext():
        # As the runtime's `plugin uninstall` does, but even where the runtime is broken.
        own = own_plugin(place.plugin_root)
        if own:
            own.path.unlink()
        if place.folder.exists():
            shutil.rmtree(place.folder)
    return True


def _want_root(doing: str) -> None:
    if os.geteuid() != 0:
        raise SifprovError(f"{doing} a plugin wants root", hint="run it with sudo")


def _refuse_rivals(place: Place) -> None:
    names = rivals(place.plugin_root)
    if names:
        raise RivalError(
            f"{place.runtime.path}: the plugin {names[0]} monitors containers too, and with two "
            "of them every run fails",
            hint=f"'{place.runtime.path} plugin disable {names[0]}' puts it out of action",
        )


def _make_root(place: Place) -> None:
    previous = os.umask(0o022)
    try:
        place.plugin_root.mkdir(parents=True, exist_ok=True)
    finally:
        os.umask(previous)
