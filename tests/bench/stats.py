"""Spread: intervals of a ratio and of a difference, from runs that were measured in turn."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

_RESAMPLES = 4000


class Interval(NamedTuple):
    """A value and the 95 % interval that resampling gives it."""

    value: float
    low: float
    high: float


def ratio_of_medians(times: Sequence[float], base: Sequence[float]) -> Interval:
    """The median of `times` over that of `base`; both were measured in the same rounds."""
    return _resampled(lambda a, b: median(a) / median(b), times, base)


def paired_difference(times: Sequence[float], base: Sequence[float]) -> Interval:
    """The median of what `times` take longer than `base` in the same round."""
    return _resampled(lambda a, b: median(x - y for x, y in zip(a, b, strict=True)), times, base)


def _resampled(
    statistic: Callable[[list[float], list[float]], float],
    times: Sequence[float],
    base: Sequence[float],
) -> Interval:
    """Draws whole rounds anew (a bootstrap), always the same ones."""
    if len(times) != len(base) or not times:
        raise ValueError("both must have been measured in every round")
    chance = random.Random(1)  # noqa: S311 - no secret: a fixed seed
    found = []
    for _ in range(_RESAMPLES):
        drawn = chance.choices(range(len(times)), k=len(times))
        found.append(statistic([times[i] for i in drawn], [base[i] for i in drawn]))
    found.sort()
    cut = round(_RESAMPLES * 0.025)
    return Interval(statistic(list(times), list(base)), found[cut], found[-cut - 1])
