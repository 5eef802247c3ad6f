"""Pictures are compared by their pixels, and hostile ones harm nobody."""

from __future__ import annotations

import io
import struct
import sys
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from sifprov.filediff import Difference, in_words, look, pictures, png
from sifprov.filediff.pictures import Pixels

SIZE = (40, 300)


def see(a: bytes, b: bytes, piece: int = 1000) -> Difference:
    def content(data: bytes) -> Callable[[], list[bytes]]:
        return lambda: [data[i : i + piece] for i in range(0, len(data), piece)]

    return look(content(a), content(b), (len(a), len(b)), tolerance=None, lines=5)


def drawn(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    image = Image.new(mode, size)
    for y in range(size[1]):
        for x in range(size[0]):
            colour = (x * 6 % 250, y % 7 * 30, 128, 200)
            image.putpixel((x, y), colour[: len(mode)] if len(mode) > 2 else x % 2)
    return image


def saved(image: Image.Image, date: str = "", level: int = 6, **more: object) -> bytes:
    """A PNG, with a date in a text and in a tIME chunk."""
    words = PngImagePlugin.PngInfo()
    if date:
        words.add_text("Creation Time", date)
        words.add(b"tIME", date.encode().ljust(7)[:7])
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=words, compress_level=level, **more)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def made(header: tuple[int, ...], rows: bytes, *before: bytes) -> bytes:
    """A PNG of rows that were filtered already."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
    body = chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return png.SIGNATURE + head + b"".join(before) + body


def pixels(a: bytes, b: bytes) -> Pixels:
    found = see(a, b)
    assert found.pixels, found
    assert found.bytes is None
    assert found.alike(None) == found.pixels.same
    return found.pixels


def refused(a: bytes, b: bytes) -> str:
    found = see(a, b)
    assert found.pixels is None
    assert found.bytes
    assert found.note
    assert not found.alike(None)
    assert in_words(found).endswith(f"; {found.note}")
    return found.note


def test_a_date_makes_no_other_picture_even_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = saved(drawn(), "2020-01-01"), saved(drawn(), "2026-11-21 later")
    monkeypatch.setitem(sys.modules, "PIL", None)
    found = pixels(old, new)
    assert found == Pixels(SIZE, SIZE, 0, 0, 255)
    assert in_words(Difference(pixels=found)) == "all 12,000 pixels are the same"


def test_another_compression_makes_no_other_picture() -> None:
    assert pixels(saved(drawn(), level=1), saved(drawn(), level=9)).same


def test_without_pillow_it_is_bytes_and_the_way_to_more(monkeypatch: pytest.MonkeyPatch) -> None:
    fast, small = saved(drawn(), level=1), saved(drawn(), level=9)
    monkeypatch.setitem(sys.modules, "PIL", None)
    note = refused(fast, small)
    assert note == "pip install 'sifprov[images]' would compare pixels"


def test_pixels_that_differ_are_counted_and_measured() -> None:
    other = drawn()
    for place, colour in (
        ((0, 0), (7, 0, 128)),
        ((39, 255), (9, 9, 9)),
        ((5, 256), (30, 121, 128)),
    ):
        assert other.getpixel(place) != colour
        other.putpixel(place, colour)
    found = pixels(saved(drawn()), saved(other))
    assert (found.different, found.full, found.same) == (3, 255, False)
    red, green, blue = drawn().getpixel((39, 255))  # type: ignore[misc]
    assert found.largest == max(red - 9, green - 9, blue - 9)
    assert in_words(see(saved(drawn()), saved(other))).startswith("3 of 12,000 pixels differ, by")


def test_pictures_of_two_sizes_differ() -> None:
    found = see(saved(drawn()), saved(drawn(size=(41, 300))))
    assert found.pixels and not found.pixels.same
    assert in_words(found) == "40 by 300 pixels, and 41 by 300"


def test_how_colours_are_stored_does_not_count() -> None:
    """Palette, grey and true colour, with and without opacity."""
    two = drawn("1")
    for other in ("L", "RGB", "RGBA", "P"):
        assert pixels(saved(two), saved(two.convert(other))).same, other
    few = drawn().quantize(16)
    assert pixels(saved(few), saved(few.convert("RGB"))).same
    shown = few.convert("RGBA")
    clear = shown.copy()
    clear.putalpha(128)
    found = pixels(saved(shown), saved(clear))
    assert (found.different, found.largest) == (12_000, 127)
    # One colour of a palette, or of true colour, that cannot be seen through.
    palette = saved(few, transparency=0)
    index = few.tobytes()[0]
    hidden = pixels(palette, saved(few))
    assert hidden.different == few.tobytes().count(0) and hidden.largest == 255
    assert index >= 0


def test_gamma_and_profile_are_told() -> None:
    rows = b"\0\x01\x02\x03" * 2
    header = (3, 2, 8, 0, 0, 0, 0)
    gamma = chunk(b"gAMA", struct.pack(">I", 45455))
    found = see(made(header, rows), made(header, rows, gamma))
    assert found.pixels and found.pixels.different == 0 and not found.alike(None)
    assert in_words(found) == "all 6 pixels are the same; gamma or colour profile differ"
    size = chunk(b"pHYs", b"\0\0\0\1\0\0\0\1\0")
    assert pixels(made(header, rows), made(header, rows, size)).same


def test_sixteen_bits_are_not_read_as_eight() -> None:
    grey = (2, 1, 16, 0, 0, 0, 0)
    one = made(grey, b"\0" + b"\x01\x02\x03\x04")
    assert pixels(one, made(grey, b"\0" + b"\x01\x02\x03\x06")) == Pixels(
        (2, 1), (2, 1), 1, 2, 65535
    )
    assert pixels(one, made(grey, b"\x01" + b"\x01\x02\x02\x02")).same  # another filter
    colour = (1, 1, 16, 2, 0, 0, 0)
    first = made(colour, b"\0" + b"\x01\x02" * 3)
    # Pillow reads both as 1, 1, 1.
    assert refused(first, made(colour, b"\0" + b"\x01\x03" * 3)) == (
        "pixels not compared: 16 bits a colour"
    )
    assert pixels(first, made(colour, b"\0" + b"\x01\x02" * 3, chunk(b"tIME", b"1234567"))).same


GOOD = made((3, 2, 8, 0, 0, 0, 0), b"\0\x01\x02\x03" * 2)
OTHER = made((3, 2, 8, 0, 0, 0, 0), b"\0\x01\x02\x04" * 2)
BOMB = made((60_000, 60_000, 8, 6, 0, 0, 0), b"\0" * 100)


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (OTHER[:-3], "a PNG is cut off"),
        (OTHER[:30], "a PNG is cut off"),
        (OTHER + b"more", "more stands behind the end of a PNG"),
        (OTHER.replace(b"IDAT", b"IDAX"), "a checksum in a PNG is wrong"),
        (BOMB, "a PNG of more than 33,554,432 pixels"),
        (made((3, 2, 8, 0, 0, 0, 0), b"", chunk(b"acTL", bytes(8))), "an animated PNG"),
        (made((3, 2, 8, 0, 0, 0, 0), b"", chunk(b"QUUX", b"")), "a PNG with chunks of an unknown"),
        (made((3, 2, 9, 0, 0, 0, 0), b""), "the header of a PNG is broken"),
        (made((3, 2, 8, 7, 0, 0, 0), b""), "the header of a PNG is broken"),
        (made((3, 0, 8, 0, 0, 0, 0), b""), "a PNG without pixels"),
        (made((3, 2, 8, 0, 0, 0, 0), b"\0\1"), "the pixels of a PNG cannot be decoded"),
        (png.SIGNATURE + chunk(b"IDAT", b""), "a PNG does not begin with its header"),
        (made((3, 2, 8, 0, 0, 0, 0), b"", chunk(b"IHDR", bytes(13))), "does not begin with its"),
        (made((3, 2, 8, 3, 0, 0, 0), b"\0123" * 2, *[chunk(b"PLTE", bytes(3))] * 2), "twice"),
    ],
)
def test_what_cannot_be_compared_is_told_and_compared_by_bytes(bad: bytes, why: str) -> None:
    assert why in refused(GOOD, bad)
    assert why in refused(bad, GOOD)


def test_a_picture_in_a_file_that_is_too_large_is_compared_by_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pictures, "MAX_FILE", len(GOOD) - 1)
    assert "a PNG of more than" in refused(GOOD, OTHER)


def test_pixels_that_unpack_to_more_than_the_header_says_are_left_alone() -> None:
    """As much is decoded as the header asks for."""
    rows = b"\0\x01\x02\x03" * 2
    bomb = made((3, 2, 8, 0, 0, 0, 0), rows + bytes(50_000_000))
    assert len(bomb) < 100_000
    assert pixels(GOOD, bomb).same


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_any_change_of_a_picture_is_told_or_the_pixels_are_the_same(data: st.DataObject) -> None:
    base = saved(drawn(size=(5, 5)), "2020-01-01")
    place = data.draw(st.integers(len(png.SIGNATURE), len(base) - 1))
    changed = bytearray(base)
    changed[place] ^= data.draw(st.integers(1, 255))
    found = see(base, bytes(changed))
    assert found.note, "each chunk has a checksum"


PDF = (
    b"%PDF-1.5\n%\xb5\xed\xae\xfb\n"
    b"<< /CreationDate (D:20200101) /ModDate <FEFF> >>\n/ID [ <00> <11> ]"
)


@pytest.mark.parametrize(
    ("other", "only_times"),
    [
        (PDF.replace(b"2020", b"2026"), True),
        (PDF.replace(b"2020", b"2026").replace(b"<11>", b"<22>"), True),
        (PDF.replace(b"1.5", b"1.6"), False),
        (PDF.replace(b"/CreationDate", b"/Title"), False),
        (PDF.replace(b"%PDF", b"%PDQ"), False),
    ],
)
def test_a_pdf_of_another_day_is_told(other: bytes, only_times: bool) -> None:
    found = see(PDF, other)
    assert found.bytes
    assert not found.alike(None)
    assert found.note == (
        "nothing but /CreationDate, /ModDate and /ID of the PDF" if only_times else None
    )
