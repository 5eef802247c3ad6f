#!/usr/bin/env python3
"""Writes `observed.txt` to a folder: synthetic counts of a growing population, the same at every
call.

Usage: make_data.py FOLDER
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

RATE, CAPACITY, FIRST = 0.42, 1000.0, 20.0


def main() -> None:
    """A count every half hour for a day, with an error of two percent."""
    chance = random.Random(1838)  # noqa: S311 - synthetic data; the year of Verhulst's paper
    lines = ["# hours, count: synthetic, of logistic growth at a rate of 0.42 an hour"]
    for number in range(49):
        hours = number / 2
        true = CAPACITY / (1 + (CAPACITY / FIRST - 1) * math.exp(-RATE * hours))
        error = chance.uniform(-0.035, 0.035) if number else 0.0
        lines.append(f"{hours:.1f} {true * (1 + error):.1f}")
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "observed.txt").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
