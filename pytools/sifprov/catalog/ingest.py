"""Puts what records tell into the tables: many at once, each once, in any order."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection

from sifprov.catalog.batch import Batch
from sifprov.catalog.bulk import Bulk
from sifprov.catalog.containers import Containers
from sifprov.catalog.executions import Executions
from sifprov.catalog.images import Images
from sifprov.catalog.intern import Interned
from sifprov.catalog.resolve import Records
from sifprov.catalog.store import Catalog
from sifprov.catalog.tables import content
from sifprov.catalog.told import Told, of_bytes, of_record
from sifprov.model.record import Record

GENERATION = "generation"


class Ingest:
    """Fills one catalog. What it has seen lately it remembers, from one call to the next."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._records = Records()
        self._contents = Interned(content, "digest")
        self._containers = Containers()
        self._images = Images(self._contents)
        self._executions = Executions(self._images)
        self._generation: str | None = None

    def put(self, told: Iterable[Told], inside: Collection[str] = ()) -> int:
        """Puts in what records tell, in one transaction; returns how many were new. `inside` are
        the digests of those that stand in the very container that they speak of. Raises
        FileError."""
        batch = list(told)

        def work(connection: Connection) -> int:
            with self.batch(connection) as batch_of:
                return batch_of.put(batch, inside)

        count = self._catalog.write(work)
        self.commit()
        return count

    def batch(self, connection: Connection) -> Batch:
        """Returns a batch in a writer's transaction. Call `commit` when that was committed."""
        bulk = Bulk(connection)
        for each in (self._contents, self._containers, *self._images.all, *self._executions.all):
            each.begin()
        self._check_generation(bulk)
        return Batch(
            bulk, self._records, self._contents, self._containers, self._images, self._executions
        )

    def commit(self) -> None:
        """Remembers what the last transaction made."""
        for each in (self._contents, self._containers, *self._images.all, *self._executions.all):
            each.commit()

    def _check_generation(self, bulk: Bulk) -> None:
        """After a rebuild no row is what it was."""
        found = bulk.run("SELECT value FROM catalog_info WHERE name = ?", GENERATION)
        generation = found[0][0] if found else ""
        if generation != self._generation:
            self._generation = generation
            self._records.forget()
            for each in (self._contents, self._containers):
                each.forget()
            for each in (*self._images.all, *self._executions.all):
                each.forget()


def put_records(catalog: Catalog, records: Iterable[Record | bytes]) -> int:
    """Puts records into a catalog, as they are or as they are stored; returns how many were new.
    Raises RecordError, FileError."""
    told = [of_bytes(r) if isinstance(r, bytes) else of_record(r) for r in records]
    return Ingest(catalog).put(told)
