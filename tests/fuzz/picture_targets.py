"""Targets that read pictures."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Iterator

from sifprov.filediff.pictures import Pixels, compare_pictures
from sifprov.filediff.png import MAX_PIXELS, SIGNATURE, Png, PngError, parse
from tests.fuzz.target import Basic, Target


def picture(data: bytes) -> None:
    """A picture is parsed or told why not; what is compared is the same as itself, and the chunks
    that make its pixels are a picture of the same pixels."""
    try:
        found = parse(data)
    except PngError as error:
        assert str(error)
        return
    assert 0 < found.width * found.height <= MAX_PIXELS
    bare = found.bare()
    again = parse(bare)
    assert again.drawn == found.drawn
    # Others are only slow to decode.
    if found.width * found.height <= 10_000:
        _decoded(found, bare)


def _decoded(found: Png, bare: bytes) -> None:
    """Another compression of the same data is the same picture, or both cannot be decoded."""
    try:
        raw = zlib.decompressobj().decompress(found.pixels, 1 << 20)
    except zlib.error:
        raw = b""
    packed = chunked([(b"IHDR", found.header), *_of(found), (b"IDAT", zlib.compress(raw, 1))])
    compared = compare_pictures(lambda: [bare], lambda: [packed], (len(bare), len(packed)))
    assert isinstance(compared, str) or (not compared.different and isinstance(compared, Pixels))


def _of(found: Png) -> list[tuple[bytes, bytes]]:
    several = ((b"PLTE", found.palette), (b"tRNS", found.transparency))
    return [(kind, data) for kind, data in several if data is not None]


def mutate_png(data: bytes, most: int, dice: random.Random, basic: Basic) -> bytes:
    """Changes one chunk, its pixels also inside their compression, with the right checksums."""
    chunks = list(_chunks(data))
    if not chunks or dice.random() < 0.1:
        return basic(data, most)
    place = dice.randrange(len(chunks))
    kind, body = chunks[place]
    choice = dice.random()
    if choice < 0.1:
        del chunks[place]
    elif choice < 0.2:
        chunks.insert(dice.randrange(len(chunks)), (kind, body))
    elif choice < 0.3:
        chunks[place] = basic(kind, 4).ljust(4, b"a")[:4], body
    elif kind == b"IDAT" and choice < 0.7:
        chunks[place] = kind, zlib.compress(basic(_unpacked(body), 4096))
    else:
        chunks[place] = kind, basic(body, 4096)
    return chunked([c for c in chunks if c[0] != b"IEND"])[:most]


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(data, 4096)
    except zlib.error:
        return b"\0"


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        yield data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        at += 12 + length


def chunked(chunks: list[tuple[bytes, bytes]]) -> bytes:
    """A PNG of these chunks, and its end."""
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in [*chunks, (b"IEND", b"")]
    )


TARGETS = (Target("picture", picture, 300_000, mutate_png, max_len=4096),)
