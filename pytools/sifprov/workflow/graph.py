"""Which step needs which, what composition that is, and what runs in one batch job. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

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
    container that follow each other share one, unless a step of another application has to run in
    between.
    """
    found: list[int | None] = [None] * len(workflow.steps)
    if composition(workflow) == FINE:
        return tuple(found)
    before = _ancestors(its)
    members: dict[int, set[int]] = {}
    for at in its.order:
        image = _plain(workflow.steps[at].application)
        for number in sorted({found[n] for n in its.needs[at]} - {None}, key=str):
            if number is None or _plain(workflow.steps[number].application) != image:
                continue
            inside = members[number]
            between = {n for n in before[at] if before[n] & inside}
            if between <= inside:
                found[at] = number
                inside.add(at)
                break
        else:
            found[at] = at
            members[at] = {at}
    alone = {number for number, inside in members.items() if len(inside) == 1}
    return tuple(None if number in alone else number for number in found)


def _ancestors(its: Shape) -> Mapping[int, set[int]]:
    found: dict[int, set[int]] = {}
    for at in its.order:
        found[at] = set(its.needs[at]).union(*(found[n] for n in its.needs[at]))
    return found


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
        at = min(ready)
        ready.remove(at)
        order.append(at)
        for later in behind.get(at, ()):
            wanting[later].discard(at)
            if not wanting[later]:
                ready.append(later)
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
