#!/usr/bin/env python3
"""Compares a prediction (soil.csv, on standard input) with what is true: score.py TRUTH.csv

Prints the share of the variance that is explained (R², 1 for a perfect prediction, 0 for one that
says the mean everywhere) and the root mean square error, in m³/m³.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable
from statistics import fmean


def table(lines: Iterable[str]) -> dict[tuple[str, str], float]:
    """The soil moisture by coordinates."""
    return {(r["lat"], r["lon"]): float(r["soil_moisture"]) for r in csv.DictReader(lines)}


def main() -> int:
    """Reads, compares, prints."""
    with open(sys.argv[1], encoding="utf-8") as file:
        truth = table(file)
    found = table(sys.stdin)
    if found.keys() != truth.keys():
        print("score.py: these are not the same points", file=sys.stderr)
        return 1
    mean = fmean(truth.values())
    error = fmean((found[at] - value) ** 2 for at, value in truth.items())
    spread = fmean((value - mean) ** 2 for value in truth.values())
    print(f"{len(truth)} points, R² {1 - error / spread:.2f}, error {math.sqrt(error):.3f} m³/m³")
    return 0


if __name__ == "__main__":
    sys.exit(main())
