"""The cells of a picture: in which order they stand in their columns, and how high.

The page's columns.js does the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

GAP_Y = 18
_SWEEPS, _PASSES = 4, 3


@dataclass
class Cells:
    """What stands in columns: items, aliases and the bends of long lines (item -1)."""

    item: list[int] = field(default_factory=list)
    alias: list[bool] = field(default_factory=list)
    width: list[int] = field(default_factory=list)
    height: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)
    column: list[int] = field(default_factory=list)
    left: list[list[tuple[int, int]]] = field(default_factory=list)  # (cell, weight)
    right: list[list[tuple[int, int]]] = field(default_factory=list)

    def add(self, item: int, alias: bool, size: tuple[int, int], row: int, column: int) -> int:
        for values, value in zip(
            (self.item, self.alias, self.width, self.height, self.row, self.column),
            (item, alias, *size, row, column),
            strict=True,
        ):
            values.append(value)  # type: ignore[attr-defined]
        self.left.append([])
        self.right.append([])
        return len(self.item) - 1


def order_columns(cells: Cells, order: Sequence[list[int]]) -> None:
    """Orders each column so that few lines cross."""
    at = [0] * len(cells.item)
    for column in order:
        for i, cell in enumerate(column):
            at[cell] = i
    for sweep in range(_SWEEPS):
        sides = cells.right if sweep % 2 else cells.left
        for column in reversed(order) if sweep % 2 else order:
            keys = {}
            for cell in column:
                near = sides[cell]
                keys[cell] = sum(at[c] for c, _ in near) / len(near) if near else at[cell]
            column.sort(key=keys.__getitem__)
            for i, cell in enumerate(column):
                at[cell] = i


def heights(cells: Cells, order: Sequence[list[int]]) -> list[float]:
    """The vertical middle of each cell."""
    center = [0.0] * len(cells.item)
    for column in order:
        top = 0.0
        for cell in column:
            center[cell] = top + cells.height[cell] / 2
            top += cells.height[cell] + GAP_Y
        for cell in column:
            center[cell] -= (top - GAP_Y) / 2
    for turn in range(_PASSES):
        for column in order:
            _settle(cells, column, center, cells.left)
        for column in reversed(order):
            _settle(cells, column, center, cells.right)
        if turn == _PASSES - 1:
            for column in order:
                _settle(cells, column, center, cells.left)
    return center


def _settle(
    cells: Cells, column: list[int], center: list[float], sides: list[list[tuple[int, int]]]
) -> None:
    """Moves the cells of a column as near to their neighbours as their order and sizes allow."""
    blocks: list[tuple[float, float, int]] = []  # (sum of wishes by weight, weight, cells)
    offsets = []
    offset = 0.0
    for i, cell in enumerate(column):
        if i:
            offset += (cells.height[column[i - 1]] + cells.height[cell]) / 2 + GAP_Y
        offsets.append(offset)
        wish = weight = 0.0
        for c, w in sides[cell]:  # no sum(), which rounds otherwise in later Pythons
            wish += center[c] * w
            weight += w
        if not weight:
            wish, weight = center[cell] * 0.125, 0.125
        wish = wish / weight
        block = ((wish - offset) * weight, weight, 1)
        while blocks and blocks[-1][0] / blocks[-1][1] >= block[0] / block[1]:
            last = blocks.pop()
            block = (last[0] + block[0], last[1] + block[1], last[2] + block[2])
        blocks.append(block)
    i = 0
    for total, weight, count in blocks:
        for _ in range(count):
            center[column[i]] = total / weight + offsets[i]
            i += 1
