"""Where the boxes of a picture stand: in layers from left to right, each behind all it came from.

Containers stand in even layers, runs and makings in odd ones. A long trail is set as a text is: in
rows. What a row needs from far away stands there once more, as an alias, so no arrow crosses a
row. The order in a layer comes from a few barycentre sweeps, the heights from the pool of adjacent
violators (each box as near to its neighbours as the others let it). All of it is linear, but for
sorting. The page's layout.js does the same to the last pixel; a test compares them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sifprov.render.columns import Cells, heights, order_columns

GAP_X, GAP_ROW = 72, 56
ALIAS = (176, 28)
# So many activities stand in a row, or in the only one; an arrow over more layers than FAR gets
# an alias.
PER_ROW, MOST_IN_ONE, FAR = 6, 8, 5
_DUMMY = 14


@dataclass(frozen=True)
class Item:
    """A box to be placed: its size; `light` ones (applications) do not pull others to them."""

    width: int
    height: int
    is_activity: bool
    light: bool = False


@dataclass(frozen=True)
class Link:
    """An arrow between two items, by their numbers; `revision` joins two containers."""

    source: int
    target: int
    revision: bool = False


@dataclass(frozen=True)
class Place:
    """Where an item stands, in whole pixels; an alias is a smaller second sight of it."""

    item: int
    x: int
    y: int
    width: int
    height: int
    alias: bool


@dataclass(frozen=True)
class Drawing:
    """The places, the points of each link (by its number), and the size of it all."""

    places: tuple[Place, ...]
    lines: tuple[tuple[int, tuple[tuple[int, int], ...]], ...]
    width: int
    height: int


def layout(items: Sequence[Item], links: Sequence[Link]) -> Drawing:
    """Returns where to draw `items` and `links`. Links of a loop are not drawn."""
    layer, kept = _layers(items, links)
    cells = Cells()
    chains = _place_cells(cells, items, links, kept, layer)
    columns: dict[tuple[int, int], list[int]] = {}
    for cell in range(len(cells.item)):
        columns.setdefault((cells.row[cell], cells.column[cell]), []).append(cell)
    order = [columns[key] for key in sorted(columns)]
    order_columns(cells, order)
    center = heights(cells, order)
    return _draw(cells, order, center, chains)


def _layers(items: Sequence[Item], links: Sequence[Link]) -> tuple[list[int], list[int]]:
    """The layer of each item, and the numbers of the links that lead to a later one."""
    layer, complete = _rank(items, links)
    if not complete:  # revisions that contradict the order of the runs
        layer, _ = _rank(items, [link for link in links if not link.revision])
    kept = []
    for n, link in enumerate(links):
        if layer[link.target] - layer[link.source] >= (2 if link.revision else 1):
            kept.append(n)
    return layer, kept


def _rank(items: Sequence[Item], links: Sequence[Link]) -> tuple[list[int], bool]:
    """The layer of each item; and whether there is an order that all links follow."""
    count = len(items)
    maker = [-1] * count
    for link in links:
        if items[link.source].is_activity:
            maker[link.target] = link.source
    after: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    waits = [0] * count

    def must(first: int, second: int, apart: int) -> None:
        after[first].append((second, apart))
        waits[second] += 1

    for link in links:
        must(link.source, link.target, 2 if link.revision else 1)
        if link.revision and maker[link.target] >= 0:
            must(link.source, maker[link.target], 1)
    ready = [i for i in range(count) if not waits[i]]
    layer = [1 if item.is_activity else 0 for item in items]
    for i in ready:
        for j, apart in after[i]:
            layer[j] = max(layer[j], layer[i] + apart)
            waits[j] -= 1
            if not waits[j]:
                ready.append(j)
    known = set(ready)
    for i in reversed(ready):  # as late as possible: a source stands beside its first use
        nexts = [layer[j] - apart for j, apart in after[i] if j in known]
        if nexts:
            layer[i] = min(nexts)
    for i in ready:
        if maker[i] >= 0:
            layer[i] = layer[maker[i]] + 1
    return layer, len(ready) == count


def _place_cells(
    cells: Cells, items: Sequence[Item], links: Sequence[Link], kept: Sequence[int],
    layer: Sequence[int],
) -> list[tuple[int, list[int]]]:  # fmt: skip
    """Makes a cell of each item, and what long links need; returns the cells that each passes."""
    activities = (max(layer, default=0) + 1) // 2
    rows = 1 if activities <= MOST_IN_ONE else -(-activities // PER_ROW)
    per_row = max(1, -(-activities // rows))
    made = {links[n].target for n in kept if items[links[n].source].is_activity}
    sources = set(range(len(items))) - {links[n].target for n in kept}
    for i, item in enumerate(items):
        step = (layer[i] - 1) // 2 if item.is_activity else (layer[i] - 2 * (i in made)) // 2
        row = max(0, step) // per_row
        cells.add(i, False, (item.width, item.height), row, layer[i])
    aliases: dict[tuple[int, int, int], int] = {}
    chains: list[tuple[int, list[int]]] = []
    for n in kept:
        link = links[n]
        a, b = link.source, link.target
        span, row = layer[b] - layer[a], cells.row[b]
        first = a
        away = span > (1 if items[a].light and a in sources else FAR)
        if cells.row[a] != row or away:
            at = layer[b] - (2 if link.revision else 1)
            if (a, at, row) not in aliases:
                aliases[a, at, row] = cells.add(a, True, ALIAS, row, at)
            first = aliases[a, at, row]
        chain = [first]
        for column in range(cells.column[first] + 1, layer[b]):
            chain.append(cells.add(-1, False, (0, _DUMMY), row, column))
        chain.append(b)
        weight = 1 if items[a].light or link.revision else 64
        for one, two in pairwise(chain):
            cells.right[one].append((two, weight))
            cells.left[two].append((one, weight))
        chains.append((n, chain))
    return chains


def _draw(
    cells: Cells, order: list[list[int]], center: list[float],
    chains: list[tuple[int, list[int]]],
) -> Drawing:  # fmt: skip
    """Turns columns and heights into whole pixels."""
    # Columns of all rows stand below each other.
    first: dict[int, int] = {}
    for column in order:
        row = cells.row[column[0]]
        first[row] = min(first.get(row, cells.column[column[0]]), cells.column[column[0]])
    shift = {row: at - at % 2 for row, at in first.items()}
    widths: dict[int, int] = {}
    for column in order:
        c = cells.column[column[0]] - shift[cells.row[column[0]]]
        widths[c] = max(widths.get(c, 0), *(cells.width[cell] for cell in column))
    left: dict[int, int] = {}
    x = 0
    for c in sorted(widths):
        left[c] = x
        x += widths[c] + GAP_X
    top: dict[int, float] = {}
    bottom: dict[int, float] = {}
    for cell, middle in enumerate(center):
        row, half = cells.row[cell], cells.height[cell] / 2
        top[row] = min(top.get(row, middle - half), middle - half)
        bottom[row] = max(bottom.get(row, middle + half), middle + half)
    down: dict[int, float] = {}
    y = 0.0
    for row in sorted(top):
        down[row] = y - top[row]
        y += bottom[row] - top[row] + GAP_ROW
    xs, ys = [0] * len(center), [0] * len(center)
    for cell, middle in enumerate(center):
        c = cells.column[cell] - shift[cells.row[cell]]
        xs[cell] = left[c] + (widths[c] - cells.width[cell]) // 2
        high = middle + down[cells.row[cell]] - cells.height[cell] / 2
        ys[cell] = int(high + 0.5) + cells.height[cell] // 2
        if cells.item[cell] < 0:
            xs[cell], cells.width[cell] = left[c], widths[c]
    places = tuple(
        Place(
            cells.item[cell], xs[cell], ys[cell] - cells.height[cell] // 2,
            cells.width[cell], cells.height[cell], cells.alias[cell],
        )
        for cell in range(len(center)) if cells.item[cell] >= 0
    )  # fmt: skip
    lines = _lines(cells, chains, xs, ys)
    return Drawing(places, lines, max(0, x - GAP_X), max(0, int(y + 0.5) - GAP_ROW))


def _lines(
    cells: Cells, chains: list[tuple[int, list[int]]], xs: list[int], ys: list[int]
) -> tuple[tuple[int, tuple[tuple[int, int], ...]], ...]:
    """The points of each link. The ends of several spread over the side of their box."""
    leaving: dict[int, list[int]] = {}
    coming: dict[int, list[int]] = {}
    for i, (_, chain) in enumerate(chains):
        leaving.setdefault(chain[0], []).append(i)
        coming.setdefault(chain[-1], []).append(i)
    begin, end = [0] * len(chains), [0] * len(chains)
    for cell, numbers in leaving.items():
        wishes = sorted((ys[chains[i][1][1]], i) for i in numbers)
        _spread(wishes, ys[cell], cells.height[cell], begin)
    for cell, numbers in coming.items():
        before = {i: chains[i][1][:-1] for i in numbers}
        wishes = sorted((ys[c[-1]] if len(c) > 1 else begin[i], i) for i, c in before.items())
        _spread(wishes, ys[cell], cells.height[cell], end)
    lines = []
    for i, (number, chain) in enumerate(chains):
        points = [(xs[chain[0]] + cells.width[chain[0]], begin[i])]
        for cell in chain[1:-1]:
            points += [(xs[cell], ys[cell]), (xs[cell] + cells.width[cell], ys[cell])]
        lines.append((number, (*points, (xs[chain[-1]], end[i]))))
    return tuple(lines)


def _spread(wishes: list[tuple[int, int]], middle: int, height: int, ends: list[int]) -> None:
    """Sets the ends of lines at one side of a box: straight where possible, and apart."""
    step = max(0, min(12, (height - 16) // len(wishes)))
    reach = max(0, min(height // 2 - 8, max(10, 6 * (len(wishes) - 1))))
    low, high = middle - reach, middle + reach
    at = low - step
    for y, i in wishes:
        at = ends[i] = max(at + step, min(y, high))
    limit = high + step
    for _, i in reversed(wishes):
        limit = ends[i] = min(ends[i], limit - step)
