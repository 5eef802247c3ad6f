"""From drafts of steps to steps: in order, with what each needs. Looks at nothing but folders."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from sifprov.errors import MissingError
from sifprov.frozen import dataclass
from sifprov.model.record import Run
from sifprov.replay.ancestry import Past
from sifprov.replay.steps import Continued, Found, Made, Rebuilt, Step, Target
from sifprov.runtime.find import Runtime


@dataclass(frozen=True)
class Draft:
    """A step before the order of all is known; `changed` only by what the user changed in it."""

    past: Past
    run: Run
    runtime: Runtime
    application: Found | None
    inputs: tuple[Found | Made | Rebuilt, ...]
    outputs: tuple[Target, ...]
    changed: bool


def in_order(drafts: Mapping[str, Draft], keys: Iterable[str]) -> tuple[Step, ...]:
    """Returns the steps in the order of `keys`. Raises MissingError where one would stand before
    what it needs."""
    made: dict[str, str] = {}
    steps: dict[str, Step] = {}
    for key in keys:
        draft = drafts[key]
        states = [i.state for i in draft.inputs if isinstance(i, Made)]
        states += [t.start.state for t in draft.outputs if isinstance(t.start, Continued)]
        lost = next((state for state in states if state not in made), None)
        if lost or draft.application is None:
            raise MissingError(
                f"the run {key[:8]}: no earlier run of the records makes {lost} for it"
            )
        needs = tuple(dict.fromkeys(made[state] for state in states))
        made.update((target.state, key) for target in draft.outputs)
        steps[key] = Step(
            key, draft.run, draft.runtime, draft.application, draft.inputs, draft.outputs, needs,
            cwd(draft.run), draft.changed or any(steps[n].changed for n in needs),
        )  # fmt: skip
    return tuple(steps.values())


def cwd(run: Run) -> str:
    """Returns the folder in which a run is replayed: the recorded one, where it is there."""
    return run.cwd if os.path.isdir(run.cwd) else os.getcwd()
