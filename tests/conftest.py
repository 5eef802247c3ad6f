"""Rules for all tests: a missing runtime or program is a failure where it is required."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

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
