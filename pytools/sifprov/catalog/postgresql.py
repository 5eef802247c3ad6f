"""PostgreSQL below a catalog."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from sifprov.catalog.place import Place
from sifprov.errors import MissingError, SifprovError

# The advisory lock of a catalog's writers ("sifprov" in hexadecimal): one for each database.
LOCK = 0x73696670726F76


def make_engine(place: Place, patience: float, *, read_only: bool = False) -> Engine:
    """Returns an engine for a database. Raises MissingError where psycopg is not installed."""
    options = "-c default_transaction_read_only=on" if read_only else ""
    arguments: dict[str, object] = {
        "connect_timeout": max(2, min(int(patience), 30)),
        "application_name": "sifprov",
        # Plans of statements over arrays depend on how long these are.
        "prepare_threshold": None,
    }
    if options:
        arguments["options"] = options
    try:
        return create_engine(place.url, connect_args=arguments, isolation_level="READ COMMITTED")
    except (ImportError, NoSuchModuleError) as error:
        raise MissingError(
            f"{place.name}: the Python package psycopg is not installed",
            hint="pip install 'sifprov[postgresql]'",
        ) from error
    except ArgumentError as error:
        raise SifprovError(f"{place.name}: this URL cannot be used") from error
