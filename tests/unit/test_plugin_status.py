"""The plugin's states, from files alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.unit.goelf import HOST, PLUGIN, elf

from sifprov.pluginadmin import Place, State, Status, status
from sifprov.pluginadmin.gobinary import packages
from sifprov.pluginadmin.installed import installed_plugins, rivals
from sifprov.pluginadmin.payload import write_config
from sifprov.runtime.find import Runtime
from sifprov.version import VERSION

MONITOR = "singularity.MonitorContainer"


@dataclass(frozen=True)
class Installation:
    """An installation in a temporary folder."""

    place: Place

    def meta(self, name: str, *callbacks: str, enabled: bool = True) -> None:
        text = json.dumps({"Name": name, "Enabled": enabled, "Callbacks": list(callbacks)})
        (self.place.plugin_root / f"{name.replace('/', '-')}.meta").write_text(text)

    def look(self) -> Status:
        return status(self.place)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """A plugin in order. Who owns a temporary folder is the test's own matter."""
    for name in ("untrusted", "unreachable"):
        monkeypatch.setattr(f"sifprov.pluginadmin.states.{name}", lambda path: iter(()))
    root, starters = tmp_path / "libexec" / "plugin", tmp_path / "libexec" / "bin"
    (root / "sifprov").mkdir(parents=True)
    starters.mkdir()
    program = tmp_path / "singularity"
    for path in (program, starters / "starter", starters / "starter-suid"):
        path.write_bytes(elf(HOST))
    runtime = Runtime(str(program), "singularity-ce", "4.3.3")
    place = Place(runtime, root, tmp_path, {"BUILDDIR": str(tmp_path / "builddir")})
    place.object.write_bytes(elf(PLUGIN))
    helper = place.folder / f"helper-{VERSION}-abcd" / "sifprov-helper.py"
    helper.parent.mkdir()
    helper.touch()
    write_config(place, ["/bin/sh", "-I", str(helper)])
    found = Installation(place)
    found.meta("sifprov", "cli.SingularityEngineConfig", MONITOR)
    return found


def test_in_order(made: Installation) -> None:
    state = made.look()
    assert (state.state, state.problems, state.version) == (State.GOOD, (), VERSION)
    assert state.records and not state.runs_fail


def test_not_installed_and_refused(made: Installation) -> None:
    (made.place.plugin_root / "sifprov.meta").unlink()
    assert made.look().state is State.ABSENT
    build = {"BUILDDIR": "REPRODUCIBLE_BUILD"}
    assert status(replace(made.place, build=build)).state is State.REFUSED


@pytest.mark.parametrize(
    "which", ["singularity", "libexec/bin/starter", "libexec/bin/starter-suid"]
)
def test_a_new_program_makes_it_stale(made: Installation, tmp_path: Path, which: str) -> None:
    (tmp_path / which).write_bytes(elf(HOST | {"runtime": b"another."}))
    state = made.look()
    assert state.state is State.STALE and state.runs_fail
    assert str(tmp_path / which) in state.problems[0]


@pytest.mark.parametrize("data", [b"#!/bin/sh\nexec /real/singularity\n", b""])
def test_a_script_around_the_program_says_nothing(
    made: Installation, tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "singularity").write_bytes(data)
    assert made.look().state is State.GOOD


def test_a_starter_that_only_root_may_read_says_nothing(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(path: Path) -> dict[str, bytes]:
        if path.name == "starter-suid":
            raise PermissionError(13, "Permission denied", str(path))
        return packages(path)

    monkeypatch.setattr("sifprov.pluginadmin.states.packages", closed)
    assert made.look().state is State.GOOD


def no_object(made: Installation) -> None:
    made.place.object.unlink()


def half_an_object(made: Installation) -> None:
    made.place.object.write_bytes(elf(PLUGIN)[:-100])


@pytest.mark.parametrize("damage", [no_object, half_an_object])
def test_a_damaged_object_is_stale(
    made: Installation, damage: Callable[[Installation], None]
) -> None:
    damage(made)
    assert made.look().state is State.STALE


def test_a_rival(made: Installation) -> None:
    made.meta("org/watcher", MONITOR)
    state = made.look()
    assert state.state is State.RIVAL and state.runs_fail
    assert "org/watcher" in state.problems[0]
    made.meta("org/watcher", MONITOR, enabled=False)
    assert made.look().state is State.GOOD
    made.meta("org/watcher", "cli.Command", "singularity.PostStartProcess")
    assert made.look().state is State.GOOD


def test_disabled_counts_more_than_stale(made: Installation) -> None:
    made.place.object.unlink()
    made.meta("sifprov", MONITOR, enabled=False)
    state = made.look()
    assert state.state is State.DISABLED and not state.runs_fail
    assert "plugin enable sifprov" in state.problems[0]
    assert not state.mendable, "a package hook must not undo what an administrator decided"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"helper": []}', '{"helper": [1]}', "{"])
def test_an_unreadable_configuration(made: Installation, text: str) -> None:
    made.place.config.write_text(text)
    state = made.look()
    assert state.state is State.BROKEN and not state.runs_fail and not state.records


def test_a_helper_that_is_gone(made: Installation) -> None:
    next(made.place.folder.glob("helper-*/*.py")).unlink()
    assert made.look().state is State.BROKEN


def test_a_configuration_that_others_could_have_written(
    made: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    reasons = {str(made.place.config): "it belongs to user 1000, not to root"}
    monkeypatch.setattr(
        "sifprov.pluginadmin.states.untrusted", lambda path: filter(None, [reasons.get(path)])
    )
    state = made.look()
    assert state.state is State.BROKEN
    assert "1000" in state.problems[0]


def test_of_another_version(made: Installation) -> None:
    document = json.loads(made.place.config.read_text())
    document["runtime_version"] = "4.3.2"
    made.place.config.write_text(json.dumps(document))
    state = made.look()
    assert state.state is State.OUTDATED and state.records
    assert "4.3.2" in state.problems[0]


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"Name": "x", "Callbacks": 3}'])
def test_a_list_entry_that_cannot_be_read_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "broken.meta").write_text(text)
    (tmp_path / "good.meta").write_text(
        json.dumps({"Name": "other", "Enabled": True, "Callbacks": ["apptainer.MonitorContainer"]})
    )
    assert [plugin.name for plugin in installed_plugins(tmp_path)] == ["other"]
    assert rivals(tmp_path) == ["other"]
