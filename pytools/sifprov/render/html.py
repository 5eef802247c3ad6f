"""A graph as one HTML page that needs nothing else: no network, no other file, no framework.

The page holds the data as JSON and a table of all of it, for readers without scripts. Its policy
(Content-Security-Policy) lets only the one script and the one style sheet below work, known by
their digests, and forbids every request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from sifprov.model.graph import Graph
from sifprov.model.telemetry import Telemetry
from sifprov.render.cards import ICONS, Card, card
from sifprov.render.detail import Section, of_activity, of_entity
from sifprov.render.filerows import FileLists, files_of
from sifprov.render.fold import folded
from sifprov.render.layout import FAR, MOST_IN_ONE, PER_ROW
from sifprov.render.scene import FLAGS, REVISION, TARGET, Box, Scene, scene
from sifprov.render.style import DARK, LIGHT, rules, shapes
from sifprov.render.svg import KIND_NAMES, escape
from sifprov.render.telemetry import drawn_usage

_PAGE = Path(__file__).with_name("page")
_STYLES = ("page.css",)
# In the order in which they need each other.
SCRIPTS = (
    "columns.js", "layout.js", "data.js", "fold.js", "draw.js", "view.js", "detail.js",
    "telemetry.js", "find.js", "keys.js", "main.js",
)  # fmt: skip


def render(
    graph: Graph,
    documents: Mapping[str, bytes] | None = None,
    measured: Mapping[str, Telemetry] | None = None,
) -> str:
    """Returns the page. `documents` are what the containers embed, lists of files among it;
    `measured` is what was measured of runs, by the digest that their records name."""
    whole = scene(graph)
    script, style = _script(), _style()
    about = _details(graph, whole, FileLists(documents))
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}';"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )
    values = {
        "POLICY": escape(policy),
        "TITLE": escape(whole.title),
        "STYLE": style,
        "PROBLEMS": "".join(f"<li>{escape(p)}</li>" for p in whole.problems),
        "TABLE": "".join(_table(whole, about)),
        "DATA": _json(_data(whole, about, drawn_usage(graph, measured or {}))),
        "SCRIPT": script,
    }
    # The frame is cut at its own marks, so that no text of the data is taken for one.
    parts = (_PAGE / "page.html").read_text(encoding="utf-8").split("%%")
    return "".join(values[part] if i % 2 else part for i, part in enumerate(parts))


def _script() -> str:
    return "\n" + "\n".join((_PAGE / name).read_text(encoding="utf-8") for name in SCRIPTS)


def _style() -> str:
    def variables(of: Mapping[str, str]) -> str:
        return "".join(f"--{name}:{value};" for name, value in of.items())

    dark = variables(DARK)
    by_name = {name: f"var(--{name})" for name in LIGHT}
    return "\n" + "\n".join(
        (
            f":root{{color-scheme:light dark;{variables(LIGHT)}}}",
            f"@media(prefers-color-scheme:dark){{:root:not([data-theme=light]){{{dark}}}}}",
            f":root[data-theme=dark]{{color-scheme:dark;{dark}}}",
            ":root[data-theme=light]{color-scheme:light}",
            shapes(".drawn "),
            rules(by_name, ".drawn "),
            *((_PAGE / name).read_text(encoding="utf-8") for name in _STYLES),
        )
    )


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _json(value: object) -> str:
    """JSON that can stand in an element: nothing in it ends one, or a line of a script."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def _details(graph: Graph, whole: Scene, lists: FileLists) -> dict[str, list[Section]]:
    ids = {box.key: id_ for id_, box in whole.boxes.items() if not box.is_activity}
    by_key = {(box.is_activity, box.key): id_ for id_, box in whole.boxes.items()}
    # Where there is no room for all lists, those of the results and of what came last count most.
    files = files_of(graph)
    order = dict.fromkeys([*graph.targets, *reversed(list(graph.entities))])
    found = {
        by_key[False, key]: of_entity(graph.entities[key], lists.rows(files.get(key)))
        for key in order
    }
    for key, activity in reversed(list(graph.activities.items())):
        found[by_key[True, key]] = of_activity(activity, ids)
    return found


def _data(whole: Scene, about: Mapping[str, list[Section]], used: Mapping[str, object]) -> object:
    """What the scripts read; data.js says what stands where. `used` is by the keys of runs."""
    drawn = folded(whole)
    return {
        "title": whole.title,
        "icons": ICONS,
        "kinds": KIND_NAMES,
        "flags": FLAGS,
        "rows": {"per": PER_ROW, "one": MOST_IN_ONE, "far": FAR},
        "boxes": [_box(card(box)) for box in drawn.boxes.values()],
        "arrows": [
            [a.source, a.target, a.kind, a.label, int(bool(a.flags))] for a in drawn.arrows
        ],
        "items": {
            id_: {**_named(box), "about": about[id_], **_used(box, used)}
            for id_, box in whole.boxes.items()
        },
    }  # fmt: skip


def _used(box: Box, used: Mapping[str, object]) -> dict[str, object]:
    return {"used": used[box.key]} if box.is_activity and box.key in used else {}


def _named(box: Box) -> dict[str, object]:
    return {"kind": box.kind, "title": box.title, "lines": box.lines, "flags": box.flags}


def _box(drawn: Card) -> object:
    box = drawn.box
    return {
        **_named(box),
        "id": box.id,
        "members": box.members,
        "width": drawn.width,
        "height": drawn.height,
        "outline": drawn.outline,
        "texts": [[t.x, t.y, t.style, t.text] for t in drawn.texts],
        "chips": [[c.x, c.y, c.width, c.height, c.flag, c.text] for c in drawn.chips],
        "alias": drawn.alias,
    }


def _table(whole: Scene, about: Mapping[str, list[Section]]) -> Iterator[str]:
    """Rows of every run and making, oldest first, then of every container."""
    before: dict[str, list[str]] = {}
    after: dict[str, list[str]] = {}
    for arrow in whole.arrows:
        if arrow.kind != REVISION:
            after.setdefault(arrow.source, []).append(arrow.target)
            before.setdefault(arrow.target, []).append(arrow.source)
    for box in (*_in_order(whole, True), *_in_order(whole, False)):
        came = _names(whole, before.get(box.id, []))
        went = _names(whole, after.get(box.id, []))
        marks = ", ".join(FLAGS[flag] for flag in box.flags)
        cells = (KIND_NAMES[box.kind], box.title, "; ".join(box.lines), came, went, marks)
        head = ' class="target"' if TARGET in box.flags else ""
        yield f'<tr data-id="{box.id}"{head}>'
        yield "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"


def _in_order(whole: Scene, activities: bool) -> list[Box]:
    return [box for box in whole.boxes.values() if box.is_activity == activities]


def _names(whole: Scene, ids: list[str], most: int = 20) -> str:
    named = ", ".join(whole.boxes[id_].title for id_ in ids[:most])
    return named + (f" and {len(ids) - most:,} more" if len(ids) > most else "")
