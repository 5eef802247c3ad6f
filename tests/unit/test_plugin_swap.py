"""What was installed before is there again when installing fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sifprov.pluginadmin import Place
from sifprov.pluginadmin.payload import remove_old_helpers
from sifprov.pluginadmin.swap import only_one, put_aside
from sifprov.runtime.find import Runtime


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(Runtime("/usr/bin/singularity", "singularity-ce", "4.3.3"), tmp_path, tmp_path)


def fill(place: Place, word: str) -> None:
    """Installs something that can be recognized."""
    helper = place.folder / f"helper-{word}"
    helper.mkdir(parents=True)
    (helper / "script.py").write_text(word)
    for path in (place.object, place.object.with_suffix(".manifest"), place.config):
        path.write_text(word)
    meta = {"Name": "sifprov", "Enabled": word == "old", "Callbacks": []}
    (place.plugin_root / "f00.meta").write_text(json.dumps(meta))


def files(place: Place) -> dict[str, str]:
    root = place.plugin_root
    return {str(p.relative_to(root)): p.read_text() for p in root.rglob("*") if p.is_file()}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("before", [True, False])
def test_a_failure_restores(place: Place, error: type[BaseException], before: bool) -> None:
    if before:
        fill(place, "old")
    was = files(place)
    with pytest.raises(error), put_aside(place):
        assert not list(place.plugin_root.glob("*.meta")), "the runtime must not load it meanwhile"
        fill(place, "new")
        raise error
    assert files(place) == was
    assert place.folder.exists() == before


def test_a_failure_before_anything_new_stands_restores(place: Place) -> None:
    fill(place, "old")
    was = files(place)
    with pytest.raises(OSError), put_aside(place):
        place.config.write_text("half")
        raise OSError
    assert files(place) == was


def test_a_running_job_keeps_the_object_that_it_has_mapped(place: Place) -> None:
    fill(place, "old")
    with place.object.open() as mapped, put_aside(place):
        fill(place, "new")
        assert mapped.read() == "old"
    assert place.object.read_text() == "new"
    assert not list(place.plugin_root.glob(".sifprov-*"))


def test_what_a_killed_installation_left_is_cleared(place: Place) -> None:
    left = place.plugin_root / ".sifprov-before-x"
    left.mkdir()
    (left / "object.so").touch()
    with put_aside(place):
        pass
    assert not left.exists()


def test_a_helper_at_work_is_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("a", "b", "c"):
        (place.folder / f"helper-{word}").mkdir(parents=True)
    line = f"/usr/bin/python3\0-I\0{place.folder}/helper-b/sifprov-helper.py\0".encode()
    monkeypatch.setattr("sifprov.pluginadmin.payload._command_lines", lambda: iter([b"x", line]))
    remove_old_helpers(place, keep=place.folder / "helper-c")
    assert sorted(p.name for p in place.folder.iterdir()) == ["helper-b", "helper-c"]


def test_the_lock_is_given_back(place: Place) -> None:
    with only_one(place):
        pass
    with only_one(place):
        pass
