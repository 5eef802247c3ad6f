"""Text that comes from a container or a command line, made harmless for a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

# What moves the cursor, hides text or turns its direction.
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def printable(text: str) -> str:
    """Returns `text` with every character that could act on a terminal as an escape (`\\x1b`)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(c) if unicodedata.category(c) in _UNSAFE else c for c in text)


def _escape(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def command(argv: Iterable[str]) -> str:
    """Returns a command line as one would type it, harmless for a terminal."""
    import shlex  # not for the helper, which prints no command

    return printable(shlex.join(argv))


def counted(count: int, noun: str) -> str:
    """Returns `1 file`, `2 files`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def size(count: int) -> str:
    """Returns a size for people: `12 B`, `3.4 MiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError
