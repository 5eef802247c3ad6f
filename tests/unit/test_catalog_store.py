"""A catalog is made, opened, migrated and shared; what goes wrong is told in plain words."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, inspect, text
from tests.catalogs import Opened

from sifprov.catalog import sqlite
from sifprov.catalog.place import find_place
from sifprov.catalog.store import open_catalog
from sifprov.catalog.tables import METADATA, VERSION
from sifprov.errors import FileError, MissingError, SifprovError

GOLDEN = Path(__file__).parents[1] / "golden"


def make_old(where: str) -> None:
    """Makes a catalog of version 1."""
    place = find_place(where)
    script = (GOLDEN / f"catalog-v1-{place.kind}.sql").read_text(encoding="utf-8")
    if place.path:
        Path(place.path).parent.mkdir(parents=True)
    engine = create_engine(place.url)
    with engine.connect() as connection, connection.begin():
        for statement in script.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
        command = '["train","--lr","0.1","depth=3"]'
        connection.execute(
            text(
                "INSERT INTO start_command (fingerprint, argv, command, cwd, environment)"
                " VALUES ('f', '[]', :command, '/', '{}')"
            ),
            {"command": command},
        )
    engine.dispose()


def schema(opened: Opened) -> dict[str, Any]:
    """All tables with their columns and indexes."""
    found = inspect(opened.catalog.engine)
    return {
        table: (
            {c["name"]: (str(c["type"]), c["nullable"]) for c in found.get_columns(table)},
            {i["name"] for i in found.get_indexes(table)},
            {tuple(k["constrained_columns"]) for k in found.get_foreign_keys(table)},
        )
        for table in found.get_table_names()
    }


def test_a_new_catalog_has_all_tables_and_its_version(opened: Opened) -> None:
    assert opened.tables() == set(METADATA.tables)
    assert opened.catalog.info("version") == str(VERSION)


def test_a_catalog_of_version_1_becomes_what_a_new_one_is(
    catalog_place: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    make_old(catalog_place)
    if "://" in catalog_place:
        fresh = request.getfixturevalue("postgresql_server").new_database()
    else:
        fresh = str(tmp_path / "fresh.db")
    with open_catalog(catalog_place) as catalog, open_catalog(fresh, create=True) as new:
        old, wanted = schema(Opened(catalog, "")), schema(Opened(new, ""))
        assert old.keys() == wanted.keys()
        for table in wanted:
            assert old[table] == wanted[table], table
        assert catalog.info("version") == str(VERSION)
        with catalog.reading() as connection:
            behind = connection.execute(text("SELECT digest, behind FROM record ORDER BY id")).all()
            outside = connection.execute(text("SELECT 1 FROM record WHERE NOT is_inside")).all()
            again = connection.execute(text("SELECT ctime_ns FROM location")).scalar()
            names = set(connection.scalars(text("SELECT name FROM setting_name")))
    assert [tuple(row) for row in behind] == [
        ("sha256:" + "a" * 64, None),
        ("sha256:" + "b" * 64, "sha256:" + "a" * 64),
        ("sha256:" + "c" * 64, "sha256:" + "a" * 64),
        ("sha256:" + "d" * 64, "sha256:" + "e" * 64),
    ]
    assert not outside
    assert again is None
    assert names == {"lr", "depth"}


def test_a_newer_catalog_is_refused_and_left_as_it_is(opened: Opened) -> None:
    with opened.catalog.engine.connect() as connection, connection.begin():
        connection.execute(text("UPDATE catalog_info SET value = '99' WHERE name = 'version'"))
    with pytest.raises(FileError, match=r"has version 99, and sifprov .* knows none beyond") as it:
        open_catalog(opened.where, create=True)
    assert it.value.hint and "newer sifprov" in it.value.hint
    assert opened.catalog.info("version") == "99"


@pytest.mark.parametrize("version", [None, 1])
def test_many_may_make_or_migrate_a_catalog_at_once(
    catalog_place: str, version: int | None
) -> None:
    if version:
        make_old(catalog_place)
    program = (
        "import sys; from sifprov.catalog.store import open_catalog\n"
        "sys.stdin.read(1)\n"
        "print(open_catalog(sys.argv[1], create=True).info('version'))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, catalog_place],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(4)
    ]  # fmt: skip
    for each in started:
        assert each.stdin
        each.stdin.write("x")
        each.stdin.flush()
    ended = [each.communicate(timeout=60) for each in started]
    assert ended == [(f"{VERSION}\n", "")] * 4


def test_what_is_not_there_is_made_only_when_that_is_asked(catalog_place: str) -> None:
    with pytest.raises(MissingError, match="there is no catalog yet") as it:
        open_catalog(catalog_place)
    assert it.value.hint and "sifprov index" in it.value.hint
    open_catalog(catalog_place, create=True).close()
    open_catalog(catalog_place).close()


def test_the_file_and_its_folder_are_the_users_alone(tmp_path: Path) -> None:
    os.umask(os.umask(0o022))
    path = tmp_path / "a" / "b" / "catalog.db"
    open_catalog(str(path), create=True).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_the_place_is_what_is_typed_else_the_variable_the_setting_the_default(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    config = home / ".config" / "sifprov" / "config.ini"
    environ = {"HOME": str(home)}
    default = str(home / ".local/share/sifprov/catalog.db")
    assert find_place(environ=environ).path == default
    assert find_place(environ={**environ, "XDG_DATA_HOME": "/x"}).path == "/x/sifprov/catalog.db"
    config.parent.mkdir(parents=True)
    config.write_text("[capture]\ncatalog = postgresql://site/all\n")
    assert find_place(environ=environ).name == "postgresql://site/all"
    environ["SIFPROV_CATALOG"] = "/var/b.db"
    assert find_place(environ=environ).path == "/var/b.db"
    assert find_place("~/c.db", environ).path == os.path.expanduser("~/c.db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:s3cret@127.0.0.1:1/db",
        "postgresql://ada@127.0.0.1:1/db?password=s3cret",
        "postgres://ada:s3cret@127.0.0.1:1/db?connect_timeout=1",
        "mysql://ada:s3cret@host/db",
        "postgresql://ada:s3cret@host:port/db",
    ],
)
def test_a_password_is_never_shown(url: str) -> None:
    with pytest.raises(SifprovError) as it:
        open_catalog(url, patience=2)
    assert "s3cret" not in f"{it.value} {it.value.hint}"


def test_without_psycopg_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingError, match="psycopg is not installed") as it:
        open_catalog("postgresql://h/db")
    assert it.value.hint == "pip install 'sifprov[postgresql]'"


def test_what_is_no_catalog_is_told_and_left_alone(tmp_path: Path) -> None:
    text_file = tmp_path / "notes.txt"
    text_file.write_text("not a database, and longer than sixteen bytes")
    with pytest.raises(FileError, match="this is no catalog"):
        open_catalog(str(text_file), create=True)
    assert text_file.read_text().startswith("not a database")
    with pytest.raises(FileError, match="Is a directory"):
        open_catalog(str(tmp_path), create=True)
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(FileError, match="no regular file"):
        open_catalog(str(tmp_path / "fifo"), create=True)


def test_a_reader_that_is_read_only_cannot_write(opened: Opened) -> None:
    with open_catalog(opened.where, read_only=True) as catalog:
        with pytest.raises(FileError, match=r"read-?only"), catalog.reading() as connection:
            connection.execute(text("DELETE FROM content"))
        with pytest.raises(FileError, match=r"read-?only"):
            catalog.write(lambda c: c.execute(text("DELETE FROM content")))


def test_writers_take_turns(opened: Opened) -> None:
    """Each counts on: had two read the same, one would be lost."""

    def count() -> None:
        with open_catalog(opened.where) as catalog:
            for _ in range(20):
                catalog.write(lambda c: _count_on(c))

    opened.catalog.write(lambda c: c.execute(text("INSERT INTO catalog_info VALUES ('test', '0')")))
    threads = [threading.Thread(target=count) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert opened.catalog.info("test") == "80"


def _count_on(connection: Any) -> None:
    value = connection.execute(text("SELECT value FROM catalog_info WHERE name = 'test'")).scalar()
    new = str(int(value) + 1)
    connection.execute(text("UPDATE catalog_info SET value = :v WHERE name = 'test'"), {"v": new})


def test_a_transaction_that_fails_leaves_nothing(opened: Opened) -> None:
    def work(connection: Any) -> None:
        connection.execute(text("INSERT INTO content (digest) VALUES ('x')"))
        raise KeyError("x")

    with pytest.raises(KeyError):
        opened.catalog.write(work)
    assert opened.count("content") == 0


class TestSafeMode:
    """On a file system that other machines may reach."""

    @pytest.fixture
    def place(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr(sqlite, "is_local", lambda path: False)
        return str(tmp_path / "catalog.db")

    def test_there_is_no_log_and_no_shared_memory(self, place: str, tmp_path: Path) -> None:
        with open_catalog(place, create=True) as catalog:
            assert catalog.is_safe_mode
            with catalog.reading() as connection:
                journal = connection.execute(text("PRAGMA journal_mode")).scalar()
                synchronous = connection.execute(text("PRAGMA synchronous")).scalar()
            assert (journal, synchronous) == ("delete", 2)
            catalog.write(lambda c: c.execute(text("INSERT INTO content (digest) VALUES ('x')")))
            assert not [p.name for p in tmp_path.iterdir() if p.name.endswith(("-wal", "-shm"))]

    def test_a_catalog_with_a_log_is_taken_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        place = str(tmp_path / "moved.db")
        open_catalog(place, create=True).close()
        monkeypatch.setattr(sqlite, "is_local", lambda path: False)
        with open_catalog(place) as catalog, catalog.reading() as connection:
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "delete"

    def test_a_second_writer_waits_and_says_so(self, place: str) -> None:
        with (
            open_catalog(place, create=True) as catalog,
            sqlite.locked(place, 1, is_safe_mode=True),
        ):
            program = (
                "import sys; from sifprov.catalog import sqlite\n"
                "sqlite.is_local = lambda path: False\n"
                "from sifprov.catalog.store import open_catalog\n"
                "c = open_catalog(sys.argv[1], patience=0.3)\n"
                "try: c.write(lambda k: None)\n"
                "except Exception as error: print(error)"
            )
            done = subprocess.run(
                [sys.executable, "-c", program, catalog.place.path],
                capture_output=True, text=True, timeout=60, check=True,
            )  # fmt: skip
        assert "another process is writing into the catalog" in done.stdout
