"""Which run made a file, in words."""

from __future__ import annotations

from collections.abc import Iterator

from sifprov.fileorigin import AS_LISTED, CHANGED, GONE, FileOrigin
from sifprov.listing import Entry
from sifprov.model.graph import Activity, Graph
from sifprov.render.colour import Palette
from sifprov.render.treetext import Texts
from sifprov.terminal import counted, printable, size

_KINDS = {
    "f": "file", "x": "program", "d": "folder", "l": "symbolic link", "p": "FIFO", "s": "socket",
    "b": "block device", "c": "character device",
}  # fmt: skip


def render(found: FileOrigin, graph: Graph, palette: Palette | None = None) -> str:
    """Returns the lines that say it."""
    return "\n".join(_lines(found, graph, palette or Palette()))


def _lines(found: FileOrigin, graph: Graph, paint: Palette) -> Iterator[str]:
    texts = Texts(graph, paint)
    yield f"{paint.strong(printable(found.path))}  {_described(found.entry)}"
    several = len(found.made_by) > 1
    if several:
        yield paint.odd(f"made by one of {len(found.made_by)} runs, which list no files between:")
    for activity in reversed(found.made_by):
        yield from _activity(activity, graph, texts, _how(activity, found))
    if not found.made_by:
        yield paint.odd("no record at hand tells what made it")
    if found.before:
        yield f"before that, it was a {_described(found.before)}"
    if found.outside:
        yield paint.odd(
            "the container had been changed before that run, by no recorded one: so may this be"
        )
    if found.through:
        last = found.through[-1]
        what = counted(len(found.through), "later run")
        yield f"unchanged since, through {what}; the last is {texts.activity(last)}"
    if found.removed_by:
        yield paint.odd(f"gone since {texts.activity(found.removed_by)}")
    if found.now == CHANGED:
        yield paint.odd("changed since: the container has another content there now")
    elif found.now == GONE and not found.removed_by:
        yield paint.odd("removed since, by no recorded run: the container has no such file now")
    elif found.now == AS_LISTED and found.removed_by:
        yield paint.odd("it is there again, by no recorded run")
    for gap in found.gaps:
        yield paint.odd(f"a list of files is missing: {printable(gap)}")


def _activity(activity: Activity, graph: Graph, texts: Texts, how: str) -> Iterator[str]:
    yield how + texts.activity(activity)
    yield from ("  " + line for line in texts.activity_lines(activity))
    for usage in activity.used:
        yield "  from " + texts.usage(usage.container, graph.entities[usage.entity])
        if usage.container.digest:
            yield "    " + usage.container.digest


def _how(activity: Activity, found: FileOrigin) -> str:
    if activity.run is None or len(found.made_by) > 1:
        return ""
    return "changed by " if found.before else "made by "


def _described(entry: Entry) -> str:
    what = [_KINDS.get(entry.kind, entry.kind)]
    if entry.size is not None:
        what.append(size(entry.size))
    if entry.mode is not None:
        what.append(f"mode {entry.mode:04o}")
    if len(entry.value) == 64:
        what.append(f"sha256:{entry.value}")
    return ", ".join(what)
