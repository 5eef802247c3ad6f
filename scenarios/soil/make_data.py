#!/usr/bin/env python3
"""Writes tables of a synthetic region: terrain and soil moisture, the same at every call.

Usage: make_data.py FOLDER [train|eval|truth]…; without a table it writes train and eval.

    train.csv  47 points of a 27 km grid: coordinates, 15 terrain parameters, soil moisture
    eval.csv   44,723 points of a 1 km grid of the same region: all but the moisture
    truth.csv  the moisture at the points of eval.csv, for score.py; the models never see it

Size and shape are those of the thesis that the scenarios follow; no number was ever measured.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterator, Sequence
from functools import cache, reduce
from operator import add, mul
from pathlib import Path
from typing import NamedTuple

TRAIN, EVAL = 47, 44_723
COARSE = 27  # km
WIDE, HIGH = 274, 208  # km: a rectangle that holds the region
NORTH, WEST = 41.2, -96.4  # degrees, of its corner
KM = 1 / 111.2  # degrees of latitude

# Plain stand-ins for what a terrain analysis derives from a model of heights.
TERRAIN = (
    "elevation", "slope", "northness", "eastness", "curvature_we", "curvature_ns", "roughness",
    "relative_height", "valley_depth", "channel_distance", "catchment_area", "wetness_index",
    "ls_factor", "hillshade", "openness",
)  # fmt: skip


class Hill(NamedTuple):
    """A hill (or, with a negative height, a hollow): its place and radius in km, height in m."""

    x: float
    y: float
    radius: float
    height: float


def terrain() -> tuple[Hill, ...]:
    """The hills of the region, small ones on large ones."""
    chance = random.Random(2020)  # noqa: S311 (no secret: a fixed seed)
    kinds = [(10, 40, 90, 130), (24, 14, 30, 60), (50, 5, 10, 25)]
    return tuple(
        Hill(
            chance.uniform(0, WIDE),
            chance.uniform(0, HIGH),
            chance.uniform(low, high),
            chance.uniform(-height, height),
        )
        for count, low, high, height in kinds
        for _ in range(count)
    )


HILLS = terrain()
# Where a river comes in from the west, how far and in what waves it swings, its valley's width; km.
RIVERS = ((48, 22, 37, 8), (120, 26, 44, 10), (170, 15, 25, 7))


# A hill's height is a product of what depends on x alone and on y alone.
@cache
def along_x(x: float) -> list[float]:
    return [h.height * math.exp(-(((x - h.x) / h.radius) ** 2)) for h in HILLS]


@cache
def along_y(y: float) -> list[float]:
    return [math.exp(-(((y - h.y) / h.radius) ** 2)) for h in HILLS]


def valleys(x: float, y: float) -> float:
    """What the rivers have taken off the plain there, in metres."""
    untouched = 1.0
    for start, swing, wave, width in RIVERS:
        course = start + swing * math.sin(x / wave) + 0.3 * swing * math.sin(2.7 * x / wave + 1)
        untouched *= 1 - math.exp(-(((y - course) / width) ** 2))
    return 55 * (1 - untouched)


@cache
def elevation(x: float, y: float) -> float:
    """Metres above the sea, at `x` km east and `y` km south of the corner."""
    # Added one by one: the last digit of sum() is not the same in every Python.
    hills = reduce(add, map(mul, along_x(x), along_y(y)))
    return 420 + 0.25 * (WIDE - x) + hills - valleys(x, y)


def parameters(x: float, y: float) -> list[float]:
    """The terrain parameters of one point, in the order of TERRAIN."""
    here = elevation(x, y)
    east, west = elevation(x + 0.5, y), elevation(x - 0.5, y)
    south, north = elevation(x, y + 0.5), elevation(x, y - 0.5)
    dx, dy = (east - west) / 1000, (south - north) / 1000
    slope = math.atan(math.sqrt(dx * dx + dy * dy))
    # The direction in which it falls, clockwise from the north.
    aspect = math.atan2(-dx, dy)
    ring = [elevation(*p) for p in ((x + 6, y), (x - 6, y), (x, y + 6), (x, y - 6))]
    relative = here - (ring[0] + ring[1] + ring[2] + ring[3]) / 4
    depth = max(0.0, max(ring) - here)
    catchment = math.exp(7.5 - 0.06 * relative)
    return [
        here,
        math.degrees(slope),
        math.cos(aspect),
        math.sin(aspect),
        (east - 2 * here + west) / 250,
        (south - 2 * here + north) / 250,
        max(ring) - min(ring),
        relative,
        depth,
        250 * math.exp(-depth / 30),
        catchment,
        math.log(catchment / max(math.tan(slope), 5e-4)),
        (catchment / 22.13) ** 0.4 * (math.sin(slope) / 0.0896) ** 1.3,
        math.cos(slope) * 0.707 + math.sin(slope) * 0.707 * math.cos(aspect - math.radians(315)),
        math.pi / 2 - slope / 2 - depth / 400,
    ]


def soil_moisture(x: float, y: float, values: Sequence[float]) -> float:
    """A volumetric water content (m³/m³) that follows the terrain: wet where it is low and where
    water gathers, and a little by the rain, which comes from the north-east."""
    height, wetness = values[0], values[TERRAIN.index("wetness_index")]
    rain = 0.02 * (x / WIDE - y / HIGH)
    return min(0.45, max(0.05, 0.215 - 0.0004 * (height - 440) + 0.009 * (wetness - 14) + rain))


def region(step: int, count: int) -> list[tuple[float, float]]:
    """The `count` points of a grid that lie innermost, from north to south."""
    points = [
        (x + 0.5, y + 0.5)
        for y in range(step // 2, HIGH, step)
        for x in range(step // 2, WIDE, step)
    ]

    def far(point: tuple[float, float]) -> tuple[float, float, float]:
        x, y = (point[0] - WIDE / 2) / WIDE, (point[1] - HIGH / 2) / HIGH
        # A border with bays, as a region has.
        return x * x + y * y + 0.02 * math.sin(9 * math.atan2(y, x)), *point

    chosen = sorted(points, key=far)[:count]
    return sorted(chosen, key=lambda p: (p[1], p[0]))


def rows(table: str) -> Iterator[str]:
    """Yields the lines of a table, its header first."""
    terrain = TERRAIN if table != "truth" else ()
    yield ",".join(("lat", "lon", *terrain, *(("soil_moisture",) if table != "eval" else ())))
    chance = random.Random(47)  # noqa: S311 (no secret: a fixed seed)
    for x, y in region(COARSE, TRAIN) if table == "train" else region(1, EVAL):
        lat = NORTH - y * KM
        values = parameters(x, y)
        numbers = [lat, WEST + x * KM / math.cos(math.radians(lat)), *(values if terrain else ())]
        if table != "eval":
            numbers.append(soil_moisture(x, y, values))
        if table == "train":
            # Stations measure with an error; twelve uniform numbers are normal enough.
            numbers[-1] += 0.008 * (reduce(add, (chance.random() for _ in range(12))) - 6)
        yield ",".join(f"{number:.12f}" for number in numbers)


def main() -> None:
    """Writes what was asked for."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for table in sys.argv[2:] or ["train", "eval"]:
        (folder / f"{table}.csv").write_text("\n".join(rows(table)) + "\n")


if __name__ == "__main__":
    main()
