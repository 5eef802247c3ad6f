"""`pip install .` gives a program that works without the checkout."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.harness import ROOT

# Some of it changes while other tests run.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis"
)


def run(*argv: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        argv, cwd=cwd, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an environment's programs, with sifprov installed from a copy that is gone."""
    top = tmp_path_factory.mktemp("install")
    shutil.copytree(ROOT, top / "source", ignore=LEFT_OUT, symlinks=True)
    run(sys.executable, "-m", "venv", top / "venv", cwd=top)
    run(top / "venv/bin/pip", "install", "-q", top / "source", cwd=top)
    shutil.rmtree(top / "source")
    return top / "venv/bin"


def test_the_program_makes_and_reads_containers(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_text("1\n")
    program = installed / "sifprov"
    run(program, "data", "create", "a.sif", "--from", "data", "--mount", "/Inputs", cwd=tmp_path)
    assert "made" in run(program, "trail", "a.sif", cwd=tmp_path)


def test_it_brings_the_plugin_and_the_layouts(installed: Path, tmp_path: Path) -> None:
    code = "from sifprov.pluginadmin import plugin_source; print(*plugin_source(), sep='\\n')"
    files = run(installed / "python", "-c", code, cwd=tmp_path).splitlines()
    assert {Path(f).name for f in files} == {
        p.name for p in (ROOT / "plugin").glob("*.go") if not p.name.endswith("_test.go")
    }
    assert all(Path(f).is_relative_to(installed.parent) for f in files)
    shared = installed.parent / "share/sifprov/sif_layouts/schemas"
    assert {p.name for p in shared.iterdir()} == {
        p.name for p in (ROOT / "sif_layouts/schemas").glob("*.json")
    }
