"""A graph as an SVG picture that stands alone: no script, no font, no other file, no program.

It follows the reader's choice of dark and light, and names each box in words for those who do not
see it. Arrows lead from left to right, as time does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256

from sifprov.model.graph import APPLICATION, DATA, FOLDER, MISSING, Graph
from sifprov.render.cards import CHIP, ICONS, LINE, Card, card, fit, text_width
from sifprov.render.fold import folded
from sifprov.render.layout import GAP_X, Drawing, Link, Place, layout
from sifprov.render.scene import FLAGS, HELD, MADE, MAKING, REVISION, RUN, TARGET, Scene, scene
from sifprov.render.style import SVG_STYLE

_MARGIN, _HEAD, _LEGEND = 28, 34, 34
KIND_NAMES = {
    DATA: "data container",
    APPLICATION: "application",
    FOLDER: "folder",
    RUN: "run",
    MAKING: "making",
}
_MAX_PROBLEMS = 5
_FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" class="sifprov" role="img" aria-labelledby="{name}-t {name}-d">
<title id="{name}-t">{title}</title>
<desc id="{name}-d">{about}</desc>
<style>{style}</style>
<defs><marker id="{name}-m" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" \
markerUnits="userSpaceOnUse" orient="auto"><path class="head" d="M0 0L8 4L0 8Z"/></marker></defs>
<rect class="ground" width="{width}" height="{height}"/>
<text class="heading" x="{left}" y="{base}">{heading}</text>
<g transform="translate({left} {top})">
{body}
</g>
{foot}
</svg>
"""


def render(graph: Graph) -> str:
    """Returns the picture. Boxes that play the same part, such as a run's many inputs, are one."""
    what = folded(scene(graph))
    cards = {id_: card(box) for id_, box in what.boxes.items()}
    numbers = {id_: i for i, id_ in enumerate(cards)}
    links = [Link(numbers[a.source], numbers[a.target], a.kind == REVISION) for a in what.arrows]
    drawing = layout([c.item() for c in cards.values()], links)
    # Several pictures can stand in one page: what is named in one is not found in another.
    keys = "\n".join([*graph.entities, *graph.activities])
    name = "sifprov-" + sha256(keys.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    body = "\n".join(_body(what, list(cards.values()), drawing, f'marker-end="url(#{name}-m)"'))
    problems = what.problems[:_MAX_PROBLEMS]
    width = max(drawing.width, 560) + 2 * _MARGIN
    heading = fit(what.title, width - 2 * _MARGIN, 16, middle=True)
    height = drawing.height + 2 * _MARGIN + _HEAD + _LEGEND + 16 * len(problems)
    foot = "\n".join(_foot(what, problems, drawing.height + _MARGIN + _HEAD))
    return _FRAME.format(
        width=width, height=height, name=name, style=SVG_STYLE, left=_MARGIN, base=_MARGIN + 8,
        top=_MARGIN + _HEAD, title=escape(what.title), heading=escape(heading),
        about=escape(_description(what)), body=body, foot=foot,
    )  # fmt: skip


def escape(text: str) -> str:
    """Returns text for XML, in an element or an attribute. What XML cannot hold at all is gone
    by now: `printable` made an escape of it."""
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        .replace('"', "&quot;").replace("'", "&#39;")
    )  # fmt: skip


def _description(what: Scene) -> str:
    runs = sum(max(1, len(b.members)) for b in what.boxes.values() if b.kind == RUN)
    others = sum(max(1, len(b.members)) for b in what.boxes.values() if not b.is_activity)
    return (
        f"A graph from left to right in time: {runs:,} run(s), {others:,} container(s). Arrows lead"
        " from what a run used to the run, and from the run to what it made."
    )


def _body(what: Scene, cards: Sequence[Card], drawing: Drawing, head: str) -> Iterator[str]:
    labelled: set[tuple[str, str]] = set()
    for number, points in drawing.lines:
        arrow = what.arrows[number]
        marked = " flagged" if arrow.flags else ""
        line = f'class="arrow {arrow.kind}{marked}" d="{path(points)}"'
        yield f"<path {line} {head}/>"
        end = arrow.source if arrow.kind == MADE else arrow.target
        if arrow.label and (end, arrow.label) not in labelled:
            labelled.add((end, arrow.label))
            yield _label(fit(arrow.label, GAP_X - 16, CHIP), points, arrow.kind == MADE)
    for place in drawing.places:
        yield from _place(cards[place.item], place)


