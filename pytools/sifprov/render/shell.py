"""Words for a POSIX shell, whatever they hold, in text that is harmless on a terminal too."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from sifprov.terminal import printable

# Stands for the folder that the variable `here` names. No argument of a program can hold it.
HERE = "\0"
# Without the dash: a format that begins with one is an option to printf.
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/=:,")


class Shell:
    """Quotes words. `before` are the lines that must stand before their use: each puts a word that
    cannot be shown as it is into a variable."""

    def __init__(self) -> None:
        self.before: list[str] = []

    def words(self, words: Iterable[str]) -> str:
        """Returns words as a part of a command line."""
        return " ".join(map(self._word, words))

    def _word(self, word: str) -> str:
        parts = (self._part(part) for part in word.split(HERE))
        return '"$here"'.join(parts) or "''"

    def _part(self, part: str) -> str:
        if not part:
            return ""
        if printable(part) == part:
            return shlex.quote(part)
        data = part.encode("utf-8", "surrogateescape")
        octal = "".join(chr(b) if b in _PLAIN else f"\\{b:03o}" for b in data)
        name = f"word{len(self.before) + 1}"
        # The point keeps newlines at the end, which a command substitution would cut off.
        self.before.append(f"{name}=$(printf '{octal}.'); {name}=${{{name}%.}}")
        return f'"${name}"'
