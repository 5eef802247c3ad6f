"""Finding a recorded container again: by UUID, by name and content, or as its sealed copy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.sifs import add, origin_record

from sifprov.create import create_data
from sifprov.errors import MissingError
from sifprov.identity import describe, identify
from sifprov.locate import locate
from sifprov.model.record import INPUT, Container
from sifprov.seal import seal


@pytest.fixture
def recorded(tmp_path: Path) -> Container:
    """An input, as a record names it."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_text("1\n")
    path = tmp_path / "input.sif"
    made = create_data(str(path), mount="/Inputs", source=str(source))
    return describe(INPUT, identify(str(path)), made.tree.digest)


def moved(tmp_path: Path, name: str) -> Path:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    return elsewhere / name


def test_where_it_was_and_elsewhere(recorded: Container, tmp_path: Path) -> None:
    assert locate(recorded, []).path == recorded.path
    there = moved(tmp_path, "other-name.sif")
    Path(recorded.path).rename(there)
    found = locate(recorded, [str(there.parent)])
    assert (found.path, found.changed) == (str(there), None)
    with pytest.raises(MissingError, match=r"input\.sif"):
        locate(recorded, [str(tmp_path)])


def test_a_sealed_copy_under_any_name(recorded: Container, tmp_path: Path) -> None:
    there = moved(tmp_path, "archive-2026.sif")
    seal(recorded.path, str(there))
    Path(recorded.path).unlink()
    found = locate(recorded, [str(there.parent)])
    assert (found.path, found.changed, found.digest) == (str(there), None, recorded.digest)
    assert found.container == recorded


def test_a_sealed_copy_of_other_content_is_not_it(recorded: Container, tmp_path: Path) -> None:
    there = moved(tmp_path, "archive.sif")
    seal(recorded.path, str(there))
    Path(recorded.path).unlink()
    for other in (replace(recorded, digest="tree-v1:" + "0" * 64), replace(recorded, digest=None)):
        with pytest.raises(MissingError):
            locate(other, [str(there.parent)])


def test_what_only_names_the_container_is_not_its_copy(recorded: Container, tmp_path: Path) -> None:
    """The same files, and a record of a run that had read them: still another container."""
    there = moved(tmp_path, "same-files.sif")
    source = tmp_path / "source"
    made = create_data(str(there), mount="/Inputs", source=str(source))
    assert made.tree.digest == recorded.digest
    add(there, replace(origin_record(made.uuid), origin=None, run=None, containers=(recorded,)))
    Path(recorded.path).unlink()
    with pytest.raises(MissingError):
        locate(recorded, [str(there.parent)])


def test_broken_records_hinder_nothing(recorded: Container, tmp_path: Path) -> None:
    for name in ("0.sif", "1.sif"):
        moved(tmp_path, name).write_bytes(b"SIF_MAGIC" * 100)
    there = moved(tmp_path, "2.sif")
    seal(recorded.path, str(there))
    Path(recorded.path).unlink()
    assert locate(recorded, [str(there.parent)]).path == str(there)
