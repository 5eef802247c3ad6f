"""Installing, breaking, mending and removing the plugin, on the real runtimes."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sifprov.pluginadmin import Place, find_place
from sifprov.pluginadmin.payload import compile_plugin, find_go, go_environment, plugin_source
from sifprov.runtime.find import identify
from tests.real.conftest import tool
from tests.real.harness import ROOT, SYSTEM_PATH, Finished, as_user

pytestmark = pytest.mark.timeout(600)
SIFPROV = str(Path(sys.executable).with_name("sifprov"))
WATCHER = "example.org/watcher"
RIVAL = """\
package main

import (
	"os"
	"syscall"

	pluginapi "MODULE/pkg/plugin"
	enginecallback "MODULE/pkg/plugin/callback/runtime/engine/WORD"
	engine "MODULE/pkg/runtime/engine/config"
)

var Plugin = pluginapi.Plugin{
	Manifest:  pluginapi.Manifest{Name: "example.org/watcher", Version: "1"},
	Callbacks: []pluginapi.Callback{(enginecallback.MonitorContainer)(monitor)},
}

func monitor(_ *engine.Common, pid int, _ chan os.Signal) (syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	_, err := syscall.Wait4(pid, &status, 0, nil)
	return status, err
}
"""
MODULES = {
    "singularity": "github.com/sylabs/singularity/v4",
    "apptainer": "github.com/apptainer/apptainer",
}


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


@pytest.fixture(scope="module", params=["singularity", "apptainer"])
def site(request: pytest.FixtureRequest, busybox_sif: str) -> Iterator[Site]:
    """A runtime without the plugin; afterwards the plugin is there again if it was before."""
    if os.getuid() != 0:
        pytest.skip("installing plugins wants root")
    path = tool("find-runtime")
    if request.param == "apptainer":
        path = tool("build-apptainer", "--find") + "/apptainer"
    found = Site(find_place(identify(path)), busybox_sif)
    before = found.admin("status").code
    found.admin("remove").expect()
    if found.exec().code:
        found = Site(found.place, busybox_sif, ("--no-privs",))
        found.exec().expect()
    yield found
    found.own("plugin", "uninstall", WATCHER)
    found.admin("remove").expect()
    if before != 3:
        found.admin("install", "--no-trial").expect()


@pytest.fixture
def plugin(site: Site) -> Site:
    """The runtime with the plugin in order."""
    if site.state() != ("good", 0):
        site.admin("install", "--no-trial").expect()
    return site


@pytest.fixture(scope="module")
def rival(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another plugin that monitors containers, compiled."""
    folder = tmp_path_factory.mktemp("rival")
    source = folder / "main.go"
    word = site.place.word
    source.write_text(RIVAL.replace("MODULE", MODULES[word]).replace("WORD", word))
    compile_plugin(site.place, folder / "rival.sif", find_go(site.place), [source])
    return folder / "rival.sif"


