"""Which step needs which, what composition that is, and what runs in one batch job. Pure."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.workflowpart import COARSE, FINE, HYBRID
from sifprov.workflow.document import Step, Workflow


@dataclass(frozen=True)
class Shape:
    """`needs` are, for each step, the numbers of those that make its inputs; `order` is one in
    which each comes behind those. Numbers count from 0, in the order of the file."""

    needs: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]


def shape(workflow: Workflow) -> Shape:
    """Finds the dependencies. Raises RecordError for a circle, and for two steps that make one
    file, or one that makes what it reads."""
    makers, files = _makers(workflow)
    needs = []
    for at, step in enumerate(workflow.steps):
        found = {files[p] for e in step.inputs if e.file and (p := _plain(e.file)) in files}
        found |= {makers[e.output] for e in step.inputs if e.output is not None}
        if at in found:
            raise RecordError(f"steps[{at}]", f"{step.activity!r} reads what it makes itself")
        needs.append(tuple(sorted(found)))
    return Shape(tuple(needs), _order(workflow.steps, needs))


def composition(workflow: Workflow) -> str:
    """Returns the composition: as it is declared, else by the number of application containers."""
    return workflow.composition or counted_composition(workflow)


def counted_composition(workflow: Workflow) -> str:
    """Returns it by the number of application containers: one for several steps is coarse, one for
    each is fine, and hybrid what is between."""
    images = len({_plain(step.application) for step in workflow.steps})
    if images == len(workflow.steps):
        return FINE
    return COARSE if images == 1 else HYBRID


def groups(workflow: Workflow, its: Shape) -> tuple[int | None, ...]:
    """Returns for each step the group that runs in one batch job, None for a job of its own.

    In a fine composition each step has its own. In the others the steps of one application
    container that follow each other share one, unless another job has to run in between: no job
    may wait for one that waits for it.
    """
    if composition(workflow) == FINE:
        return (None,) * len(workflow.steps)
    images = [_plain(step.application) for step in workflow.steps]
    jobs = list(range(len(images)))  # a job is called after its first step
    after: dict[int, set[int]] = {at: set() for at in jobs}  # jobs by what they wait for
    for at in its.order:
        before = {jobs[n] for n in its.needs[at]}
        for job in sorted(before):
            if images[job] == images[at] and not _reaches(after, job, before - {job}):
                jobs[at] = job
                break
        for job in before - {jobs[at]}:
            after[job].add(jobs[at])
    sizes = Counter(jobs)
    return tuple(job if sizes[job] > 1 else None for job in jobs)


def _reaches(after: Mapping[int, set[int]], start: int, wanted: set[int]) -> bool:
    """Whether one of the wanted jobs waits, maybe by others, for the job `start`."""
    seen, left = {start}, [start]
    while left and wanted:
        for job in after[left.pop()] - seen:
            if job in wanted:
                return True
            seen.add(job)
            left.append(job)
    return False


def _makers(workflow: Workflow) -> tuple[dict[str, int], dict[str, int]]:
    """Which step makes the output of a name, and which a file."""
    makers: dict[str, int] = {}
    files: dict[str, int] = {}
    for at, step in enumerate(workflow.steps):
        for n, output in enumerate(step.outputs):
            makers[output.name] = at
            path = _plain(output.path)
            if path in files:
                raise RecordError(
                    f"steps[{at}].outputs[{n}].path",
                    f"{output.path!r} is made by {workflow.steps[files[path]].activity!r} too",
                )
            files[path] = at
    return makers, files


def _plain(path: str) -> str:
    return os.path.normpath(path)


def _order(steps: Sequence[Step], needs: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Returns the steps so that each comes behind those that it needs, else as in the file."""
    wanting = {at: set(needed) for at, needed in enumerate(needs)}
    behind: dict[int, list[int]] = {}
    for at, needed in enumerate(needs):
        for n in needed:
            behind.setdefault(n, []).append(at)
    ready = [at for at, needed in wanting.items() if not needed]
    order: list[int] = []
    while ready:
        at = heappop(ready)
        order.append(at)
        for later in behind.get(at, ()):
            wanting[later].discard(at)
            if not wanting[later]:
                heappush(ready, later)
    if len(order) == len(steps):
        return tuple(order)
    circle = _circle({at: w for at, w in wanting.items() if w})
    names = [repr(steps[at].activity) for at in circle]
    raise RecordError("steps", f"a circle: {', which needs '.join((*names, names[0]))}")


def _circle(wanting: Mapping[int, set[int]]) -> list[int]:
    """Returns the members of one circle, each before one that it needs."""
    at = min(wanting)
    seen: list[int] = []
    while at not in seen:
        seen.append(at)
        at = min(n for n in wanting[at] if n in wanting)
    return seen[seen.index(at) :]
