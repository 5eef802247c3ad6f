"""Samples of a run of any length in bounded memory: when there are too many, neighbours become one,
and the next ones are taken at twice the distance."""

from __future__ import annotations

from collections.abc import Mapping

from sifprov.model.telemetry import COLUMNS, COUNTER, TIME, Column, merged

MOST = 1000


class Series:
    """The samples so far; `interval_us` is how far apart they are to be."""

    def __init__(self, interval_us: int, most: int = MOST) -> None:
        self.interval_us = interval_us
        self._most = most
        self._columns: dict[str, list[int]] = {TIME: []}

    def __len__(self) -> int:
        return len(self._columns[TIME])

    def add(self, time_us: int, values: Mapping[str, int]) -> None:
        """Adds a sample. What it does not tell is as it was; what came new was 0 before."""
        count = len(self)
        for name in values:
            self._columns.setdefault(name, [0] * count)
        for name, column in self._columns.items():
            before = column[-1] if column else 0
            now = time_us if name == TIME else values.get(name, before)
            # The clock is another's, and may be set back.
            column.append(max(now, before) if name == TIME else now)
        if len(self) >= self._most:
            ends = [*range(1, count, 2), count]
            self._columns = {name: list(kept) for name, kept in merged(self.columns(), ends)}
            self.interval_us *= 2

    def settle(self, totals: Mapping[str, int]) -> None:
        """Lets the counters end with what is known of all of the run, where that is more."""
        for name, column in self._columns.items():
            if COLUMNS[name][0] == COUNTER and column:
                column[-1] = max(column[-1], totals.get(name, 0))

    def columns(self) -> tuple[Column, ...]:
        """Returns what a document holds of them."""
        return tuple((n, tuple(self._columns[n])) for n in COLUMNS if n in self._columns)
