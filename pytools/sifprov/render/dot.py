"""A graph in the language of Graphviz, and drawn by its program `dot` where that is asked for."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator

from sifprov.errors import MissingError, SifprovError
from sifprov.model.container import CHANGED_OUTSIDE, PROVISIONAL
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
    USED,
    Box,
    Scene,
    scene,
)
from sifprov.render.style import LIGHT

_SHAPES = {
    DATA: "cylinder",
    APPLICATION: "component",
    FOLDER: "folder",
    RUN: "box",
    MAKING: "cds",
}
_SECONDS = 120
# dot needs minutes for arrows that lead over a hundred layers.
_MOST_USES = 3


def render(graph: Graph) -> str:
    """Returns the graph as DOT text, each container and each activity a node."""
    return "\n".join(_lines(scene(graph), most_uses=None)) + "\n"


def render_svg(graph: Graph) -> str:
    """Returns the SVG that Graphviz draws. Boxes that play the same part are one. Raises
    MissingError where there is no `dot`, and SifprovError where it fails."""
    program = shutil.which("dot")
    if program is None:
        raise MissingError(
            "the program 'dot' is not there",
            hint="install graphviz, or leave the engine to sifprov",
        )
    try:
        done = subprocess.run(
            [program, "-Tsvg"],
            input="\n".join(_lines(folded(scene(graph)), _MOST_USES)).encode(),
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SifprovError(
            f"'dot' was not ready after {_SECONDS} s",
            hint="the engine of sifprov draws large trails faster",
        ) from error
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise SifprovError(f"'dot' failed: {said[-1] if said else done.returncode}")
    return done.stdout.decode("utf-8")


def _lines(what: Scene, most_uses: int | None) -> Iterator[str]:
    """The text; what is used more often than `most_uses` has a smaller node at each further use."""
    yield "digraph trail {"
    yield f"  graph [rankdir=LR, label={_quoted(what.title)}, labelloc=t, fontname=sans];"
    yield "  node [fontname=sans, fontsize=10, style=filled, penwidth=1.2];"
    yield f'  edge [fontname=sans, fontsize=9, color="{LIGHT["arrow"]}"];'
    for box in what.boxes.values():
        yield f"  {box.id} [{_attributes(box)}];"
    uses: Counter[str] = Counter()
    for number, arrow in enumerate(what.arrows):
        source = arrow.source
        uses[source] += arrow.kind == USED
        if most_uses is not None and uses[source] > most_uses:
            source = f"u{number}"
            box = what.boxes[arrow.source]
            yield f"  {source} [label={_quoted(box.title)}, shape={_SHAPES[box.kind]}, fontsize=8];"
        style = {MADE: ", penwidth=2", REVISION: ", style=dotted"}.get(arrow.kind, "")
        label = f"label={_quoted(arrow.label)}" if arrow.label else 'label=""'
        marked = f', color="{LIGHT["bad"]}"' if arrow.flags else ""
        yield f"  {source} -> {arrow.target} [{label}{style}{marked}];"
    for problem in what.problems:
        yield "  // " + problem
    yield "}"


def _attributes(box: Box) -> str:
    color = LIGHT["bad"] if FAILED in box.flags else LIGHT[box.kind]
    words = [FLAGS[flag] for flag in box.flags if flag not in (TARGET, HELD)]
    style = ["filled"]
    style += ["rounded"] if box.kind == RUN else []
    style += ["dashed"] if MISSING in box.flags else []
    found = [
        f"label={_quoted(box.title, *box.lines, *(f'({word})' for word in words))}",
        f"shape={_SHAPES[box.kind]}",
        f'color="{color}"',
        f'fillcolor="{LIGHT[f"{box.kind}-ground"]}"',
        f'style="{",".join(style)}"',
    ]
    found += ["penwidth=3"] if TARGET in box.flags else []
    found += ["peripheries=2"] if box.members else []
    if CHANGED_OUTSIDE in box.flags or PROVISIONAL in box.flags:
        found.append(f'fontcolor="{LIGHT["bad"]}"')
    return ", ".join(found)


def _quoted(*lines: str) -> str:
    """A text of several lines, as DOT quotes it. Backslashes would name the node, quotes would end
    the text, and dot reads `&lt;` as HTML does."""
    escaped = (
        line.replace("&", "&amp;").replace("\\", "\\\\").replace('"', '\\"') for line in lines
    )
    return '"' + "\\n".join(escaped) + '"'
