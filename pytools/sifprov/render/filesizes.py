"""How many files a container holds and how large they are together, as records tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sifprov.errors import RecordError
from sifprov.model.files import Files, by_key, load
from sifprov.model.manifest import Manifest
from sifprov.terminal import counted, size

# So many entries are read for one picture. Of longer lists it says only how long they are.
_MAX_ENTRIES = 200_000


class FileSizes:
    """Adds up lists of files: those in records, and those among `documents`."""

    def __init__(self, documents: Mapping[str, bytes] | None = None) -> None:
        self._documents = by_key((documents or {}).values())
        self._room = _MAX_ENTRIES
        self._told: dict[str, str] = {}

    def of(self, files: Files | None) -> str:
        """Returns `3 files, 16.1 KiB`; nothing where that is not known."""
        if files is None:
            return ""
        if files.lines is not None:
            return _sum(files.lines)
        if files.digest is None or files.count is None:
            return ""
        if files.digest not in self._told:
            self._told[files.digest] = self._read(files.digest, files.count)
        return self._told[files.digest]

    def _read(self, digest: str, count: int) -> str:
        if count <= self._room and digest in self._documents:
            self._room -= count
            try:
                return _sum(load(digest, self._documents).lines)
            except RecordError:
                pass
        return f"{count:,} files and folders"


def _sum(lines: Iterable[bytes]) -> str:
    sizes = [e.size or 0 for e in Manifest.from_lines(lines).entries if e.kind in ("f", "x")]
    return f"{counted(len(sizes), 'file')}, {size(sum(sizes))}"
