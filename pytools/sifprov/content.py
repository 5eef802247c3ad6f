"""Content digests: what makes two containers the same. Defined in docs/formats.md.

The tree digest (`tree-v1`) of a data container, from a mounted or plain folder or straight from
the ext3 partition; the image digest (`image-v1`) of an application container.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from sifprov.errors import FileError

CHUNK = 1024 * 1024
_LOST_FOUND = b"lost+found"


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
    of a device its numbers.
    """

    path: bytes
    kind: str
    size: int | None
    value: str

    def line(self) -> bytes:
        """Returns the entry as it stands in the listing."""
        size = "-" if self.size is None else str(self.size)
        return f"{self.kind} {size} {self.value} ".encode("ascii") + self.path + b"\0"


@dataclass(frozen=True)
class Tree:
    """A whole tree: its entries by path, and the latest change (ctime, ns) of anything in it."""

    entries: tuple[Entry, ...]
    changed_ns: int

    @property
    def digest(self) -> str:
        """The tree digest, `tree-v1:HEX`."""
        hasher = hashlib.sha256()
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


def plain_entry(path: bytes, kind: str, numbers: tuple[int, int] = (0, 0)) -> Entry:
    """Returns the entry of a folder, FIFO, socket or device (`numbers`: major, minor)."""
    value = f"{numbers[0]:x}:{numbers[1]:x}" if kind in "bc" else "-"
    return Entry(path, kind, None, value)


def link_entry(path: bytes, target: bytes) -> Entry:
    """Returns the entry of a symbolic link."""
    return Entry(path, "l", len(target), hashlib.sha256(target).hexdigest())


def file_entry(
    path: bytes, kind: str, chunks: Iterable[bytes | memoryview], deadline: Deadline
) -> Entry:
    """Returns the entry of a file whose content comes in `chunks`."""
    hasher = hashlib.sha256()
    size = 0
    for chunk in chunks:
        hasher.update(chunk)
        size += len(chunk)
        deadline.check()
    return Entry(path, kind, size, hasher.hexdigest())


def scan_folder(root: str, deadline: Deadline) -> Tree:
    """Reads the tree below the folder `root`, following no link and crossing into no other file
    system.

    Every step is relative to an open folder, so a folder that somebody swaps for a link
    meanwhile cannot lead out of the tree. Raises FileError for what cannot be read, TooLateError.
    """
    try:
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise FileError(f"{root}: {error.strerror}") from error
    found: list[Entry] = []
    device = os.fstat(top).st_dev
    newest = os.fstat(top).st_ctime_ns
    # An explicit stack: a deep tree needs no recursion, and one open folder at a time.
    todo = [b""]
    try:
        while todo:
            folder = todo.pop()
            for path, status, entry in _scan_one(top, folder, root, deadline):
                newest = max(newest, status.st_ctime_ns)
                found.append(entry)
                if entry.kind == "d" and status.st_dev == device:
                    todo.append(path)
    finally:
        os.close(top)
    return make_tree(found, newest)


def _scan_one(
    top: int, folder: bytes, root: str, deadline: Deadline
) -> Iterator[tuple[bytes, os.stat_result, Entry]]:
    """Yields what stands directly in one folder."""
    name = b""
    descriptor = -1
    try:
        descriptor = _open_below(top, folder)
        for name in sorted(map(os.fsencode, os.listdir(descriptor))):
            deadline.check()
            path = folder + b"/" + name if folder else name
            status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            kind = file_kind(status.st_mode)
            if path == _LOST_FOUND and kind == "d":  # a file of that name is content
                continue
            if kind == "l":
                entry = link_entry(path, os.readlink(name, dir_fd=descriptor))
            elif kind in "fx":
                entry = file_entry(path, kind, _read_file(name, descriptor), deadline)
            else:
                numbers = (os.major(status.st_rdev), os.minor(status.st_rdev))
                entry = plain_entry(path, kind, numbers)
            yield path, status, entry
    except OSError as error:
        where = os.fsdecode(b"/".join(p for p in (os.fsencode(root), folder, name) if p))
        raise FileError(f"{where}: {error.strerror}") from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _open_below(top: int, path: bytes) -> int:
    """Opens a folder below `top`, component by component, following no link."""
    at = os.dup(top)
    for part in path.split(b"/") if path else ():
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            below = os.open(part, flags, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


def _read_file(name: bytes, folder: int) -> Iterator[bytes | memoryview]:
    # O_NONBLOCK: should it have become a FIFO meanwhile, do not wait for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    try:
        while count := os.readv(descriptor, [buffer]):
            yield view[:count]
    finally:
        os.close(descriptor)


def image_digest(file: BinaryIO, sections: Iterable[tuple[int, int]], deadline: Deadline) -> str:
    """Returns `image-v1:HEX` of the (offset, size) `sections` of an open SIF, in the order
    given."""
    hasher = hashlib.sha256()
    buffer = bytearray(CHUNK)
    for offset, size in sections:
        end = offset + size
        while offset < end:
            deadline.check()
            view = memoryview(buffer)[: min(CHUNK, end - offset)]
            count = os.preadv(file.fileno(), [view], offset)
            if not count:
                raise FileError("the file ends inside a partition")
            hasher.update(view[:count])
            offset += count
    return "image-v1:" + hasher.hexdigest()
