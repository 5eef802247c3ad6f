"""Who could have written a path, and where a runtime keeps its things."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from sifprov.errors import MissingError
from sifprov.pluginadmin import Place
from sifprov.pluginadmin.payload import (
    find_go,
    find_interpreter,
    go_environment,
    settings_of,
    write_config,
)
from sifprov.pluginadmin.place import find_place, read_conf, run
from sifprov.pluginadmin.trusted import unreachable, untrusted
from sifprov.runtime.find import Runtime

SINGULARITY = Runtime("/usr/bin/singularity", "singularity-ce", "4.3.3")


def program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_what_belongs_to_root_is_trusted() -> None:
    assert list(untrusted("/usr/bin/env")) == []
    assert list(unreachable("/usr/bin/env")) == []


def test_what_others_may_write_is_told(tmp_path: Path) -> None:
    file = tmp_path / "helper.py"
    file.touch()
    file.chmod(0o666)
    wanted = "mode 666" if os.geteuid() == 0 else "belongs to user"
    assert any(str(file) in reason and wanted in reason for reason in untrusted(str(file)))


def test_what_a_link_leads_to_is_looked_at(tmp_path: Path) -> None:
    target = tmp_path / "open" / "python3"
    target.parent.mkdir()
    target.touch()
    target.parent.chmod(0o777)
    link = tmp_path / "python3"
    link.symlink_to("open/python3")
    assert any(reason.startswith(str(target.parent)) for reason in untrusted(str(link)))


def test_what_is_closed_to_users_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a" / "object.so"
    file.parent.mkdir(0o755)
    file.touch()
    file.chmod(0o600)
    file.parent.chmod(0o750)
    closed = " ".join(unreachable(str(file)))
    assert f"{file} is closed to ordinary users (mode 600)" in closed
    assert f"{file.parent} is closed to ordinary users (mode 750)" in closed


def test_a_configuration(tmp_path: Path) -> None:
    conf = tmp_path / "singularity.conf"
    conf.write_text("# go path = /no\ngo path = /x/go\n\nmax loop devices=9\nnonsense\n")
    assert read_conf(conf) == {"go path": "/x/go", "max loop devices": "9"}
    assert read_conf(tmp_path / "none") == {} == read_conf(None)


def test_a_runtime_is_asked_for_its_places(tmp_path: Path) -> None:
    says = "echo PLUGIN_ROOTDIR=/l/apptainer/plugin; echo BUILDDIR=/src/builddir; echo BINDIR=/b"
    path = program(tmp_path / "apptainer", says)
    place = find_place(Runtime(path, "apptainer", "1.4.5"))
    assert (place.plugin_root, place.source) == (Path("/l/apptainer/plugin"), Path("/src"))
    assert place.word == "apptainer"
    assert place.programs == (Path(path),)  # no starter is there
    assert not place.refuses_plugins
    with pytest.raises(MissingError, match="no support for plugins"):
        find_place(Runtime(program(tmp_path / "old", "echo A=b"), "apptainer", "1"))


def test_a_packaged_build_is_told(tmp_path: Path) -> None:
    place = Place(SINGULARITY, tmp_path, tmp_path, {"BUILDDIR": "REPRODUCIBLE_BUILD"})
    with pytest.raises(MissingError, match="refuses plugins") as caught:
        find_go(place)
    assert "sifprov exec" in (caught.value.hint or "")


def test_go_is_found_where_the_runtime_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(SINGULARITY, tmp_path, tmp_path, {"SINGULARITY_CONF_FILE": f"{tmp_path}/conf"})
    with pytest.raises(MissingError, match="the source that"):
        find_go(place)
    (tmp_path / "pkg/plugin").mkdir(parents=True)
    (tmp_path / "pkg/plugin/plugin.go").touch()
    go = program(tmp_path / "go", "exit 0")
    (tmp_path / "conf").write_text(f"go path = {go}\n")
    monkeypatch.setenv("PATH", "/nowhere")  # as sudo's secure_path may be
    assert find_go(place) == go
    monkeypatch.delenv("HOME")  # as in a package manager's hook
    environment = go_environment(go, tmp_path)
    assert environment["PATH"].startswith(f"{tmp_path}:")
    assert environment["HOME"] == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ('{"environment": ["A"], "ro_inputs": false, "timeout_seconds": 9}',
         {"environment": ["A"], "ro_inputs": False, "timeout_seconds": 9}),
        ('{"environment": [1], "ro_inputs": 0, "timeout_seconds": true, "helper": ["/x"]}', {}),
        ('{"timeout_seconds": 86401}', {}),
        ("[]", {}),
        ("{", {}),
    ],
)  # fmt: skip
def test_what_an_administrator_set_is_kept(
    tmp_path: Path, text: str, kept: dict[str, object]
) -> None:
    place = Place(SINGULARITY, tmp_path, tmp_path)
    assert settings_of(place) == {}
    place.folder.mkdir()
    place.config.write_text(text)
    assert settings_of(place) == kept
    write_config(place, ["/new"], kept=settings_of(place))
    document = json.loads(place.config.read_text())
    assert {key: document[key] for key in kept} == kept
    assert document["helper"] == ["/new"]


def test_an_interpreter_that_others_could_change_is_refused(tmp_path: Path) -> None:
    path = program(tmp_path / "python3", "exit 0")
    Path(path).chmod(0o777)
    with pytest.raises(MissingError, match="only root may change"):
        find_interpreter(path)
    with pytest.raises(MissingError, match="is not there"):
        find_interpreter(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo False", "older than Python 3.10"), ("true", "older"), ("exit 1", "exit code 1")],
)
def test_an_interpreter_that_is_too_old_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    for name in ("untrusted", "unreachable"):
        monkeypatch.setattr(f"sifprov.pluginadmin.payload.{name}", lambda path: iter(()))
    assert find_interpreter(sys.executable) == sys.executable
    with pytest.raises(MissingError, match=said):
        find_interpreter(program(tmp_path / "python3", script))


def test_what_a_program_says_last_is_the_reason(tmp_path: Path) -> None:
    path = program(tmp_path / "x", "for i in 1 2 3 4; do echo line $i >&2; done; exit 3")
    with pytest.raises(MissingError, match=r"^trying: line 2; line 3; line 4$"):
        run([path], "trying")
    with pytest.raises(MissingError, match="timed out"):
        run(["sleep", "9"], "waiting", timeout=0.1)


def test_what_a_program_makes_is_readable_by_all(tmp_path: Path) -> None:
    previous = os.umask(0o077)
    try:
        run([program(tmp_path / "x", f"echo > {tmp_path}/made")], "making")
    finally:
        os.umask(previous)
    assert (tmp_path / "made").stat().st_mode & 0o777 == 0o644
