"""`sifprov sql` only reads: whatever is tried, nothing changes, no file is read or written, and
nothing runs for ever."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.catalogs import Opened
from tests.unit.asking import Asking
from tests.unit.graphmaker import Sample

from sifprov.catalog.sql import ask_sql, schema
from sifprov.catalog.store import Catalog, open_catalog
from sifprov.errors import FileError, SifprovError


@pytest.fixture
def door(opened: Opened) -> Catalog:
    sample = Sample()
    sample.run(sample.application(), (sample.made("a.sif"),), "b.sif")
    Asking(opened, sample.store.values())
    return open_catalog(opened.where, read_only=True)


def test_what_is_asked_is_answered(door: Catalog) -> None:
    answer = ask_sql(door, "SELECT kind, count(*) AS runs FROM execution GROUP BY kind ORDER BY 1;")
    assert answer.names == ("kind", "runs")
    assert answer.rows == (("making", 1), ("run", 1))
    assert ask_sql(door, "WITH x AS (SELECT 1 AS a) SELECT a, a, NULL FROM x").rows == (
        (1, 1, None),
    )
    assert ask_sql(door, "SELECT 1 AS a, 2 AS a").names == ("a", "a:2")
    some = ask_sql(door, "SELECT id FROM state", limit=1)
    assert len(some.rows) == 1 and some.more
    assert ask_sql(door, "SELECT '%s', ':x', '%'").rows == (("%s", ":x", "%"),)


WRITES = [
    "DELETE FROM execution",
    "INSERT INTO workflow (wf_key_name) VALUES ('x')",
    "UPDATE execution SET kind = 'x'",
    "DROP TABLE note",
    "CREATE TABLE x (a int)",
    "CREATE TEMP TABLE x (a int)",
    "CREATE INDEX x ON note (text)",
    "ALTER TABLE note ADD COLUMN x int",
    "SELECT 1; DELETE FROM execution",
    "COMMIT; DELETE FROM execution",
    "WITH x AS (DELETE FROM execution RETURNING id) SELECT * FROM x",
    "BEGIN",
    "COMMIT",
    "ROLLBACK",
    "VACUUM",
    "VACUUM INTO '/tmp/sifprov-door'",
    "ATTACH DATABASE '/tmp/sifprov-door' AS x",
    "DETACH DATABASE main",
    "PRAGMA query_only = OFF",
    "PRAGMA journal_mode = DELETE",
    "PRAGMA writable_schema = ON",
    "SELECT load_extension('/tmp/x.so')",
    "REINDEX",
    "ANALYZE",
    "SAVEPOINT x",
    "SET TRANSACTION READ WRITE",
    "SET default_transaction_read_only = off",
    "RESET ROLE",
    "COPY execution TO '/tmp/sifprov-door'",
    "COPY execution TO PROGRAM 'touch /tmp/sifprov-door'",
    "COPY execution FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT set_config('role', 'none', true), pg_read_file('/etc/passwd')",
    "SELECT query_to_xml('SELECT pg_read_file(''/etc/passwd'')', true, true, '')",
    "SELECT U&\"\\0073et_config\"('role', 'none', true)",
    "SELECT nextval('workflow_id_seq')",
    "SELECT 1 INTO x",
    "LOCK TABLE execution",
    "DO $$ BEGIN DELETE FROM execution; END $$",
    "SELECT readfile('/etc/passwd')",
    "SELECT writefile('/tmp/sifprov-door', 'x')",
]


def test_nothing_that_is_tried_changes_anything(door: Catalog, opened: Opened) -> None:
    before = {name: opened.count(name) for name in ("execution", "workflow", "note", "state")}
    for statement in WRITES:
        with pytest.raises(SifprovError) as caught:
            ask_sql(door, statement)
        assert "\n" not in str(caught.value), statement
    assert {name: opened.count(name) for name in before} == before
    assert opened.tables() >= {"note", "execution"} and "x" not in opened.tables()
    assert not Path("/tmp/sifprov-door").exists()
    # The door is as open as before.
    assert ask_sql(door, "SELECT count(*) FROM execution").rows == ((2,),)


def test_what_runs_for_ever_is_ended(door: Catalog) -> None:
    endless = "WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM a) SELECT sum(x) FROM a"
    slow = endless if door.is_sqlite else "SELECT pg_sleep(60)"
    for statement in {endless, slow}:
        began = time.monotonic()
        with pytest.raises(FileError, match=r"for more than 0\.3 s"):
            ask_sql(door, statement, seconds=0.3)
        assert time.monotonic() - began < 20


def test_very_many_rows_end_at_a_limit(door: Catalog) -> None:
    endless = "WITH RECURSIVE a(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM a) SELECT x FROM a"
    if not door.is_sqlite:
        endless = "SELECT generate_series(1, 100000000)"
    answer = ask_sql(door, endless, limit=1000)
    assert len(answer.rows) == 1000 and answer.more


@pytest.mark.parametrize(
    "text", ["", " ;; ", "SELEC 1", "SELECT nothing FROM nowhere", "SELECT \0"]
)
def test_what_is_no_query_is_told_in_one_line(door: Catalog, text: str) -> None:
    with pytest.raises(SifprovError) as caught:
        ask_sql(door, text)
    assert "\n" not in str(caught.value)


def test_the_schema_has_all_tables(door: Catalog, opened: Opened) -> None:
    text = schema(door)
    assert {t for t in opened.tables() if f"CREATE TABLE {t} (" in text} == opened.tables()
