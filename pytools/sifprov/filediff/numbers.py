"""Text that differs in nothing but numbers: tables, CSV, logs of a computation.

Two lines are alike when the words and separators between their numbers are; blanks that only
align columns do not count. Then the numbers are compared one by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Context, Decimal, InvalidOperation
from itertools import zip_longest

from sifprov.frozen import dataclass

# A number stands by itself: what is part of a word, a date or a version is none.
_NUMBER = re.compile(
    rb"(?<![\w.])[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,9})?|nan|inf(?:inity)?)(?![\w.])",
    re.IGNORECASE,
)
# Longer ones are no tables.
_MAX_LINE = 1 << 20
_EXACT = Context(prec=50, Emax=10**15, Emin=-(10**15), traps=[InvalidOperation])
_ONE, _ZERO = Decimal(1), Decimal(0)


@dataclass(frozen=True)
class Place:
    """Two numbers that differ, as they are written: `line` from 1, `column` is the header's word
    where there is one, else the number's place in its line, from 1."""

    line: int
    column: str
    first: str
    second: str


@dataclass(frozen=True)
class Numbers:
    """`count` numbers were compared, of which `different` have another value and `beyond` one
    beyond the tolerance. `largest` is the largest absolute difference (None where one is not
    finite) and `relative` the largest in proportion to the larger of the two; `worst` is where the
    relative one is. `different` is 0 where the same numbers are only written otherwise."""

    count: int
    different: int
    beyond: int
    largest: Decimal | None
    relative: Decimal | None
    worst: Place | None


class _Tally:
    def __init__(self, tolerance: Decimal | None) -> None:
        self.tolerance = tolerance
        self.count = self.different = self.beyond = 0
        self.largest: Decimal | None = _ZERO
        self.relative: Decimal | None = _ZERO
        self.worst: Place | None = None

    def add(self, a: Decimal, b: Decimal) -> bool:
        """Counts two numbers of different writing; tells whether they are the worst so far."""
        if a == b or (a.is_nan() and b.is_nan()):
            # Without a tolerance it is the bytes that count.
            self.beyond += self.tolerance is None
            return False
        self.different += 1
        if not (a.is_finite() and b.is_finite()):
            self.beyond += 1
            worse = self.relative is not None
            self.largest = self.relative = None
            return worse
        apart = _EXACT.subtract(a, b).copy_abs()
        scale = max(a.copy_abs(), b.copy_abs())
        self.beyond += self.tolerance is None or apart > _EXACT.multiply(
            self.tolerance, max(scale, _ONE)
        )
        if self.largest is None or self.relative is None:
            return False
        self.largest = max(self.largest, apart)
        share = _EXACT.divide(apart, scale)
        if share <= self.relative:
            return False
        self.relative = share
        return True


def compare_numbers(
    first: Iterable[bytes], second: Iterable[bytes], tolerance: Decimal | None
) -> Numbers | None:
    """Compares the numbers of two texts, given by lines; None where anything else differs too.

    Two numbers are within the tolerance T when they differ by at most T · max(1, |a|, |b|).
    """
    tally = _Tally(tolerance)
    header = b""
    for number, (a, b) in enumerate(zip_longest(first, second), start=1):
        if a is None or b is None:
            return None
        if number == 1:
            header = a
        if a == b:
            tally.count += len(_NUMBER.findall(a)) if len(a) <= _MAX_LINE else 0
            continue
        if len(a) > _MAX_LINE or len(b) > _MAX_LINE or _words(a) != _words(b):
            return None
        if not _line(tally, a, b, number, header):
            return None
    if not tally.count:
        return None
    return Numbers(
        tally.count, tally.different, tally.beyond, tally.largest, tally.relative, tally.worst
    )


def _words(line: bytes) -> list[bytes]:
    """What stands around the numbers, with any run of blanks as one."""
    return [b" ".join(part.split()) for part in _NUMBER.split(line.strip())]


def _line(tally: _Tally, a: bytes, b: bytes, number: int, header: bytes) -> bool:
    """Compares the numbers of two lines that are alike; False for one that is none after all."""
    for place, (x, y) in enumerate(zip(_NUMBER.finditer(a), _NUMBER.finditer(b), strict=True)):
        tally.count += 1
        if x.group() == y.group():
            continue
        one, other = x.group().decode("ascii"), y.group().decode("ascii")
        try:
            worst = tally.add(Decimal(one), Decimal(other))
        except InvalidOperation:
            return False
        if worst:
            column = _column(header, a, x.start()) or str(place + 1)
            tally.worst = Place(number, column, one, other)
    return True


def _column(header: bytes, line: bytes, at: int) -> str | None:
    """Returns the header's word for what stands `at` a place of a line, where the two have as many
    fields."""
    for separator in (b",", b"\t", b";"):
        names = header.strip().split(separator)
        if len(names) > 1 and len(names) == line.count(separator) + 1:
            name = names[line.count(separator, 0, at)].strip(b" \"'")
            known = name and not _NUMBER.fullmatch(name)
            return name.decode("utf-8", "surrogateescape") if known else None
    return None
