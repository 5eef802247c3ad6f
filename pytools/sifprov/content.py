"""Content digests: what makes two containers the same. Defined in docs/formats.md.

The tree digest (`tree-v1`) of a data container, from a mounted or plain folder or straight from
the ext3 partition; the image digest (`image-v1`) of an application container.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial

from sifprov.errors import FileError
from sifprov.listing import (
    Deadline,
    Entry,
    FileState,
    Known,
    KnownFiles,
    TooLateError,
    Tree,
    file_entry,
    file_kind,
    known_entry,
    link_entry,
    make_tree,
    plain_entry,
)
from sifprov.parallel import run_all
from sifprov.sha import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = [
    "CHUNK",
    "LARGE",
    "Deadline",
    "Entry",
    "FileState",
    "Known",
    "KnownFiles",
    "TooLateError",
    "Tree",
    "file_entry",
    "file_kind",
    "image_digest",
    "known_entry",
    "link_entry",
    "make_tree",
    "plain_entry",
    "scan_folder",
]

CHUNK = 1024 * 1024
# Files from this size on are digested side by side.
LARGE = 8 * 1024 * 1024
_LOST_FOUND = b"lost+found"


def scan_folder(root: str, deadline: Deadline, known: KnownFiles | None = None) -> Tree:
    """Reads the tree below the folder `root`, following no link and crossing into no other file
    system.

    Every step is relative to an open folder, so a folder that somebody swaps for a link
    meanwhile cannot lead out of the tree. Files that `known` knows are not opened. Raises FileError
    for what cannot be read, TooLateError.
    """
    try:
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise FileError(f"{root}: {error.strerror}") from error
    found: list[Entry] = []
    large: list[Callable[[], Entry]] = []
    device = os.fstat(top).st_dev
    newest = os.fstat(top).st_ctime_ns
    # An explicit stack: a deep tree needs no recursion, and one open folder at a time.
    todo = [b""]
    try:
        while todo:
            folder = todo.pop()
            for path, status, entry in _scan_one(top, folder, root, deadline, known):
                newest = max(newest, status.st_ctime_ns)
                if not isinstance(entry, Entry):
                    large.append(entry)
                    continue
                found.append(entry)
                if entry.kind == "d" and status.st_dev == device:
                    todo.append(path)
        found += run_all(large)
    finally:
        os.close(top)
    return make_tree(found, newest)


def _scan_one(
    top: int, folder: bytes, root: str, deadline: Deadline, known: KnownFiles | None
) -> Iterator[tuple[bytes, os.stat_result, Entry | Callable[[], Entry]]]:
    """Yields what stands directly in one folder; a large file as what will read it."""
    name = b""
    descriptor = -1
    entry: Entry | Callable[[], Entry]
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
            elif kind in "fx" and status.st_size >= LARGE:
                entry = partial(_large_file, top, folder, name, root, status, deadline, known)
            elif kind in "fx":
                entry = _file(descriptor, path, name, status, deadline, known)
            else:
                numbers = (os.major(status.st_rdev), os.minor(status.st_rdev))
                entry = plain_entry(path, status.st_mode, numbers)
            yield path, status, entry
    except OSError as error:
        raise _unreadable(root, folder, name, error) from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _large_file(
    top: int,
    folder: bytes,
    name: bytes,
    root: str,
    status: os.stat_result,
    deadline: Deadline,
    known: KnownFiles | None,
) -> Entry:
    """Reads a file from a thread of its own, when its folder is open no more."""
    descriptor = -1
    try:
        descriptor = _open_below(top, folder)
        path = folder + b"/" + name if folder else name
        return _file(descriptor, path, name, status, deadline, known)
    except OSError as error:
        raise _unreadable(root, folder, name, error) from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _file(
    folder: int,
    path: bytes,
    name: bytes,
    status: os.stat_result,
    deadline: Deadline,
    known: KnownFiles | None,
) -> Entry:
    size = status.st_size
    return known_entry(
        path,
        status.st_mode,
        _state(status),
        known,
        lambda: file_entry(path, status.st_mode, _read_file(name, folder, size), deadline, size),
        lambda: _state(os.stat(name, dir_fd=folder, follow_symlinks=False)),
    )


def _state(status: os.stat_result) -> FileState:
    return FileState(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _unreadable(root: str, folder: bytes, name: bytes, error: OSError) -> FileError:
    where = os.fsdecode(b"/".join(p for p in (os.fsencode(root), folder, name) if p))
    return FileError(f"{where}: {error.strerror}")


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


def _read_file(name: bytes, folder: int, size: int) -> Iterator[bytes | memoryview]:
    # O_NONBLOCK: should it have become a FIFO meanwhile, do not wait for a writer.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(name, flags, dir_fd=folder)
    # One byte more tells that a file has ended: a small one needs no large buffer.
    buffer = bytearray(min(CHUNK, size + 1))
    view = memoryview(buffer)
    try:
        while count := os.readv(descriptor, [buffer]):
            yield view[:count]
    finally:
        os.close(descriptor)


def image_digest(file: BinaryIO, sections: Iterable[tuple[int, int]], deadline: Deadline) -> str:
    """Returns `image-v1:HEX` of the (offset, size) `sections` of an open SIF, in the order
    given."""
    sections = tuple(sections)
    total = sum(size for _, size in sections)
    hasher = sha256(size=total)
    buffer = bytearray(min(CHUNK, total))
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
