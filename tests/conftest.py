"""Rules for all tests: a missing runtime or program is a failure where it is required."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests import postgresql
from tests.catalogs import Opened, opened_at

# `make test` sets it: then no test that drives a runtime or a browser may be skipped.
REQUIRE_RUNTIME = os.environ.get("SIFPROV_REQUIRE_RUNTIME") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    forbidden = report.skipped and not hasattr(report, "wasxfail")
    needed = item.get_closest_marker("real") or item.get_closest_marker("program")
    if forbidden and REQUIRE_RUNTIME and needed:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"SIFPROV_REQUIRE_RUNTIME=1 forbids this skip. {reason}"
    return report


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """A PostgreSQL server that ends with the tests."""
    if postgresql.programs() is None:
        pytest.skip("no PostgreSQL server is installed: tools/setup does, as root")
    with postgresql.server() as it:
        yield it


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.program)])
def catalog_place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a catalog may be made, which is not there yet: a file, and a database."""
    if request.param == "sqlite":
        return str(tmp_path / "catalog" / "catalog.db")
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return server.new_database()


@pytest.fixture
def opened(catalog_place: str) -> Iterator[Opened]:
    """A new catalog, on each of the databases."""
    with opened_at(catalog_place) as it:
        yield it
