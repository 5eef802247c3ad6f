"""Layouts: those that come with the program, users' own, and broken ones."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.schemas import problems

from sifprov import assets
from sifprov.assets import asset_folder
from sifprov.cli import main
from sifprov.errors import FileError, MissingError
from sifprov.layouts import all_layouts, find_layout
from sifprov.roles import check_mount, parse_declaration
from sifprov.sif import open_image
from sifprov.sizes import parse_size

OWN = find_layout("input").to_json() | {"name": "field", "mount": "/Field", "free": "1.5m"}


def write(folder: Path, document: object) -> Path:
    path = folder / "own.json"
    path.write_text(json.dumps(document))
    return path


def test_the_ones_that_come_with_the_program() -> None:
    found = {layout.name: layout for layout in all_layouts()}
    assert {"input", "output", "archive"} <= found.keys()
    assert (found["archive"].fs, found["archive"].free) == ("squashfs", "0")
    for layout in found.values():
        assert (asset_folder("sif_layouts") / f"{layout.name}.json").is_file()
        assert problems("sifprov.layout/1", layout.to_json()) == []
        parse_size(layout.free)
        assert layout.mount is None or check_mount(layout.mount) == layout.mount


@pytest.mark.parametrize("name", [layout.name for layout in all_layouts()])
def test_each_makes_a_container(name: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("x")
    out = tmp_path / "x.sif"
    argv = ["data", "create", str(out), "--layout", name, "--from", str(tmp_path / "data")]
    done = CliRunner().invoke(main, [*argv, "--json"])
    assert done.exit_code == 0, done.output
    layout = find_layout(name)
    shown = json.loads(done.stdout)
    assert (shown["role"], shown["mount"], shown["fs"]) == (layout.role, layout.mount, layout.fs)
    with open_image(str(out)) as (_, image):
        assert image.header.dtotal == layout.descriptors


def test_options_count_more(tmp_path: Path) -> None:
    path = write(tmp_path, OWN | {"block_size": 4096})
    out = tmp_path / "x.sif"
    argv = ["data", "create", str(out), "--layout", str(path), "--mount", "/Else", "--json"]
    done = CliRunner().invoke(main, [*argv, "--role", "output", "--free", "3M"])
    assert done.exit_code == 0, done.output
    shown = json.loads(done.stdout)
    assert shown["mount"] == "/Else" and shown["partition_bytes"] > 3 << 20
    with open_image(str(out)) as (_, image):
        declared = parse_declaration(image.descriptors[0].name)
    assert declared is not None and (declared.role, declared.mount) == ("output", "/Else")


def test_a_users_own_is_read_back(tmp_path: Path) -> None:
    layout = find_layout(str(write(tmp_path, OWN)))
    assert layout.to_json() == OWN
    assert replace(layout, mount=None) == find_layout(str(write(tmp_path, OWN | {"mount": None})))


BROKEN: dict[str, Any] = {
    "schema": "sifprov.layout/2",
    "name": "No Good",
    "description": "two\nlines",
    "role": "both",
    "mount": "relative",
    "fs": "ext4",
    "free": "much",
    "descriptors": 1,
    "block_size": 2048,
}


@pytest.mark.parametrize("field", BROKEN)
def test_an_error_names_the_file_and_the_field(field: str, tmp_path: Path) -> None:
    for document in (OWN | {field: BROKEN[field]}, OWN | {field: [1]}):
        path = write(tmp_path, document)
        with pytest.raises(FileError, match=f"own.json: {field}: "):
            find_layout(str(path))
    without = {k: v for k, v in OWN.items() if k != field}
    with pytest.raises(FileError, match=rf"own.json: '{field}' is a required property"):
        find_layout(str(write(tmp_path, without)))


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    for data in (b"", b"{", b"[" * 60_000, b"\xff\xfe", b"1", b"null", b" " * 70_000):
        path.write_bytes(data)
        with pytest.raises(FileError, match=r"own\.json: "):
            find_layout(str(path))
    path.unlink()
    for text in (str(path), str(tmp_path) + "/", "a\0b.json"):
        with pytest.raises(FileError):
            find_layout(text)
    os.mkfifo(path)
    with pytest.raises(FileError, match="not JSON"):
        find_layout(str(path))
    with pytest.raises(FileError, match="'more' was unexpected"):
        path.unlink()
        find_layout(str(write(tmp_path, OWN | {"more": 1})))
    with pytest.raises(MissingError, match="no layout 'inptu'") as error:
        find_layout("inptu")
    assert "archive, input, output" in (error.value.hint or "")


def test_an_installed_package_finds_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assets, "__file__", str(tmp_path / "lib" / "x" / "sifprov" / "assets.py"))
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with pytest.raises(MissingError, match="share/sifprov/sif_layouts"):
        asset_folder("sif_layouts")
    folder = tmp_path / "share" / "sifprov" / "sif_layouts"
    folder.mkdir(parents=True)
    assert asset_folder("sif_layouts") == folder


def test_the_list() -> None:
    done = CliRunner().invoke(main, ["data", "layouts"])
    assert done.exit_code == 0 and len(done.stdout.splitlines()) == len(all_layouts())
    shown = json.loads(CliRunner().invoke(main, ["data", "layouts", "--json"]).stdout)
    assert all(problems("sifprov.layout/1", document) == [] for document in shown)
