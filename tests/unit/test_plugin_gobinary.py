"""Whether a Go plugin loads, told from two files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.goelf import HOST, PLUGIN, elf

from sifprov.pluginadmin.gobinary import GoBinaryError, misfit, packages


def file(folder: Path, data: bytes) -> Path:
    (folder / "object.so").write_bytes(data)
    return folder / "object.so"


@pytest.mark.parametrize("order", ["<", ">"])
def test_the_packages_of_a_file(tmp_path: Path, order: str) -> None:
    assert packages(file(tmp_path, elf(HOST, order))) == HOST


def test_it_loads_where_every_common_package_is_the_same() -> None:
    assert misfit(PLUGIN, HOST) is None


@pytest.mark.parametrize("package", ["runtime", "example.org/rt/pkg/plugin"])
def test_it_does_not_where_one_differs(package: str) -> None:
    assert (
        misfit(PLUGIN, HOST | {package: b"87654321"}) == f"which was built with another {package}"
    )


def test_several_that_differ_are_counted() -> None:
    reason = misfit(PLUGIN, dict.fromkeys(HOST, b"87654321"))
    assert reason and reason.endswith(" and 1 more")


def test_another_runtime_has_another_plugin_api() -> None:
    other = {"runtime": HOST["runtime"], "example.net/other/pkg/plugin": b"abcdefgh"}
    assert misfit(PLUGIN, other) == "which has another plugin interface"


def test_a_program_without_fingerprints_loads_no_plugin() -> None:
    assert misfit(PLUGIN, {}) == "which loads no plugins at all"


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\n" + bytes(100), bytes(64)])
def test_what_is_no_such_file(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(GoBinaryError):
        packages(file(tmp_path, data))


@given(st.data())
def test_damage_gives_an_answer_or_the_one_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    whole = elf(HOST)
    changed = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for place in data.draw(st.lists(st.integers(0, max(len(changed) - 1, 0)), max_size=4)):
        if changed:
            changed[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("elf") / "object.so"
    path.write_bytes(changed)
    try:
        assert isinstance(packages(path), dict)
    except GoBinaryError as error:
        assert str(path) in str(error)
