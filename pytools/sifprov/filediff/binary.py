"""Contents that are no text."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from sifprov.frozen import dataclass

_HEAD = 8192


@dataclass(frozen=True)
class Bytes:
    """`first` is the place of the first byte that differs, from 0; a file that ends there counts
    as one that differs. `count`: how many differ, those beyond the shorter file included."""

    first: int
    count: int


def is_text(content: Iterable[bytes | memoryview]) -> bool:
    """Whether a file begins as text: without a NUL, in UTF-8."""
    head = b""
    for chunk in content:
        head += bytes(chunk[: _HEAD - len(head)])
        if len(head) >= _HEAD:
            break
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character that was cut at the end of what was looked at.
        return error.reason == "unexpected end of data" and len(head) == _HEAD
    return True


def compare_bytes(
    first: Iterable[bytes | memoryview], second: Iterable[bytes | memoryview]
) -> Bytes | None:
    """Returns where two contents differ, None where they do not."""
    place = count = 0
    start: int | None = None
    for a, b in zip_longest(_pieces(first), _pieces(second), fillvalue=b""):
        if a != b:
            common = min(len(a), len(b))
            # XOR of two large integers, so that equal bytes cost next to nothing.
            mixed = int.from_bytes(a[:common], "big") ^ int.from_bytes(b[:common], "big")
            different = mixed.to_bytes(common, "big")
            count += common - different.count(0) + abs(len(a) - len(b))
            if start is None:
                start = place + (common - len(different.lstrip(b"\0")))
        place += len(a) or len(b)
    return None if start is None else Bytes(start, count)


def _pieces(content: Iterable[bytes | memoryview], size: int = 1 << 16) -> Iterable[bytes]:
    """Yields the content in pieces of one size, so that those of two can be laid side by side."""
    rest = bytearray()
    for chunk in content:
        rest += chunk
        at = 0
        while len(rest) - at >= size:
            yield bytes(rest[at : at + size])
            at += size
        del rest[:at]
    if rest:
        yield bytes(rest)
