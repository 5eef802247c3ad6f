"""What a check says."""

from __future__ import annotations

from enum import Enum

from sifprov.frozen import dataclass
from sifprov.model.canonical import Json


class Level(Enum):
    """How it stands; the value is the word that is shown."""

    OK = "ok"
    WARN = "warn"
    """Runs are captured, but something that some runs or verbs want is not in order."""
    BAD = "bad"
    """What runs or data containers need is missing, or makes runs fail."""
    SKIP = "skip"
    """Not looked at, for the reason in the text."""


@dataclass(frozen=True)
class Check:
    """One finding: `text` says how it is, `hint` what to do next."""

    name: str
    level: Level
    text: str
    hint: str | None = None

    @property
    def good(self) -> bool:
        """Whether nothing that is needed is missing."""
        return self.level is not Level.BAD

    def to_json(self) -> Json:
        """Returns one row of the document that `sifprov doctor --json` prints."""
        return {
            "hint": self.hint,
            "level": self.level.value,
            "name": self.name,
            "text": self.text,
        }


def ok(name: str, text: str) -> Check:
    """A check that found nothing wrong."""
    return Check(name, Level.OK, text)


def skip(name: str, text: str) -> Check:
    """A check that was left out; `text` says why."""
    return Check(name, Level.SKIP, text)


def warn(name: str, text: str, hint: str) -> Check:
    """A check that found something to mend, though runs can be captured."""
    return Check(name, Level.WARN, text, hint)


def bad(name: str, text: str, hint: str) -> Check:
    """A check that found what is needed to be missing."""
    return Check(name, Level.BAD, text, hint)
