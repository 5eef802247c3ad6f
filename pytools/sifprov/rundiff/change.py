"""Changes, and the topics that they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sifprov.frozen import dataclass
from sifprov.model.canonical import Json

SAME, DIFFERS, UNKNOWN, SHOWN = "same", "differs", "unknown", "shown"
# Facts come from a container and may hold anything.
_MAX_DEPTH = 16


@dataclass(frozen=True)
class Change:
    """One thing that is not the same: a text of each run, None where it has none."""

    what: str
    first: str | None
    second: str | None


@dataclass(frozen=True)
class Topic:
    """One side of two runs. `verdict`: SAME, DIFFERS, UNKNOWN where a record does not tell, or
    SHOWN for what two runs of the same thing hardly share, which does not count."""

    name: str
    verdict: str
    changes: tuple[Change, ...]


def topic(name: str, changes: Iterable[Change]) -> Topic:
    """Returns the topic that differs by these changes, or is the same without any."""
    found = tuple(changes)
    return Topic(name, DIFFERS if found else SAME, found)


def change(what: str, first: str | None, second: str | None) -> Iterator[Change]:
    """Yields a change where there is one."""
    if first != second:
        yield Change(what, first, second)


def by_name(
    first: Mapping[str, str], second: Mapping[str, str], prefix: str = ""
) -> Iterator[Change]:
    """Yields a change for each name whose text is another, or that one has alone."""
    for name in sorted(first.keys() | second.keys()):
        yield from change(prefix + name, first.get(name), second.get(name))


def flat(value: Json) -> dict[str, str]:
    """Returns the plain values of a JSON document by the way to each (`cpu`, `gpus.0`)."""
    found: dict[str, str] = {}
    todo: list[tuple[str, Json, int]] = [("", value, 0)]
    while todo:
        name, one, depth = todo.pop()
        below: Iterable[tuple[str, Json]] = ()
        if depth < _MAX_DEPTH:
            if isinstance(one, Mapping):
                below = one.items()
            elif isinstance(one, list):
                below = [(str(place), item) for place, item in enumerate(one)]
        if isinstance(one, (Mapping, list)):
            todo += [(f"{name}.{key}" if name else key, item, depth + 1) for key, item in below]
        elif one is not None:
            found[name] = str(one).lower() if isinstance(one, bool) else str(one)
    return found
