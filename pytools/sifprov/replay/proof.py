"""Whether a step was done by an earlier start of the same replay.

The work folder is only a place to look: a state counts when its record says that it replays the
wanted one, from the same content, and its files are those that the record tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from sifprov.carrier import Elsewhere, elsewhere, read_carrier
from sifprov.content import Deadline
from sifprov.errors import SifprovError
from sifprov.model.record import APPLICATION, INPUT, PROVISIONAL, Record, Replay
from sifprov.partition import scan_partition
from sifprov.replay.ending import as_recorded, code_of
from sifprov.replay.steps import Continued, Done, Made, Plan, Rebuilt, Result, Step, Target
from sifprov.replay.work import Work


def done_before(plan: Plan, step: Step, work: Work, made: Mapping[str, Result]) -> Done | None:
    """Returns what an earlier start has made of a step; None where any of it is not there, or is
    not believed. `made` are the states that it builds on, which earlier starts have made too."""
    results: list[Result] = []
    with suppress(SifprovError, OSError):
        others = elsewhere(plan.metadata)
        for target in step.outputs:
            found = _believed(plan, step, target, work.path(target.state), made, others)
            if found is None:
                return None
            results.append(found)
        run = results[0].record.run
        if run:
            return Done(step.key, code_of(run), tuple(results), run.argv, 0.0, again=True)
    return None


def _believed(
    plan: Plan,
    step: Step,
    target: Target,
    path: str,
    made: Mapping[str, Result],
    others: Elsewhere,
) -> Result | None:
    carrier = read_carrier(path, others, embedded=False)
    runs = [(s, r) for s, r in carrier.good if r.run]
    if not runs:
        return None
    stored, record = runs[-1]
    itself, partition = record.itself(), carrier.identity.partition
    fits = (
        record.run
        and record.replays == Replay(target.state, target.record.id)
        and as_recorded(step.run, record.run)
        and _used(record) == _uses(step, made)
    )
    if isinstance(target.start, Continued):
        fits = fits and record.previous == made[target.start.state].digest
    if not (fits and itself and partition and itself.digest) or PROVISIONAL in itself.marks:
        return None
    tree = scan_partition(path, partition, Deadline())
    if tree.digest != itself.digest:
        return None
    return Result(target.state, path, tree, record, stored.digest, plan.metadata)


def _used(record: Record) -> set[tuple[str, str, str]]:
    """What a replay used: mount point, folder and content digest of each container."""
    used = {("", "", c.digest or "") for c in record.with_role(APPLICATION)}
    return used | {
        (c.mount or "/", c.source or "/", c.digest or "") for c in record.with_role(INPUT)
    }


def _uses(step: Step, made: Mapping[str, Result]) -> set[tuple[str, str, str]] | None:
    """What it would use now; None where a content is not known."""
    uses = {("", "", step.application.digest)}
    for item in step.inputs:
        if isinstance(item, Rebuilt):
            digest = item.container.digest
        else:
            digest = made[item.state].tree.digest if isinstance(item, Made) else item.digest
        uses.add((item.container.mount or "/", item.container.source or "/", digest))
    return None if any(not d for _, _, d in uses) else {(m, s, d or "") for m, s, d in uses}
