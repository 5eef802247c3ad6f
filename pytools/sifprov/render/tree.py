"""The trail as a tree of text lines: a container, the runs that wrote it from the newest on, and
below each what it used, with the history of that.

What has two ways to it is drawn once and named elsewhere. Where the branches would reach too far to
the right, the rest begins anew further below. No call is deeper than the others, however long the
chain.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from uuid import UUID

from sifprov.lineage import build
from sifprov.model.graph import Entity, Graph, Usage
from sifprov.model.record import OUTPUT
from sifprov.render.colour import Palette
from sifprov.render.filesizes import FileSizes
from sifprov.render.standing import standing_lines
from sifprov.render.treefold import Folds, Item
from sifprov.render.treetext import Texts
from sifprov.signatures import DATA
from sifprov.terminal import counted, printable
from sifprov.trail import Carrier, Trail

# The branches of one level: its items, and the last of them.
_TEE, _BAR, _END, _GAP = "├─ ", "│  ", "└─ ", "   "
# How many runs deep a branch goes before the rest of it begins anew.
_MAX_LEVEL = 10
_MAX_PROBLEMS = 50


class _Node(NamedTuple):
    """A line of the tree, lines that belong to it, and what hangs below it."""

    text: str
    more: list[str]
    children: list[Item]


def render(
    trail: Trail,
    palette: Palette | None = None,
    *,
    depth: int | None = None,
    collapse: bool = False,
) -> str:
    """Returns the tree of a trail, with what its containers say of signatures and of how their
    content stands now. The rest is as in `draw`."""
    notes = {}
    for carrier in (trail.start, *trail.ancestors.values()):
        if carrier.identity.uuid:
            notes[carrier.identity.uuid] = list(_signed_lines(carrier))
    own = trail.start.identity.uuid
    it = next((r.itself() for _, r in reversed(trail.start.good) if r.run), None)
    if own:
        notes[own] = [*standing_lines(trail.standing, it.digest if it else None), *notes[own]]
    sizes = FileSizes(trail.documents)
    return draw(build(trail), palette, depth=depth, collapse=collapse, notes=notes, sizes=sizes)


def draw(
    graph: Graph,
    palette: Palette | None = None,
    *,
    depth: int | None = None,
    collapse: bool = False,
    notes: Mapping[UUID, list[str]] | None = None,
    sizes: FileSizes | None = None,
) -> str:
    """Returns the tree of a graph.

    `depth` is how many runs one behind the other are drawn; None for all. `collapse` draws of what
    is alike a few, and how many there are. `notes` are more lines for containers; `sizes` knows how
    large their files are.
    """
    paint = palette or Palette()
    texts = Texts(graph, paint, sizes, collapse=collapse)
    return "\n".join(_Tree(graph, texts, paint, depth, collapse, notes or {}).lines())


class _Tree:
    def __init__(
        self,
        graph: Graph,
        texts: Texts,
        palette: Palette,
        depth: int | None,
        collapse: bool,
        notes: Mapping[UUID, list[str]],
    ) -> None:
        self._graph = graph
        self._texts = texts
        self._paint = palette
        self._depth = depth
        self._folds = Folds(graph, collapse=collapse and depth is None)
        self._notes = dict(notes)
        # What begins a part, and how many runs deep it stands.
        self._sections = deque((key, 0) for key in graph.targets)
        self._begin = 0
        self._later: set[str] = set()
        self._shown: set[str] = set()
        self._drawn: set[str] = set()

    def lines(self) -> Iterator[str]:
        first = True
        while self._sections:
            key, self._begin = self._sections.popleft()
            if not first:
                yield ""
            first = False
            yield from self._section(key)
        for record in self._graph.words:
            yield from self._texts.words(record)
        problems = self._graph.problems
        for problem in problems[:_MAX_PROBLEMS]:
            yield self._paint.bad("! " + printable(problem))
        if len(problems) > _MAX_PROBLEMS:
            more = len(problems) - _MAX_PROBLEMS
            yield self._paint.bad(f"! … {more:,} more; --json has them all")

    def _section(self, key: str) -> Iterator[str]:
        entity = self._graph.entities[key]
        more = [*self._texts.standing_lines(entity), *self._note(entity)]
        root = _Node(self._texts.name(entity), more, self._history(key, self._begin))
        stack: list[tuple[_Node | Item, str, str]] = [(root, "", "")]
        while stack:
            item, first, rest = stack.pop()
            node = self._open(item) if isinstance(item, Item) else item
            yield first + node.text
            below = rest + (_BAR if node.children else _GAP)
            yield from (below + line for line in node.more)
            for i, child in reversed(list(enumerate(node.children))):
                last = i == len(node.children) - 1
                stack.append(
                    (child, rest + (_END if last else _TEE), rest + (_GAP if last else _BAR))
                )

    def _open(self, item: Item) -> _Node:
        if item.usage:
            return self._open_usage(item, item.usage)
        if not item.key:
            return _Node(item.text, [], list(item.below))
        activity = self._graph.activities[item.key]
        uses = [
            Item(usage=usage, via=item.via, level=item.level + 1)
            for usage in (*activity.used, *activity.generated)
            # What it made is told above, but for what only this line tells of the first container.
            if usage.entity != item.via or (item.level == self._begin and activity.run)
        ]
        more = list(self._texts.activity_lines(activity))
        return _Node(self._texts.activity(activity), more, self._folds.uses(uses))

    def _open_usage(self, item: Item, usage: Usage) -> _Node:
        entity = self._graph.entities[usage.entity]
        text = self._texts.usage(usage.container, entity)
        more = list(self._texts.usage_lines(usage.container, entity))
        if usage.container.role == OUTPUT:
            return _Node(text, more, [])
        more += self._note(entity)
        alone = not (entity.generated_by or entity.revision_of)
        if alone or self._refers(usage.entity, item.level, more):
            return _Node(text, more, [])
        below = self._folds.chain(item.via, usage.entity, item.level)
        return _Node(text, more, below or self._history(entity.key, item.level))

    def _refers(self, key: str, level: int, more: list[str]) -> bool:
        """Whether a container's history is not drawn here; says why not."""
        if key in self._shown:
            more.append(self._see(key))
        elif key in self._later:
            more.append("its history stands below")
        elif self._depth is not None and level >= self._depth:
            more.append(f"… its history is more than {counted(self._depth, 'run')} deep")
        elif level >= self._begin + _MAX_LEVEL:
            more.append("its history stands below")
            self._later.add(key)
            self._sections.append((key, level))
        else:
            return False
        return True

    def _history(self, key: str, level: int) -> list[Item]:
        """The activities that made a container what it is, the newest first."""
        items = []
        at: str | None = key
        while at:
            entity = self._graph.entities[at]
            if at in self._shown:
                items.append(Item(f"before that: {self._see(at)}"))
                break
            self._shown.add(at)
            by = entity.generated_by
            if by in self._drawn:
                items.append(Item(self._see(at)))
            elif by and by in self._graph.activities:
                self._drawn.add(by)
                items.append(Item(key=by, via=at, level=level))
            elif at != key:
                said = " ".join(self._texts.standing_lines(entity))
                items.append(Item(f"before that: {said or 'nothing is recorded'}"))
            at = entity.revision_of
        return self._folds.runs(items)

    def _see(self, key: str) -> str:
        by = self._graph.entities[key].generated_by
        activity = self._graph.activities.get(by or "")
        if activity is None:
            return "its history is shown above"
        return f"see {self._texts.activity(activity)}"

    def _note(self, entity: Entity) -> list[str]:
        """What is to be said of a container, once."""
        return self._notes.pop(entity.uuid, []) if entity.uuid else []


def _signed_lines(carrier: Carrier) -> Iterator[str]:
    if carrier.signatures:
        count = sum(map(carrier.is_signed, carrier.records))
        what = ["the data"] if any(s.covers == DATA for s in carrier.signatures) else []
        what += [f"{count} of {len(carrier.records)} records"] if count else []
        what = what or ["neither data nor records"]
        yield f"signatures on {' and '.join(what)} (the runtime's 'verify' says whether they hold)"
    if carrier.changed_after_signing:
        yield "the data was changed by a run after it was signed: that signature no longer holds"
