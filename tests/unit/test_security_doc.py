"""docs/security.md names a test in every row, and each of them exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`((?:tests|plugin)/[\w/.]+)::(\w+)`")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ")][1:]


@cache
def names_in(path: str) -> frozenset[str]:
    text = (ROOT / path).read_text(encoding="utf-8")
    if path.endswith(".go"):
        return frozenset(re.findall(r"^func (Test\w+)\(t \*testing\.T\)", text, re.MULTILINE))
    return frozenset(n.name for n in ast.parse(text).body if isinstance(n, ast.FunctionDef))


def test_there_are_rows() -> None:
    assert len(ROWS) > 30
    text = " ".join(ROWS)
    for threat in (
        "PATH", "PYTHON", "LD_", "writable by others", "setuid", "Hostile SIF", "ext3", "JSON",
        "Terminal escapes", "Symbolic links", "Secrets",
    ):  # fmt: skip
        assert threat in text


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:40])
def test_every_row_has_a_defence_and_tests_that_exist(row: str) -> None:
    _, threat, defence, tests, _ = row.split("|")
    assert len(threat.strip()) > 20 and len(defence.strip()) > 10
    named = NAMED.findall(tests)
    # Nothing but names stands in the last column.
    assert named and NAMED.sub("", tests).strip(" ,") == ""
    for path, name in named:
        assert name in names_in(path), f"{path} has no {name}"
