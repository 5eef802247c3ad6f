"""Boxes stand beside each other, in time's order, and a long trail takes rows."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.graphs import chain, rewritten

from sifprov.model.graph import Graph
from sifprov.render.cards import card
from sifprov.render.layout import GAP_X, PER_ROW, Drawing, Item, Link, Place, layout
from sifprov.render.scene import REVISION, scene


def drawn(graph: Graph) -> tuple[list[Item], list[Link], Drawing]:
    what = scene(graph)
    numbers = {id_: i for i, id_ in enumerate(what.boxes)}
    items = [card(box).item() for box in what.boxes.values()]
    links = [Link(numbers[a.source], numbers[a.target], a.kind == REVISION) for a in what.arrows]
    return items, links, layout(items, links)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[Item], list[Link]]:
    """Activities that use any earlier containers and make new ones."""
    items: list[Item] = [Item(200, 70, False), Item(200, 70, False, True)]
    links: list[Link] = []
    containers = [0, 1]
    for _ in range(draw(st.integers(0, 30))):
        run = len(items)
        items.append(Item(240, draw(st.integers(40, 100)), True))
        used = draw(st.sets(st.sampled_from(containers), max_size=4))
        links += [Link(i, run) for i in sorted(used)]
        earlier = list(containers)
        for _ in range(draw(st.integers(1, 3))):
            links.append(Link(run, len(items)))
            before = draw(st.sampled_from(earlier)) if draw(st.booleans()) else None
            if before is not None:
                links.append(Link(before, len(items), True))
            containers.append(len(items))
            items.append(Item(200, 70, False))
    return items, links


def overlap(a: Place, b: Place) -> bool:
    return (a.x < b.x + b.width and b.x < a.x + a.width
            and a.y < b.y + b.height and b.y < a.y + a.height)  # fmt: skip


@given(graphs())
def test_any_graph_is_drawn_from_left_to_right(sample: tuple[list[Item], list[Link]]) -> None:
    items, links = sample
    found = layout(items, links)
    own = [place for place in found.places if not place.alias]
    assert [place.item for place in own] == list(range(len(items)))
    assert sorted(number for number, _ in found.lines) == list(range(len(links)))
    for i, one in enumerate(found.places):
        assert 0 <= one.x <= one.x + one.width <= found.width
        assert 0 <= one.y <= one.y + one.height <= found.height
        assert not any(overlap(one, other) for other in found.places[:i])
    for number, points in found.lines:
        link = links[number]
        assert all(a[0] <= b[0] for a, b in pairwise(points))
        (x, y), source = points[-1], own[link.target]
        assert x == source.x and source.y < y < source.y + source.height
        x, y = points[0]
        assert any(
            p.item == link.source and p.x + p.width == x and p.y < y < p.y + p.height
            for p in found.places
        )
    assert layout(items, links) == found


def test_a_chain_is_straight() -> None:
    items, _, found = drawn(chain(PER_ROW))
    middles = {p.y + p.height // 2 for p in found.places if not (p.alias or items[p.item].light)}
    assert max(middles) - min(middles) <= 8


def test_a_long_chain_takes_rows_that_no_line_crosses() -> None:
    items, links, found = drawn(chain(1000))
    assert found.width < PER_ROW * 2 * (250 + GAP_X) + 250
    assert len({p.y for p in found.places if items[p.item].is_activity}) >= 1000 // PER_ROW
    # The application once more beside each run, the last container once more in each row.
    assert len(found.places) < 3.3 * 1000
    for _, points in found.lines:
        assert max(y for _, y in points) - min(y for _, y in points) < 200
    assert len(found.lines) == len(links)


def test_lines_that_pass_many_layers_do_not_make_the_picture_quadratic() -> None:
    for graph in (chain(1000), rewritten(1000)):
        _, _, found = drawn(graph)
        assert sum(len(points) for _, points in found.lines) < 20_000


def test_a_loop_ends() -> None:
    items = [Item(10, 40, False), Item(10, 40, True), Item(10, 40, False)]
    found = layout(items, [Link(0, 1), Link(1, 0), Link(1, 2)])
    assert len(found.places) == 3


def test_a_revision_that_cannot_be_costs_no_other_line() -> None:
    items = [Item(10, 40, False), Item(10, 40, True), Item(10, 40, False), Item(10, 40, False)]
    found = layout(items, [Link(0, 1), Link(1, 2), Link(1, 3), Link(2, 3, True)])
    assert [number for number, _ in found.lines] == [0, 1, 2]


def test_nothing_is_drawn_of_nothing() -> None:
    assert layout([], []) == Drawing((), (), 0, 0)
