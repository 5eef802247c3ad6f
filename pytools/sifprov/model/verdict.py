"""What a replay showed: whether a result came out as it was recorded. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, text_from_json, text_to_json
from sifprov.model.reader import Reader
from sifprov.model.record import Replay

T = TypeVar("T")

# Every byte is the same; what differs is equal by its kind (pixels, numbers within the tolerance);
# something differs; not known, for want of a recorded digest.
SAME, ALIKE, DIFFERS, UNKNOWN = "same", "alike", "differs", "unknown"
# Of a file, besides the first three.
ONLY_ORIGINAL, ONLY_REPLAY = "only-original", "only-replay"
FILE_WORDS = (SAME, ALIKE, DIFFERS, ONLY_ORIGINAL, ONLY_REPLAY)

MAX_FILES = 100
MAX_CHANGES = 256
MAX_STEPS = 65_536
MAX_TEXT = 1024
MAX_PATH = 4096
_MAX_COUNT = 2**53
_MAX_NUMBER = 64
# What `str` makes of a Decimal from 0 on.
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:E[+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class FileWord:
    """One file that is not the same: its path, one of FILE_WORDS, and in what it differs, in
    words."""

    path: str
    word: str
    what: str

    def to_json(self) -> Json:
        """Returns the JSON object."""
        return {
            "path": text_to_json(self.path), "verdict": self.word, "what": text_to_json(self.what),
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Json, path: str) -> FileWord:
        """Reads it. Raises RecordError."""
        r = Reader(value, path)
        found = cls(
            path=_text(r.json("path"), r.path("path"), MAX_PATH),
            word=r.word("verdict", *FILE_WORDS[1:]),
            what=_text(r.json("what"), r.path("what")),
        )
        r.end()
        return found


@dataclass(frozen=True)
class Changed:
    """What the user asked to be otherwise than recorded."""

    what: str
    before: str
    after: str

    def to_json(self) -> Json:
        """Returns the JSON object."""
        return {
            "after": text_to_json(self.after), "before": text_to_json(self.before),
            "what": text_to_json(self.what),
        }  # fmt: skip

    @classmethod
    def from_json(cls, value: Json, path: str) -> Changed:
        """Reads it. Raises RecordError."""
        r = Reader(value, path)
        found = cls(*(_text(r.json(n), r.path(n)) for n in ("what", "before", "after")))
        r.end()
        return found


@dataclass(frozen=True)
class StepWord:
    """How the outputs of one replayed run compare with what its records (of this id) say: SAME or
    DIFFERS by their digests, UNKNOWN where one has none."""

    id: UUID
    word: str

    def to_json(self) -> Json:
        """Returns the JSON object."""
        return {"id": str(self.id), "verdict": self.word}

    @classmethod
    def from_json(cls, value: Json, path: str) -> StepWord:
        """Reads it. Raises RecordError."""
        r = Reader(value, path)
        found = cls(r.uuid("id"), r.word("verdict", SAME, DIFFERS, UNKNOWN))
        r.end()
        return found


@dataclass(frozen=True)
class Verdict:
    """What a replay showed: `result` is SAME, ALIKE or DIFFERS.

    `run` is the record of the replay's run, `content` the content digest of what came out, and
    `original` that of what it was compared with; which record was replayed says the record that
    this stands in. `counts` are the entries of both by FILE_WORDS, in that order; `files` the first
    of those that are not the same. `tolerance` is the text of a number, as it was asked for.
    `steps` are the runs that were replayed, where they were several.
    """

    result: str
    run: Replay
    original: str
    content: str
    counts: tuple[int, ...]
    files: tuple[FileWord, ...] = ()
    tolerance: str | None = None
    changes: tuple[Changed, ...] = ()
    steps: tuple[StepWord, ...] = ()

    def to_json(self) -> dict[str, Json]:
        """Returns the JSON object."""
        return {
            "changes": [c.to_json() for c in self.changes],
            "content": self.content,
            "counts": dict(zip(FILE_WORDS, self.counts, strict=True)),
            "files": [f.to_json() for f in self.files],
            "original": self.original,
            "result": self.result,
            "run": self.run.to_json(),
            "steps": [s.to_json() for s in self.steps],
            "tolerance": self.tolerance,
        }

    @classmethod
    def from_json(cls, value: Json, path: str) -> Verdict:
        """Reads a verdict. Raises RecordError."""
        r = Reader(value, path)
        counts = Reader(r.json("counts"), r.path("counts"))
        found = cls(
            result=r.word("result", SAME, ALIKE, DIFFERS),
            run=Replay.from_json(r.json("run"), r.path("run")),
            original=r.digest("original"),
            content=r.digest("content"),
            counts=tuple(counts.integer(word, 0, _MAX_COUNT) for word in FILE_WORDS),
            files=_at_most(MAX_FILES, r, "files", FileWord.from_json),
            tolerance=r.optional("tolerance", lambda n: _number(r.word(n), r.path(n))),
            changes=_at_most(MAX_CHANGES, r, "changes", Changed.from_json),
            steps=_at_most(MAX_STEPS, r, "steps", StepWord.from_json),
        )
        counts.end()
        r.end()
        if found.result != result_of(found.counts):
            raise RecordError(r.path("result"), "is not what the counts say")
        if (found.result == SAME) != (found.original == found.content):
            raise RecordError(r.path("result"), "is not what the content digests say")
        if len(found.files) > sum(found.counts[1:]):
            raise RecordError(r.path("files"), "more than the counts say")
        return found


def result_of(counts: tuple[int, ...]) -> str:
    """Returns what the entries of both, counted by FILE_WORDS, make together."""
    _, alike, *others = counts
    return DIFFERS if any(others) else ALIKE if alike else SAME


def _at_most(limit: int, r: Reader, name: str, item: Callable[[Json, str], T]) -> tuple[T, ...]:
    value = r.json(name)
    if isinstance(value, list) and len(value) > limit:
        raise RecordError(r.path(name), f"more than {limit} entries")
    return r.items(name, item)


def _text(value: Json, path: str, limit: int = MAX_TEXT) -> str:
    text = text_from_json(value, path)
    if len(text) > limit:
        raise RecordError(path, f"longer than {limit} characters")
    return text


def _number(text: str, path: str) -> str:
    if len(text) > _MAX_NUMBER or not _NUMBER.fullmatch(text):
        raise RecordError(path, "not the text of a number from 0 on")
    return text
