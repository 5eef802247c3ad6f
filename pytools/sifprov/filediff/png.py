"""The chunks of a PNG (ISO/IEC 15948), without decoding its pixels.

    signature  8 bytes
    chunk      length, 4 bytes; type, 4 bytes; data; CRC-32 of type and data, 4 bytes
    …
    IHDR (first), [PLTE], [tRNS], IDAT …, IEND (last); any others between

A capital first letter of a type makes a chunk one without which the picture cannot be drawn.
"""

from __future__ import annotations

import struct
import zlib

from sifprov.frozen import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Two pictures are decoded at a time, each of up to 4 bytes a pixel.
MAX_PIXELS = 1 << 25
_CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
# What says which colours the numbers of the pixels mean.
_COLOURS = (b"cHRM", b"cICP", b"gAMA", b"iCCP", b"sRGB")
_KEPT = (*_CRITICAL, b"tRNS", *_COLOURS)
# Bits a sample that each colour type may have.
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
GREY = 0


class PngError(Exception):
    """No picture that can be compared; the text says why."""


@dataclass(frozen=True)
class Png:
    """A PNG: `pixels` is the stored data of its pixels, compressed, `palette` and `transparency`
    the chunks that belong to it, `colours` those that say what the colours are, by their type."""

    width: int
    height: int
    depth: int
    colour: int
    header: bytes
    palette: bytes | None
    transparency: bytes | None
    pixels: bytes
    colours: tuple[tuple[bytes, bytes], ...]

    @property
    def drawn(self) -> tuple[bytes | None, ...]:
        """All that decides the value of each pixel."""
        return self.header, self.palette, self.transparency, self.pixels

    def bare(self) -> bytes:
        """Returns the picture as a PNG of nothing else."""
        chunks = [(b"IHDR", self.header)]
        chunks += [(b"PLTE", self.palette)] if self.palette is not None else []
        chunks += [(b"tRNS", self.transparency)] if self.transparency is not None else []
        chunks += [(b"IDAT", self.pixels), (b"IEND", b"")]
        return SIGNATURE + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )


def parse(data: bytes) -> Png:
    """Reads the chunks of a PNG. Raises PngError for what is broken, animated or too large."""
    found: dict[bytes, list[bytes]] = {}
    at = len(SIGNATURE)
    while b"IEND" not in found:
        if at + 12 > len(data):
            raise PngError("a PNG is cut off")
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        end = at + 12 + length
        if end > len(data):
            raise PngError("a PNG is cut off")
        if struct.unpack_from(">I", data, end - 4)[0] != zlib.crc32(kind + body):
            raise PngError("a checksum in a PNG is wrong")
        _check(kind, first=not found)
        if kind in _KEPT:
            found.setdefault(kind, []).append(body)
        at = end
    if at != len(data):
        raise PngError("more stands behind the end of a PNG")
    if b"IDAT" not in found:
        raise PngError("a PNG without pixels")
    if any(len(found.get(kind, ())) > 1 for kind in (b"IHDR", b"PLTE", b"tRNS", *_COLOURS)):
        raise PngError("a chunk of a PNG stands there twice")
    width, height, depth, colour = _header(found[b"IHDR"][0])
    return Png(
        width=width,
        height=height,
        depth=depth,
        colour=colour,
        header=found[b"IHDR"][0],
        palette=found.get(b"PLTE", [None])[0],
        transparency=found.get(b"tRNS", [None])[0],
        pixels=b"".join(found.get(b"IDAT", ())),
        colours=tuple((kind, found[kind][0]) for kind in _COLOURS if kind in found),
    )


def _check(kind: bytes, *, first: bool) -> None:
    if first != (kind == b"IHDR") and (first or kind == b"IHDR"):
        raise PngError("a PNG does not begin with its header")
    if kind == b"acTL":
        raise PngError("an animated PNG")
    if not kind[:1].islower() and kind not in _CRITICAL:
        raise PngError("a PNG with chunks of an unknown kind")


def _header(data: bytes) -> tuple[int, int, int, int]:
    if len(data) != 13:
        raise PngError("the header of a PNG is broken")
    width, height, depth, colour, method, filtering, interlace = struct.unpack(">IIBBBBB", data)
    if depth not in _DEPTHS.get(colour, ()) or method or filtering or interlace > 1:
        raise PngError("the header of a PNG is broken")
    if not (width and height):
        raise PngError("a PNG without pixels")
    if width * height > MAX_PIXELS:
        raise PngError(f"a PNG of more than {MAX_PIXELS:,} pixels")
    return width, height, depth, colour
