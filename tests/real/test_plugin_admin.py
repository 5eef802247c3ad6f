"""Installing and removing the plugin on the real runtimes, and what comes between."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.conftest import compiled_plugin, tool
from tests.real.harness import SYSTEM_PATH, as_user
from tests.real.pluginsite import SIFPROV, Site, borrowed_site, root

pytestmark = pytest.mark.timeout(600)


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


def test_what_was_compiled_before_is_installed_without_source_and_go(site: Site) -> None:
    before = site.files()
    bare = {"PATH": SYSTEM_PATH}
    argv = [SIFPROV, "plugin", "install", "--runtime", site.path, "--object"]
    made = site.object
    # A mount of the child's own: nothing has to be put back.
    hide = 'mount -t tmpfs none "$0" && exec "$@"'
    hidden = ["unshare", "--mount", "sh", "-c", hide, str(site.place.source)]
    refused = root([*hidden, *argv[:-1]], bare).expect(3)
    assert "--object" in refused.stderr
    root([*hidden, *argv, made], bare).expect()
    assert site.state() == ("good", 0)
    site.exec().expect()
    site.admin("remove").expect()
    assert site.files() == before == {}


def test_what_does_not_fit_is_not_installed(plugin: Site, tmp_path: Path) -> None:
    other = Path(tool("build-apptainer", "--find"), "apptainer")
    other = other if plugin.place.word == "singularity" else Path(tool("find-runtime"))
    strange = compiled_plugin(str(other))
    cut = tmp_path / "cut.sif"
    cut.write_bytes(Path(plugin.object).read_bytes()[:200_000])
    before = plugin.files()
    refused = plugin.admin("install", "--object", strange).expect(1)
    assert f"{strange}: it does not load into {plugin.place.programs[0]}, which " in refused.stderr
    assert "sifprov plugin compile" in refused.stderr
    for path in (str(cut), plugin.app):
        refused = plugin.admin("install", "--object", path).expect(2)
        assert f"{path}: this is no compiled plugin" in refused.stderr
    assert plugin.admin("install", "--object", str(tmp_path / "none")).code == 2
    assert plugin.files() == before
    exists = plugin.admin("compile", "-o", str(cut)).expect(2)
    assert f"{cut}: is there already" in exists.stderr


@pytest.fixture
def idle_python(site: Site) -> Iterator[str]:
    """An interpreter that is root's own, ends well, and does nothing."""
    path = site.place.plugin_root.with_name("idle-python")
    path.write_text("#!/bin/sh\ntest $# = 4 && echo True\nexit 0\n")
    path.chmod(0o755)
    yield str(path)
    path.unlink()


def test_what_was_there_is_put_back_when_the_trial_fails(plugin: Site, idle_python: str) -> None:
    before = plugin.files()
    done = plugin.install("--python", idle_python).expect(1)
    assert "a trial run left no record" in done.stderr
    assert plugin.files() == before
    assert plugin.state() == ("good", 0)
    plugin.exec().expect()

    plugin.admin("remove").expect()
    plugin.install("--python", idle_python).expect(1)
    assert plugin.files() == {}
    assert plugin.state() == ("not installed", 3)


@pytest.mark.parametrize("site", ["singularity"], indirect=True)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_installation_that_is_ended_midway(plugin: Site, number: signal.Signals) -> None:
    before = plugin.files()
    argv = [SIFPROV, "plugin", "install", "--object", plugin.object, "--runtime", plugin.path]
    process = subprocess.Popen(argv, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 200
        while not list(plugin.place.plugin_root.glob(".sifprov-before-*")):
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.005)
        process.send_signal(number)
        process.wait(60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(60)
    if number == signal.SIGTERM:
        assert process.returncode == 128 + number
        assert plugin.files() == before
    else:
        # Nobody could put it back; but no run fails, and the next installation clears up.
        assert plugin.state() == ("not installed", 3)
        plugin.exec().expect()
        for folder in Path(tempfile.gettempdir()).glob("sifprov-*"):
            if folder.stat().st_mtime > time.time() - 300 and (folder / "trial").is_dir():
                shutil.rmtree(folder)
        plugin.install("--no-trial").expect()
        assert not list(plugin.place.plugin_root.glob(".sifprov-before-*"))
    plugin.exec().expect()


def test_a_runtime_that_fails_by_itself_is_told_apart(site: Site) -> None:
    site.admin("remove").expect()
    command = [SIFPROV, "plugin", "install", "--object", site.object, "--runtime", site.path]
    # Without this capability no runtime can mount, with or without a plugin.
    done = root(["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-all", *command]).expect(3)
    assert "the runtime itself fails: " in done.stderr
    assert "--no-trial" in done.stderr
    assert site.files() == {}


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


@pytest.mark.parametrize("site", ["singularity"], indirect=True)
def test_all_runtimes_at_once_compiled_tried_and_removed(site: Site) -> None:
    """The complete installation, as an administrator calls it, and nothing but the plugin left."""
    spool = Path("~root/.local/state/sifprov/spool").expanduser()
    waiting = sorted(spool.glob("*"))
    folders = [Path(site.path).parent, Path(tool("build-apptainer", "--find"))]
    path = {"PATH": ":".join([*map(str, folders), SYSTEM_PATH])}
    # A strict umask must not close the plugin to users: then every run of theirs would fail.
    command = ["sh", "-c", f"umask 077; exec '{SIFPROV}' plugin install --all"]
    with borrowed_site("apptainer", site.app) as other:
        site.admin("remove").expect()
        shown = root(command, path).expect().stdout
        assert shown.count("plugin     good") == 2
        for each in (site, other):
            assert each.state() == ("good", 0)
            files = each.files()
            tops = {name.split("/")[0] for name in files}
            assert {name for name in tops if not name.endswith(".meta")} == {"sifprov"}
            assert len(tops) == 2
            assert all(mode & 0o044 == 0o044 for mode, _ in files.values())
            each.exec().expect()
        assert sorted(spool.glob("*")) == waiting
        root([SIFPROV, "plugin", "remove", "--all"], path).expect()
        for each in (site, other):
            assert (each.state(), each.files()) == (("not installed", 3), {})


def test_root_runs_no_program_that_others_could_have_written(site: Site, tmp_path: Path) -> None:
    trap = tmp_path / "singularity"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\necho singularity-ce version 9\n")
    trap.chmod(0o777)
    path = {"PATH": f"{tmp_path}:{Path(site.path).parent}:{SYSTEM_PATH}"}
    done = root([SIFPROV, "plugin", "status"], path)
    assert "passed over" in done.stderr and str(trap) in done.stderr
    assert site.path in done.stdout
    assert not (tmp_path / "sprung").exists()
