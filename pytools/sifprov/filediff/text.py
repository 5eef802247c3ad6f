"""Text that differs in its lines."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import unified_diff
from itertools import islice, zip_longest

from sifprov.frozen import dataclass

# Matching lines takes time that grows faster than their number: of larger texts, the first lines
# that differ stand for all.
_MAX_BYTES = 1 << 20
_MAX_LINES = 5000
_MAX_SHOWN = 500


@dataclass(frozen=True)
class Text:
    """`line` is the first line that differs, from 1. `diff` holds the first lines of a unified
    diff, without newlines; `cut`: there are more."""

    line: int
    diff: tuple[str, ...]
    cut: bool


def compare_text(
    first: Iterable[bytes], second: Iterable[bytes], sizes: tuple[int, int], lines: int
) -> Text | None:
    """Returns how two texts differ, None where they do not; at most `lines` lines of it."""
    left: list[bytes] = []
    right: list[bytes] = []
    line = 0
    at: list[str] = []
    small = max(sizes) <= _MAX_BYTES
    a: bytes | None
    b: bytes | None
    for number, (a, b) in enumerate(zip_longest(first, second), start=1):
        if a != b and not line:
            line = number
            at = [sign + _shown(one) for sign, one in (("-", a), ("+", b)) if one is not None]
        small = small and number <= _MAX_LINES
        if line and not small:
            break
        if small:
            left += [a] if a is not None else []
            right += [b] if b is not None else []
    if not line:
        return None
    if not small:
        return Text(line, (f"@@ line {line} @@", *at)[:lines], cut=True)
    whole = unified_diff([*map(_shown, left)], [*map(_shown, right)], n=1, lineterm="")
    kept = tuple(islice(whole, 2, lines + 3))
    return Text(line, kept[:lines], cut=len(kept) > lines)


def _shown(line: bytes) -> str:
    """A line as text; what would make no visible difference is told."""
    text = line.decode("utf-8", "surrogateescape")
    end = "" if text.endswith("\n") else " (no newline at the end)"
    text = text.removesuffix("\n")
    return (text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…") + end
