"""The files of a data partition, read straight from the SIF: no mount, no root.

One interface, `FileSystem`, over ext3 and squashfs; `sifprov.filesystem.opening` opens one.
What an image says is not trusted: every implementation refuses names that are empty, `.`, `..`,
hold a `/` or a NUL, or stand twice in a folder; `walk` refuses a folder that stands in two places.
"""

from __future__ import annotations

import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator

from sifprov.errors import FileError
from sifprov.frozen import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_ENTRIES = 5_000_000
MAX_DEPTH = 1024
MAX_PATH = 1 << 16
# As many as Linux follows.
_MAX_LINKS = 40
_ZEROS = bytes(1 << 20)
_TYPES = frozenset(
    (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFBLK,
     stat.S_IFCHR)
)  # fmt: skip


class CorruptImageError(FileError):
    """A partition whose bytes break the rules of its file system."""


class Node(NamedTuple):
    """One file, folder or whatever else stands in the image.

    `path` is relative to the root of the partition (empty for the root). `ino` is the same for two
    hard links. Sizes in bytes, times in ns since 1970; `ctime_ns` is the mtime where the file
    system keeps none. `inner` is the implementation's own.
    """

    path: bytes
    ino: int
    mode: int
    uid: int
    gid: int
    size: int
    links: int
    mtime_ns: int
    ctime_ns: int
    rdev: int
    inner: Any

    @property
    def name(self) -> bytes:
        """The last component of the path."""
        return self.path.rpartition(b"/")[2]

    @property
    def is_dir(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file."""
        return stat.S_ISREG(self.mode)

    @property
    def is_link(self) -> bool:
        """Whether it is a symbolic link."""
        return stat.S_ISLNK(self.mode)


class FileSystem(ABC):
    """An open partition. Methods raise FileError, or what `opening` turns into one.

    `threads`: whether several threads may read files at a time.
    """

    threads = False

    @property
    @abstractmethod
    def root(self) -> Node:
        """The root folder."""

    @abstractmethod
    def children(self, folder: Node) -> list[Node]:
        """Returns what stands directly in a folder, in the order of the names' bytes."""

    @abstractmethod
    def pieces(self, file: Node) -> Iterator[tuple[int, bytes]]:
        """Yields a file's content as (place in the file, at most 1 MiB), ascending, without
        holes."""

    @abstractmethod
    def readlink(self, link: Node) -> bytes:
        """Returns the target of a symbolic link."""

    def content(self, file: Node) -> Iterator[bytes | memoryview]:
        """Yields a file's content with its holes as zeros."""
        done = 0
        for place, data in self.pieces(file):
            yield from _hole(place - done)
            yield data
            done = place + len(data)
        yield from _hole(file.size - done)

    def walk(self, start: Node | None = None, *, max_entries: int = MAX_ENTRIES) -> Iterator[Node]:
        """Yields everything below a folder (the root), all entries of a folder together, folders
        before what they hold.

        ext3's own lost+found at the root is no content, nor is anything that e2fsck put there.
        """
        start = start or self.root
        visited = {start.ino}
        count = 0
        waiting = [(start, 0)]
        while waiting:
            folder, depth = waiting.pop()
            below = []
            for node in self.children(folder):
                if node.path == b"lost+found" and node.is_dir:
                    continue
                count += 1
                if count > max_entries or depth >= MAX_DEPTH or len(node.path) > MAX_PATH:
                    raise CorruptImageError("more or deeper folders than allowed")
                if node.is_dir:
                    if node.ino in visited:
                        raise CorruptImageError(f"the folder {node.path!r} stands in two places")
                    visited.add(node.ino)
                    below.append((node, depth + 1))
                yield node
            waiting.extend(reversed(below))

    def lookup(self, path: bytes, *, follow: bool = True) -> Node:
        """Finds a path as the kernel would, but never outside the image: its root is `/`, and the
        parent of the root. `follow`: resolve a symbolic link in the last place too."""
        todo = [part for part in reversed(path.split(b"/")) if part not in (b"", b".")]
        at = [self.root]
        # A folder is read once: links that go back and forth could ask for it a million times.
        listed: dict[int, dict[bytes, Node]] = {}
        links = 0
        while todo:
            part = todo.pop()
            if part == b"..":
                at = at[:-1] or at
                continue
            node = self._child(at[-1], part, path, listed)
            if node.is_link and (todo or follow):
                links += 1
                if links > _MAX_LINKS:
                    raise FileError(f"{_shown(path)}: too many symbolic links")
                target = self.readlink(node)
                at = at[:1] if target.startswith(b"/") else at
                todo += [p for p in reversed(target.split(b"/")) if p not in (b"", b".")]
            else:
                at.append(node)
        return at[-1]

    def _child(
        self, folder: Node, name: bytes, path: bytes, listed: dict[int, dict[bytes, Node]]
    ) -> Node:
        if not folder.is_dir:
            raise FileError(f"{_shown(path)}: {_shown(folder.path)} is no folder")
        if folder.ino not in listed:
            listed[folder.ino] = {node.name: node for node in self.children(folder)}
        if name not in listed[folder.ino]:
            raise FileError(f"{_shown(path)}: no such file in the container")
        return listed[folder.ino][name]


def check_names(folder: bytes, names: Iterable[bytes]) -> None:
    """Raises CorruptImageError for a name that could lead elsewhere, or that stands twice."""
    seen: set[bytes] = set()
    for name in names:
        if name in (b"", b".", b"..") or b"/" in name or b"\0" in name or name in seen:
            raise CorruptImageError(f"the folder {folder!r} holds the name {name!r}")
        seen.add(name)


def check_type(path: bytes, mode: int) -> None:
    """Raises CorruptImageError for a mode of no known type."""
    if stat.S_IFMT(mode) not in _TYPES:
        raise CorruptImageError(f"{path!r} is of no known type")


def _hole(length: int) -> Iterator[memoryview]:
    while length > 0:
        piece = memoryview(_ZEROS)[:length]
        yield piece
        length -= len(piece)


def _shown(path: bytes) -> str:
    return "/" + path.decode("utf-8", "surrogateescape").lstrip("/")
