#!/usr/bin/env python3
"""Writes train.csv and eval.csv: synthetic terrain and soil moisture, the same at every call.

Usage: make_data.py FOLDER [train|eval]

The shape is that of the thesis that the scenario follows: 47 points of a 27 km grid have
coordinates, 15 terrain parameters and the soil moisture; 44,723 points of a 1 km grid of the same
region have all but that. No number in it was ever measured.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

TRAIN, EVAL = 47, 44_723
COARSE = 27  # km
WIDE, HIGH = 274, 208  # km: a rectangle that holds the region
NORTH, WEST = 41.2, -96.4  # degrees, of its corner
KM = 1 / 111.2  # degrees of latitude

TERRAIN = (
    "elevation", "slope", "aspect", "northness", "eastness", "plan_curvature",
    "profile_curvature", "relative_height", "valley_depth", "channel_distance", "catchment_area",
    "wetness_index", "ls_factor", "hillshade", "openness",
)  # fmt: skip

Field = Callable[[float, float], float]


class Hill(NamedTuple):
    """A hill (or, with a negative height, a hollow): its place and radius in km, height in m."""

    x: float
    y: float
    radius: float
    height: float


def terrain() -> tuple[Hill, ...]:
    """The hills of the region, small ones on large ones."""
    chance = random.Random(2020)  # noqa: S311 (no secret: a fixed seed)
    large = [(chance.uniform(40, 90), chance.uniform(-180, 320)) for _ in range(8)]
    small = [(chance.uniform(9, 25), chance.uniform(-60, 90)) for _ in range(26)]
    return tuple(
        Hill(chance.uniform(0, WIDE), chance.uniform(0, HIGH), radius, height)
        for radius, height in large + small
    )


HILLS = terrain()


def elevation(x: float, y: float) -> float:
    """Metres above the sea, at `x` km east and `y` km south of the corner."""
    height = 330.0 + 0.55 * (WIDE - x) + 0.1 * y
    for hill in HILLS:
        away = ((x - hill.x) ** 2 + (y - hill.y) ** 2) / (hill.radius * hill.radius)
        if away < 12:
            height += hill.height * math.exp(-away)
    return height


def parameters(x: float, y: float) -> list[float]:
    """The terrain parameters of one point, in the order of TERRAIN."""
    here = elevation(x, y)
    east, west = elevation(x + 0.5, y), elevation(x - 0.5, y)
    south, north = elevation(x, y + 0.5), elevation(x, y - 0.5)
    dx, dy = (east - west) / 1000, (south - north) / 1000
    slope = math.atan(math.hypot(dx, dy))
    aspect = math.atan2(dx, -dy) % (2 * math.pi)
    plan = (east - 2 * here + west) / 250
    profile = (south - 2 * here + north) / 250
    around = (
        elevation(x + 6, y) + elevation(x - 6, y) + elevation(x, y + 6) + elevation(x, y - 6)
    ) / 4
    depth = max(0.0, around - here)
    catchment = math.exp(7.5 + 0.045 * depth - 0.02 * (here - around))
    wetness = math.log(catchment / max(math.tan(slope), 1e-4))
    return [
        here,
        math.degrees(slope),
        math.degrees(aspect),
        math.cos(aspect),
        math.sin(aspect),
        plan,
        profile,
        here - around,
        depth,
        250 * math.exp(-depth / 30),
        catchment,
        wetness,
        (catchment / 22.13) ** 0.4 * (math.sin(slope) / 0.0896) ** 1.3,
        math.cos(slope) * 0.707 + math.sin(slope) * 0.707 * math.cos(aspect - math.radians(315)),
        math.pi / 2 - slope / 2 - depth / 400,
    ]


def soil_moisture(x: float, y: float, values: list[float], chance: random.Random) -> float:
    """A volumetric water content between 0 and 1 that follows the terrain, with some noise."""
    height, wetness, depth = values[0], values[11], values[8]
    dry = 0.00023 * (height - 330) - 0.012 * (wetness - 15) - 0.0011 * depth
    season = 0.03 * math.sin(x / 60) + 0.02 * math.cos(y / 45)
    return min(0.48, max(0.04, 0.29 - dry + season + chance.gauss(0, 0.008)))


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


def rows(step: int, count: int, *, target: bool) -> Iterator[str]:
    """Yields the lines of a table, its header first."""
    yield ",".join(("lat", "lon", *TERRAIN, *(("soil_moisture",) if target else ())))
    chance = random.Random(47)  # noqa: S311 (no secret: a fixed seed)
    for x, y in region(step, count):
        lat = NORTH - y * KM
        values = parameters(x, y)
        numbers = [lat, WEST + x * KM / math.cos(math.radians(lat)), *values]
        if target:
            numbers.append(soil_moisture(x, y, values, chance))
        yield ",".join(f"{number:.12f}" for number in numbers)


def main() -> None:
    """Writes what was asked for."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = sys.argv[2:] or ["train", "eval"]
    for name, step, count in (("train", COARSE, TRAIN), ("eval", 1, EVAL)):
        if name in wanted:
            lines = rows(step, count, target=name == "train")
            (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
