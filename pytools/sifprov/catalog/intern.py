"""Rows that many others share, each once: known by its key, found or made.

What was seen lately is remembered, so that most are not asked for. Rows are never deleted but by a
rebuild, after which everything is forgotten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Table

from sifprov.catalog.bulk import Bulk, Row

# Of each table.
_MOST = 20_000


class Interned:
    """The rows of one table by their key, the first of `columns`."""

    def __init__(self, table: Table, *columns: str) -> None:
        self._table, self._columns = table, columns
        self._known: dict[str, int] = {}
        self._fresh: dict[str, int] = {}

    def unknown(self, keys: Iterable[str]) -> list[str]:
        """Returns those of these keys that were not seen lately."""
        return [k for k in keys if k not in self._known and k not in self._fresh]

    def ids(self, bulk: Bulk, rows: Mapping[str, Row]) -> dict[str, int]:
        """Returns the id of each key; `rows` has the values of the other columns, which a new row
        gets."""
        asked = self.unknown(rows)
        if asked:
            name = self._columns[0]
            there: dict[str, int] = dict(bulk.rows(f"{name}, id", self._table.name, name, asked))
            new = [key for key in asked if key not in there]
            made = dict(zip(new, bulk.new_ids(self._table, len(new)), strict=True))
            columns = ("id", *self._columns)
            bulk.insert(self._table, columns, [(i, k, *rows[k]) for k, i in made.items()])
            self._fresh.update(there)
            self._fresh.update(made)
        return {key: self._fresh.get(key) or self._known[key] for key in rows}

    def of(self, bulk: Bulk, rows: Iterable[Row | None]) -> dict[str, int]:
        """As `ids`, of whole rows; None stands for none."""
        return self.ids(bulk, {row[0]: row[1:] for row in rows if row is not None})

    def drop(self, keys: Iterable[str]) -> None:
        """Forgets some rows, so that they are looked at again."""
        for key in keys:
            self._known.pop(key, None)
            self._fresh.pop(key, None)

    def begin(self) -> None:
        """Forgets what a transaction made that was not committed."""
        self._fresh.clear()

    def commit(self) -> None:
        """Remembers what the transaction made."""
        if len(self._known) + len(self._fresh) > _MOST:
            self._known.clear()
        self._known.update(self._fresh)
        self._fresh.clear()

    def forget(self) -> None:
        """Forgets everything."""
        self._known.clear()
        self._fresh.clear()


def changed(row: Row, told: Row) -> Row | None:
    """Returns a row in which what is None is filled by what is told; None where nothing is."""
    filled = tuple(new if old is None else old for old, new in zip(row, told, strict=True))
    return filled if filled != row else None
