"""Many rows at once, on SQLite and PostgreSQL: plain statements through the driver.

Statements are made of the names in tables.py alone; every value is a bound parameter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, Boolean, Connection, Float, Integer, Table

_CHUNK = 200
_TYPES = ((Boolean, "boolean"), (Float, "float8"), (BigInteger, "bigint"), (Integer, "integer"))

Row = tuple[Any, ...]


class Bulk:
    """Reads and writes rows within one transaction of a writer (`Catalog.write`)."""

    def __init__(self, connection: Connection) -> None:
        self._is_postgresql = connection.dialect.name == "postgresql"
        self._cursor: Any = connection.connection.cursor()
        self._next: dict[str, int] = {}

    def close(self) -> None:
        """Closes the cursor; the transaction goes on."""
        self._cursor.close()

    def run(self, statement: str, *values: object) -> list[Row]:
        """Runs one statement, with `?` for each value; returns its rows."""
        if self._is_postgresql:
            statement = statement.replace("?", "%s")
        self._cursor.execute(statement, values)
        return list(self._cursor) if self._cursor.description else []

    def rows(
        self, what: str, table: str, key: str, values: Collection[Any], more: str = ""
    ) -> list[Any]:
        """Returns the columns `what` of the rows of `table`, a table or a join, whose `key` is one
        of `values`. `more` is added to the condition."""
        return self.rows_with(what, table, key, values, more, ())

    def rows_with(
        self,
        what: str,
        table: str,
        key: str,
        values: Collection[Any],
        more: str,
        others: Sequence[Any],
    ) -> list[Any]:
        """As `rows`; `others` are the values for the `?` in `more`."""
        start = f"SELECT {what} FROM {table} WHERE {key} "  # noqa: S608  (names of ours)
        return self._of(start, values, more, others)

    def delete(self, table: Table, key: str, values: Collection[Any]) -> None:
        """Deletes the rows whose `key` is one of `values`."""
        self._of(f"DELETE FROM {table.name} WHERE {key} ", values, "")  # noqa: S608

    def _of(
        self, start: str, values: Collection[Any], more: str, others: Sequence[Any] = ()
    ) -> list[Row]:
        if not values:
            return []
        if self._is_postgresql:
            statement = f"{start}= ANY(%s){more.replace('?', '%s')}"
            self._cursor.execute(statement, (list(values), *others))
            return list(self._cursor) if self._cursor.description else []
        found: list[Row] = []
        ordered = list(values)
        statement = f"{start}IN ({','.join('?' * _CHUNK)}){more}"
        for at in range(0, len(ordered), _CHUNK):
            chunk = ordered[at : at + _CHUNK]
            # One text for all, so that it is compiled once.
            chunk += chunk[-1:] * (_CHUNK - len(chunk))
            found += self._cursor.execute(statement, (*chunk, *others))
        return found

    def clear(self, table: Table, column: str, values: Collection[Any]) -> None:
        """Sets a column to NULL where it has one of these values."""
        self._of(f"UPDATE {table.name} SET {column} = NULL WHERE {column} ", values, "")  # noqa: S608

    def delete_each(self, table: Table, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Deletes the row that has these values in `columns`, for each of `rows`."""
        if self._is_postgresql and rows:
            self._cursor.execute(_delete_arrays(table, tuple(columns)), _columns(rows))
        elif rows:
            wanted = " AND ".join(f"{name} = ?" for name in columns)
            self._cursor.executemany(f"DELETE FROM {table.name} WHERE {wanted}", rows)  # noqa: S608

    def insert(
        self, table: Table, columns: Sequence[str], rows: Sequence[Row], *, missing: bool = False
    ) -> None:
        """Inserts rows of values for `columns`; with `missing` only those that are not there."""
        if not rows:
            return
        names = tuple(columns)
        more = " ON CONFLICT DO NOTHING" if missing else ""
        if self._is_postgresql:
            self._cursor.execute(_insert_arrays(table, names) + more, _columns(rows))
        else:
            marks = ",".join("?" * len(names))
            into = f"INSERT INTO {table.name} ({','.join(names)})"
            self._cursor.executemany(f"{into} VALUES ({marks}){more}", rows)

    def update(self, table: Table, key: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Sets `columns` in the rows whose `key` is the first value of each of `rows`."""
        if not rows:
            return
        if self._is_postgresql:
            self._cursor.execute(_update_arrays(table, key, tuple(columns)), _columns(rows))
        else:
            to = ",".join(f"{name} = ?" for name in columns)
            of_row = f"UPDATE {table.name} SET {to} WHERE {key} = ?"  # noqa: S608
            self._cursor.executemany(of_row, [(*row[1:], row[0]) for row in rows])

    def new_ids(self, table: Table, count: int) -> Iterable[int]:
        """Returns as many ids for new rows. A writer is alone, so nobody else takes them."""
        if not count:
            return ()
        if self._is_postgresql:
            number = f"nextval('{table.name}_id_seq')"
            self._cursor.execute(f"SELECT {number} FROM generate_series(1, %s)", (count,))  # noqa: S608
            return [number for (number,) in self._cursor]
        if table.name not in self._next:
            ((highest,),) = self.run(f"SELECT coalesce(max(id), 0) FROM {table.name}")  # noqa: S608
            self._next[table.name] = highest + 1
        first = self._next[table.name]
        self._next[table.name] += count
        return range(first, first + count)


def _columns(rows: Sequence[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


@lru_cache(maxsize=256)
def _insert_arrays(table: Table, names: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%s::{_type(table, name)}[]" for name in names)
    into = f"INSERT INTO {table.name} ({','.join(names)})"
    return f"{into} SELECT * FROM unnest({arrays})"  # noqa: S608


@lru_cache(maxsize=256)
def _update_arrays(table: Table, key: str, names: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%s::{_type(table, name)}[]" for name in (key, *names))
    to = ", ".join(f"{name} = v.{name}" for name in names)
    values = f"unnest({arrays}) AS v({','.join((key, *names))})"
    return f"UPDATE {table.name} SET {to} FROM {values} WHERE {table.name}.{key} = v.{key}"  # noqa: S608


@lru_cache(maxsize=256)
def _delete_arrays(table: Table, names: tuple[str, ...]) -> str:
    arrays = ", ".join(f"%s::{_type(table, name)}[]" for name in names)
    same = " AND ".join(f"{table.name}.{name} = v.{name}" for name in names)
    return f"DELETE FROM {table.name} USING unnest({arrays}) AS v({','.join(names)}) WHERE {same}"  # noqa: S608


def _type(table: Table, name: str) -> str:
    kind = table.columns[name].type
    return next((word for of, word in _TYPES if isinstance(kind, of)), "text")
