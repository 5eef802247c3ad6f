"""A catalog that is open: transactions to read and to write in, on SQLite and PostgreSQL.

On both one writer is at work at a time, in short transactions: on SQLite by its own lock, on
PostgreSQL by an advisory lock. So a writer that has read what is there can build on it, two that
make or migrate one catalog do not meet, and none waits for another in a circle.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sifprov.catalog import sqlite
from sifprov.catalog.bulk import Bulk
from sifprov.catalog.migrations import bring_up, check_version, version_of
from sifprov.catalog.place import SQLITE, Place, find_place, missing
from sifprov.catalog.postgresql import LOCK, make_engine
from sifprov.catalog.tables import VERSION, catalog_info
from sifprov.errors import FileError, SifprovError

# Seconds that a writer waits for others.
PATIENCE = 60.0
_TRIES = 8
# New records after which a database should count its rows.
MANY = 1000
# Of PostgreSQL: serialization failure, deadlock, lock not available.
_AGAIN = {"40001", "40P01", "55P03"}
_T = TypeVar("_T")


class Catalog:
    """An open catalog. `name` is its path, or its URL without a password; `is_safe_mode` says that
    it is a file that other machines may open too."""

    def __init__(self, place: Place, engine: Engine, *, is_safe_mode: bool, patience: float):
        self.place, self.engine, self.is_safe_mode = place, engine, is_safe_mode
        self._patience = patience

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return self.place.name

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self.place.kind == SQLITE

    def __enter__(self) -> Catalog:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yields a connection to read from; all that is read in one transaction is of one time on
        SQLite, and in each statement on PostgreSQL. Raises FileError where the database fails."""
        try:
            with self.engine.connect() as connection:
                yield connection
        except self.errors as error:
            raise self.failure(error) from error

    @contextmanager
    def looking(self) -> Iterator[Bulk]:
        """Yields what reads many rows; each question is answered by what there is then. Raises
        FileError."""
        try:
            with self.engine.connect() as connection:
                alone = connection.execution_options(isolation_level="AUTOCOMMIT")
                with closing(Bulk(alone)) as bulk:
                    yield bulk
        except self.errors as error:
            raise self.failure(error) from error

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """The errors of the database and its driver."""
        dialect: Any = self.engine.dialect
        return SQLAlchemyError, dialect.loaded_dbapi.Error

    def write(self, work: Callable[[Connection], _T]) -> _T:
        """Returns what `work` does in one transaction, as the only writer. It is begun anew where
        the database asks for that, so it must have no effect but there. Raises FileError."""
        end = time.monotonic() + self._patience
        tries = 0
        while True:
            try:
                with self._writing() as connection:
                    return work(connection)
            except self.errors as error:
                tries += 1
                if not _is_worth_again(error) or tries > _TRIES or time.monotonic() > end:
                    raise self.failure(error) from error
            time.sleep(random.uniform(0, 0.02 * 2**tries))  # noqa: S311

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        if self.is_sqlite:
            alone = sqlite.locked(self.place.path, self._patience, is_safe_mode=self.is_safe_mode)
            with alone, self.engine.connect() as connection:
                connection.execution_options(**{sqlite.WRITE: True})
                with connection.begin():
                    yield connection
            return
        with self.engine.connect() as connection, connection.begin():
            wait = int(self._patience * 1000)
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait}")
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield connection

    @contextmanager
    def indexing(self) -> Iterator[bool]:
        """Yields whether no other index is at work on this catalog, as far as that can be known."""
        if self.is_sqlite:
            with sqlite.first(self.place.path) as is_first:
                yield is_first
            return
        with self.engine.connect() as connection:
            alone = connection.execution_options(isolation_level="AUTOCOMMIT")
            taken = text("SELECT pg_try_advisory_lock(:lock)")
            yield bool(alone.execute(taken, {"lock": LOCK + 1}).scalar())
            alone.execute(text("SELECT pg_advisory_unlock_all()"))

    def tidy(self, new: int) -> None:
        """Counts anew what the database plans its questions by, after `new` records."""
        with self.looking() as bulk:
            if self.is_sqlite:
                bulk.run("PRAGMA analysis_limit = 400")
                bulk.run("PRAGMA optimize" if new < MANY else "ANALYZE")
            elif new >= MANY:
                bulk.run("ANALYZE")

    def info(self, name: str) -> str | None:
        """Returns what `catalog_info` says under this name."""
        with self.reading() as connection:
            wanted = select(catalog_info.c.value).where(catalog_info.c.name == name)
            found: str | None = connection.execute(wanted).scalar()
            return found

    def failure(self, error: Exception) -> SifprovError:
        """Returns a database's error as one of ours: what it says, without the statement, whose
        values are others' texts, and without the URL."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        said = " ".join(str(cause).split()) or type(cause).__name__
        return FileError(f"{self.name}: {said[:300]}", hint=_hint(said))


def open_catalog(
    where: str | None = None,
    *,
    create: bool = False,
    read_only: bool = False,
    patience: float = PATIENCE,
    environ: Mapping[str, str] | None = None,
) -> Catalog:
    """Opens the catalog that `where` names, else the variable, the setting or the default.

    One of an older version is migrated. Where there is none it is made if `create` says so. With
    `read_only` the database itself refuses to write. Raises MissingError, FileError, SifprovError.
    """
    place = find_place(where, environ)
    is_safe = place.kind == SQLITE and sqlite.prepare(place.path, create=create)
    catalog = _catalog(place, patience, is_safe_mode=is_safe, read_only=False)
    try:
        _make_current(catalog, create=create)
    except BaseException:
        catalog.close()
        raise
    if not read_only:
        return catalog
    catalog.close()
    return _catalog(place, patience, is_safe_mode=is_safe, read_only=True)


def _catalog(place: Place, patience: float, *, is_safe_mode: bool, read_only: bool) -> Catalog:
    if place.kind == SQLITE:
        engine = sqlite.make_engine(
            place.path, patience, is_safe_mode=is_safe_mode, read_only=read_only
        )
    else:
        engine = make_engine(place, patience, read_only=read_only)
    return Catalog(place, engine, is_safe_mode=is_safe_mode, patience=patience)


def version_there(
    where: str | None = None, *, patience: float, environ: Mapping[str, str] | None = None
) -> int | None:
    """Returns the version of the catalog that `open_catalog` would open, None where a database has
    none yet. Changes nothing. Raises MissingError, FileError, SifprovError."""
    place = find_place(where, environ)
    is_safe = place.kind == SQLITE and sqlite.prepare(place.path, create=False)
    with (
        _catalog(place, patience, is_safe_mode=is_safe, read_only=True) as catalog,
        catalog.reading() as connection,
    ):
        return version_of(connection)


def _make_current(catalog: Catalog, *, create: bool) -> None:
    with catalog.reading() as connection:
        version = version_of(connection)
    if version == VERSION:
        return
    if version is None and not create:
        raise missing(catalog.name)
    check_version(version, catalog.name)
    catalog.write(lambda connection: bring_up(connection, catalog.name))


def _is_worth_again(error: Exception) -> bool:
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlstate", None)
    return (
        code in _AGAIN or "database is locked" in str(cause) or "schema has changed" in str(cause)
    )


def _hint(said: str) -> str | None:
    if "no password supplied" in said or "password authentication failed" in said:
        return "put the password into ~/.pgpass, or into $PGPASSWORD"
    if "database is locked" in said or "lock timeout" in said:
        return "another process is writing into the catalog: try again"
    if "readonly database" in said or "permission denied" in said:
        return "name a catalog that you may write to with --catalog"
    return None
