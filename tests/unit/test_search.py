"""What `--search` of trail and verify looks through: all that is below the folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.unit.verified import Site, make_site

from sifprov import places
from sifprov.cli import main
from sifprov.trail import read_trail
from sifprov.verify import verify


@pytest.fixture
def moved(tmp_path: Path) -> Site:
    """A run's containers, of which input and application went deep below a folder."""
    site = make_site(tmp_path, files=2)
    site.run()
    deep = tmp_path / "archive" / "2026" / "05"
    deep.mkdir(parents=True)
    site.input.rename(deep / "renamed")
    site.app.rename(deep / "app.sif")
    return site


def test_trail_finds_ancestors_below_the_folders(moved: Site) -> None:
    archive = moved.folder / "archive"
    assert read_trail(str(moved.out)).ancestors == {}
    found = read_trail(str(moved.out), [str(archive)])
    assert {c.identity.path for c in found.ancestors.values()} == {
        str(archive / "2026/05/renamed"),
        str(archive / "2026/05/app.sif"),
    }
    assert found.problems == ()
    shown = CliRunner().invoke(main, ["trail", str(moved.out)]).output
    assert "not found here" in shown
    shown = CliRunner().invoke(main, ["trail", str(moved.out), "--search", str(archive)]).output
    assert "not found here" not in shown


def test_verify_finds_ancestors_below_the_folders(moved: Site) -> None:
    assert verify(str(moved.out)).verdict == "incomplete"
    found = verify(str(moved.out), [str(moved.folder / "archive")], full=True)
    assert found.verdict == "good", [c.text for c in found.checks]


def test_what_was_left_out_is_told(moved: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = str(moved.folder / "archive")
    monkeypatch.setattr(places.Places.__init__, "__kwdefaults__", {"limit": 2})
    found = read_trail(str(moved.out), [archive])
    assert found.ancestors == {}
    assert len(found.problems) == 1 and "more than 2 files and folders" in found.problems[0]
    report = verify(str(moved.out), [archive])
    assert report.verdict == "incomplete"
    (check,) = (c for c in report.checks if c.name == "ancestors")
    assert "not found" in check.text
    assert any("more than 2 files and folders" in f.text for f in check.findings)
