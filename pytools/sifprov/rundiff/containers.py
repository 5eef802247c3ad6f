"""The containers of two runs, matched by where they were mounted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

from sifprov.compare import SAME as SAME_FILE
from sifprov.compare import compare
from sifprov.listing import Entry, Tree
from sifprov.model.container import Container
from sifprov.model.record import OUTPUT
from sifprov.rundiff.change import DIFFERS, SAME, UNKNOWN, Change, Topic, change
from sifprov.terminal import size

_SHORT = 16
_MAX_FILES = 50

# The files of both containers, where they are known.
Trees = Callable[[Container, Container], "tuple[Tree, Tree] | None"]


def compare_containers(
    name: str, first: tuple[Container, ...], second: tuple[Container, ...], trees: Trees
) -> Topic:
    """Compares the containers that played one role. What is in them counts, not which they are."""
    changes: list[Change] = []
    unknown: list[Change] = []
    for a, b in _matched(first, second):
        if a is None or b is None:
            where = (a or b).mount if a or b else None  # type: ignore[union-attr]
            changes.append(Change(where or "container", _known(a), _known(b)))
            continue
        where = a.mount or "container"
        if a.digest and b.digest:
            if a.digest != b.digest:
                changes.append(Change(where, _known(a), _known(b)))
                both = trees(a, b)
                changes += name_files(*both) if both else ()
        else:
            unknown.append(Change(where, _known(a), _known(b)))
        changes += _bound(where, a, b)
    if changes:
        return Topic(name, DIFFERS, tuple(changes + unknown))
    return Topic(name, UNKNOWN if unknown else SAME, tuple(unknown))


def name_files(first: Tree, second: Tree) -> Iterable[Change]:
    """Names the files that are not the same; the first ones, where they are many."""
    rows = [row for row in compare(first, second) if row.verdict != SAME_FILE]
    for row in rows[:_MAX_FILES]:
        yield Change("/" + os.fsdecode(row.path), _entry(row.first), _entry(row.second))
    if len(rows) > _MAX_FILES:
        yield Change(f"{len(rows) - _MAX_FILES} more files", None, None)


def _entry(entry: Entry | None) -> str | None:
    if entry is None:
        return None
    if entry.size is None:
        return {"d": "folder"}.get(entry.kind, "special file")
    return f"{size(entry.size)} ({entry.value[:8]}…)"


def _bound(where: str, a: Container, b: Container) -> Iterator[Change]:
    yield from change(f"{where}: folder of the container", a.source, b.source)
    yield from change(f"{where}: marks", ", ".join(a.marks) or None, ", ".join(b.marks) or None)
    if a.role != OUTPUT:
        yield from change(f"{where}: bound for", _access(a), _access(b))


def _access(container: Container) -> str:
    return "writing" if container.writable else "reading"


def _known(container: Container | None) -> str | None:
    if container is None:
        return None
    if container.digest is None:
        return f"{container.name} (content unknown: {container.reason or 'not read'})"
    scheme, _, value = container.digest.partition(":")
    return f"{container.name} ({scheme}:{value[:_SHORT]}…)"


def _matched(
    first: tuple[Container, ...], second: tuple[Container, ...]
) -> Iterator[tuple[Container | None, Container | None]]:
    """Yields pairs: of one mount point, the rest (an application has none) in their order."""
    by_mount = {c.mount: c for c in second if c.mount is not None}
    rest = [c for c in second if c.mount is None]
    for one in first:
        if one.mount is not None:
            yield one, by_mount.pop(one.mount, None)
        else:
            yield one, rest.pop(0) if rest else None
    for other in (*by_mount.values(), *rest):
        yield None, other
