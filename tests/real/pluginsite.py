"""A runtime as its administrator sees it, for tests that change its plugins."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sifprov.pluginadmin import Place, find_place
from sifprov.runtime.find import identify
from tests.real.conftest import compiled_plugin, tool
from tests.real.harness import Finished, as_user

SIFPROV = str(Path(sys.executable).with_name("sifprov"))
WATCHER = "example.org/watcher"


def root(argv: list[str], env: dict[str, str] | None = None) -> Finished:
    """Runs a program as an administrator does: root, with the environment that sudo leaves."""
    return as_user(argv, "root", Path("/"), env, timeout=300)


@dataclass(frozen=True)
class Site:
    """A runtime as its administrator sees it; `flags` are what `exec` wants here."""

    place: Place
    app: str
    flags: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        return self.place.runtime.path

    def admin(self, *argv: str) -> Finished:
        """Calls `sifprov plugin` for this runtime."""
        return root([SIFPROV, "plugin", *argv, "--runtime", self.path])

    @property
    def object(self) -> str:
        """The file of the plugin of the checkout, compiled for this runtime."""
        return compiled_plugin(self.path)

    def install(self, *argv: str) -> Finished:
        """Installs the plugin without compiling it again."""
        return self.admin("install", "--object", self.object, *argv)

    def state(self) -> tuple[str, int]:
        """The state's word and the exit code of `status`."""
        done = self.admin("status", "--json")
        return self.row(done)["state"], done.code

    def row(self, done: Finished) -> dict[str, Any]:
        (row,) = json.loads(done.stdout)["runtimes"]
        assert isinstance(row, dict)
        return row

    def exec(self) -> Finished:
        """Runs `true` in the application container."""
        return root([self.path, "exec", *self.flags, self.app, "true"])

    def own(self, *argv: str | Path) -> Finished:
        """Calls the runtime itself."""
        return root([self.path, *map(str, argv)])

    def files(self) -> dict[str, tuple[int, str]]:
        """Everything below the plugins' folder, with its mode and content."""
        top = self.place.plugin_root
        return {
            str(path.relative_to(top)): (
                path.stat().st_mode,
                hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            )
            for path in top.rglob("*")
        }

    def mend(self) -> None:
        """Installs the plugin where it is not in order."""
        if self.state() != ("good", 0):
            self.install("--no-trial").expect()


@contextmanager
def borrowed_site(name: str, app: str) -> Iterator[Site]:
    """A runtime without the plugin; afterwards the plugin is there again if it was before."""
    if os.getuid() != 0:
        pytest.skip("installing plugins wants root")
    path = tool("find-runtime")
    if name == "apptainer":
        path = tool("build-apptainer", "--find") + "/apptainer"
    found = Site(find_place(identify(path)), app)
    before = found.admin("status").code
    found.admin("remove").expect()
    if found.exec().code:
        found = Site(found.place, app, ("--no-privs",))
        found.exec().expect()
    yield found
    found.own("plugin", "uninstall", WATCHER)
    shutil.rmtree(found.place.plugin_root / WATCHER.split("/")[0], ignore_errors=True)
    found.admin("remove").expect()
    if before != 3:
        found.install("--no-trial").expect()
