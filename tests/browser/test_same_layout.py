"""The page places boxes as the SVG does: one layout, written in two languages."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from sifprov.model.graph import Graph
from sifprov.render.cards import card
from sifprov.render.layout import FAR, MOST_IN_ONE, PER_ROW, Item, Link, layout
from sifprov.render.scene import REVISION, scene
from tests.browser.chromium import Browser
from tests.unit.graphs import SAMPLES, chain, diamonds, rewritten, small


def in_page(browser: Browser, items: list[Item], links: list[Link]) -> dict[str, Any]:
    told = [
        {"width": i.width, "height": i.height, "activity": i.is_activity, "light": i.light}
        for i in items
    ]
    lines = [{"source": k.source, "target": k.target, "revision": k.revision} for k in links]
    rows = {"per": PER_ROW, "one": MOST_IN_ONE, "far": FAR}
    script = f"layout({json.dumps(told)}, {json.dumps(lines)}, {json.dumps(rows)})"
    return dict(browser.run(script))


def in_python(items: list[Item], links: list[Link]) -> dict[str, Any]:
    found = layout(items, links)
    return {
        "places": [asdict(place) for place in found.places],
        "lines": [[n, [list(point) for point in points]] for n, points in found.lines],
        "width": found.width,
        "height": found.height,
    }  # fmt: skip


def drawn(graph: Graph) -> tuple[list[Item], list[Link]]:
    what = scene(graph)
    numbers = {id_: i for i, id_ in enumerate(what.boxes)}
    links = [Link(numbers[a.source], numbers[a.target], a.kind == REVISION) for a in what.arrows]
    return [card(box).item() for box in what.boxes.values()], links


def some(seed: int) -> tuple[list[Item], list[Link]]:
    """A graph of up to 60 runs that use and write anything; some of its revisions cannot be."""
    rng = random.Random(seed)  # noqa: S311
    items = [Item(200, 70, False), Item(200, 71, False, True)]
    links: list[Link] = []
    for _ in range(rng.randrange(60)):
        run = len(items)
        containers = [i for i, item in enumerate(items) if not item.is_activity]
        items.append(Item(rng.randrange(200, 260), rng.randrange(40, 100), True))
        links += [Link(i, run) for i in set(rng.choices(containers, k=rng.randrange(5)))]
        for _ in range(rng.randrange(1, 4)):
            links.append(Link(run, len(items)))
            if rng.random() < 0.3:
                links.append(Link(rng.choice(containers), len(items), True))
            items.append(Item(200, rng.randrange(60, 90), False, rng.random() < 0.1))
            containers.append(len(items) - 1)
    return items, links


GRAPHS: dict[str, Callable[[], Graph]] = {
    **SAMPLES,
    "chain-60": lambda: chain(60),
    "rewritten-40": lambda: rewritten(40),
    "diamonds-20": lambda: diamonds(20),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_samples(page: Callable[[Graph], Browser], name: str) -> None:
    browser = page(small())
    items, links = drawn(GRAPHS[name]())
    assert in_page(browser, items, links) == in_python(items, links)


def test_any_graph(page: Callable[[Graph], Browser]) -> None:
    browser = page(small())
    for seed in range(100):
        items, links = some(seed)
        assert in_page(browser, items, links) == in_python(items, links), seed


def test_nothing(page: Callable[[Graph], Browser]) -> None:
    assert in_page(page(small()), [], []) == in_python([], [])
