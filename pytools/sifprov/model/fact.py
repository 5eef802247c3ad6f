"""A fact of a run: a value and where it was read, or null and why."""

from __future__ import annotations

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, check
from sifprov.model.reader import Reader

_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")
MAX_NAME = 64


@dataclass(frozen=True)
class Fact:
    """What is known under `name`.

    `value` is what was read, and `source` says where (`uname`, `engine configuration`); or it is
    None, and `reason` says why it is not known.
    """

    name: str
    value: Json
    source: str | None = None
    reason: str | None = None

    def to_json(self) -> Json:
        """Returns the JSON object of this fact."""
        if self.value is None:
            return {"reason": _said(self.reason), "value": None}
        return {"source": _said(self.source), "value": self.value}

    @classmethod
    def from_json(cls, name: str, value: Json, path: str) -> Fact:
        """Reads a fact. Raises RecordError."""
        if not name or len(name) > MAX_NAME or not _NAME.issuperset(name):
            raise RecordError(path, "not the name of a fact")
        r = Reader(value, path)
        what = r.json("value")
        found = (
            cls(name, None, reason=r.word("reason"))
            if what is None
            else cls(name, what, source=r.word("source"))
        )
        r.end()
        try:
            check(what)
        except ValueError as error:
            raise RecordError(r.path("value"), str(error)) from error
        return found


def _said(text: str | None) -> str:
    # An empty one was read so, and stays.
    return "not known" if text is None else text


def facts_to_json(facts: tuple[Fact, ...]) -> Json:
    """Returns the JSON object of facts, by name."""
    return {fact.name: fact.to_json() for fact in facts}


def facts_from_json(value: Json, path: str) -> tuple[Fact, ...]:
    """Reads an object of facts; they come by name. Raises RecordError."""
    if not isinstance(value, dict):
        raise RecordError(path, "not an object")
    return tuple(Fact.from_json(name, value[name], f"{path}.{name}") for name in sorted(value))
