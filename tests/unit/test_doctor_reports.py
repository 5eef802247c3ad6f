"""What doctor says of a catalog that runs report to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.catalogs import Opened
from tests.unit.livequeue import own_home, start

from sifprov.doctor.check import Check, Level
from sifprov.doctor.reports import reports
from sifprov.livereports import leave


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    own_home(tmp_path / "home", monkeypatch)
    return tmp_path / "home"


def look(**variables: str) -> Check:
    (check,) = reports({**os.environ, "SIFPROV_LIVE": "1", **variables})
    return check


def test_where_no_run_reports_there_is_nothing_to_say() -> None:
    assert list(reports({**os.environ, "SIFPROV_LIVE": "0"})) == []


def test_a_catalog_that_is_not_made_yet_is_no_fault(home: Path) -> None:
    leave(start())
    check = look()
    assert check.level is Level.OK
    assert "1 report waiting" in check.text and "not made yet" in check.text
    assert not list(home.rglob("catalog.db*"))


def test_a_catalog_that_answers(opened: Opened, catalog_place: str) -> None:
    check = look(SIFPROV_CATALOG=catalog_place)
    assert (check.level, "answers" in check.text) == (Level.OK, True)


@pytest.mark.parametrize("place", ["postgresql://me:canary@127.0.0.1:1/none", "nothing://canary"])
def test_one_that_does_not(place: str) -> None:
    check = look(SIFPROV_CATALOG=place)
    assert check.level is Level.WARN and check.hint
    assert "canary" not in check.text + check.hint


def test_what_is_no_catalog(tmp_path: Path) -> None:
    path = tmp_path / "text.db"
    path.write_text("no catalog")
    assert look(SIFPROV_CATALOG=str(path)).level is Level.WARN
