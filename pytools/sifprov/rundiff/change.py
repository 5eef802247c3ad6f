"""Changes, and the topics that they belong to."""

from __future__ import annotations

from collections import Counter
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


def by_way(first: Json, second: Json, prefix: str = "") -> Iterator[Change]:
    """Yields a change for each place in two JSON documents (`gpus`, `cpu`) where they are not the
    same; of lists of plain values, what one has and the other has not."""
    left, right = _flat(first), _flat(second)
    for way in sorted(left.keys() | right.keys()):
        one, other = left.get(way), right.get(way)
        if isinstance(one, Counter) and isinstance(other, Counter):
            yield from change(prefix + way, _listed(one - other), _listed(other - one))
        else:
            yield from change(prefix + way, _listed(one), _listed(other))


def _listed(value: str | Counter[str] | None) -> str | None:
    return ", ".join(sorted(value.elements())) or None if isinstance(value, Counter) else value


def _flat(value: Json) -> dict[str, str | Counter[str]]:
    """The plain values, and lists of such, of a JSON document by the way to each."""
    found: dict[str, str | Counter[str]] = {}
    todo: list[tuple[str, Json, int]] = [("", value, 0)]
    while todo:
        way, one, depth = todo.pop()
        below: Iterable[tuple[str, Json]] = ()
        if isinstance(one, list):
            plain = [text for item in one if (text := _plain(item)) is not None]
            found[way] = Counter(plain)
            below = [(str(i), x) for i, x in enumerate(one) if isinstance(x, (Mapping, list))]
        elif isinstance(one, Mapping):
            below = one.items()
        elif (text := _plain(one)) is not None:
            found[way] = text
        if depth < _MAX_DEPTH:
            todo += [(f"{way}.{key}" if way else key, item, depth + 1) for key, item in below]
    return found


def _plain(value: Json) -> str | None:
    if value is None or isinstance(value, (Mapping, list)):
        return None
    return str(value).lower() if isinstance(value, bool) else str(value)
