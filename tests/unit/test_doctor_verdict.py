"""What doctor concludes from what it saw."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from sifprov.commands import doctor as command
from sifprov.doctor import Level, OfRuntime, Report, runtimes
from sifprov.doctor.check import Check, bad, ok
from sifprov.doctor.runtimes import Examined, Way, examine, fuse_programs, setuid_problem
from sifprov.doctor.verdict import Verdict, judge
from sifprov.pluginadmin import Place, State, Status
from sifprov.runtime.find import Runtime

NAMESPACES = ok("user namespaces", "tried")
USER = 1000


@pytest.fixture
def place(tmp_path: Path) -> Place:
    libexec = tmp_path / "libexec/singularity"
    (libexec / "bin").mkdir(parents=True)
    runtime = Runtime("/usr/bin/singularity", "singularity-ce", "4.3.3")
    conf = tmp_path / "singularity.conf"
    conf.write_text("# max loop devices = 7\nmax loop devices = 300\nallow setuid = yes\n")
    build = {"SINGULARITY_SUID_INSTALL": "1", "SINGULARITY_CONF_FILE": str(conf)}
    return Place(runtime, libexec / "plugin", tmp_path, build)


@pytest.fixture
def working(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "setuid_problem", lambda place, conf: None)
    monkeypatch.setattr(
        "sifprov.doctor.kernel.loop_devices", lambda limit, conf: ok("loop devices", f"{limit}")
    )


@pytest.mark.parametrize(
    ("state", "way"),
    [
        (State.GOOD, "plugin"), (State.OUTDATED, "plugin"), (State.STALE, "not"),
        (State.RIVAL, "not"), (State.ABSENT, "wrapper"), (State.REFUSED, "wrapper"),
        (State.DISABLED, "wrapper"), (State.BROKEN, "wrapper"),
    ],
)  # fmt: skip
def test_each_state_of_the_plugin(place: Place, working: None, state: State, way: str) -> None:
    found = examine(Status(place, state), NAMESPACES, uid=USER)
    verdict = judge("singularity", found, [])
    assert verdict.way == way
    assert (verdict.hint is None) == (way == "plugin")


def test_the_runtimes_own_limit_is_read(place: Place, working: None) -> None:
    found = examine(Status(place, State.GOOD), NAMESPACES, uid=USER)
    assert "300" in {check.name: check for check in found.checks}["loop devices"].text


@pytest.mark.parametrize("name", ["user namespaces", "fuse"])
def test_without_setuid_both_are_needed(name: str) -> None:
    found = Examined((bad(name, "closed", "open it"),), Way.FUSE, None)
    verdict = judge("apptainer", found, [])
    assert (verdict.way, verdict.hint) == ("not", "open it")
    assert judge("apptainer", replace(found, way=Way.SETUID), []).way == "wrapper"


def test_singularity_without_setuid_binds_no_ext3(place: Place) -> None:
    found = examine(Status(place, State.GOOD), NAMESPACES, uid=USER)
    assert judge("singularity", found, []).way == "not"
    assert "ext3" in {check.name for check in found.checks if not check.good}


def test_what_of_the_machine_keeps_records_away(place: Place, working: None) -> None:
    found = examine(Status(place, State.GOOD), NAMESPACES, uid=USER)
    assert judge("singularity", found, [bad("locks", "in /x: none", "elsewhere")]).way == "not"
    assert judge("singularity", found, [bad("environment", "X", "unset X")]).hint == "unset X"
    assert judge("singularity", found, [bad("e2fsprogs", "none", "install")]).way == "plugin"


def test_what_is_wrong_with_a_setuid_starter(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    conf = {"allow setuid": "yes"}
    assert setuid_problem(place, conf) == "it is not installed"
    starter = place.plugin_root.parent / "bin/starter-suid"
    starter.touch(0o755)
    assert "not setuid root" in (setuid_problem(place, conf) or "")
    if os.geteuid() == 0:
        starter.chmod(0o4755)
        monkeypatch.setattr(os, "statvfs", lambda path: os.statvfs_result([0] * 10))
        assert setuid_problem(place, conf) is None
        nosuid = os.statvfs_result([0] * 8 + [os.ST_NOSUID, 0])
        monkeypatch.setattr(os, "statvfs", lambda path: nosuid)
        assert "nosuid" in (setuid_problem(place, conf) or "")
    assert "allow setuid" in (setuid_problem(place, {"allow setuid": "no"}) or "")
    none = replace(place, build={"SINGULARITY_SUID_INSTALL": "0"})
    assert setuid_problem(none, conf) == "this build has none"


def test_drivers_are_sought_where_the_runtime_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("libexec/apptainer/bin", "mine", "configured"):
        path = tmp_path / folder / "fuse2fs"
        path.parent.mkdir(parents=True)
        path.touch(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "mine"))
    runtime = Runtime("/usr/bin/apptainer", "apptainer", "1.4.5")
    place = Place(runtime, tmp_path / "libexec/apptainer/plugin", tmp_path)

    def found(conf: dict[str, str]) -> str | None:
        return fuse_programs(place, conf)["fuse2fs"]

    own = tmp_path / "libexec/apptainer/bin/fuse2fs"
    assert found({}) == str(own)
    own.unlink()
    assert found({}) == str(tmp_path / "mine/fuse2fs")
    assert found({"binary path": f"{tmp_path}/configured"}) == str(tmp_path / "configured/fuse2fs")


@pytest.mark.parametrize(("way", "code"), [("plugin", 0), ("wrapper", 0), ("not", 1)])
def test_the_exit_code_and_what_people_read(
    monkeypatch: pytest.MonkeyPatch, way: str, code: int
) -> None:
    runtime = Runtime("/usr/bin/\x1b[31mx", "singularity-ce", "4.3.3")
    check = Check("plugin", Level.WARN, "a text " * 30, "do this")
    report = Report((OfRuntime(runtime, (check,), Verdict(way, "so it is", None)),), ())
    monkeypatch.setattr(command, "diagnose", lambda *arguments: report)
    done = CliRunner().invoke(command.command, standalone_mode=False)
    assert done.return_value == code
    assert "\x1b" not in done.output
    assert "-> do this" in done.output and "so it is" in done.output
    assert max(map(len, done.output.splitlines())) <= 100
