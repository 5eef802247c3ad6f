"""What is refused in place of a compiled plugin, before anything is installed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.goelf import HOST, PLUGIN, elf
from tests.unit.sifs import add_object, make_sif

from sifprov.errors import FileError, SifprovError
from sifprov.pluginadmin import MisfitError, Place
from sifprov.pluginadmin.compiled import compile_to, take_compiled
from sifprov.runtime.find import Runtime
from sifprov.sif import DataType
from sifprov.version import VERSION

GOOD = {"name": "sifprov", "version": VERSION}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A runtime that is one program."""
    program = tmp_path / "singularity"
    program.write_bytes(elf(HOST))
    runtime = Runtime(str(program), "singularity-ce", "4.3.3")
    return Place(runtime, tmp_path / "libexec" / "plugin", tmp_path)


def compiled(folder: Path, object_: bytes, manifest: object) -> Path:
    """The file that the runtime's `plugin compile` makes, as far as it counts here."""
    path = folder / "plugin.sif"
    make_sif(path)
    add_object(path, object_, datatype=DataType.GENERIC, name=b"plugin.so")
    add_object(path, json.dumps(manifest).encode(), name=b"plugin.manifest")
    return path


def refusal(place: Place, path: Path) -> SifprovError:
    work = path.parent / "work"
    work.mkdir()
    with pytest.raises(SifprovError) as caught:
        take_compiled(place, path, work / "copy.sif")
    assert str(path) in str(caught.value)
    assert not (work / "copy.so").exists()
    return caught.value


def test_what_fits_is_copied_as_it_is(place: Place, tmp_path: Path) -> None:
    path = compiled(tmp_path, elf(PLUGIN), GOOD)
    take_compiled(place, path, tmp_path / "copy.sif")
    assert (tmp_path / "copy.sif").read_bytes() == path.read_bytes()


def test_one_for_another_build_is_refused(place: Place, tmp_path: Path) -> None:
    path = compiled(tmp_path, elf(PLUGIN | {"runtime": b"87654321"}), GOOD)
    error = refusal(place, path)
    assert isinstance(error, MisfitError)
    assert str(place.programs[0]) in str(error) and "another runtime" in str(error)


def test_every_program_that_loads_plugins_counts(place: Place, tmp_path: Path) -> None:
    starter = place.plugin_root.parent / "bin" / "starter-suid"
    starter.parent.mkdir(parents=True)
    starter.write_bytes(elf(HOST | {"runtime": b"87654321"}))
    error = refusal(place, compiled(tmp_path, elf(PLUGIN), GOOD))
    assert isinstance(error, MisfitError) and str(starter) in str(error)


def test_another_version_is_refused(place: Place, tmp_path: Path) -> None:
    error = refusal(place, compiled(tmp_path, elf(PLUGIN), GOOD | {"version": "0.0.9"}))
    assert isinstance(error, MisfitError) and f"0.0.9, this is {VERSION}" in str(error)


def test_another_plugin_is_refused(place: Place, tmp_path: Path) -> None:
    error = refusal(place, compiled(tmp_path, elf(PLUGIN), GOOD | {"name": "example.org/other"}))
    assert isinstance(error, FileError) and "another plugin, example.org/other" in str(error)


@pytest.mark.parametrize("manifest", [[], "sifprov", {"name": "sifprov"}, {}])
def test_what_has_no_manifest_is_refused(place: Place, tmp_path: Path, manifest: object) -> None:
    error = refusal(place, compiled(tmp_path, elf(PLUGIN), manifest))
    assert "this is no compiled plugin" in str(error)


def test_what_is_no_plugin_at_all_is_refused(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "results.sif"
    make_sif(path)
    assert "this is no compiled plugin" in str(refusal(place, path))
    text = tmp_path / "a" / "text.sif"
    text.parent.mkdir()
    text.write_text("x")
    assert "this is no compiled plugin" in str(refusal(place, text))


def test_compiling_overwrites_nothing(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sifprov.pluginadmin.payload.find_go", lambda place: "go")
    results = tmp_path / "results.sif"
    results.write_bytes(b"x")
    with pytest.raises(FileError, match="is there already"):
        compile_to(place, results)
    assert results.read_bytes() == b"x"
    with pytest.raises(FileError, match="No such file or directory"):
        compile_to(place, tmp_path / "none" / "plugin.sif")
