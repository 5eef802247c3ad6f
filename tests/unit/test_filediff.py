"""In what two files differ: numbers, lines, bytes."""

from __future__ import annotations

from decimal import Decimal
from itertools import zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sifprov.filediff import Difference, look
from sifprov.filediff.binary import compare_bytes
from sifprov.filediff.numbers import Place


def see(
    a: bytes, b: bytes, tolerance: str | None = None, lines: int = 10, piece: int = 7
) -> Difference:
    def pieces(data: bytes) -> list[bytes]:
        return [data[i : i + piece] for i in range(0, len(data), piece)]

    return look(
        lambda: pieces(a),
        lambda: pieces(b),
        (len(a), len(b)),
        tolerance=None if tolerance is None else Decimal(tolerance),
        lines=lines,
    )


def test_a_table_tells_how_far_its_numbers_are_apart_and_where() -> None:
    found = see(b"x,r2\n1,0.93\n2,0.50\n", b"x,r2\n1,0.95\n2,0.500\n").numbers
    assert found
    assert (found.count, found.different, found.largest) == (4, 1, Decimal("0.02"))
    assert found.worst == Place(2, "r2", "0.93", "0.95")
    assert found.relative == pytest.approx(Decimal("0.0210526"), abs=Decimal("1e-6"))


@pytest.mark.parametrize(
    ("a", "b", "tolerance", "close"),
    [
        ("1.0", "1.0000001", "1e-6", True),
        ("1.0", "1.00001", "1e-6", False),
        # Of large numbers the tolerance is a share, of small ones a distance.
        ("1e9", "1.0000001e9", "1e-6", True),
        ("1e-9", "2e-9", "1e-6", True),
        ("0", "0.5", "0.5", True),
        ("1.0", "1.00", "0", True),
        ("1.0", "1.00", None, False),
        ("nan", "NaN", "0", True),
        ("nan", "1", "1e300", False),
        ("inf", "-inf", "1e300", False),
        ("9007199254740993", "9007199254740992", "0", False),
        ("1e999999999", "2e999999999", "0.1", False),
    ],
)
def test_a_tolerance_is_kept(a: str, b: str, tolerance: str | None, close: bool) -> None:
    found = see(f"v {a}\n".encode(), f"v {b}\n".encode(), tolerance)
    assert found.numbers
    assert found.alike(Decimal(tolerance) if tolerance else None) == close


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (b"one 1\n", b"two 1.5\n"),
        (b"run2 ok\n", b"run3 ok\n"),
        (b"1 2\n", b"1 2 3\n"),
        (b"1\n", b"1\n2\n"),
        (b"v1.2.3\n", b"v1.2.4\n"),
    ],
)
def test_what_is_no_number_is_text(a: bytes, b: bytes) -> None:
    found = see(a, b)
    assert found.numbers is None
    assert found.text and found.text.line


def test_blanks_that_align_columns_do_not_count() -> None:
    found = see(b"  1.0   2.0\n", b" 10.0   2.0\n").numbers
    assert found and found.different == 1
    # Without a tolerance it is the bytes that count, blanks too.
    aligned = see(b"1.0 2.0\n", b"1.0  2.0\n")
    assert aligned.alike(Decimal(0)) and not aligned.alike(None)
    assert found.worst == Place(1, "1", "1.0", "10.0")


def test_text_shows_a_short_diff() -> None:
    a = b"".join(b"line %d x\n" % i for i in range(100))
    found = see(a, a.replace(b"line 50 x", b"LINE"), lines=20).text
    assert found
    assert (found.line, found.cut) == (51, False)
    assert [line for line in found.diff if line[0] in "+-"] == ["-line 50 x", "+LINE"]
    short = see(a, a.replace(b"x", b"y"), lines=3).text
    assert short and short.cut and len(short.diff) == 3


def test_a_missing_newline_is_told() -> None:
    found = see(b"end\n", b"end").text
    assert found and "+end (no newline at the end)" in found.diff


def test_of_a_large_text_the_first_lines_that_differ_are_shown() -> None:
    a = b"x\n" * 600_000
    found = see(a + b"old\n", a + b"new\n", piece=1 << 16).text
    assert found
    assert found.line == 600_001 and found.cut
    assert found.diff[1:] == ("-old", "+new")


@given(st.binary(max_size=300), st.binary(max_size=300), st.integers(1, 64))
def test_bytes_are_counted_as_a_plain_loop_counts_them(a: bytes, b: bytes, piece: int) -> None:
    a, b = b"\0" + a, b"\0" + b
    found = see(a, b, piece=piece).bytes
    differ = [i for i, (x, y) in enumerate(zip_longest(a, b)) if x != y]
    if not differ:
        assert found is None
    else:
        assert found and (found.first, found.count) == (differ[0], len(differ))


def test_large_contents_are_compared_in_pieces() -> None:
    data = bytes(range(250)) * 1200
    other = bytearray(data)
    other[200_000] ^= 1
    found = compare_bytes([data[:1000], data[1000:]], [bytes(other)])
    assert found and (found.first, found.count) == (200_000, 1)
    found = compare_bytes([data], [data[:100_000]])
    assert found and (found.first, found.count) == (100_000, 200_000)


@given(st.text(alphabet="0123456789.eE+-naif ,x\n", max_size=80), st.data())
def test_no_text_breaks_it(a: str, data: st.DataObject) -> None:
    b = data.draw(st.text(alphabet="0123456789.eE+-naif ,x\n", max_size=80))
    found = see(a.encode(), b.encode(), "1e-3")
    if a != b:
        assert found.numbers or found.text
    else:
        assert found.numbers is None or found.numbers.different == 0


def test_a_character_that_the_look_cuts_is_still_text() -> None:
    a = b"a" * 8191 + "é".encode() + b"\n"
    assert see(a, a + b"b\n", piece=8192).text
    assert see(b"\xff\xfe", b"\xff").bytes
