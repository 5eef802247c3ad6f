"""Carries out the steps of a plan, side by side where they do not need each other."""

from __future__ import annotations

from collections.abc import Callable

from sifprov.frozen import dataclass
from sifprov.replay.steps import Outcome, Plan
from sifprov.replay.work import Work


@dataclass(frozen=True)
class Execution:
    """How a plan is carried out: at most `jobs` steps at a time. `stdout` is where the
    applications' output goes (a descriptor; None for ours). `on_step` is told what is being done,
    `on_command` the command line of a step that begins."""

    jobs: int = 1
    stdout: int | None = None
    on_step: Callable[[str], None] = lambda text: None
    on_command: Callable[[tuple[str, ...]], None] = lambda argv: None


def execute(plan: Plan, work: Work, options: Execution) -> Outcome:
    """Does what is missing of a plan in its work folder. Raises ReplayError when an application
    ends otherwise than recorded, MissingError, FileError; states that are finished stay there for
    the next start."""
    raise NotImplementedError
