"""Colour on a terminal, or none. What is coloured must be harmless already."""

from __future__ import annotations

from sifprov.frozen import dataclass


@dataclass(frozen=True)
class Palette:
    """Paints text when it is `on`; else returns it as it is."""

    on: bool = False

    def strong(self, text: str) -> str:
        """What the eye looks for: names."""
        return self._paint("1", text)

    def faint(self, text: str) -> str:
        """What is there to be copied: ids and digests."""
        return self._paint("2", text)

    def good(self, text: str) -> str:
        """A run that ended well."""
        return self._paint("32", text)

    def bad(self, text: str) -> str:
        """What failed, or does not fit."""
        return self._paint("31", text)

    def odd(self, text: str) -> str:
        """What is to be known before one relies on the rest."""
        return self._paint("33", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and text else text
