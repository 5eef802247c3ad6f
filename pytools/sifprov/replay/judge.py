"""Compares what a replay made with the original, and records the verdict in the new container."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from sifprov.comparison import Comparison
from sifprov.frozen import dataclass
from sifprov.model.verdict import Verdict
from sifprov.replay.steps import Outcome, Plan


@dataclass(frozen=True)
class Judgement:
    """A verdict, and what it was found from: the files of original and replay (`files`), and
    `changed`, how the original is not what its own record says (None where it is)."""

    verdict: Verdict
    files: Comparison
    changed: str | None = None


def judge(
    plan: Plan,
    outcome: Outcome,
    tolerance: Decimal | None = None,
    *,
    lines: int = 10,
    on_step: Callable[[str], None] = lambda text: None,
) -> Judgement:
    """Compares the state that the plan wanted with the original as it is now; where that has gone
    on since, with what the replayed record tells of its files. Writes nothing. Raises FileError.

    With a `tolerance` T, files whose numbers differ by at most T · max(1, |a|, |b|) are alike.
    """
    raise NotImplementedError


def record(plan: Plan, outcome: Outcome, verdict: Verdict) -> str | None:
    """Appends the verdict behind the record of the replay's run, wherever that went. Returns what
    is to be told where it could not be written; raises nothing for that: the replay stands."""
    raise NotImplementedError
