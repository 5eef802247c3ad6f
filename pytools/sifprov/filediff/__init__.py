"""In what two files of one path differ: by numbers, by lines of text, or by bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from decimal import Decimal

from sifprov.filediff.binary import Bytes, compare_bytes, is_text
from sifprov.filediff.numbers import Numbers, compare_numbers
from sifprov.filediff.text import Text, compare_text
from sifprov.frozen import dataclass

__all__ = ["Bytes", "Difference", "Numbers", "Text", "look"]

# What is read again, to be told apart line by line.
MAX_LOOK = 256 * 1024 * 1024

Content = Callable[[], Iterable[bytes | memoryview]]


@dataclass(frozen=True)
class Difference:
    """How the contents differ, by one of three ways to look; all None where a file is too large to
    be looked into, or its content is not at hand.

    `close`: every number is within the tolerance, and nothing else differs.
    """

    numbers: Numbers | None = None
    text: Text | None = None
    bytes: Bytes | None = None

    @property
    def close(self) -> bool:
        """Whether the files are the same within the tolerance that was asked for."""
        return self.numbers is not None and self.numbers.beyond == 0


def look(
    first: Content,
    second: Content,
    sizes: tuple[int, int],
    *,
    tolerance: Decimal | None,
    lines: int,
) -> Difference:
    """Returns in what two contents of `sizes` bytes differ; each may be read several times.

    Numbers are compared where both are text of the same words around other numbers, and lines of
    text else, of which at most `lines` are kept.
    """
    if max(sizes) > MAX_LOOK:
        return Difference()
    if not (is_text(first()) and is_text(second())):
        return Difference(bytes=compare_bytes(first(), second()))
    numbers = compare_numbers(_lines(first), _lines(second), tolerance)
    if numbers is not None:
        return Difference(numbers=numbers)
    return Difference(text=compare_text(_lines(first), _lines(second), sizes, lines))


class _Chunks(io.RawIOBase):
    """A file of what an iterator yields, so that the library finds its lines."""

    def __init__(self, chunks: Iterable[bytes | memoryview]) -> None:
        self._chunks = iter(chunks)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._rest:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count


def _lines(content: Content) -> Iterable[bytes]:
    return io.BufferedReader(_Chunks(content()), 1 << 16)
