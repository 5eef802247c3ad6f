"""What doctor says of the user's own folders and files, and of programs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sifprov.doctor import Level, programs, user


def test_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"HOME": str(tmp_path)}
    assert user.home(environ).level is Level.OK
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".cache").touch()
    check = user.home(environ)
    assert check.level is Level.WARN and str(tmp_path / ".cache") in check.text
    (tmp_path / ".cache").unlink()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert user.home(environ).level is Level.WARN


@pytest.mark.parametrize("name", ["SIFPROV_CAPTURED", "SINGULARITY_SIFPROV_CAPTURED"])
def test_a_variable_that_keeps_runs_from_being_recorded(name: str) -> None:
    assert user.environment({}).level is Level.OK
    check = user.environment({name: "1"})
    assert check.level is Level.BAD and check.hint == f"unset {name}"


def test_settings(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    assert "defaults" in user.settings_files(environ, str(tmp_path / "none")).text
    own = tmp_path / ".config/sifprov/config.ini"
    own.parent.mkdir(parents=True)
    own.write_text("[capture]\ndigest = full\n")
    own.chmod(0o600)
    check = user.settings_files(environ, str(tmp_path / "none"))
    assert check.level is Level.OK and str(own) in check.text
    own.write_text("[capture]\ndigests = full\n")
    check = user.settings_files(environ, str(tmp_path / "none"))
    assert check.level is Level.BAD and "digests" in check.text
    own.chmod(0o666)
    assert user.settings_files(environ, str(tmp_path / "none")).level is Level.WARN


@pytest.mark.parametrize(("number", "level"), [(0, Level.OK), (1, Level.WARN), (3, Level.WARN)])
def test_spool(monkeypatch: pytest.MonkeyPatch, number: int, level: Level) -> None:
    monkeypatch.setattr("sifprov.spool.count", lambda: number)
    check = user.waiting_records()
    assert check.level is level
    if number:
        assert check.hint and "sifprov flush" in check.hint


def test_programs_and_their_versions() -> None:
    versions = {"/sbin/mke2fs": "1.47.0", "/sbin/resize2fs": "1.46.5"}
    found = programs.e2fsprogs(lambda name: f"/sbin/{name}", lambda p: versions.get(p, "1.47.0"))
    assert found.level is Level.OK
    assert found.text == "mke2fs, debugfs, e2fsck 1.47.0; resize2fs 1.46.5"
    gone = programs.e2fsprogs(lambda name: None if name == "debugfs" else name, lambda p: "1")
    assert gone.level is Level.BAD and gone.text == "not found: debugfs"
    assert programs.squashfs_tools(lambda name: None).level is Level.WARN


def test_this_machines_own_programs_answer() -> None:
    check = programs.e2fsprogs()
    assert check.level is Level.OK and "?" not in check.text


def test_python() -> None:
    assert programs.python().level is Level.OK
    assert programs.python((3, 9, 18)).level is Level.BAD
