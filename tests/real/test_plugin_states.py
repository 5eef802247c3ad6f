"""Plugins that make every run fail: seen without loading them, mended, and refused."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sifprov.pluginadmin.payload import find_go, go_environment, plugin_source
from tests.real.harness import ROOT
from tests.real.pluginsite import SIFPROV, WATCHER, Site, borrowed_site, root

pytestmark = pytest.mark.timeout(600)
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


@pytest.fixture(scope="module", params=["singularity", "apptainer"])
def site(request: pytest.FixtureRequest, busybox_sif: str) -> Iterator[Site]:
    """A runtime without the plugin."""
    with borrowed_site(request.param, busybox_sif) as found:
        yield found


@pytest.fixture
def plugin(site: Site) -> Site:
    """The runtime with the plugin in order."""
    site.mend()
    return site


@pytest.fixture(scope="module")
def rival(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another plugin that monitors containers, as a file of the runtime's `plugin compile`."""
    folder = tmp_path_factory.mktemp("rival")
    source, manifest, made = folder / "main.go", folder / "manifest", folder / "rival.sif"
    word = site.place.word
    source.write_text(RIVAL.replace("MODULE", MODULES[word]).replace("WORD", word))
    manifest.write_text(json.dumps({"name": WATCHER, "version": "1"}))
    # With what compiling ours left in Go's cache, which the runtime itself does not use.
    built = build(site, folder, [source], "-trimpath")
    site.own("sif", "new", made).expect()
    part = ["--datatype", "4", "--parttype", "3", "--partfs", "4", "--partarch", "2"]
    site.own("sif", "add", *part, "--filename", "plugin.so", made, built).expect()
    named = ["--datatype", "6", "--filename", "plugin.manifest"]
    site.own("sif", "add", *named, made, manifest).expect()
    return made


@pytest.fixture(scope="module")
def other_build(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The plugin for another build of the same runtime: one that did not trim its paths."""
    return build(site, tmp_path_factory.mktemp("other"), plugin_source())


def build(site: Site, to: Path, files: list[Path], *flags: str) -> Path:
    """Builds a plugin's object as the runtime does, but with packages of Go's cache."""
    assert site.object, "it leaves its packages there"
    built = to / "object.so"
    folder = site.place.source / "plugins" / "sifprov-other-build"
    folder.mkdir(parents=True)
    go = find_go(site.place)
    argv = [go, "build", "-o", str(built), "-mod=readonly", *flags, "-buildmode=plugin"]
    told = (site.place.source / "internal/pkg/buildcfg/config.go").read_text(encoding="utf-8")
    (tags,) = re.findall("^const GO_BUILD_TAGS = `(.*)`$", told, re.MULTILINE)
    argv += ["-tags", tags, f"./plugins/{folder.name}"]
    try:
        for file in files:
            shutil.copy(file, folder)
        command = ["env", "-C", str(site.place.source), *argv]
        root(command, go_environment(go, built.parent)).expect()
    finally:
        shutil.rmtree(folder)
    return built


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
        refused = plugin.install().expect(2)
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
    config = plugin.place.config
    config.write_text(config.read_text().replace(" 300", " 299"))
    shutil.copyfile(other_build, plugin.place.object)
    failed = plugin.exec()
    assert failed.code != 0
    assert "plugin was built with a different version of package" in failed.stderr
    done = plugin.admin("status", "--json").expect(1)
    row = plugin.row(done)
    assert (row["state"], row["runs_fail"]) == ("stale", True)
    assert "which was built with another " in row["problems"][0]

    hook = hook_line()
    # Here without compiling, as on a node without the source; below the very line.
    mending = hook.replace("install --all", f"install --object '{plugin.object}'")
    assert mending != hook
    path = {"SIFPROV_RUNTIME": plugin.path}
    root(["sh", "-c", mending], path).expect()
    assert plugin.state() == ("good", 0)
    assert '"timeout_seconds": 299' in config.read_text(), "what was set there stays"
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
