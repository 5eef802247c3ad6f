"""A manifest: the files of one tree, one line each. Defined in docs/formats.md. No I/O.

Its line is the listing's (`sifprov.listing`) with the permission bits behind the type:

    f 644 6 5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 Outputs/a.txt
"""

from __future__ import annotations

from collections.abc import Iterable

from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.listing import Entry, Tree
from sifprov.sha import sha256

_MAX_PATH = 1 << 16
_MAX_SIZE = 2**63
_MAX_DIGITS = 19
_HEX = frozenset("0123456789abcdef")
_WITH_CONTENT = ("f", "x", "l")
_NO_NAMES = frozenset((b"", b".", b".."))


@dataclass(frozen=True)
class Manifest:
    """The files of one tree as they were at one time: `entries` in the listing's order, each with
    its permission bits."""

    entries: tuple[Entry, ...]

    @property
    def lines(self) -> tuple[bytes, ...]:
        """Its lines, without the NUL that ends each."""
        return tuple(line_of(e) for e in self.entries)

    @property
    def digest(self) -> str:
        """SHA-256 of the lines, each ended by a NUL, as `sha256:HEX`."""
        return digest_of(self.lines)

    @property
    def tree_digest(self) -> str:
        """The tree digest of these files."""
        return self.tree.digest

    @property
    def tree(self) -> Tree:
        """The files as a tree, which `compare` takes; it does not tell when they changed."""
        return Tree(self.entries, 0)

    @classmethod
    def from_lines(cls, lines: Iterable[bytes], path: str = "lines") -> Manifest:
        """Reads lines from an untrusted source, which must be those of a tree: sorted, each path
        once, each below a folder that stands there too. Raises RecordError."""
        entries: list[Entry] = []
        folders = {b""}
        before = b""
        for number, line in enumerate(lines):
            entry = parse_line(line)
            if entry is None:
                raise RecordError(f"{path}[{number}]", "no line of a manifest")
            if entry.path <= before:
                raise RecordError(f"{path}[{number}]", "not behind the one before it")
            before = entry.path
            if before.rpartition(b"/")[0] not in folders:
                raise RecordError(f"{path}[{number}]", "stands in no folder")
            if entry.kind == "d":
                folders.add(before)
            entries.append(entry)
        return cls(tuple(entries))


def line_of(entry: Entry) -> bytes:
    """Returns the manifest's line of an entry. Raises ValueError where its mode is not known."""
    if entry.mode is None and entry.kind != "l":
        raise ValueError("the permission bits are not known")
    mode = "-" if entry.mode is None else f"{entry.mode:o}"
    size = "-" if entry.size is None else entry.size
    return f"{entry.kind} {mode} {size} {entry.value} ".encode("ascii") + entry.path


def digest_of(lines: Iterable[bytes]) -> str:
    """Returns SHA-256 of the lines, each ended by a NUL, as `sha256:HEX`."""
    data = b"".join(line + b"\0" for line in lines)
    return "sha256:" + sha256(data).hexdigest()


def path_of(line: bytes) -> bytes:
    """Returns the path in a line."""
    return line.split(b" ", 4)[-1]


def parse_line(line: bytes) -> Entry | None:
    """Returns the entry of a line, None where it is not one that `line_of` makes."""
    parts = line.split(b" ", 4)
    path = parts[-1]
    if len(parts) < 5 or len(parts[2]) > _MAX_DIGITS or not _is_path(path):
        return None
    try:
        kind, mode_text, size_text, value = (part.decode("ascii") for part in parts[:4])
        mode = None if kind == "l" else int(mode_text, 8)
        size = int(size_text) if kind in _WITH_CONTENT else None
    except ValueError:
        return None
    entry = Entry(path, kind, size, value, mode)
    good = (
        _is_value(kind, value)
        and (mode is None or 0 <= mode <= 0o7777)
        and (size is None or 0 <= size < _MAX_SIZE)
        and (kind not in "fx" or (kind == "x") == bool(mode and mode & 0o100))
        # There is one way to write each.
        and line_of(entry) == line
    )
    return entry if good else None


def _is_path(path: bytes) -> bool:
    parts = path.split(b"/")
    return len(path) <= _MAX_PATH and b"\0" not in path and not _NO_NAMES & frozenset(parts)


def _is_value(kind: str, value: str) -> bool:
    if kind in _WITH_CONTENT:
        return len(value) == 64 and _HEX.issuperset(value)
    if kind in ("b", "c"):
        major, colon, minor = value.partition(":")
        numbers = [n for n in (major, minor) if n and _HEX.issuperset(n)]
        return bool(colon) and len(numbers) == 2 and all(n == f"{int(n, 16):x}" for n in numbers)
    return kind in ("d", "p", "s") and value == "-"