def path(points: Sequence[tuple[int, int]]) -> str:
    """Returns the smooth line through points: curves between columns, straight through them."""
    d = [f"M{points[0][0]} {points[0][1]}"]
    for i in range(1, len(points)):
        (x1, y1), (x2, y2) = points[i - 1], points[i]
        if y1 == y2 or i % 2 == 0:
            d.append(f"L{x2} {y2}")
        else:
            half = (x1 + x2) // 2
            d.append(f"C{half} {y1} {half} {y2} {x2} {y2}")
    return "".join(d)


def _label(text: str, points: Sequence[tuple[int, int]], at_start: bool) -> str:
    x, y = points[0] if at_start else points[-1]
    where = f'x="{x + 6}"' if at_start else f'text-anchor="end" x="{x - 9}"'
    return f'<text class="label" {where} y="{y - 4}">{escape(text)}</text>'


def _place(drawn: Card, place: Place) -> Iterator[str]:
    box = drawn.box
    classes = " ".join(["box", box.kind, *(f"is-{flag}" for flag in box.flags)])
    where = f'transform="translate({place.x} {place.y})"'
    told = escape("\n".join([box.title, *box.lines, *(FLAGS[f] for f in box.flags)]))
    if place.alias:
        yield f'<g class="{classes} alias" {where}><title>{told}\n(shown before)</title>'
        yield f'<rect class="outline" width="{place.width}" height="{place.height}" rx="14"/>'
        yield f'<path class="icon" transform="translate(11 7)" d="{ICONS[box.kind]}"/>'
        yield f'<text class="line" x="30" y="18">{escape(drawn.alias)}</text></g>'
        return
    yield f'<g class="{classes}" {where}><title>{told}</title>'
    if box.members:
        for step in (8, 4):
            behind = f'transform="translate({step} {step})"'
            yield f'<path class="outline" {behind} d="{drawn.outline}"/>'
    yield f'<path class="outline" d="{drawn.outline}"/>'
    yield f'<path class="icon" transform="translate(13 13)" d="{ICONS[box.kind]}"/>'
    for text in drawn.texts:
        yield f'<text class="{text.style}" x="{text.x}" y="{text.y}">{escape(text.text)}</text>'
    for chip in drawn.chips:
        yield (
            f'<rect class="chip {chip.flag}" x="{chip.x}" y="{chip.y}" width="{chip.width}"'
            f' height="{chip.height}" rx="8"/><text class="chiptext {chip.flag}" x="{chip.x + 7}"'
            f' y="{chip.y + 12}">{escape(chip.text)}</text>'
        )
    yield "</g>"


def _foot(what: Scene, problems: Sequence[str], top: int) -> Iterator[str]:
    """The legend, of the kinds and marks that the picture has, and the graph's problems."""
    x, y = _MARGIN, top + 30
    present = {box.kind for box in what.boxes.values()}
    for kind, word in KIND_NAMES.items():
        if kind in present:
            yield f'<g class="box {kind}" transform="translate({x} {y - 11})">'
            yield f'<path class="icon" d="{ICONS[kind]}"/>'
            yield f'<text class="line" x="20" y="11">{word}</text></g>'
            x += 20 + int(text_width(word, LINE)) + 20
    for flag in (TARGET, MISSING, HELD):
        if any(flag in box.flags for box in what.boxes.values()):
            yield f'<g class="box {DATA} is-{flag}" transform="translate({x} {y - 11})">'
            yield '<rect class="outline" width="14" height="14" rx="3"/>'
            yield f'<text class="line" x="20" y="11">{FLAGS[flag]}</text></g>'
            x += 20 + int(text_width(FLAGS[flag], LINE)) + 20
    for i, problem in enumerate(problems):
        where = f'x="{_MARGIN}" y="{y + 18 + 16 * i}"'
        yield f'<text class="problem" {where}>! {escape(problem)}</text>'
