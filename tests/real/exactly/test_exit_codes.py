"""Exit codes and what never starts: the same status and the same words, bare and captured."""

from __future__ import annotations

import pytest

from tests.real.exactly.case import COPY, INPUT, Case
from tests.real.exactly.conftest import Compare

CODES = (1, 2, 125, 126, 127, 128, 254, 255)
CASES = (
    Case("success"),
    *(Case(f"code-{n}", ("sh", "-c", f"{COPY}; exit {n}"), code=n) for n in CODES),
    Case("by-run", ("sh", "-c", COPY), action="run", code=None),
    Case("only-reads", ("cat", "/Inputs/data.txt"), binds=(INPUT,), records=0, says=b"three"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_ends_as_ever(case: Case, compare: Compare) -> None:
    compare(case, CASES)
