"""A read-only door to the catalog's database: one statement at a time, which can change nothing,
reach no file and not run for ever.

SQLite: the file is open to be read only, `query_only` is set, and an authorizer lets nothing
through but reading, functions and a few pragmas that tell of the schema. A counter of its steps
looks at the clock.

PostgreSQL: a transaction that is read-only, with a time limit, in which the statement is that of a
cursor; so it is one statement, and a query by its grammar (no COPY, no SET). A superuser, who might
read any file of the server from within a query, gives that up first: it asks as
`pg_read_all_data`, and what could give the rights back is refused.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.schema import CreateTable

from sifprov.catalog.store import Catalog
from sifprov.catalog.tables import METADATA
from sifprov.errors import FileError, MissingError, SifprovError
from sifprov.model.answer import NUMBER, TEXT, Answer, Column, Row, Value

SECONDS = 60.0
# More rows than anybody reads, and fewer than memory holds.
MOST = 1_000_000
_STEPS = 10_000
_MAX_BYTES = 64 * 1024 * 1024
_READ = {
    sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE,
}  # fmt: skip
_PRAGMAS = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
            "foreign_key_list", "compile_options", "user_version"}  # fmt: skip
_FUNCTIONS_OUT = {"load_extension", "fts3_tokenizer"}
# What runs a text as SQL or takes on another role, of what is in every PostgreSQL; and the escapes
# by which a name could be hidden.
_REGAIN = re.compile(
    r"set_config|\w+_to_xml\w*|ts_stat|ts_rewrite|dblink|\bu&", re.IGNORECASE
)  # fmt: skip
_ROLE = "pg_read_all_data"


def ask_sql(
    catalog: Catalog, statement: str, *, seconds: float = SECONDS, limit: int | None = None
) -> Answer:
    """Returns the rows of one statement, at most `limit`, within `seconds`. Raises SifprovError for
    what the database refuses, FileError where it fails."""
    if not statement.strip().strip(";").strip():
        raise SifprovError("no SQL is given", hint="sifprov sql 'SELECT count(*) FROM execution'")
    if "\0" in statement:
        raise SifprovError("the statement holds a NUL")
    most = min(limit or MOST, MOST)
    ask = _ask_sqlite if catalog.is_sqlite else _ask_postgresql
    names, rows = ask(catalog, statement, seconds, most + 1)
    found = [tuple(map(_value, row)) for row in rows[:most]]
    return Answer("rows", tuple(_columns(names, found)), tuple(found), len(rows) > most)


def schema(catalog: Catalog) -> str:
    """Returns the tables, as the statements that made them."""
    dialect = catalog.engine.dialect
    made = [str(CreateTable(table).compile(dialect=dialect)) for table in METADATA.sorted_tables]
    return "\n".join(f"{' '.join(text.split())};" for text in made).replace(", ", ",\n    ")


def _ask_sqlite(
    catalog: Catalog, statement: str, seconds: float, most: int
) -> tuple[list[str], Sequence[Any]]:
    end = time.monotonic() + seconds
    pooled = catalog.engine.raw_connection()
    try:
        base: Any = pooled.driver_connection
        base.execute("PRAGMA query_only = ON")
        if hasattr(base, "setlimit"):  # from Python 3.11 on
            base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_BYTES)
        base.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)
        base.set_authorizer(_authorize)
        cursor = base.execute(statement)
        rows = cursor.fetchmany(most)
        return [name for name, *_ in cursor.description or ()], rows
    except (sqlite3.Error, sqlite3.Warning, OverflowError) as error:
        raise _refused(str(error), seconds, is_late=time.monotonic() > end) from error
    finally:
        pooled.invalidate()


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_PRAGMA:
        # One with a value could change something; of these few it is the table's name.
        return sqlite3.SQLITE_OK if first in _PRAGMAS else sqlite3.SQLITE_DENY
    if action == sqlite3.SQLITE_FUNCTION and (second or "").lower() in _FUNCTIONS_OUT:
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _READ else sqlite3.SQLITE_DENY


def _ask_postgresql(
    catalog: Catalog, statement: str, seconds: float, most: int
) -> tuple[list[str], Sequence[Any]]:
    import psycopg

    pooled = catalog.engine.raw_connection()
    try:
        base: Any = pooled.driver_connection
        base.execute("SET TRANSACTION READ ONLY")
        base.execute(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")
        # A user's joins are in any order; ours are not (postgresql.py).
        base.execute("SET LOCAL join_collapse_limit = 8")
        _give_up_rights(base, statement)
        with base.cursor(name="sifprov") as cursor:
            cursor.execute(statement.strip().rstrip(";"))
            rows = cursor.fetchmany(most)
            return [column.name for column in cursor.description or ()], rows
    except psycopg.errors.QueryCanceled as error:
        raise _refused(str(error), seconds, is_late=True) from error
    except psycopg.Error as error:
        raise _refused(str(error), seconds, is_late=False) from error
    finally:
        pooled.invalidate()


def _give_up_rights(base: Any, statement: str) -> None:
    ((is_superuser,),) = base.execute("SELECT current_setting('is_superuser')").fetchall()
    if is_superuser != "on":
        return
    if found := _REGAIN.search(statement):
        raise SifprovError(
            f"{found[0]}: not for a superuser", hint="connect as a role that owns nothing"
        )
    if base.info.server_version < 140000:
        raise MissingError(
            "a superuser cannot ask this server safely", hint="connect as a role with less rights"
        )
    base.execute(f"SET LOCAL ROLE {_ROLE}")


def _refused(said: str, seconds: float, *, is_late: bool) -> SifprovError:
    said = " ".join(said.split())
    if is_late:
        return FileError(
            f"the statement ran for more than {seconds:g} s",
            hint="ask for less, or give it more time with --seconds",
        )
    hint = None
    if "not authorized" in said or "prohibited" in said or ("read" in said and "only" in said):
        hint = "'sifprov sql' only reads"
    elif "no such table" in said or "no such column" in said or "does not exist" in said:
        hint = "'sifprov sql --schema' prints the tables"
    return SifprovError(f"sql: {said}", hint=hint)


def _value(value: object) -> Value:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return str(value)


def _columns(names: Iterable[str], rows: Sequence[Row]) -> Iterable[Column]:
    """Names that stand twice get a number, for JSON has each once."""
    seen: dict[str, int] = {}
    for place, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        kinds = {type(row[place]) for row in rows} - {type(None)}
        kind = NUMBER if kinds and kinds <= {int, float, bool} else TEXT
        unique = name if seen[name] == 1 else f"{name}:{seen[name]}"
        yield Column(unique, kind, unique)
