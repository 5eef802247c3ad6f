"""In what two files of one path differ: by numbers, by lines of text, by pixels, or by bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from decimal import Decimal

from sifprov.filediff.binary import Bytes, compare_bytes, is_text
from sifprov.filediff.numbers import Numbers, compare_numbers
from sifprov.filediff.pdf import only_times_differ
from sifprov.filediff.pictures import Pixels, compare_pictures, is_png
from sifprov.filediff.text import Text, compare_text
from sifprov.filediff.words import in_words
from sifprov.frozen import dataclass

__all__ = ["Bytes", "Difference", "Numbers", "Pixels", "Text", "in_words", "look"]

# What is read again, to be told apart line by line.
MAX_LOOK = 256 * 1024 * 1024

Content = Callable[[], Iterable[bytes | memoryview]]


@dataclass(frozen=True)
class Difference:
    """How the contents differ, by one of four ways to look; all None where a file is too large to
    be looked into, or its content is not at hand. `note` is what else there is to say of `bytes`.
    """

    numbers: Numbers | None = None
    text: Text | None = None
    bytes: Bytes | None = None
    pixels: Pixels | None = None
    note: str | None = None

    def alike(self, tolerance: Decimal | None) -> bool:
        """Whether the files are equal by their kind: every number is within the tolerance, and
        nothing but blanks differs else; or every pixel is the same."""
        if self.numbers:
            return tolerance is not None and self.numbers.beyond == 0
        return self.pixels is not None and self.pixels.same


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
    text else, of which at most `lines` are kept; pixels where both are PNG.
    """
    if max(sizes) > MAX_LOOK:
        return Difference()
    if not (is_text(first()) and is_text(second())):
        return _no_text(first, second, sizes)
    numbers = compare_numbers(_lines(first), _lines(second), tolerance)
    if numbers is not None:
        return Difference(numbers=numbers)
    return Difference(text=compare_text(_lines(first), _lines(second), sizes, lines))


def _no_text(first: Content, second: Content, sizes: tuple[int, int]) -> Difference:
    note = None
    if is_png(first()) and is_png(second()):
        found = compare_pictures(first, second, sizes)
        if isinstance(found, Pixels):
            return Difference(pixels=found)
        note = found
    elif only_times_differ(first(), second(), sizes):
        note = "nothing but /CreationDate, /ModDate and /ID of the PDF"
    return Difference(bytes=compare_bytes(first(), second()), note=note)


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
