"""The ground the other tests stand on: users, time limits, the runtime and its containers."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.real.conftest import copy_program
from tests.real.harness import ROOT, Finished, Runner, as_user, descendants

INPUTS = ROOT / "scenarios" / "gnuplot-single" / "inputs"
MYSELF = pwd.getpwuid(os.getuid()).pw_name


def test_run_as_is_that_user_in_a_folder_of_its_own(run_as: Runner) -> None:
    done = run_as(["sh", "-c", "id -un; id -G; echo $HOME; touch made && stat -c %U made"])
    account = pwd.getpwnam(run_as.user)
    name, groups, home, owner = done.expect(0).stdout.splitlines()
    assert (name, home, owner) == (run_as.user, account.pw_dir, run_as.user)
    if not run_as.is_root:
        assert groups.split() == [str(account.pw_gid)]


def test_nothing_of_the_environment_leaks(run_as: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIFPROV_LEAK", "1")
    names = run_as(["env"], env={"GIVEN": "x"}).expect(0).stdout
    assert "SIFPROV_LEAK" not in names
    assert "GIVEN=x" in names


def test_time_limit_kills_a_child_in_a_session_of_its_own(run_as: Runner) -> None:
    script = "echo started; setsid sleep 1234.5 & wait"
    began = time.monotonic()
    with pytest.raises(AssertionError, match=r"no end within 1 s.*\n.*\nstarted"):
        run_as(["sh", "-c", script], timeout=1)
    assert time.monotonic() - began < 10
    assert not subprocess.run(["pgrep", "-f", "sleep 1234.5"], capture_output=True).stdout


def test_descendants_are_found_in_depth() -> None:
    code = "import subprocess as s; s.run(['sh', '-c', 'sleep 30; true'])"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        for _ in range(100):
            found = descendants(process.pid)
            if len(found) == 2:
                break
            time.sleep(0.05)
        for pid in [*found, process.pid]:
            os.kill(pid, 9)
    assert len(found) == 2


def test_find_runtime_obeys_the_environment(singularity: str, tmp_path: Path) -> None:
    def find(runtime: str) -> Finished:
        return as_user(
            [ROOT / "tools" / "find-runtime"], MYSELF, tmp_path, {"SIFPROV_RUNTIME": runtime}
        )

    assert find(singularity).expect(0).stdout.strip() == os.path.realpath(singularity)
    bad = find("/nowhere/singularity").expect(1)
    assert "/nowhere/singularity" in bad.stderr
    assert bad.stdout == ""


def test_user_and_exit_code_pass_through(
    run_as: Runner, singularity: str, busybox_sif: str, exec_flags: list[str]
) -> None:
    argv = [singularity, "exec", *exec_flags, busybox_sif, "sh", "-c", "id -u; exit 7"]
    assert run_as(argv).expect(7).stdout.strip() == str(pwd.getpwnam(run_as.user).pw_uid)


def test_gnuplot_draws_the_same_pictures_every_time(
    run_as: Runner, singularity: str, gnuplot_sif: str, exec_flags: list[str]
) -> None:
    inputs = run_as.folder / "in"
    inputs.mkdir()
    for file in INPUTS.glob("*.txt"):
        (inputs / file.name).write_bytes(file.read_bytes())
    pictures = []
    for name in ("first", "second"):
        run_as(["mkdir", name]).expect(0)
        binds = f"{inputs}:/Inputs,{run_as.folder / name}:/Outputs"
        argv = [singularity, "exec", *exec_flags, "-B", binds, gnuplot_sif, "gnuplot.sh"]
        assert run_as(argv).expect(0).stderr == ""
        files = sorted((run_as.folder / name).iterdir())
        pictures.append({file.name: file.read_bytes() for file in files})
    assert list(pictures[0]) == ["text1.png", "text2.png", "text3.png"]
    assert pictures[0] == pictures[1]
    for data in pictures[0].values():
        assert data.startswith(b"\x89PNG\r\n\x1a\n")
        assert data[16:24] == (800).to_bytes(4, "big") + (600).to_bytes(4, "big")


def test_gnuplot_reports_a_folder_without_texts(
    run_as: Runner, singularity: str, gnuplot_sif: str, exec_flags: list[str]
) -> None:
    argv = [singularity, "exec", *exec_flags, gnuplot_sif, "gnuplot.sh", "/opt", "/tmp"]
    assert run_as(argv).expect(1).stderr == "gnuplot.sh: no text file in /opt\n"


def test_inputs_are_what_the_generator_writes(tmp_path: Path) -> None:
    generator = INPUTS.parent / "make_data.py"
    as_user([sys.executable, generator, tmp_path], MYSELF, tmp_path).expect(0)
    written = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert len(written) == 3
    assert written == {file.name: file.read_bytes() for file in INPUTS.iterdir()}


def test_every_user_can_run_the_program(run_as: Runner, sifprov: str) -> None:
    assert run_as([sifprov, "--version"]).expect(0).stdout.startswith("sifprov")


def test_a_copy_of_the_program_runs_without_the_checkout(run_as: Runner) -> None:
    copy = run_as.folder / "program"
    copy_program(copy)
    assert run_as([copy / "sifprov", "--version"]).expect(0).stdout.startswith("sifprov")
