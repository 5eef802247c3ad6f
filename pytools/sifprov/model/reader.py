"""Reads fields out of untrusted JSON; every error names the JSON path."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from sifprov.errors import RecordError
from sifprov.model.canonical import Json, text_from_json
from sifprov.model.timestamp import is_time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    T = TypeVar("T")


_SCHEMES = ("tree-v1", "image-v1", "sha256")


class Reader:
    """One JSON object and its path. Each method takes one field out of it."""

    def __init__(self, value: Json, path: str) -> None:
        if not isinstance(value, dict):
            raise RecordError(path, "not an object")
        self._value = value
        self._path = path
        self._taken: set[str] = set()

    def path(self, name: str) -> str:
        """Returns the JSON path of the field `name`."""
        return f"{self._path}.{name}" if self._path else name

    def json(self, name: str) -> Json:
        """Returns a field that must be there, whatever its type."""
        if name not in self._value:
            raise RecordError(self.path(name), "missing")
        self._taken.add(name)
        value: Json = self._value[name]
        return value

    def has(self, name: str) -> bool:
        """Whether the field is there at all."""
        return name in self._value

    def end(self) -> None:
        """Raises RecordError when the object has a field that nobody asked for."""
        left = sorted(set(self._value) - self._taken)
        if left:
            raise RecordError(self.path(left[0]), "unknown field")

    def text(self, name: str) -> str:
        """Returns a text; bytes that are no UTF-8 come as surrogate escapes."""
        return text_from_json(self.json(name), self.path(name))

    def word(self, name: str, *allowed: str) -> str:
        """Returns a plain string, one of `allowed` where any are given."""
        value = self.json(name)
        if not isinstance(value, str) or (allowed and value not in allowed):
            wanted = "one of " + ", ".join(allowed) if allowed else "a string"
            raise RecordError(self.path(name), f"not {wanted}")
        return value

    def integer(self, name: str, low: int, high: int) -> int:
        """Returns an integer from `low` to `high`."""
        value = self.json(name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise RecordError(self.path(name), f"not an integer from {low} to {high}")
        return value

    def flag(self, name: str) -> bool:
        """Returns true or false."""
        value = self.json(name)
        if not isinstance(value, bool):
            raise RecordError(self.path(name), "not true or false")
        return value

    def uuid(self, name: str) -> UUID:
        """Returns a UUID in its canonical form."""
        value = self.json(name)
        try:
            if isinstance(value, str) and str(made := UUID(value)) == value:
                return made
        except ValueError:
            pass
        raise RecordError(self.path(name), "not a UUID")

    def time(self, name: str) -> str:
        """Returns a UTC time (RFC 3339, `Z`, at most nanoseconds)."""
        value = self.json(name)
        if isinstance(value, str) and is_time(value):
            return value
        raise RecordError(self.path(name), "not a UTC time")

    def digest(self, name: str) -> str:
        """Returns a digest `SCHEME:HEX`."""
        value = self.json(name)
        if isinstance(value, str):
            scheme, _, digits = value.partition(":")
            if scheme in _SCHEMES and len(digits) == 64 and not digits.strip("0123456789abcdef"):
                return value
        raise RecordError(self.path(name), "not a digest")

    def items(self, name: str, item: Callable[[Json, str], T]) -> tuple[T, ...]:
        """Returns a list whose items `item` reads, each with its own path."""
        value = self.json(name)
        if not isinstance(value, list):
            raise RecordError(self.path(name), "not a list")
        return tuple(item(each, f"{self.path(name)}[{i}]") for i, each in enumerate(value))

    def optional(self, name: str, read: Callable[[str], T]) -> T | None:
        """Returns None where the field is null, else what `read` makes of it."""
        if self.json(name) is None:
            return None
        return read(name)
