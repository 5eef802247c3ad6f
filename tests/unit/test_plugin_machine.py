"""Which runtimes a machine has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sifprov.errors import SifprovError
from sifprov.pluginadmin import Place, find_runtimes
from sifprov.pluginadmin.machine import the_only
from sifprov.runtime.find import Runtime


def program(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sifprov.pluginadmin.machine.untrusted", lambda path: iter(()))


def test_path_first_then_the_usual_folders_each_program_once(tmp_path: Path) -> None:
    first = program(tmp_path / "path/singularity", "singularity-ce version 4.3.3")
    second = program(tmp_path / "opt/a/bin/apptainer", "apptainer version 1.4.5")
    (tmp_path / "opt/a/bin/singularity").symlink_to("apptainer")
    third = program(tmp_path / "opt/b/bin/apptainer", "apptainer version 1.5.0")
    path = f"relative:{tmp_path}/none:{tmp_path}/path"
    found = find_runtimes({"PATH": path}, (f"{tmp_path}/opt/*/bin", f"{tmp_path}/path"))
    assert [runtime.path for runtime in found.runtimes] == [str(first), str(second), str(third)]
    assert found.skipped == ()


def test_the_named_one_comes_first(tmp_path: Path) -> None:
    program(tmp_path / "a/singularity", "singularity-ce version 4.3.3")
    named = program(tmp_path / "b/my-singularity", "singularity-ce version 4.2.0")
    found = find_runtimes({"PATH": f"{tmp_path}/a", "SIFPROV_RUNTIME": str(named)}, ())
    assert [runtime.version for runtime in found.runtimes] == ["4.2.0", "4.3.3"]
    found = find_runtimes({"PATH": f"{tmp_path}/a", "SIFPROV_RUNTIME": "/no/such"}, ())
    assert [runtime.version for runtime in found.runtimes] == ["4.3.3"]
    assert "/no/such" in found.skipped[0]


def test_a_program_of_that_name_that_is_none_is_told(tmp_path: Path) -> None:
    program(tmp_path / "singularity", "a game of robots")
    found = find_runtimes({"PATH": str(tmp_path)}, ())
    assert found.runtimes == ()
    assert "neither singularity nor apptainer" in found.skipped[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root refuses to run others' programs")
def test_root_does_not_run_what_others_could_have_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sprung = tmp_path / "sprung"
    trap = program(tmp_path / "singularity", "x")
    trap.write_text(f"#!/bin/sh\ntouch {sprung}\n")
    monkeypatch.setattr("sifprov.pluginadmin.machine.untrusted", lambda path: iter(["is open"]))
    found = find_runtimes({"PATH": str(tmp_path)}, ())
    assert found.runtimes == () and "is open" in found.skipped[0]
    assert not sprung.exists()


def test_one_of_several_is_to_be_named(tmp_path: Path) -> None:
    places = [
        Place(Runtime(f"/{name}/singularity", "singularity-ce", "4"), tmp_path, tmp_path)
        for name in "ab"
    ]
    assert the_only(places[:1]) is places[0]
    with pytest.raises(SifprovError, match="/a/singularity, /b/singularity") as caught:
        the_only(places)
    assert "--all" in (caught.value.hint or "")
