"""Catalogs for the tests, each test on both databases."""

from __future__ import annotations

from sqlalchemy import inspect, text

from sifprov.catalog.store import Catalog
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
        assert table in METADATA.tables
        with self.catalog.reading() as connection:
            return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())

    def tables(self) -> set[str]:
        """The names of the tables that are there."""
        return set(inspect(self.catalog.engine).get_table_names())
