"""Which runtimes the plugin's verbs work on, and what they exit with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from sifprov import pluginadmin
from sifprov.commands.plugin import command as group
from sifprov.errors import SifprovError
from sifprov.pluginadmin import Place, RivalError, State, Status
from sifprov.runtime.find import Runtime


class Machine:
    """Two or more runtimes in given states, and what was done to them."""

    def __init__(self, folder: Path, **states: State) -> None:
        self.states = states
        self.places = [
            Place(Runtime(f"/{name}", "apptainer", "1"), folder / name, folder,
                  {"BUILDDIR": "REPRODUCIBLE_BUILD"} if state is State.REFUSED else {})
            for name, state in states.items()
        ]  # fmt: skip
        for place in self.places:
            if self.look(place).installed:
                place.folder.mkdir(parents=True, exist_ok=True)
        self.installed: list[str] = []
        self.compiled: list[Path | None] = []
        self.removed: list[str] = []
        self.failing: set[str] = set()

    def look(self, place: Place) -> Status:
        state = self.states[place.runtime.path[1:]]
        return Status(place, state, problems=() if state.value in ("good", "refused") else ("x",))

    def install(self, place: Place, **options: Any) -> Status:
        name = place.runtime.path[1:]
        if name in self.failing:
            raise RivalError("a rival", hint="disable it")
        self.installed.append(name)
        self.compiled.append(options["compiled"])
        return Status(place, State.GOOD)

    def remove(self, place: Place) -> bool:
        self.removed.append(place.runtime.path[1:])
        return True


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Machine]:
    def make(**states: State) -> Machine:
        found = Machine(tmp_path, **states)
        for verb in ("compile", "install", "remove", "status"):
            there = f"sifprov.commands.plugin.{verb}"
            monkeypatch.setattr(f"{there}.all_places", lambda: (found.places, ["/x: passed over"]))
            monkeypatch.setattr(f"{there}.named_place", lambda wanted: None)
        monkeypatch.setattr(pluginadmin, "status", found.look)
        monkeypatch.setattr(pluginadmin, "install", found.install)
        monkeypatch.setattr(pluginadmin, "remove", found.remove)
        return found

    return make


def call(*argv: str) -> tuple[int, str]:
    done = CliRunner().invoke(group, argv, standalone_mode=False)
    if done.exception:
        raise done.exception
    return int(done.return_value), done.output


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((State.GOOD, State.ABSENT), 0),
        ((State.GOOD, State.STALE), 1),
        ((State.ABSENT, State.REFUSED), 3),
        ((State.DISABLED, State.ABSENT), 1),
    ],
)
def test_the_status_of_all(
    machine: Callable[..., Machine], states: tuple[State, State], code: int
) -> None:
    machine(a=states[0], b=states[1])
    got, text = call("status", "--json")
    document = json.loads(text)
    assert got == code
    assert [row["state"] for row in document["runtimes"]] == [state.value for state in states]
    assert document["skipped"] == ["/x: passed over"]
    assert call("status")[0] == code


def test_one_of_several_is_to_be_named(machine: Callable[..., Machine]) -> None:
    found = machine(a=State.ABSENT, b=State.ABSENT)
    with pytest.raises(SifprovError, match="there are 2 runtimes"):
        call("install")
    assert call("install", "--all")[0] == 0
    assert found.installed == ["a", "b"]


def test_all_leaves_out_what_takes_no_plugin(machine: Callable[..., Machine]) -> None:
    found = machine(a=State.REFUSED, b=State.ABSENT)
    assert call("install", "--all")[0] == 0
    assert found.installed == ["b"]


def test_one_that_fails_does_not_stop_the_others(machine: Callable[..., Machine]) -> None:
    found = machine(a=State.ABSENT, b=State.ABSENT)
    found.failing = {"a"}
    code, text = call("install", "--all")
    assert (code, found.installed) == (2, ["b"])
    assert "error: /a: a rival" in text and "hint: disable it" in text


def test_a_hook_mends_what_can_be_mended_and_nothing_else(machine: Callable[..., Machine]) -> None:
    found = machine(
        a=State.STALE, b=State.GOOD, c=State.ABSENT, d=State.DISABLED, e=State.BROKEN,
        f=State.OUTDATED, g=State.RIVAL, h=State.REFUSED,
    )  # fmt: skip
    assert call("install", "--all", "--if-installed", "-q") == (0, "")
    assert found.installed == ["a", "e", "f"]
    assert call("remove", "--all", "--if-stale")[0] == 0
    assert found.removed == ["a", "g"]


def test_a_hook_finds_nothing_to_do(machine: Callable[..., Machine]) -> None:
    found = machine(a=State.GOOD, b=State.ABSENT)
    assert call("install", "--all", "--if-installed", "-q") == (0, "")
    assert call("remove", "--all", "--if-stale", "-q") == (0, "")
    assert (found.installed, found.removed) == ([], [])


def test_remove_takes_the_one_that_has_it(machine: Callable[..., Machine]) -> None:
    found = machine(a=State.ABSENT, b=State.STALE, c=State.ABSENT)
    assert call("remove")[0] == 0
    assert found.removed == ["b"]
    found = machine(a=State.GOOD, b=State.STALE)
    with pytest.raises(SifprovError, match="there are 2 runtimes"):
        call("remove")
    assert call("remove", "--all")[0] == 0
    assert found.removed == ["a", "b"]


def test_a_compiled_object_is_for_one_runtime(machine: Callable[..., Machine]) -> None:
    found = machine(a=State.ABSENT)
    assert call("install", "--object", "x.sif")[0] == 0
    assert found.compiled == [Path("x.sif")]
    with pytest.raises(click.UsageError, match="--all"):
        call("install", "--object", "x.sif", "--all")
    found = machine(a=State.STALE, b=State.GOOD, c=State.STALE)
    with pytest.raises(SifprovError, match="there are 2 runtimes"):
        call("install", "--object", "x.sif", "--if-installed")
    assert found.installed == []
    found = machine(a=State.STALE, b=State.GOOD, c=State.ABSENT)
    assert call("install", "--object", "x.sif", "--if-installed", "-q") == (0, "")
    assert found.installed == ["a"]


def test_the_runtime_to_compile_for_is_named_where_there_are_two(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, Path]] = []
    monkeypatch.setattr(
        pluginadmin, "compile_to", lambda place, path: made.append((place.runtime.path, path))
    )
    machine(a=State.ABSENT, b=State.ABSENT)
    with pytest.raises(SifprovError, match="there are 2 runtimes"):
        call("compile", "-o", "x.sif")
    machine(a=State.ABSENT)
    assert call("compile", "-o", "x.sif") == (0, "made x.sif: the plugin for /a 1\n")
    assert made == [("/a", Path("x.sif"))]
