"""Pictures (PNG) that differ, pixel by pixel.

Where only what stands around the pixels differs, such as a date, that is seen without decoding
them. Else Pillow decodes both (the extra `images`): only what was checked by png.py, and nothing
but the chunks that make the pixels.
"""

from __future__ import annotations

import io
from array import array
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sifprov.filediff.png import GREY, SIGNATURE, Png, PngError, parse
from sifprov.frozen import dataclass

if TYPE_CHECKING:
    from PIL.Image import Image

MISSING = "pip install 'sifprov[images]' would compare pixels"
# What is read into memory.
MAX_FILE = 64 * 1024 * 1024
# Rows that are compared at a time.
_ROWS = 256


@dataclass(frozen=True)
class Pixels:
    """Two pictures of `first` and `second` (width, height) pixels. Where these are the same,
    `different` pixels have another value, which differs by at most `largest` of `full` in one of
    red, green, blue and opacity. `colours`: the numbers are to be shown as other colours, as far as
    gamma, colour space or profile of the two say."""

    first: tuple[int, int]
    second: tuple[int, int]
    different: int
    largest: int
    full: int
    colours: bool = False

    @property
    def same(self) -> bool:
        """Whether the two look the same."""
        return self.first == self.second and not self.different and not self.colours


def is_png(content: Iterable[bytes | memoryview]) -> bool:
    """Whether a file begins as a PNG."""
    head = b""
    for chunk in content:
        head += bytes(chunk[: len(SIGNATURE)])
        if len(head) >= len(SIGNATURE):
            break
    return head.startswith(SIGNATURE)


def compare_pictures(
    first: Callable[[], Iterable[bytes | memoryview]],
    second: Callable[[], Iterable[bytes | memoryview]],
    sizes: tuple[int, int],
) -> Pixels | str:
    """Compares two PNGs of `sizes` bytes; returns why not, in words, where that cannot be."""
    if max(sizes) > MAX_FILE:
        return f"pixels not compared: a PNG of more than {MAX_FILE >> 20} MiB"
    try:
        one, other = parse(b"".join(first())), parse(b"".join(second()))
        return _compared(one, other)
    except PngError as error:
        return f"pixels not compared: {error}"
    except ImportError:
        return MISSING


def _compared(one: Png, other: Png) -> Pixels:
    a, b = (one.width, one.height), (other.width, other.height)
    deep = 16 in (one.depth, other.depth)
    full = 65535 if deep else 255
    colours = one.colours != other.colours
    if a != b or one.drawn == other.drawn:
        return Pixels(a, b, 0, 0, full, colours)
    if deep and not all(_is_deep_grey(each) for each in (one, other)):
        # Pillow reads 16 bits of a colour as 8: what it calls the same may not be.
        raise PngError("16 bits a colour")
    different, largest = (_grey if deep else _eight_bits)(_decoded(one), _decoded(other))
    return Pixels(a, b, different, largest, full, colours)


def _is_deep_grey(png: Png) -> bool:
    return (png.depth, png.colour, png.transparency) == (16, GREY, None)


def _decoded(png: Png) -> Image:
    from PIL import Image

    try:
        with Image.open(io.BytesIO(png.bare()), formats=("PNG",)) as image:
            image.load()
            return image.copy() if png.depth == 16 else image.convert("RGBA")
    except (OSError, SyntaxError, ValueError) as error:
        raise PngError("the pixels of a PNG cannot be decoded") from error


def _eight_bits(one: Image, other: Image) -> tuple[int, int]:
    from PIL import ImageChops

    different = largest = 0
    width, height = one.size
    for top in range(0, height, _ROWS):
        box = (0, top, width, min(top + _ROWS, height))
        bands = ImageChops.difference(one.crop(box), other.crop(box)).split()
        most = bands[0]
        for band in bands[1:]:
            most = ImageChops.lighter(most, band)
        counts = most.histogram()
        different += sum(counts[1:])
        largest = max(largest, max((n for n, count in enumerate(counts) if count), default=0))
    return different, largest


def _grey(one: Image, other: Image) -> tuple[int, int]:
    """16 bits of grey; Pillow's own arithmetic knows them not."""
    different = largest = 0
    width, height = one.size
    for top in range(0, height, _ROWS):
        box = (0, top, width, min(top + _ROWS, height))
        a, b = (image.crop(box).convert("I").tobytes() for image in (one, other))
        if a != b:
            apart = [abs(x - y) for x, y in zip(array("i", a), array("i", b), strict=True)]
            different += sum(map(bool, apart))
            largest = max(largest, *apart)
    return different, largest
