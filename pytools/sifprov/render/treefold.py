"""What of a tree may be folded: inputs of one kind beside each other, and long straight chains.

Two things have one shape when the same happened to them: containers of one kind and standing, made
by runs of one application with one outcome from containers of one shape. Shapes are numbers, found
from the oldest activity on, each once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from itertools import groupby
from typing import NamedTuple

from sifprov.frozen import replace
from sifprov.model.container import INPUT
from sifprov.model.graph import Activity, Graph, Usage
from sifprov.render.clock import local_time
from sifprov.terminal import printable

# Of so many that are alike, some are folded: the first ones and the last stay.
FEW, FIRST = 6, 2


class Item(NamedTuple):
    """A branch that is still to be drawn: a line of its own (`text`); an activity (`key`), that
    made the entity `via`; or with `usage` what the activity that made `via` used."""

    text: str = ""
    key: str = ""
    via: str = ""
    level: int = 0
    usage: Usage | None = None
    below: tuple[Item, ...] = ()


class Shapes:
    """The shapes of a graph's entities, and how long the chains are that end in them."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._numbers: dict[Hashable, int] = {}
        self._entity: dict[str, int] = {}
        self._activity: dict[str, int] = {}
        self._length: dict[str, int] = {}
        self._last: dict[str, str] = {}
        for activity in graph.activities.values():
            used = tuple(sorted({self.of(u.entity) for u in activity.used}))
            self._activity[activity.key] = self._number((*self._kind(activity), used))
            for usage in activity.generated:
                self._measure(usage.entity, activity)

    def of(self, key: str) -> int:
        """Returns the shape of an entity, with all that it came from."""
        if key not in self._entity:
            entity = self._graph.entities[key]
            made = self._activity.get(entity.generated_by or "")
            before = self._entity.get(entity.revision_of or "")
            it = (entity.kind, entity.standing, entity.problem, entity.container.marks)
            self._entity[key] = self._number((*it, made, before))
        return self._entity[key]

    def step(self, key: str) -> Hashable:
        """Returns what happened in one activity, whatever it used came from."""
        activity = self._graph.activities[key]
        return (*self._kind(activity), len(activity.used), len(activity.generated))

    def next(self, key: str) -> str | None:
        """Returns the one container that an entity was made from which has a history of its own,
        where there is just one, and the entity has none but that."""
        entity = self._graph.entities[key]
        activity = self._graph.activities.get(entity.generated_by or "")
        if activity is None or entity.revision_of:
            return None
        made = [u.entity for u in activity.used if self._has_history(u.entity)]
        return made[0] if len(made) == 1 else None

    def length(self, key: str) -> int:
        """Returns how many entities, one made from the other in the same way, end in this one."""
        return self._length.get(key, 1)

    def last(self, key: str) -> str:
        """Returns the oldest of these."""
        return self._last.get(key, key)

    def _measure(self, key: str, activity: Activity) -> None:
        before = self.next(key)
        by = self._graph.entities[before].generated_by if before else None
        alike = by and by in self._graph.activities and self.step(by) == self.step(activity.key)
        if before and alike and not self._graph.entities[before].problem:
            self._length[key] = self.length(before) + 1
            self._last[key] = self.last(before)

    def _has_history(self, key: str) -> bool:
        entity = self._graph.entities[key]
        return bool(entity.generated_by or entity.revision_of)

    def _kind(self, activity: Activity) -> tuple[Hashable, ...]:
        run = activity.run
        names = tuple(u.container.name for u in activity.used if u.container.role == "application")
        ended = (run.action, run.outcome, run.exit_code, run.signal) if run else ()
        said = activity.words or (activity.record and activity.record.annotation)
        return (activity.kind, names, ended, activity.key if said else None)

    def _number(self, shape: Hashable) -> int:
        return self._numbers.setdefault(shape, len(self._numbers))


class Folds:
    """Leaves out of branches what is like others, where `collapse` says so."""

    def __init__(self, graph: Graph, *, collapse: bool) -> None:
        self._graph = graph
        self._shapes = Shapes(graph) if collapse else None

    def uses(self, items: list[Item]) -> list[Item]:
        """Returns the branches of what a run used, less those that are like their neighbours."""
        shapes = self._shapes
        if not shapes:
            return items

        def alike(item: Item) -> Hashable:
            usage = item.usage
            return usage and (usage.container.role, shapes.of(usage.entity))

        def text(hidden: list[Item]) -> str:
            them = [i.usage.container for i in hidden if i.usage]
            first, last = printable(them[0].name), printable(them[-1].name)
            return f"… {len(them):,} more {them[0].role}s of the same kind, {first} to {last}"

        return _folded(items, alike, text)

    def runs(self, items: list[Item]) -> list[Item]:
        """Returns the branches of the runs that wrote one container, less those that are alike."""
        shapes = self._shapes
        if not shapes:
            return items

        def alike(item: Item) -> Hashable:
            return item.key and shapes.step(item.key)

        def text(hidden: list[Item]) -> str:
            span = self._span(hidden[-1].key, hidden[0].key)
            return f"… {len(hidden):,} more runs of the same kind, {span}"

        return _folded(items, alike, text)

    def chain(self, via: str, key: str, level: int) -> list[Item]:
        """Returns the one branch that stands for a long way on which each container was made from
        the one before in the same way; `via` is what was made from `key`. Else nothing."""
        shapes, entities = self._shapes, self._graph.entities
        if not shapes or shapes.length(key) < FEW or shapes.last(via) != shapes.last(key):
            return []
        last = shapes.last(key)
        span = self._span(entities[last].generated_by, entities[key].generated_by)
        hidden = shapes.length(key) - 1
        text = f"… {hidden:,} more runs of the same kind, one behind the other, {span}"
        used = replace(entities[last].container, role=INPUT, mount=None)
        end = Item(usage=Usage(last, used), via=last, level=level)
        return [Item(text, below=(end,))]

    def _span(self, first: str | None, last: str | None) -> str:
        times = []
        for key in (first, last):
            activity = self._graph.activities.get(key or "")
            if activity and activity.record:
                run = activity.run
                times.append(local_time(run.started if run else activity.record.recorded))
        return " to ".join(times)


def _folded(
    items: list[Item], alike: Callable[[Item], Hashable], text: Callable[[list[Item]], str]
) -> list[Item]:
    if len(items) <= FEW:
        return items
    found = []
    for step, several in groupby(items, alike):
        group = list(several)
        if step not in (None, "") and len(group) > FEW:
            group = [*group[:FIRST], Item(text(group[FIRST:-1])), group[-1]]
        found += group
    return found
