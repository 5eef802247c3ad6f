"""A whole replay: carry the plan out, judge, record the verdict, and only then give the new
container its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from sifprov.frozen import dataclass, replace
from sifprov.model.verdict import DIFFERS
from sifprov.replay.judge import Judgement, judge, record
from sifprov.replay.schedule import Execution, execute
from sifprov.replay.steps import Done, Outcome, Plan
from sifprov.replay.work import Work, work_folder


@dataclass(frozen=True)
class Replayed:
    """What a replay made, and how it compares. `into` is the new container; `warnings` tell what
    could not be recorded. (The paths of the outcome's results are those before the end.)"""

    plan: Plan
    outcome: Outcome
    judgement: Judgement
    warnings: tuple[str, ...] = ()

    @property
    def into(self) -> str:
        """The path of the new container."""
        return self.outcome.into

    @property
    def word(self) -> str:
        """`same`, `alike` or `differs`."""
        return self.judgement.verdict.result

    @property
    def same(self) -> bool:
        """Whether all came out the same, or differs in nothing but how it is written."""
        return self.word != DIFFERS


def replay(
    plan: Plan,
    options: Execution,
    *,
    into: str | None = None,
    keep: bool = False,
    tolerance: Decimal | None = None,
    on_begin: Callable[[Mapping[str, str]], None] = lambda names: None,
    ahead: Callable[[Work], Mapping[str, float]] | None = None,
) -> Replayed:
    """Carries out a plan in a new container, `into` or the first free `OUT.rerun-N.sif`, compares
    it with the original, and records the verdict in it.

    With `keep` the containers that were made on the way are kept in `NEW.parts/`. `on_begin` is
    told the paths that the states will have, before anything else is done. `ahead` may make states
    in the work folder, in another way, and returns the seconds that each step which it carried out
    took; what is not there afterwards is made here. Nothing that
    exists is written to. Raises ReplayError when an application ends otherwise than recorded,
    MissingError, FileError; what is finished stays for the next start.
    """
    with work_folder(plan, into, keep=keep) as work:
        on_begin({state: work.name_for_good(state) for state in work.states})
        carried: Mapping[str, float] = {}
        if ahead:
            carried = ahead(work)
            work.fresh = False
        outcome = execute(plan, work, options)
        outcome = replace(outcome, done=tuple(_now(done, carried) for done in outcome.done))
        judgement = judge(plan, outcome, tolerance, on_step=options.on_step)
        problem = record(plan, outcome, judgement.verdict)
        work.publish()
    said = [r.warning for done in outcome.done for r in done.outputs]
    warnings = dict.fromkeys(text for text in (*said, problem) if text)
    return Replayed(plan, outcome, judgement, tuple(warnings))


def _now(done: Done, carried: Mapping[str, float]) -> Done:
    """A step that was found done, as it is to be told where it was done just now."""
    seconds = carried.get(done.key)
    return (
        done if seconds is None or not done.again else replace(done, again=False, seconds=seconds)
    )
