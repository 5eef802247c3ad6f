"""Reports in the catalog: taken in once, in any order, and what a record tells counts more."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from tests.catalogs import Opened
from tests.unit.livequeue import RUN, end, own_home, start
from tests.unit.sifs import run_record

from sifprov import livereports
from sifprov.catalog import live
from sifprov.catalog.ingest import put_records
from sifprov.catalog.live import take_in
from sifprov.catalog.reported import put_reports
from sifprov.catalog.store import Catalog, open_catalog
from sifprov.catalog.tables import METADATA
from sifprov.errors import FileError
from sifprov.frozen import replace
from sifprov.livereports import count, leave
from sifprov.model.report import UNCHANGED, Report


@pytest.fixture(autouse=True)
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_home(tmp_path / "home", monkeypatch)


@pytest.fixture
def catalog(opened: Opened) -> Catalog:
    return opened.catalog


def rows(catalog: Catalog) -> list[dict[str, Any]]:
    """The executions, with what was reported of them."""
    joined = "SELECT * FROM execution e LEFT JOIN report r ON r.execution_id = e.id ORDER BY e.uuid"
    with catalog.reading() as connection:
        return [dict(row) for row in connection.execute(text(joined)).mappings()]


def told(catalog: Catalog, *reports: Report) -> dict[str, Any]:
    for report in reports:
        assert leave(report)
        take_in(catalog)
    (row,) = rows(catalog)
    return row


def test_a_run_goes_on_and_ends(catalog: Catalog) -> None:
    row = told(catalog, start())
    assert (row["uuid"], row["outcome"], row["kind"], row["is_ended"]) == (
        str(RUN), "running", None, 0,
    )  # fmt: skip
    assert (row["pid"], row["recorder_pid"]) == (os.getpid(), os.getpid())
    row = told(catalog, end())
    assert (row["outcome"], row["exit_code"], row["is_ended"]) == ("exited", 0, 1)
    assert (row["became"], row["kind"], count()) == ("recorded", "run", 0)


def test_reports_that_come_late_change_nothing(catalog: Catalog) -> None:
    row = told(catalog, end())
    assert told(catalog, start(), end(), start(told="2026-05-28T21:00:00Z")) == row


def test_all_at_once_is_as_one_by_one(catalog: Catalog, queue: Path) -> None:
    row = told(catalog, start(), end())
    leave(end(UUID(int=7)))
    # A start that an older program left beside its end.
    (queue / f"{UUID(int=7)}.start.json").write_bytes(start(UUID(int=7)).to_bytes())
    take_in(catalog)
    other, _ = rows(catalog)
    assert {n for n in row if row[n] != other[n]} == {"id", "uuid", "execution_id"}


def test_a_record_takes_the_place_of_what_was_reported(catalog: Catalog) -> None:
    told(catalog, start())
    record = replace(run_record(), id=RUN)
    put_records(catalog, [record])
    (row,) = rows(catalog)
    assert (row["kind"], row["outcome"], row["host"]) == ("run", "exited", None)
    assert told(catalog, end(run=replace(end().run, exit_code=9)), start()) == row
    assert count() == 0


def test_a_record_that_was_there_before_stays(catalog: Catalog) -> None:
    put_records(catalog, [replace(run_record(), id=RUN)])
    (row,) = rows(catalog)
    assert told(catalog, start(), end()) == row


def test_what_cannot_be_committed_waits_on(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(start())
    leave(end(UUID(int=9)))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    # After the commit, before the files are deleted.
    with monkeypatch.context() as changed:
        changed.setattr(livereports, "done", killed)
        with pytest.raises(KeyboardInterrupt):
            take_in(catalog)
    assert count() == 2
    before = rows(catalog)
    # While it is written.
    with monkeypatch.context() as changed:
        changed.setattr(live, "put_reports", killed)
        with pytest.raises(KeyboardInterrupt):
            take_in(catalog)
    assert (count(), rows(catalog)) == (2, before)
    assert take_in(catalog).reports == 2
    assert (count(), rows(catalog)) == (0, before)


def test_two_at_once_take_in_each_once(catalog: Catalog, catalog_place: str) -> None:
    for number in range(1, 60):
        leave(end(UUID(int=number)))
    problems: list[BaseException] = []

    def take() -> None:
        try:
            with open_catalog(catalog_place) as own:
                take_in(own)
        except BaseException as error:
            problems.append(error)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [row["uuid"] for row in rows(catalog)] == [str(UUID(int=n)) for n in range(1, 60)]


def test_one_that_the_database_refuses_does_not_hold_up_the_others(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, queue: Path
) -> None:
    for number in (1, 2, 3):
        leave(end(UUID(int=number)))
    put = put_reports

    def picky(connection: Any, reports: list[Report]) -> None:
        if any(r.id.int == 2 for r in reports):
            raise FileError("no")
        put(connection, reports)

    monkeypatch.setattr(live, "put_reports", picky)
    taken = take_in(catalog)
    assert taken.reports == 2 and len(taken.warnings) == 1
    assert [row["uuid"] for row in rows(catalog)] == [str(UUID(int=n)) for n in (1, 3)]
    assert [p.name for p in queue.glob("*.broken")] == [f"{UUID(int=2)}.end.json.broken"]


def test_a_catalog_that_fails_keeps_the_queue(catalog: Catalog) -> None:
    leave(start())
    with catalog.engine.connect() as connection, connection.begin():
        for table in reversed(METADATA.sorted_tables):
            table.drop(connection)
    with pytest.raises(FileError):
        take_in(catalog)
    assert count() == 1


def test_hostile_texts_are_values(catalog: Catalog) -> None:
    name = "'); DROP TABLE execution; --\x00\udcff\x1b[2J"
    first = start()
    app = replace(first.containers[0], name=name, path=f"/data/{name}")
    run = replace(first.run, argv=(name,), command=(name,), cwd=name)
    where = replace(first.where, host=name, boot="'; --")
    told(catalog, replace(first, containers=(app,), run=run, where=where))
    row = told(catalog, end(became=UNCHANGED, reason=name))
    assert row["became"] == "unchanged" and "\x00" not in row["reason"]


def test_the_queue_says_what_it_lost(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, queue: Path
) -> None:
    monkeypatch.setattr(livereports, "MAX_FILES", 4)
    monkeypatch.setattr(livereports, "_LEFT", 3)
    for number in range(1, 7):
        leave(start(UUID(int=number)))
    (queue / f"{UUID(int=9)}.end.json").write_bytes(b"{")
    taken = take_in(catalog)
    assert taken.reports == 4 and len(taken.warnings) == 2
    assert "2 reports of runs gave way" in taken.warnings[1]
    assert take_in(catalog) == (0, ())
