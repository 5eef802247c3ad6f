"""In what two files differ, in one line."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from sifprov.filediff.numbers import Numbers
from sifprov.filediff.pictures import Pixels
from sifprov.terminal import counted

if TYPE_CHECKING:
    from sifprov.filediff import Difference


def in_words(difference: Difference) -> str:
    """Returns a line without anything that the files say."""
    if difference.numbers:
        return _numbers(difference.numbers)
    if difference.pixels:
        return _pixels(difference.pixels)
    if difference.text:
        return f"line {difference.text.line} is the first that differs"
    if difference.bytes:
        found = difference.bytes
        verb = "differs" if found.count == 1 else "differ"
        text = f"{counted(found.count, 'byte')} {verb}, the first at {found.first}"
        return f"{text}; {difference.note}" if difference.note else text
    return "too large to be looked into"


def _numbers(found: Numbers) -> str:
    if not found.different:
        return f"the same {counted(found.count, 'number')}, written otherwise"
    text = f"{found.different} of {found.count} numbers differ"
    if found.largest is not None and found.relative is not None:
        text += f", by at most {_short(found.largest)} ({_short(found.relative * 100)} %)"
    if 0 < found.beyond < found.different:
        text += f"; {found.beyond} beyond the tolerance"
    return text


def _pixels(found: Pixels) -> str:
    if found.first != found.second:
        one, other = (f"{width} by {height}" for width, height in (found.first, found.second))
        return f"{one} pixels, and {other}"
    width, height = found.first
    if found.different:
        text = f"{found.different:,} of {width * height:,} pixels differ, "
        text += f"by at most {found.largest} of {found.full}"
    else:
        text = f"all {width * height:,} pixels are the same"
    return f"{text}; gamma or colour profile differ" if found.colours else text


def _short(value: Decimal) -> str:
    return f"{value:.3g}"
