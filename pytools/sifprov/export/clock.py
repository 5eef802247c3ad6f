"""Whether the times of a graph can all be true. Clocks of machines differ, and hostile records say
what they like; PROV wants what was made to be made before it is used."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sifprov.model.timestamp import to_ns


@dataclass(frozen=True)
class Times:
    """When an activity began, ended, and made what it made (ns since 1970); None where that is not
    known, or cannot be true for the `problem` given."""

    start: int | None
    end: int | None
    made: int | None
    problem: str | None = None


class Clock:
    """Takes activities in the order of their dependence."""

    def __init__(self) -> None:
        self._made: dict[str, int] = {}

    def run(self, started: str, ended: str | None, before: Iterable[str]) -> Times:
        """Returns the times of a run that used the entities `before`."""
        start, end = to_ns(started), None if ended is None else to_ns(ended)
        if end is not None and end < start:
            return Times(None, None, None, "the run ended before it began: was the clock set back?")
        if end is not None and end < self._latest(before):
            problem = "the run ended before what it used was made: do the machines' clocks differ?"
            return Times(None, None, None, problem)
        return Times(start, end, end)

    def making(self, recorded: str, before: Iterable[str]) -> Times:
        """Returns the times of a making, of which just the time of its record is known."""
        made = to_ns(recorded)
        if made < self._latest(before):
            problem = "recorded before what it was made from: do the machines' clocks differ?"
            return Times(None, None, None, problem)
        return Times(None, None, made)

    def note(self, entity: str, times: Times, before: Iterable[str]) -> None:
        """Keeps when an entity was made at the earliest."""
        known = times.made if times.made is not None else times.start
        self._made[entity] = max(known or 0, self._latest(before))

    def _latest(self, entities: Iterable[str]) -> int:
        return max((self._made.get(e, 0) for e in entities), default=0)
