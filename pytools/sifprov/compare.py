"""Compares two trees file by file. Pure."""

from __future__ import annotations

from sifprov.content import Entry, Tree
from sifprov.frozen import dataclass

SAME, DIFFERS, ONLY_FIRST, ONLY_SECOND = "same", "differs", "missing", "new"


@dataclass(frozen=True)
class FileVerdict:
    """How one path compares; `first` and `second` are its entries, None where it is not there."""

    path: bytes
    verdict: str
    first: Entry | None
    second: Entry | None

    @property
    def mode_differs(self) -> bool:
        """Whether its permission bits are known of both and not the same; the verdict leaves them
        out, as the tree digest does."""
        modes = {e.mode for e in (self.first, self.second) if e}
        return len(modes - {None}) == 2


def compare(first: Tree, second: Tree) -> tuple[FileVerdict, ...]:
    """Returns the verdict of every path of either tree, in the listing's order."""
    left = {e.path: e for e in first.entries}
    right = {e.path: e for e in second.entries}
    found = []
    for path in sorted(left.keys() | right.keys()):
        a, b = left.get(path), right.get(path)
        if a is None:
            verdict = ONLY_SECOND
        elif b is None:
            verdict = ONLY_FIRST
        else:
            verdict = SAME if a.line() == b.line() else DIFFERS
        found.append(FileVerdict(path, verdict, a, b))
    return tuple(found)
