#!/usr/bin/env python3
"""Writes the three input files of this scenario: synthetic data, the same at every call.

Usage: make_data.py [FOLDER]; by default it writes to inputs/ beside this script.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path

Rows = Iterator[str]


def year_of_soil_moisture(chance: random.Random) -> Rows:
    """Day of the year, water content in percent: a season, and showers that dry away."""
    shower = 0.0
    for day in range(1, 366):
        shower *= 0.86
        if chance.random() < 0.09:
            shower += chance.uniform(2.0, 9.0)
        season = 22.0 + 7.0 * math.cos(2 * math.pi * (day - 20) / 365)
        yield f"{day} {season:.3f} {season + shower + chance.uniform(-0.5, 0.5):.3f}"


def decay_counts(chance: random.Random) -> Rows:
    """Time in seconds, counts, their standard error: an exponential decay over a background."""
    for step in range(240):
        time = step * 2.5
        expected = 40.0 + 960.0 * math.exp(-time / 140.0)
        error = math.sqrt(expected)
        # Twelve uniform numbers less six are normal enough, and the same in every Python.
        noise = sum(chance.random() for _ in range(12)) - 6.0
        yield f"{time:.1f} {max(0, round(expected + noise * error))} {error:.2f}"


def moisture_map(chance: random.Random) -> Rows:
    """Kilometres east and north, water content in percent: three wet places on a slope."""
    wet = [(chance.uniform(2, 22), chance.uniform(2, 16), chance.uniform(6, 14)) for _ in range(3)]
    for north in range(18):
        for east in range(24):
            value = 12.0 + 0.25 * east
            for x, y, height in wet:
                value += height * math.exp(-((east - x) ** 2 + (north - y) ** 2) / 18.0)
            yield f"{east} {north} {value + chance.uniform(-0.4, 0.4):.3f}"


FILES = {
    "text1.txt": (
        year_of_soil_moisture,
        """\
set title "Soil moisture through a year"
set xlabel "day of the year"
set ylabel "water content (%)"
set xrange [1:365]
set grid
set key top center
""",
        """\
plot $data using 1:3 with lines linewidth 1.5 linecolor rgb "#1f77b4" title "daily value", \\
     $data using 1:2 with lines linewidth 2.5 linecolor rgb "#d62728" title "without the showers"
""",
    ),
    "text2.txt": (
        decay_counts,
        """\
set title "Decay of a short-lived source"
set xlabel "time (s)"
set ylabel "counts in 2.5 s"
set logscale y
set xrange [0:600]
set yrange [20:1500]
set grid
""",
        """\
plot $data using 1:2:3 with yerrorbars pointtype 7 pointsize 0.4 linecolor rgb "#7f7f7f" \\
         title "counts", \\
     40 + 960 * exp(-x / 140) with lines linewidth 2.5 linecolor rgb "#d62728" \\
         title "40 + 960 exp(-t / 140 s)"
""",
    ),
    "text3.txt": (
        moisture_map,
        """\
set title "Soil moisture of a valley"
set xlabel "km east"
set ylabel "km north"
set cblabel "water content (%)" offset 1
set xrange [-0.5:23.5]
set yrange [-0.5:17.5]
set palette defined (0 "#fff7bc", 0.5 "#41b6c4", 1 "#081d58")
""",
        """\
plot $data using 1:2:3 with image notitle
""",
    ),
}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "inputs"
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, (rows, specification, plot)) in enumerate(FILES.items(), start=1):
        data = "\n".join(rows(random.Random(number)))  # noqa: S311 (no secret: a fixed seed)
        head = "# Synthetic data, written by make_data.py: no measurement.\n"
        (folder / name).write_text(f"{head}{specification}\n$data << END\n{data}\nEND\n\n{plot}")


if __name__ == "__main__":
    main()
