"""The files of a container as rows of the page's details, where a list of them is at hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from sifprov.errors import RecordError
from sifprov.model.files import Files, by_key, load
from sifprov.model.graph import Graph
from sifprov.model.manifest import parse_line
from sifprov.render.scene import clip
from sifprov.terminal import printable, size

Row: TypeAlias = list[str]

# So many entries are read for one page, and so many shown: in all, and of one list.
_MAX_READ, _MAX_SHOWN, _MAX_OF_ONE = 200_000, 20_000, 400
_MAX_PATH = 4000


def files_of(graph: Graph) -> dict[str, Files]:
    """Returns what any record of the same content tells of the files of each entity, by its key: a
    list rather than a reason why there is none."""
    found: dict[str, Files] = {}

    def tell(key: str, digest: str | None, files: Files | None) -> None:
        entity = graph.entities.get(key)
        told = key in found and found[key].reason is None
        if entity and files and digest == entity.digest and not told:
            found[key] = files

    for key, entity in graph.entities.items():
        tell(key, entity.digest, entity.container.files)
    for activity in graph.activities.values():
        origin = activity.record.origin if activity.record else None
        for usage in (*activity.generated, *activity.used):
            tell(usage.entity, usage.container.digest, usage.container.files)
        for usage in activity.generated if origin else ():
            tell(usage.entity, origin.digest if origin else None, origin.files if origin else None)
    return found


class FileLists:
    """Makes rows of lists of files: those in records, and those among `documents`. Whoever asks
    first gets the room that there is."""

    def __init__(self, documents: Mapping[str, bytes] | None = None) -> None:
        self._documents = by_key((documents or {}).values())
        self._read, self._shown = _MAX_READ, _MAX_SHOWN

    def rows(self, files: Files | None) -> list[Row]:
        """Returns a row for each file, or what is known of the list."""
        if files is None:
            return []
        lines = files.lines if files.lines is not None else self._load(files)
        if lines is not None:
            return self._rows(lines)
        what = f"{files.count:,}, in a list of their own" if files.digest else "not listed"
        because = [["because", printable(clip(files.reason, _MAX_PATH))]] if files.reason else []
        return [
            ["files", what],
            *because,
            *([["list", files.digest, "code"]] if files.digest else []),
        ]

    def _load(self, files: Files) -> tuple[bytes, ...] | None:
        count = files.count or 0
        if files.digest not in self._documents or count > self._read or not self._shown:
            return None
        self._read -= count
        try:
            return load(files.digest, self._documents).lines
        except RecordError:
            return None

    def _rows(self, lines: tuple[bytes, ...]) -> list[Row]:
        most = min(len(lines), _MAX_OF_ONE, self._shown)
        self._shown -= most
        left = len(lines) - most
        return [*map(_row, lines[:most]), *([["\u2026", f"{left:,} more"]] if left else [])]


def _row(line: bytes) -> Row:
    entry = parse_line(line)
    path = entry.path if entry else line
    told = "a line that tells of no file"
    if entry:
        mode = "" if entry.mode is None else f" {entry.mode:o}"
        length = "" if entry.size is None else f"  {size(entry.size)}"
        told = f"{entry.kind}{mode}{length}  {entry.value[:16]}"
    name = printable(clip(path.decode("utf-8", "surrogateescape"), _MAX_PATH))
    return [name, printable(told), "code"]
