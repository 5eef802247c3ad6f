"""Which runtime replays a run: the user's, the one that ran it, one of the same name, any."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.graphs import chain
from tests.unit.replays import planned

from sifprov.errors import MissingError
from sifprov.model.record import Run
from sifprov.replay.runtimes import Runtimes

VERSIONS = {"apptainer": "apptainer version 1.4.5", "singularity": "singularity-ce version 4.3.3"}


def install(folder: Path, name: str) -> Path:
    """A program that says which runtime it is, and counts how often it is asked."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho >> {folder}/asked\necho {VERSIONS[name]}\n")
    path.chmod(0o755)
    return path


def a_run(runtime: str, program: str) -> Run:
    run = planned(chain(1)).last.run
    return Run(**{**run.__dict__, "runtime_name": runtime, "argv": (program, *run.argv[1:])})


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Both runtimes are on PATH."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SIFPROV_RUNTIME", raising=False)
    for name in VERSIONS:
        install(tmp_path / "bin", name)
    return tmp_path


def test_the_one_that_ran_it(machine: Path) -> None:
    for runtime, name in (("apptainer", "apptainer"), ("singularity-ce", "singularity")):
        found = Runtimes().of(a_run(runtime, name))
        assert (found.path, found.name) == (str(machine / "bin" / name), runtime)
    own = install(machine / "opt", "apptainer")
    assert Runtimes().of(a_run("apptainer", str(own))).path == str(own)


def test_any_where_that_is_not_there(machine: Path) -> None:
    (machine / "bin" / "apptainer").unlink()
    found = Runtimes().of(a_run("apptainer", "/gone/apptainer"))
    assert found.name == "singularity-ce"
    (machine / "bin" / "singularity").unlink()
    with pytest.raises(MissingError, match="on PATH"):
        Runtimes().of(a_run("apptainer", "/gone/apptainer"))


def test_the_users_choice(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run("apptainer", str(machine / "bin" / "apptainer"))
    assert Runtimes("singularity").of(run).name == "singularity-ce"
    # What the record names by its path comes before what is set for all runs.
    monkeypatch.setenv("SIFPROV_RUNTIME", "singularity")
    assert Runtimes().of(run).name == "apptainer"
    assert Runtimes().of(a_run("apptainer", "apptainer")).name == "singularity-ce"


def test_a_program_of_somebody_else_is_not_run(machine: Path) -> None:
    """A record may name whatever is there."""
    planted = install(machine / "trap", "singularity")
    for mode in (0o777, 0o775):
        planted.chmod(mode)
        found = Runtimes().of(a_run("singularity-ce", str(planted)))
        assert found.path == str(machine / "bin" / "singularity")
    other = planted.rename(machine / "trap" / "program")
    other.chmod(0o755)
    assert Runtimes().of(a_run("singularity-ce", str(other))).path != str(other)
    assert not (machine / "trap" / "asked").exists()


def test_each_is_asked_once(machine: Path) -> None:
    runtimes = Runtimes()
    for _ in range(3):
        runtimes.of(a_run("apptainer", "apptainer"))
    assert (machine / "bin" / "asked").read_text() == "\n"
