"""sifprov catalog status and rebuild."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text
from tests.catalogs import Opened
from tests.property.test_catalog_graph import _of_catalog
from tests.unit import chains
from tests.unit.schemas import problems
from tests.unit.sifs import IN, origin_record

from sifprov.catalog import read
from sifprov.catalog.index import index
from sifprov.catalog.ingest import Ingest, put_records
from sifprov.catalog.rebuild import rebuild
from sifprov.catalog.told import of_bytes
from sifprov.cli import main
from sifprov.errors import MissingError


@pytest.fixture(autouse=True)
def _not_racy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "RACY_NS", 0)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two containers, of which one was made from the other."""
    folder = tmp_path / "tree"
    folder.mkdir()
    first = chains.data(folder / "in.sif", chains.INPUT)
    chains.run(first, to=chains.data(folder / "out.sif"))
    return folder


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), standalone_mode=False)


def test_status_says_where_it_is_and_what_it_holds(opened: Opened, tree: Path) -> None:
    index(opened.catalog, [str(tree)])
    done = run("catalog", "status", "--catalog", opened.where)
    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert lines["catalog"] == opened.catalog.name
    assert lines["database"].startswith(opened.catalog.place.kind)
    assert (lines["records"], lines["runs"]) == ("1", "1 run")
    assert lines["files"] == "1 foreign, 1 good"
    done = run("catalog", "status", "--catalog", opened.where, "--json")
    told = json.loads(done.stdout)
    assert problems("sifprov.catalog-status/1", told) == []
    assert told["size"] > 0


def test_the_documents_of_an_index_fit_their_schema(opened: Opened, tree: Path) -> None:
    (tree / "cut.sif").write_bytes((tree / "in.sif").read_bytes()[:300])
    done = run("index", str(tree), "/nowhere", "--catalog", opened.where, "--json")
    told = json.loads(done.stdout)
    assert problems("sifprov.index/1", told) == []
    assert (told["unreadable"], told["failed"]) == (1, ["/nowhere"])


def test_without_a_catalog_it_says_how_to_make_one(tmp_path: Path) -> None:
    done = run("catalog", "status", "--catalog", str(tmp_path / "none.db"))
    assert isinstance(done.exception, MissingError)
    assert not (tmp_path / "none.db").exists()


def test_a_rebuilt_catalog_says_what_it_said(opened: Opened, tree: Path) -> None:
    index(opened.catalog, [str(tree)])
    with opened.catalog.reading() as connection:
        before = _of_catalog(connection)
    with opened.catalog.engine.connect() as connection, connection.begin():
        connection.execute(text("UPDATE execution SET activity = 'by hand'"))
        connection.execute(text("UPDATE record SET previous = 'sha256:no'"))
    assert run("catalog", "rebuild", "--catalog", opened.where).return_value == 0
    with opened.catalog.reading() as connection:
        assert _of_catalog(connection) == before
        by_hand = "SELECT count(*) FROM execution WHERE activity IS NOT NULL"
        assert connection.execute(text(by_hand)).scalar() == 0
    assert (opened.count("location"), opened.count("record")) == (2, 1)
    opened.check_references()


def test_who_has_it_open_does_not_build_on_what_is_gone(opened: Opened, tree: Path) -> None:
    ingest = Ingest(opened.catalog)
    told = of_bytes(origin_record(IN).to_bytes())
    ingest.put([told])
    rebuild(opened.catalog, jobs=1)
    assert opened.count("content") == 0
    assert ingest.put([told]) == 1
    with opened.catalog.reading() as connection:
        left = connection.execute(text("SELECT c.digest FROM state s JOIN content c"
                                       " ON c.id = s.content_id")).all()  # fmt: skip
    assert len(left) == 1


def test_runs_that_were_only_reported_stay(opened: Opened, tree: Path) -> None:
    index(opened.catalog, [str(tree)])
    with opened.catalog.engine.connect() as connection, connection.begin():
        connection.execute(text("INSERT INTO person (fingerprint, name) VALUES ('f', 'ada')"))
        connection.execute(
            text(
                "INSERT INTO execution (uuid, outcome, person_id)"
                " SELECT 'live', 'running', id FROM person WHERE fingerprint = 'f'"
            )
        )
        connection.execute(
            text(
                "INSERT INTO report (execution_id, is_ended)"
                " SELECT id, false FROM execution WHERE uuid = 'live'"
            )
        )
    rebuild(opened.catalog, jobs=1)
    opened.check_references()
    assert (opened.count("report"), opened.count("person")) >= (1, 1)
    with opened.catalog.reading() as connection:
        live = connection.execute(
            text(
                "SELECT p.name FROM execution e JOIN person p ON p.id = e.person_id"
                " WHERE e.uuid = 'live'"
            )
        ).scalar()
    assert live == "ada"
    assert put_records(opened.catalog, []) == 0
