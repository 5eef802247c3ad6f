"""The canonical listing of a tree, which its digest is made of. Defined in docs/formats.md."""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable

from sifprov.frozen import NamedTuple, dataclass
from sifprov.sha import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object


# About what a line of a listing takes, in bytes.
_LINE = 128
# A file of which nobody says how large it is.
_LARGE = 1 << 20


class TooLateError(Exception):
    """The time that was granted is over."""


class Deadline:
    """A point in time that long work asks for now and then; it never comes before `start`."""

    def __init__(self) -> None:
        self._end: float | None = None

    def start(self, seconds: float) -> None:
        """Grants `seconds` from now on."""
        self._end = time.monotonic() + seconds

    def check(self) -> None:
        """Raises TooLateError when the time is over."""
        if self._end is not None and time.monotonic() > self._end:
            raise TooLateError


@dataclass(frozen=True)
class Entry:
    """One entry of a tree. `path` is relative to the root; `kind` is the listing's TYPE.

    `size` is None where the listing says `-`; `value` is the content's SHA-256 in hexadecimal,
    of a device its numbers. `mode` are the permission bits, which the tree digest leaves out: None
    of a link, which has none, and where they are not known.
    """

    path: bytes
    kind: str
    size: int | None
    value: str
    mode: int | None = None

    def line(self) -> bytes:
        """Returns the entry as it stands in the listing."""
        size = "-" if self.size is None else str(self.size)
        return f"{self.kind} {size} {self.value} ".encode("ascii") + self.path + b"\0"


@dataclass(frozen=True)
class Known:
    """The content of a tree that was read earlier: its digest, and its latest change (ctime,
    ns)."""

    digest: str
    changed_ns: int


class FileState(NamedTuple):
    """What tells that a file is as it was: sizes in bytes, times in ns."""

    ino: int
    size: int
    mtime_ns: int
    ctime_ns: int


class KnownFiles(Protocol):
    """Remembers the SHA-256 of files, in hexadecimal; several threads may ask at a time."""

    def find(self, state: FileState) -> str | None:
        """Returns the digest of the file in that state, where it is known."""

    def keep(self, state: FileState, value: str) -> None:
        """Is told the digest of a file that stayed in that state while it was read."""


@dataclass(frozen=True)
class Tree:
    """A whole tree: its entries by path, and the latest change (ctime, ns) of anything in it."""

    entries: tuple[Entry, ...]
    changed_ns: int

    @property
    def digest(self) -> str:
        """The tree digest, `tree-v1:HEX`."""
        hasher = sha256(size=_LINE * len(self.entries))
        for entry in self.entries:
            hasher.update(entry.line())
        return "tree-v1:" + hasher.hexdigest()

    @property
    def size(self) -> int:
        """The bytes of all files together."""
        return sum(e.size or 0 for e in self.entries)


def make_tree(entries: Iterable[Entry], changed_ns: int) -> Tree:
    """Returns the tree of `entries`, in the listing's order."""
    return Tree(tuple(sorted(entries, key=lambda e: e.path)), changed_ns)


def file_kind(mode: int) -> str:
    """Returns the listing's TYPE for a file's mode. Raises ValueError for an unknown one."""
    if stat.S_ISREG(mode):
        return "x" if mode & stat.S_IXUSR else "f"
    kinds = {
        stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFIFO: "p",
        stat.S_IFSOCK: "s", stat.S_IFBLK: "b", stat.S_IFCHR: "c",
    }  # fmt: skip
    try:
        return kinds[stat.S_IFMT(mode)]
    except KeyError:
        raise ValueError(f"mode {mode:o} is of no known type") from None


def plain_entry(path: bytes, mode: int, numbers: tuple[int, int] = (0, 0)) -> Entry:
    """Returns the entry of a folder, FIFO, socket or device (`numbers`: major, minor)."""
    kind = file_kind(mode)
    value = f"{numbers[0]:x}:{numbers[1]:x}" if kind in "bc" else "-"
    return Entry(path, kind, None, value, stat.S_IMODE(mode))


def link_entry(path: bytes, target: bytes) -> Entry:
    """Returns the entry of a symbolic link."""
    return Entry(path, "l", len(target), sha256(target).hexdigest())


def file_entry(
    path: bytes,
    mode: int,
    chunks: Iterable[bytes | memoryview],
    deadline: Deadline,
    about: int = _LARGE,
) -> Entry:
    """Returns the entry of a file whose content comes in `chunks`, `about` so many bytes."""
    hasher = sha256(size=about)
    size = 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
        deadline.check()
    return Entry(path, file_kind(mode), size, hasher.hexdigest(), stat.S_IMODE(mode))


def known_entry(
    path: bytes,
    mode: int,
    state: FileState,
    known: KnownFiles | None,
    read: Callable[[], Entry],
    again: Callable[[], FileState],
) -> Entry:
    """Returns the entry of a file in `state`: from `known`, else `read`, to be known next time.

    `again` tells in which state it is when it was read.
    """
    if known is None:
        return read()
    value = known.find(state)
    if value is not None:
        return Entry(path, file_kind(mode), state.size, value, stat.S_IMODE(mode))
    entry = read()
    if entry.size == state.size and again() == state:
        known.keep(state, entry.value)
    return entry
