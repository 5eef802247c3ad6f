"""The version of a catalog's schema, and a step from each one to the next.

What a step cannot fill in is read again from the containers: it then forgets the state of the files
(`location.ctime_ns`), so that the next index reads them.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import Connection, inspect, select, text

from sifprov.catalog.arguments import names_set, words
from sifprov.catalog.tables import METADATA, VERSION, catalog_info, setting_name, start_command
from sifprov.errors import FileError
from sifprov.version import VERSION as PROGRAM

_VERSION, _MADE, _BY = "version", "created_us", "created_by"


def version_of(connection: Connection) -> int | None:
    """Returns the version of the schema that is there, None where there is none."""
    if not inspect(connection).has_table(catalog_info.name):
        return None
    wanted = select(catalog_info.c.value).where(catalog_info.c.name == _VERSION)
    found = connection.execute(wanted).scalar()
    return int(found) if found is not None and found.isdigit() else None


def check_version(version: int | None, name: str) -> None:
    """Raises FileError for a version that only a newer program knows."""
    if version is not None and version > VERSION:
        raise FileError(
            f"{name}: this catalog has version {version}, and sifprov {PROGRAM} knows none beyond"
            f" {VERSION}",
            hint="use the newer sifprov, or another catalog (--catalog), which can be filled anew",
        )


def bring_up(connection: Connection, name: str) -> None:
    """Makes the schema, or migrates it step by step, in a writer's transaction. Raises
    FileError."""
    # Another one may have been faster.
    version = version_of(connection)
    check_version(version, name)
    if version is None:
        METADATA.create_all(connection)
        told = {_VERSION: str(VERSION), _MADE: str(time.time_ns() // 1000), _BY: PROGRAM}
        connection.execute(
            catalog_info.insert(), [{"name": n, "value": v} for n, v in told.items()]
        )
        return
    for each in range(version, VERSION):
        _STEPS[each](connection)
        connection.execute(
            catalog_info.update().where(catalog_info.c.name == _VERSION).values(value=str(each + 1))
        )
    # Only when all columns are there.
    for table in METADATA.tables.values():
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _from_1(connection: Connection) -> None:
    """What is needed so that the order in which containers are read does not matter."""
    big = _big(connection)
    _add_column(connection, "execution", "source TEXT")
    _add_column(connection, "execution", f"likeness {big}")
    _add_column(connection, "used", f"content_id {big} REFERENCES content (id)")
    _add_column(connection, "used", "by_content BOOLEAN")
    _add_column(connection, "record", "behind TEXT")
    _add_column(connection, "record", "is_inside BOOLEAN NOT NULL DEFAULT false")
    if connection.dialect.name == "postgresql":
        for name in ("host", "folder", "name"):
            change = f'ALTER TABLE location ALTER COLUMN {name} TYPE TEXT COLLATE "C"'
            connection.execute(text(change))
    # Words stand in the state of the first record before them that is none.
    connection.execute(text(_BEHIND))
    connection.execute(text("UPDATE record SET is_inside = true WHERE location_id IS NOT NULL"))
    connection.execute(text("UPDATE location SET ctime_ns = NULL"))


def _from_2(connection: Connection) -> None:
    """What is reported of runs that go on, and of ends that no record tells."""
    big = _big(connection)
    for declared in (
        f"recorder_pid {big}", f"recorder_started {big}", "became TEXT", "reason TEXT",
        "containers TEXT",
    ):  # fmt: skip
        _add_column(connection, "report", declared)


def _from_3(connection: Connection) -> None:
    """References are not looked up for each row any more: see tables.py."""
    if connection.dialect.name != "postgresql":
        return
    found = inspect(connection)
    for table in METADATA.tables.keys() & set(found.get_table_names()):
        for key in found.get_foreign_keys(table):
            drop = f'ALTER TABLE {table} DROP CONSTRAINT "{key["name"]}"'
            connection.execute(text(drop))


def _from_5(connection: Connection) -> None:
    """The names that commands set."""
    setting_name.create(connection)
    found: set[str] = set()
    for command in connection.scalars(select(start_command.c.command)):
        found |= names_set(words(command))
    if found:
        connection.execute(setting_name.insert(), [{"name": name} for name in sorted(found)])


def _big(connection: Connection) -> str:
    """How a column for 64 bits is declared."""
    return "BIGINT" if connection.dialect.name == "postgresql" else "INTEGER"


_BEHIND = """
WITH RECURSIVE passed(digest, at) AS (
    SELECT digest, previous FROM record WHERE kind IN ('annotation', 'verdict')
    UNION ALL
    SELECT passed.digest, record.previous FROM passed JOIN record ON record.digest = passed.at
    WHERE record.kind IN ('annotation', 'verdict'))
UPDATE record SET behind = (
    SELECT at FROM passed WHERE passed.digest = record.digest AND NOT EXISTS (
        SELECT 1 FROM record AS other
        WHERE other.digest = passed.at AND other.kind IN ('annotation', 'verdict')))
WHERE kind IN ('annotation', 'verdict')
"""


def _add_column(connection: Connection, table: str, declared: str) -> None:
    connection.execute(text(f"ALTER TABLE {table} ADD COLUMN {declared}"))


_STEPS: dict[int, Callable[[Connection], None]] = {
    1: _from_1,
    2: _from_2,
    3: _from_3,
    4: lambda connection: None,  # an index, which is made with all that are missing
    5: _from_5,
}
