#!/usr/bin/env python3
"""Checks a trail (`sifprov trail --json`, on standard input) against an `expected.json`.

Every field that the expectation names must be in the trail with that value; a list must have as
many items; `{"match": "REGEX"}` stands for a string that matches as a whole. Prints each
difference and exits with 1 when there is any.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from typing import Any


def differences(expected: Any, actual: Any, path: str) -> Iterator[str]:
    """Yields one line for each place where `actual` is not as expected."""
    if isinstance(expected, dict) and set(expected) == {"match"}:
        if not isinstance(actual, str) or not re.fullmatch(expected["match"], actual):
            yield f"{path}: {actual!r} does not match {expected['match']!r}"
    elif isinstance(expected, dict):
        if not isinstance(actual, dict):
            yield f"{path}: {actual!r} is no object"
            return
        for key, value in expected.items():
            if key not in actual:
                yield f"{path}.{key}: missing"
            else:
                yield from differences(value, actual[key], f"{path}.{key}")
    elif isinstance(expected, list):
        if not isinstance(actual, list) or len(actual) != len(expected):
            yield f"{path}: not a list of {len(expected)}: {actual!r}"
            return
        for place, (left, right) in enumerate(zip(expected, actual, strict=True)):
            yield from differences(left, right, f"{path}[{place}]")
    elif expected != actual:
        yield f"{path}: {actual!r}, not {expected!r}"


def main() -> int:
    """Compares and reports."""
    with open(sys.argv[1], encoding="utf-8") as file:
        expected = json.load(file)
    found = list(differences(expected, json.load(sys.stdin), "trail"))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
