"""Catalogs for the tests, each test on both databases (fixture `opened`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, inspect, select

from sifprov.catalog.store import Catalog, open_catalog
from sifprov.catalog.tables import METADATA, catalog_info


class Opened:
    """A catalog, and how to empty it."""

    def __init__(self, catalog: Catalog, where: str) -> None:
        self.catalog, self.where = catalog, where

    def clear(self) -> None:
        """Deletes all rows."""
        with self.catalog.engine.connect() as connection, connection.begin():
            for table in reversed(METADATA.sorted_tables):
                if table is not catalog_info:
                    connection.execute(table.delete())

    def count(self, table: str) -> int:
        """How many rows a table has."""
        with self.catalog.reading() as connection:
            counted = select(func.count()).select_from(METADATA.tables[table])
            return int(connection.execute(counted).scalar_one())

    def check_references(self) -> None:
        """Every reference leads to a row: neither database looks that up."""
        with self.catalog.reading() as connection:
            for table in METADATA.tables.values():
                for key in table.foreign_keys:
                    of = key.column.table.alias()
                    there = select(of.c.id).where(of.c.id == key.parent)
                    loose = select(key.parent).where(key.parent.is_not(None), ~there.exists())
                    assert connection.execute(loose).all() == [], f"{key.parent}"

    def tables(self) -> set[str]:
        """The names of the tables that are there."""
        return set(inspect(self.catalog.engine).get_table_names())


@contextmanager
def opened_at(where: str) -> Iterator[Opened]:
    """Makes and opens a catalog."""
    with open_catalog(where, create=True) as catalog:
        yield Opened(catalog, where)
