"""Plans of recorded graphs, for the tests of replays: what is at hand is said, not looked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.unit.graphmaker import trail_of

from sifprov.errors import MissingError
from sifprov.model.container import Container
from sifprov.model.graph import Graph
from sifprov.model.record import Record, Run
from sifprov.replay import gather
from sifprov.replay.find import Finder
from sifprov.replay.plan import Options, of_trail
from sifprov.replay.runtimes import Runtimes
from sifprov.replay.start import Lists
from sifprov.replay.steps import (
    BY_DIGEST,
    GIVEN,
    RECORDED_PATH,
    Continued,
    Found,
    Fresh,
    Made,
    Plan,
    Refilled,
    Start,
)
from sifprov.runtime.find import Runtime
from sifprov.trail import Trail

CE = Runtime("/usr/bin/singularity", "singularity-ce", "4.3.3")
APPTAINER = Runtime("/usr/bin/apptainer", "apptainer", "1.4.5")


class Shelf(Finder):
    """Finds all containers where they were, but those of the names `lost`. `changed` have another
    content by now; files of the names `same` are given with the recorded content. `asked` tells
    what was looked for."""

    def __init__(
        self,
        lost: Iterable[str] = (),
        changed: Iterable[str] = (),
        same: Iterable[str] = (),
        starts: dict[str, Start | None] | None = None,
        *,
        origins: bool = False,
    ) -> None:
        self.lost, self.changed, self.same = set(lost), set(changed), set(same)
        self.starts, self.origins = starts or {}, origins
        self.asked: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        return ()

    def find(self, container: Container, *, role: str) -> Found:
        self.asked.append(container.name)
        if container.name in self.lost:
            raise MissingError(f"{role} container {container.name} is not found")
        changed = f"{container.name}: changed" if container.name in self.changed else None
        path = container.path
        return Found(container, path, BY_DIGEST, RECORDED_PATH, None, container.digest, changed)

    def given(self, container: Container, path: str, *, role: str) -> Found:
        changed = None if path in self.same else f"{path}: is not {container.name}"
        return Found(container, path, GIVEN, GIVEN, None, "tree-v1:" + "9" * 64, changed)

    def by_digest(self, container: Container, *, role: str) -> Found | None:
        return None

    def layout_of(self, container: Container) -> str | None:
        return None if container.name in self.lost else container.path


class OneRuntime(Runtimes):
    """A machine with one runtime."""

    def __init__(self, runtime: Runtime = CE) -> None:
        self.runtime = runtime

    def of(self, run: Run) -> Runtime:
        return self.runtime


def choose(
    container: Container,
    previous: Record | None,
    finder: Finder,
    lists: Lists,
    *,
    from_origin: bool = False,
    began: str | None = None,
) -> Start | None:
    """What the shelf says an output starts with, by its name; else nothing but an empty one is at
    hand."""
    assert isinstance(finder, Shelf)
    if container.name in finder.starts:
        return finder.starts[container.name]
    if previous and previous.origin and finder.origins:
        return Refilled(previous.origin, container.source or "/", None)
    return None if previous else Fresh(finder.layout_of(container))


def planned(
    what: Graph | Trail,
    shelf: Shelf | None = None,
    *,
    which: str = "",
    runtime: Runtime = CE,
    **options: Any,
) -> Plan:
    """The plan of a graph's first target, or of a trail."""
    trail = trail_of(what) if isinstance(what, Graph) else what
    path = trail.start.identity.path
    old, gather.choose = gather.choose, choose  # type: ignore[attr-defined]
    try:
        return of_trail(
            trail, path, which, Options(**options), shelf or Shelf(), OneRuntime(runtime)
        )
    finally:
        gather.choose = old  # type: ignore[attr-defined]


def hangs_together(plan: Plan) -> None:
    """Every step stands behind those that it needs, every state is made once, and what is made
    before is all that is read as made."""
    made: dict[str, str] = {}
    for step in plan.steps:
        states = [i.state for i in step.inputs if isinstance(i, Made)]
        states += [t.start.state for t in step.outputs if isinstance(t.start, Continued)]
        assert {made[state] for state in states} == set(step.needs)
        for target in step.outputs:
            assert target.state not in made
            assert plan.records[target.state] == target.record
            made[target.state] = step.key
    assert made[plan.wanted] == plan.last.key
    needed = {need for step in plan.steps for need in step.needs}
    assert needed == {step.key for step in plan.steps[:-1]}
