"""A graph as a flowchart in the language of Mermaid, which forges and notebooks draw.

Names of nodes are ours (`e0`, `a0`), so no word of the language can become one. In labels every
character that has a meaning somewhere on the way (Mermaid, Markdown, HTML) is written as a number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from sifprov.model.graph import APPLICATION, DATA, FOLDER, MISSING, Graph
from sifprov.render.fold import folded
from sifprov.render.scene import (
    FAILED,
    FLAGS,
    HELD,
    MADE,
    MAKING,
    REVISION,
    RUN,
    TARGET,
    Scene,
    scene,
)
from sifprov.render.style import KINDS, LIGHT

_SHAPES = {
    DATA: ("[(", ")]"),
    APPLICATION: ("{{", "}}"),
    FOLDER: ("[[", "]]"),
    RUN: ("([", "])"),
    MAKING: (">", "]"),
}
_LINES = {MADE: "==>", REVISION: "-.->"}
_PLAIN = frozenset(" ./,:-…")


def render(graph: Graph) -> str:
    """Returns the flowchart. Boxes that play the same part are one: Mermaid draws no more than 500
    arrows unless it is told to."""
    what = folded(scene(graph))
    return "\n".join(["flowchart LR", *(f"  {line}" for line in _lines(what))]) + "\n"


def _lines(what: Scene) -> Iterator[str]:
    for box in what.boxes.values():
        left, right = _SHAPES[box.kind]
        words = [FLAGS[flag] for flag in box.flags if flag not in (TARGET, HELD)]
        lines = [box.title, *box.lines, *words]
        label = "<br/>".join(_escaped(line) for line in lines)
        yield f'{box.id}{left}"{label}"{right}'
    for arrow in what.arrows:
        label = f'|"{_escaped(arrow.label)}"|' if arrow.label else ""
        yield f"{arrow.source} {_LINES.get(arrow.kind, '-->')}{label} {arrow.target}"
    classes: dict[str, list[str]] = defaultdict(list)
    for box in what.boxes.values():
        for name in (box.kind, *(f for f in box.flags if f in _STYLES)):
            classes[name].append(box.id)
    for name, ids in classes.items():
        yield f"classDef {_CLASS.get(name, name)} {_STYLES[name]}"
        yield f"class {','.join(ids)} {_CLASS.get(name, name)}"


_STYLES = {
    **{
        kind: f"fill:{LIGHT[f'{kind}-ground']},stroke:{LIGHT[kind]},color:{LIGHT['ink']}"
        for kind in KINDS
    },
    MISSING: f"fill:{LIGHT['ground']},stroke:{LIGHT['missing']},stroke-dasharray:5 4",
    FAILED: f"stroke:{LIGHT['bad']}",
    TARGET: "stroke-width:4px",
}
# Words that mean something in the language are no names of classes.
_CLASS = {TARGET: "shown"}


def _escaped(text: str) -> str:
    """The text with every sign but a few as `#NUMBER;`, the first one too: at the beginning of a
    line even a digit can begin a list."""
    return "".join(
        c if (c.isalnum() or c in _PLAIN) and (i or c.isalpha()) else f"#{ord(c)};"
        for i, c in enumerate(text)
    )