@pytest.fixture(scope="module")
def other_build(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin for another build of the same runtime: one that did not trim its paths."""
    built = tmp_path_factory.mktemp("other") / "object.so"
    folder = site.place.source / "plugins" / "sifprov-other-build"
    folder.mkdir(parents=True)
    go = find_go(site.place)
    argv = [go, "build", "-o", str(built), "-mod=readonly", "-buildmode=plugin"]
    argv += ["-tags", f"{site.place.word}_engine", f"./plugins/{folder.name}"]
    try:
        for file in plugin_source():
            shutil.copy(file, folder)
        command = ["env", "-C", str(site.place.source), *argv]
        root(command, go_environment(go, built.parent)).expect()
    finally:
        shutil.rmtree(folder)
    return built


def test_installing_tries_a_run_and_leaves_only_the_plugin(site: Site) -> None:
    spool = Path("~root/.local/state/sifprov/spool").expanduser()
    waiting = sorted(spool.glob("*"))
    # A strict umask must not close the plugin to users: then every run of theirs would fail.
    command = f"umask 077; exec '{SIFPROV}' plugin install --runtime '{site.path}'"
    shown = root(["sh", "-c", command]).expect().stdout
    assert "plugin     good" in shown
    assert site.state() == ("good", 0)
    files = site.files()
    tops = {name.split("/")[0] for name in files}
    assert {name for name in tops if not name.endswith(".meta")} == {"sifprov"}
    assert len(tops) == 2
    assert all(mode & 0o044 == 0o044 for mode, _ in files.values())
    assert sorted(spool.glob("*")) == waiting
    site.exec().expect()


def test_what_was_there_is_put_back_when_the_trial_fails(plugin: Site, tmp_path: Path) -> None:
    before = plugin.files()
    # A helper that ends well and records nothing.
    done = plugin.admin("install", "--python", "/bin/true").expect(1)
    assert "a trial run left no record" in done.stderr
    assert plugin.files() == before
    assert plugin.state() == ("good", 0)
    plugin.exec().expect()

    plugin.admin("remove").expect()
    plugin.admin("install", "--python", "/bin/true").expect(1)
    assert plugin.files() == {}
    assert plugin.state() == ("not installed", 3)


def test_a_runtime_that_fails_by_itself_is_told_apart(site: Site) -> None:
    site.admin("remove").expect()
    command = [SIFPROV, "plugin", "install", "--runtime", site.path]
    # Without this capability no runtime can mount, with or without a plugin.
    done = root(["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", *command]).expect(3)
    assert "the runtime itself fails: " in done.stderr
    assert "--no-trial" in done.stderr
    assert site.files() == {}


def test_beside_another_plugin_that_monitors(plugin: Site, rival: Path) -> None:
    plugin.own("plugin", "install", rival).expect()
    try:
        failed = plugin.exec()
        assert failed.code != 0
        assert "multiple plugins have registered callback" in failed.stderr
        assert plugin.state() == ("rival", 1)
        assert WATCHER in plugin.admin("status").stdout

        plugin.own("plugin", "disable", WATCHER).expect()
        assert plugin.state() == ("good", 0)
        plugin.exec().expect()

        plugin.own("plugin", "enable", WATCHER).expect()
        plugin.admin("remove").expect()
        before = plugin.files()
        refused = plugin.admin("install").expect(2)
        assert f"the plugin {WATCHER} monitors containers too" in refused.stderr
        assert plugin.files() == before
        plugin.exec().expect()
    finally:
        plugin.own("plugin", "uninstall", WATCHER).expect()


def test_a_disabled_plugin_is_not_good(plugin: Site) -> None:
    plugin.own("plugin", "disable", "sifprov").expect()
    assert plugin.state() == ("disabled", 1)
    plugin.own("plugin", "enable", "sifprov").expect()
    assert plugin.state() == ("good", 0)


def test_a_stale_plugin_is_seen_and_mended_without_loading_it(
    plugin: Site, other_build: Path
) -> None:
    shutil.copyfile(other_build, plugin.place.object)
    failed = plugin.exec()
    assert failed.code != 0
    assert "plugin was built with a different version of package" in failed.stderr
    done = plugin.admin("status", "--json").expect(1)
    row = plugin.row(done)
    assert (row["state"], row["runs_fail"]) == ("stale", True)
    assert "which was built with another " in row["problems"][0]

    hook = hook_line()
    path = {"SIFPROV_RUNTIME": plugin.path}
    root(["sh", "-c", hook], path).expect()
    assert plugin.state() == ("good", 0)
    plugin.exec().expect()
    before = plugin.files()
    root(["sh", "-c", hook], path).expect()
    assert plugin.files() == before

    shutil.copyfile(other_build, plugin.place.object)
    plugin.admin("remove", "--if-stale").expect()
    assert plugin.state() == ("not installed", 3)
    plugin.exec().expect()
    root(["sh", "-c", hook], path).expect()
    assert plugin.files() == {}


def hook_line() -> str:
    """The command that docs/admin.md gives for a package manager's hook."""
    text = (ROOT / "docs" / "admin.md").read_text(encoding="utf-8")
    (snippet,) = re.findall(r'^    DPkg::Post-Invoke \{ "(.*)"; \};$', text, re.MULTILINE)
    assert isinstance(snippet, str)
    return snippet.replace("/usr/local/bin/sifprov", SIFPROV)


def test_a_damaged_object_is_stale_too(plugin: Site) -> None:
    plugin.place.object.write_bytes(plugin.place.object.read_bytes()[:100_000])
    assert plugin.exec().code != 0
    assert plugin.state() == ("stale", 1)
    plugin.admin("remove").expect()
    plugin.exec().expect()


def test_several_runtimes_are_listed_and_one_is_to_be_named(site: Site, user: str) -> None:
    folders = [str(Path(tool("find-runtime")).parent), tool("build-apptainer", "--find")]
    path = {"PATH": ":".join([*folders, SYSTEM_PATH])}
    done = as_user([SIFPROV, "plugin", "status", "--json"], user, Path("/"), path)
    names = [row["runtime"]["name"] for row in json.loads(done.stdout)["runtimes"]]
    assert {"singularity-ce", "apptainer"} <= set(names)
    assert len(names) == len(set(names))
    if user == "root":
        refused = root([SIFPROV, "plugin", "install"], path).expect(2)
        assert "--all" in refused.stderr


def test_root_runs_no_program_that_others_could_have_written(site: Site, tmp_path: Path) -> None:
    trap = tmp_path / "singularity"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\necho singularity-ce version 9\n")
    trap.chmod(0o777)
    path = {"PATH": f"{tmp_path}:{Path(site.path).parent}:{SYSTEM_PATH}"}
    done = root([SIFPROV, "plugin", "status"], path)
    assert "passed over" in done.stderr and str(trap) in done.stderr
    assert site.path in done.stdout
    assert not (tmp_path / "sprung").exists()
