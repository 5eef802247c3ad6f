"""Compares the files of two data containers, plain folders, or one of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from functools import cache, partial

from sifprov.carrier import read_carrier, split_reference
from sifprov.compare import DIFFERS, ONLY_FIRST, ONLY_SECOND, SAME, FileVerdict, compare
from sifprov.content import Deadline, Entry, Tree, scan_folder
from sifprov.errors import FileError, NoRecordError
from sifprov.filediff import Difference, look
from sifprov.filesystem.opening import open_container
from sifprov.frozen import dataclass, replace
from sifprov.identity import Identity, identify
from sifprov.manifests import read_manifest, stated
from sifprov.partition import scan_partition

__all__ = ["ALIKE", "Comparison", "FileComparison", "Side", "compare_contents"]

# Besides the verdicts of `compare`: other bytes, but equal by their kind.
ALIKE = "alike"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Side:
    """One of the two that are compared. `open` gives the content of the file at a path of `tree`,
    and is None where only a record tells the files; `lacks` are paths of which it is not at hand
    either. `base` is the folder that its mount point is (`Outputs/`), empty for a plain folder."""

    path: str
    digest: str
    tree: Tree
    open: Callable[[bytes], Iterable[bytes | memoryview]] | None
    base: bytes = b""
    lacks: frozenset[bytes] = frozenset()

    @property
    def files(self) -> int:
        """How many files it has, links included."""
        return sum(entry.kind in "fxl" for entry in self.tree.entries)


@dataclass(frozen=True)
class FileComparison:
    """How one path compares: `verdict` is SAME, ALIKE, DIFFERS, ONLY_FIRST or ONLY_SECOND, `first`
    and `second` are its entries, None where it is not there. `difference` says more of two files.
    `moved`: on the other side, the same content stands under this path alone."""

    path: bytes
    verdict: str
    first: Entry | None
    second: Entry | None
    difference: Difference | None = None
    moved: bytes | None = None

    @property
    def modes(self) -> tuple[int, int] | None:
        """Both permission bits, where they are known and differ. That makes no other verdict,
        unless the owner may execute one of the two files alone."""
        one = self.first.mode if self.first else None
        other = self.second.mode if self.second else None
        return None if one is None or other is None or one == other else (one, other)


@dataclass(frozen=True)
class Comparison:
    """The files of two sides, in the order of their paths."""

    first: Side
    second: Side
    files: tuple[FileComparison, ...]

    @property
    def same(self) -> bool:
        """Whether nothing differs that is not equal by its kind."""
        return self.word != DIFFERS

    @property
    def word(self) -> str:
        """SAME where every byte is, ALIKE where what differs is equal by its kind, or DIFFERS."""
        found = {file.verdict for file in self.files}
        return SAME if found <= {SAME} else ALIKE if found <= {SAME, ALIKE} else DIFFERS


def compare_contents(
    first: str,
    second: str,
    *,
    tolerance: Decimal | None = None,
    lines: int = 10,
    on_step: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Compares what is at two paths, file by file. `PATH@ID` is what a container held behind the
    record whose id begins so, as far as that lists its files; their contents are not at hand then.
    Raises FileError, MissingError, NoRecordError.

    Of text files that differ, `lines` lines of the difference are kept. With a `tolerance` T,
    files whose numbers differ by at most T · max(1, |a|, |b|) count as the same.
    """
    with ExitStack() as stack:
        left = stack.enter_context(_open(first, on_step))
        right = stack.enter_context(_open(second, on_step))
        if left.base != right.base:
            left, right = below_base(left), below_base(right)
        return compare_sides(left, right, tolerance=tolerance, lines=lines, on_step=on_step)


