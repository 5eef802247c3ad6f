"""The functions of `sifprov shell-init`, in the real shells, with programs that only tell how they
were called."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sifprov.wrapper.functions import FUNCTIONS

TELL = '#!/bin/sh\nprintf "%s" "${0##*/}"; printf " <%s>" "$@"; echo\nexit ${CODE:-0}\n'
START = {"bash": ["bash", "--norc"], "zsh": ["zsh", "-f"], "fish": ["fish", "--no-config"]}


@pytest.fixture(params=sorted(FUNCTIONS))
def shell(request: pytest.FixtureRequest) -> str:
    name = str(request.param)
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name} here: tools/setup installs it")
    return name


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sifprov", "singularity", "apptainer"):
        (folder / name).write_text(TELL)
        (folder / name).chmod(0o755)
    return folder


def said(shell: str, programs: Path, script: str, code: int = 0) -> tuple[int, str]:
    file = programs.parent / "functions"
    file.write_text(FUNCTIONS[shell])
    done = subprocess.run(
        [*START[shell], "-c", f"source {file}\n{script}"],
        env={"PATH": f"{programs}:/usr/bin:/bin", "CODE": str(code), "HOME": str(programs.parent)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "words",
    [
        "exec app.sif true",
        "run -B x:/y app.sif a 'b c'",
        "shell app.sif",
        "-q exec app.sif true",
        "-c file exec app.sif x",
        "--config exec run app.sif",
        "-dc exec shell app.sif",
        "--config=f exec app.sif exec",
    ],
)
@pytest.mark.parametrize("name", ["singularity", "apptainer"])
def test_what_runs_a_container_goes_to_sifprov(
    shell: str, programs: Path, name: str, words: str
) -> None:
    code, text = said(shell, programs, f"{name} {words}", code=41)
    assert code == 41
    head = "sifprov <{}> <--line> <{}>"
    action = {"--config exec run app.sif": "run", "-dc exec shell app.sif": "shell"}.get(
        words, next(w for w in words.split() if w in ("exec", "run", "shell"))
    )
    assert text.startswith(head.format(action, programs / name))
    plain = subprocess.run(
        ["sh", "-c", f"{programs / name} {words}"], capture_output=True, text=True, check=False
    ).stdout
    assert text.partition(">")[2].partition(">")[2].partition(">")[2] == plain.removeprefix(name)


@pytest.mark.parametrize(
    "words", ["pull docker://x", "--version", "", "inspect exec", "instance start a.sif exec", "-q"]
)
def test_everything_else_goes_to_the_runtime(shell: str, programs: Path, words: str) -> None:
    code, text = said(shell, programs, f"apptainer {words}", code=42)
    assert code == 42
    assert text.startswith("apptainer ")
    assert "sifprov" not in text


def test_without_sifprov_the_runtime_runs(shell: str, programs: Path) -> None:
    (programs / "sifprov").unlink()
    assert said(shell, programs, "singularity exec a b") == (0, "singularity <exec> <a> <b>\n")


def test_a_careful_shell_does_not_mind(programs: Path) -> None:
    _, text = said("bash", programs, "set -eu; singularity exec a b; echo after")
    assert text.splitlines()[1] == "after"
