"""A box as it is drawn: its outline, its lines of text and its marks, each with its place."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from sifprov.model.graph import APPLICATION, DATA, FOLDER
from sifprov.render.layout import ALIAS, Item
from sifprov.render.scene import FLAGS, HELD, MAKING, RUN, TARGET, Box

_WIDTH = {DATA: 200, FOLDER: 200, APPLICATION: 200, RUN: 248, MAKING: 248}
_PAD, _ICON = 14, 20
# Font sizes in pixels: the title, other lines, the marks.
TITLE, LINE, CHIP = 13, 11, 10
_TITLE_STEP, _LINE_STEP, _CHIP_HEIGHT = 20, 15, 17

ICONS = {
    DATA: "M1 3.5C1 1 13 1 13 3.5V10.5C13 13 1 13 1 10.5Z"
    "M1 3.5C1 6 13 6 13 3.5M1 7C1 9.5 13 9.5 13 7",
    APPLICATION: "M7 .8L12.8 4V10L7 13.2L1.2 10V4ZM1.2 4L7 7.2L12.8 4M7 7.2V13.2",
    FOLDER: "M1 12V2H5.5L7 4H13V12Z",
    RUN: "M3 1.5L12 7L3 12.5Z",
    MAKING: "M7 1V9M3.5 5.5L7 9L10.5 5.5M1.5 12.5H12.5",
}


@dataclass(frozen=True)
class Text:
    """A line: `style` is `title`, `mono`, `line`; the place is where it begins, on its baseline."""

    x: int
    y: int
    style: str
    text: str


@dataclass(frozen=True)
class Chip:
    """A mark: a flag's words in a small frame."""

    x: int
    y: int
    width: int
    height: int
    flag: str
    text: str


@dataclass(frozen=True)
class Card:
    """A box's size, its outline as an SVG path, and what stands in it. `alias` is its title as far
    as the small alias shows it."""

    box: Box
    width: int
    height: int
    outline: str
    texts: tuple[Text, ...]
    chips: tuple[Chip, ...]
    alias: str

    def item(self) -> Item:
        """What the layout has to know of it."""
        light = self.box.kind == APPLICATION
        return Item(self.width, self.height, self.box.is_activity, light)


def card(box: Box) -> Card:
    """Returns the card of a box."""
    width = _WIDTH[box.kind]
    texts, y = _head_lines(box, width - 2 * _PAD)
    for i, line in enumerate(box.lines):
        y += _TITLE_STEP if i == 0 else _LINE_STEP
        is_digest = i == 0 and not box.is_activity and not box.members
        style = "digest" if is_digest else "line"
        texts.append(
            Text(_PAD, y, style, fit(line, width - 2 * _PAD, LINE, is_digest, bool(box.members)))
        )
    chips, y = _chips([f for f in box.flags if f not in (TARGET, HELD)], width, y + 9)
    alias = fit(box.title, ALIAS[0] - 2 * 10 - _ICON, LINE, middle=True)
    return Card(
        box, width, y + 3, outline(box.kind, width, y + 3), tuple(texts), tuple(chips), alias
    )


def _head_lines(box: Box, room: int) -> tuple[list[Text], int]:
    """The title beside the icon, and the baseline of its last line. A run's takes two lines."""
    x, y = _PAD + _ICON, 24
    if box.kind != RUN or box.members:
        return [Text(x, y, "title", fit(box.title, room - _ICON, TITLE, middle=True))], y
    first = head(box.title, room - _ICON, TITLE - 1, mono=True)
    if len(first) < len(box.title):  # between two words, where there is a place
        first = first[: first.rfind(" ") + 1 or len(first)]
    rest = fit(box.title[len(first) :], room - _ICON, TITLE - 1, mono=True)
    texts = [Text(x, y, "mono", first.rstrip())]
    if rest:
        y += _LINE_STEP
        texts.append(Text(x, y, "mono", rest))
    return texts, y


def _chips(flags: Sequence[str], width: int, y: int) -> tuple[list[Chip], int]:
    found: list[Chip] = []
    x = _PAD
    for flag in flags:
        long = int(text_width(FLAGS[flag], CHIP)) + 14
        if x > _PAD and x + long > width - _PAD:
            x, y = _PAD, y + _CHIP_HEIGHT + 3
        found.append(Chip(x, y, long, _CHIP_HEIGHT, flag, FLAGS[flag]))
        x += long + 5
    return found, y + (_CHIP_HEIGHT + 6 if found else 0)


@lru_cache(maxsize=256)
def outline(kind: str, width: int, height: int) -> str:
    """Returns the outline as an SVG path: each kind has a shape of its own."""
    w, h = width, height
    if kind == APPLICATION:  # cut corners
        return f"M10 0H{w - 10}L{w} 10V{h - 10}L{w - 10} {h}H10L0 {h - 10}V10Z"
    if kind == MAKING:  # an arrow's head
        right, left = f"H{w - 16}L{w} {h // 2}L{w - 16} {h}", f"Q0 {h} 0 {h - 6}V6Q0 0 6 0Z"
        return f"M6 0{right}H6{left}"
    if kind == FOLDER:  # a tab
        right = f"H64L72 7H{w - 6}Q{w} 7 {w} 13V{h - 6}Q{w} {h} {w - 6} {h}"
        return f"M0 6Q0 0 6 0{right}H6Q0 {h} 0 {h - 6}Z"
    r = 8 if kind == DATA else min(24, h // 2)
    right = f"H{w - r}Q{w} 0 {w} {r}V{h - r}Q{w} {h} {w - r} {h}"
    return f"M{r} 0{right}H{r}Q0 {h} 0 {h - r}V{r}Q0 0 {r} 0Z"


# How wide a letter is in common fonts, in parts of the font's size; the widest of them count.
_CLASSES = {**dict.fromkeys("iljtfI.,:;'|![]() ", 0.37), **dict.fromkeys("mMwWQO@%&", 0.95)}


def text_width(text: str, size: int, mono: bool = False) -> float:
    """Returns how many pixels wide `text` is at most, in the fonts that are likely."""
    return size * sum(_letter(c, mono) for c in text)


@lru_cache(maxsize=4096)
def _letter(c: str, mono: bool) -> float:
    if unicodedata.east_asian_width(c) in "WF":
        return 1.05
    if mono:
        return 0.61
    return _CLASSES.get(c) or (0.7 if c.isupper() or not c.isascii() else 0.62)


def fit(text: str, room: int, size: int, mono: bool = False, middle: bool = False) -> str:
    """Returns `text`, cut so that it fits `room` pixels; `middle` keeps its end too."""
    if text_width(text, size, mono) <= room:
        return text
    end = ""
    room -= int(size * (0.61 if mono else 1.0)) + 1  # the ellipsis
    if middle:
        end = head(text[::-1], room * 2 // 5, size, mono)[::-1]
        room -= int(text_width(end, size, mono))
    return f"{head(text, room, size, mono)}…{end}"


def head(text: str, room: int, size: int, mono: bool = False) -> str:
    """Returns as much of the beginning of `text` as fits `room` pixels."""
    used = 0.0
    for i, c in enumerate(text):
        used += size * _letter(c, mono)
        if used > room:
            return text[:i]
    return text
