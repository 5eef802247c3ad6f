"""Carries out one step of a replay: builds what it starts from, runs it, records it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sifprov.frozen import dataclass
from sifprov.replay.steps import Done, Plan, Result, Step
from sifprov.replay.work import Work


@dataclass(frozen=True)
class Streams:
    """What the application of a step reads and writes, as descriptors; None for ours."""

    stdin: int | None = None
    stdout: int | None = None
    stderr: int | None = None


def run_step(
    plan: Plan,
    step: Step,
    work: Work,
    made: Mapping[str, Result],
    streams: Streams,
    on_start: Callable[[int], None] = lambda pid: None,
) -> Done:
    """Carries out one step; `made` are the states of earlier ones. `on_start` is told the runtime's
    process. Raises ReplayError when the application ends otherwise than recorded, MissingError,
    FileError; what was built is then removed."""
    raise NotImplementedError
