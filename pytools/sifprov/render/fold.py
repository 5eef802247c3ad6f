"""Groups: boxes that play the same part, drawn as one.

Two boxes are of one class when they are of one kind, bear the same marks, and what came of them is
of the same classes: all inputs of one run, say, and the makings of these. Classes are found from
the results backwards, each box once. No way leads from a class back into it, for it would have to
go on for ever; so the folded picture has no loop.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence

from sifprov.model.graph import APPLICATION, DATA, FOLDER
from sifprov.render.clock import local_time
from sifprov.render.scene import MAKING, RUN, Arrow, Box, Scene

# A class of more than this becomes a group; so many names stand on its box.
FEW, NAMED = 12, 3
_NOUNS = {
    DATA: "data containers",
    APPLICATION: "applications",
    FOLDER: "folders",
    RUN: "runs",
    MAKING: "makings",
}


def groups(scene: Scene) -> list[Box]:
    """Returns a box for each group; its id is that of its first member with a `g` before it."""
    classes: dict[int, list[str]] = defaultdict(list)
    of = _classes(scene)
    for id_ in scene.boxes:
        classes[of[id_]].append(id_)
    return [_group(scene.boxes, ids) for ids in classes.values() if len(ids) > FEW]


def folded(scene: Scene) -> Scene:
    """Returns the scene with each group as one box."""
    found = groups(scene)
    into = {member: group.id for group in found for member in group.members}
    by_id = {group.id: group for group in found}
    boxes: dict[str, Box] = {}
    for id_, box in scene.boxes.items():
        at = into.get(id_, id_)
        boxes.setdefault(at, by_id.get(at, box))
    arrows: dict[tuple[str, str, str], list[Arrow]] = defaultdict(list)
    for arrow in scene.arrows:
        ends = into.get(arrow.source, arrow.source), into.get(arrow.target, arrow.target)
        arrows[(*ends, arrow.kind)].append(arrow)
    return Scene(
        boxes, tuple(_one(ends, a) for ends, a in arrows.items()), scene.problems, scene.title
    )


def _one(ends: tuple[str, str, str], arrows: Sequence[Arrow]) -> Arrow:
    label = arrows[0].label if len(arrows) == 1 else f"{len(arrows):,} \u00d7"
    flags = dict.fromkeys(flag for arrow in arrows for flag in arrow.flags)
    return Arrow(*ends, label, tuple(flags))


def _group(boxes: Mapping[str, Box], ids: Sequence[str]) -> Box:
    first = boxes[ids[0]]
    titles = [boxes[id_].title for id_ in ids[:NAMED]]
    times = sorted(when for id_ in ids if (when := boxes[id_].when))
    span = [f"from {local_time(times[0])} on"] if times else []
    lines = (*titles, f"… and {len(ids) - NAMED:,} more", *span)
    title = f"{len(ids):,} {_NOUNS[first.kind]}"
    return Box(f"g{ids[0]}", "", first.kind, title, lines, first.flags, None, tuple(ids))


def _classes(scene: Scene) -> dict[str, int]:
    later: dict[str, list[tuple[str, str]]] = defaultdict(list)
    earlier: dict[str, list[str]] = defaultdict(list)
    waits: dict[str, int] = defaultdict(int)
    for arrow in scene.arrows:
        later[arrow.source].append((arrow.kind, arrow.target))
        earlier[arrow.target].append(arrow.source)
        waits[arrow.source] += 1
    numbers: dict[Hashable, int] = {}
    found: dict[str, int] = {}
    ready = [id_ for id_ in scene.boxes if not waits[id_]]
    for id_ in ready:
        box = scene.boxes[id_]
        after = frozenset((kind, found[target]) for kind, target in later[id_])
        found[id_] = numbers.setdefault((box.kind, box.flags, after), len(numbers))
        for source in earlier[id_]:
            waits[source] -= 1
            if not waits[source]:
                ready.append(source)
    for id_ in scene.boxes:  # what is in a loop is in no group
        found.setdefault(id_, numbers.setdefault(id_, len(numbers)))
    return found
