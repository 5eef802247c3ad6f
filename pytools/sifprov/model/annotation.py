"""Words of the user about a run: notes, tags, and metrics such as `r2=0.93`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping

from sifprov.errors import RecordError, SifprovError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, text_from_json, text_to_json
from sifprov.model.reader import Reader

NOTE, TAGS, METRICS = "SIFPROV_NOTE", "SIFPROV_TAGS", "SIFPROV_METRICS"
VARIABLES = (NOTE, TAGS, METRICS)
MAX_ITEMS = 256
MAX_NAME = 128
MAX_TEXT = 16 * 1024
# A number as JSON writes it: kept as text, for canonical JSON here knows no fractions.
_NUMBER = r"(?a)-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?"
MAX_NUMBER = 64


@dataclass(frozen=True)
class Annotation:
    """`notes` in their order, `tags` and `metrics` by name. A metric's value is the decimal text of
    a finite number."""

    notes: tuple[str, ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    metrics: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.notes or self.tags or self.metrics)

    def to_json(self) -> Json:
        """Returns the JSON object of this annotation."""
        return {
            "metrics": dict(self.metrics),
            "notes": [text_to_json(note) for note in self.notes],
            "tags": {name: text_to_json(value) for name, value in self.tags},
        }

    @classmethod
    def from_json(cls, value: Json, path: str) -> Annotation:
        """Reads an annotation. Raises RecordError."""
        r = Reader(value, path)
        found = cls(
            notes=r.items("notes", _text),
            tags=_by_name(r, "tags", _text),
            metrics=_by_name(r, "metrics", _number),
        )
        if not found or len(found.notes) > MAX_ITEMS:
            raise RecordError(path, f"empty, or more than {MAX_ITEMS} notes")
        r.end()
        return found


def make(
    notes: Iterable[str] = (), tags: Iterable[str] = (), metrics: Iterable[str] = ()
) -> Annotation:
    """Returns the annotation of what a user typed: texts, `KEY=VALUE`, `NAME=NUMBER`. The last of
    two with one name counts. Raises SifprovError, naming what cannot be used."""
    found = Annotation(
        tuple(_checked_note(note) for note in notes),
        _sorted(_split(tag, "tag", "KEY=VALUE") for tag in tags),
        _sorted(_metric(metric) for metric in metrics),
    )
    for items in (found.notes, found.tags, found.metrics):
        if len(items) > MAX_ITEMS:
            raise SifprovError(f"more than {MAX_ITEMS} notes, tags or metrics")
    return found


def from_environment(variables: Mapping[str, str]) -> tuple[Annotation, tuple[str, ...]]:
    """Returns what SIFPROV_NOTE, SIFPROV_TAGS and SIFPROV_METRICS say (tags and metrics are
    separated by commas), and one line about each thing that could not be used: a typing error there
    must not cost a run."""
    problems: list[str] = []

    def usable(name: str, one: Callable[[str], Annotation]) -> list[str]:
        kept = []
        for item in filter(str.strip, variables.get(name, "").split(",")):
            try:
                one(item.strip())
                kept.append(item.strip())
            except SifprovError as error:
                problems.append(f"${name}: {error}")
        return kept[:MAX_ITEMS]

    notes = [variables[NOTE]] if variables.get(NOTE, "").strip() else []
    try:
        make(notes)
    except SifprovError as error:
        problems.append(f"${NOTE}: {error}")
        notes = []
    tags = usable(TAGS, lambda item: make(tags=[item]))
    metrics = usable(METRICS, lambda item: make(metrics=[item]))
    return make(notes, tags, metrics), tuple(problems)


def merge(first: Annotation, second: Annotation) -> Annotation:
    """Returns both, at most MAX_ITEMS of a kind; of two tags or metrics with one name, the second's
    counts."""
    return Annotation(
        (first.notes + second.notes)[-MAX_ITEMS:],
        _sorted((*first.tags, *second.tags))[-MAX_ITEMS:],
        _sorted((*first.metrics, *second.metrics))[-MAX_ITEMS:],
    )


def _sorted(items: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(dict(items).items()))


def _checked_note(text: str) -> str:
    if not text.strip():
        raise SifprovError("an empty note")
    if len(text) > MAX_TEXT:
        raise SifprovError(f"a note of more than {MAX_TEXT} characters")
    return text


def _split(text: str, what: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    name = name.strip()
    if not equals or not _is_name(name):
        raise SifprovError(f"{what} {text!r} has not the form {form}", hint=f"try '{what}=1'")
    if len(value) > MAX_TEXT:
        raise SifprovError(f"{what} {name!r} has more than {MAX_TEXT} characters")
    return name, value


def _metric(text: str) -> tuple[str, str]:
    name, value = _split(text, "metric", "NAME=NUMBER")
    value = value.strip()
    if not _is_number(value):
        raise SifprovError(
            f"metric {name!r} is {value!r}, which is no finite decimal number",
            hint="write it as JSON does: 0.93, -4, 1.5e-9",
        )
    return name, value


def _is_name(name: str) -> bool:
    return 0 < len(name) <= MAX_NAME and name.isprintable() and name == name.strip()


def _is_number(text: str) -> bool:
    return (
        len(text) <= MAX_NUMBER
        and re.fullmatch(_NUMBER, text) is not None
        and math.isfinite(float(text))
    )


def _text(value: Json, path: str) -> str:
    text = text_from_json(value, path)
    if len(text) > MAX_TEXT:
        raise RecordError(path, f"longer than {MAX_TEXT} characters")
    return text


def _number(value: Json, path: str) -> str:
    if not isinstance(value, str) or not _is_number(value):
        raise RecordError(path, "not the text of a finite number")
    return value


def _by_name(
    r: Reader, field: str, read: Callable[[Json, str], str]
) -> tuple[tuple[str, str], ...]:
    value = r.json(field)
    if not isinstance(value, dict) or len(value) > MAX_ITEMS:
        raise RecordError(r.path(field), f"not an object of at most {MAX_ITEMS} names")
    if not all(map(_is_name, value)):
        raise RecordError(r.path(field), "holds a name that is none")
    return tuple((name, read(value[name], f"{r.path(field)}.{name}")) for name in sorted(value))
