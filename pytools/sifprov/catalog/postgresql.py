"""PostgreSQL below a catalog."""

from __future__ import annotations

from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from sifprov.catalog.place import Place
from sifprov.errors import MissingError, SifprovError

# The advisory lock of a catalog's writers ("sifprov" in hexadecimal): one for each database.
LOCK = 0x73696670726F76
# What is asked for stands together in few pages, mostly in memory: an index is worth it sooner than
# the server's defaults have it, which are for disks that turn. Other processes, and code made for
# one statement, cost more than they bring. Our joins are written in the order in which they are to
# be done: to look for another one takes longer than to find a run.
_PLANS = (
    "-c random_page_cost=1.1 -c max_parallel_workers_per_gather=0 -c jit=off"
    " -c join_collapse_limit=1"
)


def make_engine(place: Place, patience: float, *, read_only: bool = False) -> Engine:
    """Returns an engine for a database. Raises MissingError where psycopg is not installed."""
    options = _PLANS + (" -c default_transaction_read_only=on" if read_only else "")
    arguments: dict[str, object] = {
        "connect_timeout": max(2, min(int(patience), 30)),
        "application_name": "sifprov",
        "options": options,
        # Plans of statements over arrays depend on how long these are.
        "prepare_threshold": None,
    }
    try:
        return create_engine(place.url, connect_args=arguments, isolation_level="READ COMMITTED")
    except (ImportError, NoSuchModuleError) as error:
        raise MissingError(
            f"{place.name}: the Python package psycopg is not installed",
            hint="pip install 'sifprov[postgresql]'",
        ) from error
    except ArgumentError as error:
        raise SifprovError(f"{place.name}: this URL cannot be used") from error