def compare_sides(
    left: Side,
    right: Side,
    *,
    tolerance: Decimal | None = None,
    lines: int = 10,
    on_step: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """As `compare_contents`, of two sides that are open already."""
    verdicts = compare(left.tree, right.tree)
    moved = dict(_moved(verdicts))
    found = []
    for row in verdicts:
        difference = None
        if row.verdict == DIFFERS:
            on_step(f"looking into {os.fsdecode(row.path)}")
            difference = _look(left, right, row, tolerance, lines)
        verdict = ALIKE if _is_alike(row, difference, tolerance) else row.verdict
        found.append(
            FileComparison(
                row.path, verdict, row.first, row.second, difference, moved.get(row.path)
            )
        )
    return Comparison(left, right, tuple(found))


def _is_alike(row: FileVerdict, difference: Difference | None, tolerance: Decimal | None) -> bool:
    """Whether nothing differs but how two files of one kind write the same."""
    same_kind = row.first and row.second and row.first.kind == row.second.kind
    return bool(same_kind and difference and difference.alike(tolerance))


def _look(
    left: Side, right: Side, row: FileVerdict, tolerance: Decimal | None, lines: int
) -> Difference | None:
    """Compares the contents of two files; None for what has none, or the same."""
    a, b = row.first, row.second
    if not (a and b) or a.kind not in "fx" or b.kind not in "fx" or a.value == b.value:
        return None
    first, second = left.open, right.open
    if first is None or second is None or row.path in left.lacks | right.lacks:
        return None
    return look(
        partial(first, row.path), partial(second, row.path), (a.size or 0, b.size or 0),
        tolerance=tolerance if a.kind == b.kind else None, lines=lines,
    )  # fmt: skip


def _moved(verdicts: Iterable[FileVerdict]) -> Iterator[tuple[bytes, bytes]]:
    """Yields both paths of each file that stands on either side once, under another name."""
    gone: dict[tuple[int | None, str], list[bytes]] = {}
    new: dict[tuple[int | None, str], list[bytes]] = {}
    for row in verdicts:
        for entry, verdict, found in (
            (row.first, ONLY_FIRST, gone),
            (row.second, ONLY_SECOND, new),
        ):
            # Empty files are all alike, which tells nothing.
            if row.verdict == verdict and entry and entry.kind in "fx" and entry.size:
                found.setdefault((entry.size, entry.value), []).append(row.path)
    for key, paths in gone.items():
        others = new.get(key, [])
        if len(paths) == len(others) == 1:
            yield paths[0], others[0]
            yield others[0], paths[0]


@contextmanager
def _open(path: str, on_step: Callable[[str], None]) -> Iterator[Side]:
    recorded = _recorded(path)
    if recorded:
        yield recorded
        return
    on_step(f"reading {path}")
    if os.path.isdir(path):
        tree = scan_folder(path, Deadline())
        yield Side(path, tree.digest, tree, lambda name: _read(path, name))
        return
    with open_side(path) as side:
        yield side


@contextmanager
def open_side(path: str, tree: Tree | None = None) -> Iterator[Side]:
    """Yields the data container at `path` as a side; `tree` is its content where that is known.
    Raises FileError, MissingError."""
    with open_container(path) as (partition, fs):
        tree = tree or scan_partition(path, partition, Deadline())
        # Of most containers no file is looked into.
        nodes = cache(lambda: {node.path: node for node in fs.walk()})
        yield Side(path, tree.digest, tree, lambda p: fs.content(nodes()[p]), _base(identify(path)))


def _recorded(reference: str) -> Side | None:
    """Returns what `PATH@ID` names; None for a path without an id."""
    path, wanted = split_reference(reference)
    if not wanted:
        return None
    carrier = read_carrier(path)
    told = [
        (record, about)
        for _, record in carrier.good
        if str(record.id).startswith(wanted) and (about := stated(record))
    ]
    if not told:
        raise NoRecordError(
            f"{path}: no record of a run or making whose id begins with {wanted}",
            hint="'sifprov trail' shows the records and their ids",
        )
    listed = read_manifest(carrier, told[-1][1])
    if listed.manifest is None:
        raise NoRecordError(f"{reference}: {listed.reason}")
    tree = listed.manifest.tree
    return Side(reference, tree.digest, tree, None, _base(carrier.identity))


def _base(identity: Identity) -> bytes:
    declared = identity.declaration
    return os.fsencode(declared.mount.strip("/") + "/") if declared else b""


def below_base(side: Side) -> Side:
    """The files as they are below the mount point; all of them, where some stand beside it."""
    base, entries = side.base, []
    for entry in side.tree.entries:
        if entry.path.startswith(base):
            entries.append(replace(entry, path=entry.path[len(base) :]))
        elif not base.startswith(entry.path + b"/"):
            return side
    tree, opened = Tree(tuple(entries), side.tree.changed_ns), side.open
    return replace(side, tree=tree, open=opened and (lambda name: opened(base + name)))


def _read(folder: str, name: bytes) -> Iterator[bytes]:
    path = os.path.join(os.fsencode(folder), name)
    try:
        with open(path, "rb") as file:
            while data := file.read(_CHUNK):
                yield data
    except OSError as error:
        raise FileError(f"{os.fsdecode(path)}: {error.strerror}") from error
