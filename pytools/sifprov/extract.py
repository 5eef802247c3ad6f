"""Copies the files of a data container into a folder.

Nothing in the container decides where something is written. The files go into a new folder of mode
0700 beside the target, one open folder at a time, each new entry by its bare name and exclusively;
symbolic links are made when all else is there, so no step can follow one. The folder gets its
name when it is whole; what fails or is interrupted leaves nothing.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from sifprov.errors import FileError
from sifprov.filesystem import MAX_ENTRIES, FileSystem, Node
from sifprov.filesystem.opening import open_container
from sifprov.listing import Entry, file_kind
from sifprov.sif import Partition
from sifprov.terminal import size

# What a container may unpack to, unless told: compressed or sparse files are larger than their
# partition, but a bomb is larger still.
SIZE_FACTOR, LEAST_SIZE = 64, 1 << 30
BYTES_PER_FILE, LEAST_FILES = 256, 1_000_000
_KEPT_MODE = 0o1777  # neither set-user-id nor set-group-id
_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass
class Extracted:
    """What was copied; `skipped` are the devices, FIFOs and sockets, which are never made."""

    files: int = 0
    folders: int = 0
    links: int = 0
    size: int = 0
    skipped: list[bytes] = field(default_factory=list)


def extract(
    path: str,
    target: str,
    *,
    subtree: bytes = b"/",
    max_size: int | None = None,
    max_files: int | None = None,
    on_step: Callable[[str], None] = lambda text: None,
) -> Extracted:
    """Copies the folder (or the file) `subtree` of the data container at `path` into the new or
    empty folder `target`.

    `max_size` bytes and `max_files` entries are the limits of what is made; the defaults
    follow from the partition's size. Raises FileError, MissingError; `target` is then as
    it was.
    """
    with open_container(path) as (partition, fs):
        start = fs.lookup(subtree)
        limits = _Limits(path, partition, max_size, max_files)
        with _new_folder(target) as temporary:
            return _copied(_Copy(fs, start, temporary, limits, on_step), target)


def extract_files(
    path: str,
    folder: str,
    entries: Sequence[Entry],
    *,
    on_step: Callable[[str], None] = lambda text: None,
) -> Extracted:
    """Copies those files of the data container at `path` that `entries` name, all with their
    folders, and the modes and times of its root, into the empty folder `folder`.

    FIFOs and sockets are made too. Raises FileError, MissingError; what was copied by then stays.
    """
    with open_container(path) as (partition, fs):
        total = sum(entry.size or 0 for entry in entries)
        limits = _Limits(path, partition, total, len(entries))
        copy = _Copy(fs, fs.root, folder, limits, on_step)
        copy.only = frozenset(entry.path for entry in entries)
        return _copied(copy, folder)


def _copied(copy: _Copy, target: str) -> Extracted:
    try:
        copy.run()
    except OSError as error:
        where = os.fsdecode(copy.current) or "/"
        raise FileError(f"{target}: {where}: {error.strerror}") from error
    finally:
        copy.close()
    return copy.done


class _Limits:
    def __init__(
        self, path: str, partition: Partition, max_size: int | None, max_files: int | None
    ) -> None:
        self._path = path
        self.files = max(LEAST_FILES, partition.size // BYTES_PER_FILE)
        self.size = max(LEAST_SIZE, partition.size * SIZE_FACTOR)
        self.files = self.files if max_files is None else max_files
        self.size = self.size if max_size is None else max_size

    def check(self, files: int, total: int) -> None:
        """Raises FileError where so much is more than allowed."""
        if files > self.files:
            raise FileError(
                f"{self._path}: holds more than {self.files} files and folders",
                hint="allow more with --max-files",
            )
        if total > self.size:
            raise FileError(
                f"{self._path}: its files have more than {size(self.size)}",
                hint="allow more with --max-size",
            )


@contextmanager
def _new_folder(target: str) -> Iterator[str]:
    """Yields a new folder beside `target` that takes its name when all went well, else is
    removed."""
    target = os.path.abspath(target)
    with suppress(FileNotFoundError):
        # Renaming replaces an empty folder, and nothing else.
        if not stat.S_ISDIR(os.lstat(target).st_mode) or os.listdir(target):
            raise FileError(f"{target}: exists and is no empty folder", hint="choose another name")
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:200]}.{secrets.token_hex(4)}.part")
    try:
        os.mkdir(temporary, 0o700)
    except OSError as error:
        raise FileError(f"{target}: {error.strerror}") from error
    try:
        yield temporary
        try:
            os.rename(temporary, target)
        except OSError as error:
            raise FileError(f"{target}: {error.strerror}", hint="choose a new folder") from error
    except BaseException:
        remove_tree(temporary)
        raise


def remove_tree(folder: str) -> None:
    """Removes a folder with all that is below, which may have got its final modes already."""
    for at, folders, _ in os.walk(folder):
        for name in folders:
            below = os.path.join(at, name)
            if not os.path.islink(below):
                os.chmod(below, 0o700)
    shutil.rmtree(folder)


class _Copy:
    """One extraction, into the folder `temporary`."""

    def __init__(
        self,
        fs: FileSystem,
        start: Node,
        temporary: str,
        limits: _Limits,
        on_step: Callable[[str], None],
    ) -> None:
        self.fs, self.start = fs, start
        self.limits, self.on_step = limits, on_step
        self.done = Extracted()
        self.current = b""
        # What alone is copied, FIFOs and sockets too; None for all but those.
        self.only: frozenset[bytes] | None = None
        self._top = os.open(temporary, _FOLDER_FLAGS)
        self._umask = _umask()
        # The folder that is open: its path in the image, and its descriptor.
        self._folder, self._descriptor = b"", os.dup(self._top)
        self._folders: list[Node] = []
        self._links: list[Node] = []
        self._first: dict[int, bytes] = {}
        self._prefix = len(start.path) + 1 if start.path else 0

    def close(self) -> None:
        """Closes what is open."""
        os.close(self._descriptor)
        os.close(self._top)

    def run(self) -> None:
        """Copies everything: files and folders, then links, then the folders' modes and times."""
        if not self.start.is_dir:
            self._prefix = len(self.start.path) - len(self.start.name)
            self._add(self.start)
        else:
            most = MAX_ENTRIES if self.only is not None else self.limits.files + 1
            for node in self.fs.walk(self.start, max_entries=most):
                if self.only is None or node.path in self.only:
                    self._add(node)
        for node in self._links:
            self._make_link(node)
        for node in reversed(self._folders):
            self._finish_folder(self._open(self._path(node)), node)
        if self.start.is_dir:
            self._finish_folder(self._top, self.start)
        else:
            os.fchmod(self._top, 0o777 & ~self._umask)

    def _add(self, node: Node) -> None:
        self.current = node.path
        done = self.done
        total = done.files + done.folders + done.links + len(done.skipped) + 1
        self.limits.check(total, done.size + (node.size if node.is_file else 0))
        if total % 256 == 0:
            self.on_step(f"extracting: {total} files, {size(done.size)}")
        if node.is_dir:
            os.mkdir(node.name, 0o700, dir_fd=self._parent(node))
            self._folders.append(node)
            done.folders += 1
        elif node.is_file:
            self._make_file(node)
        elif node.is_link:
            self._links.append(node)
            done.links += 1
        elif self.only is not None and file_kind(node.mode) in "ps":
            parent = self._parent(node)
            os.mknod(node.name, stat.S_IFMT(node.mode) | 0o600, dir_fd=parent)
            os.chmod(node.name, node.mode & _KEPT_MODE, dir_fd=parent)
            os.utime(node.name, ns=(node.mtime_ns, node.mtime_ns), dir_fd=parent)
            done.files += 1
        else:
            done.skipped.append(node.path)

    def _make_file(self, node: Node) -> None:
        parent = self._parent(node)
        self.done.files += 1
        first = self._first.get(node.ino)
        if first is not None:
            self._hard_link(first, node, parent)
            return
        if node.links > 1:
            self._first[node.ino] = self._path(node)
        mode = node.mode & _KEPT_MODE
        descriptor = os.open(node.name, _FILE_FLAGS, mode & 0o777, dir_fd=parent)
        try:
            end = 0
            for place, data in self.fs.pieces(node):
                end = place + _write(descriptor, data, place)
                self._wrote(len(data))
            if end < node.size:
                os.ftruncate(descriptor, node.size)
            if mode != mode & 0o777 & ~self._umask:
                os.fchmod(descriptor, mode)
            os.utime(descriptor, ns=(node.mtime_ns, node.mtime_ns))
        finally:
            os.close(descriptor)
        self.done.size += node.size

    def _wrote(self, count: int) -> None:
        if count == 1 << 20:
            self.on_step(f"extracting: {self.done.files} files, {size(self.done.size)}")

    def _hard_link(self, first: bytes, node: Node, parent: int) -> None:
        folder, _, name = first.rpartition(b"/")
        source = _open_below(self._top, folder)
        try:
            os.link(name, node.name, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)
        finally:
            os.close(source)

    def _make_link(self, node: Node) -> None:
        self.current = node.path
        parent = self._parent(node)
        os.symlink(self.fs.readlink(node), node.name, dir_fd=parent)
        times = (node.mtime_ns, node.mtime_ns)
        os.utime(node.name, ns=times, dir_fd=parent, follow_symlinks=False)

    def _finish_folder(self, descriptor: int, node: Node) -> None:
        self.current = node.path
        os.utime(descriptor, ns=(node.mtime_ns, node.mtime_ns))
        os.fchmod(descriptor, node.mode & _KEPT_MODE)

    def _path(self, node: Node) -> bytes:
        """A node's path below the target."""
        return node.path[self._prefix :]

    def _parent(self, node: Node) -> int:
        return self._open(self._path(node).rpartition(b"/")[0])

    def _open(self, folder: bytes) -> int:
        """Opens a folder below the target; the one before is closed."""
        if folder != self._folder:
            descriptor = _open_below(self._top, folder)
            os.close(self._descriptor)
            self._folder, self._descriptor = folder, descriptor
        return self._descriptor


def _open_below(top: int, path: bytes) -> int:
    at = os.dup(top)
    for part in path.split(b"/") if path else ():
        try:
            below = os.open(part, _FOLDER_FLAGS, dir_fd=at)
        finally:
            os.close(at)
        at = below
    return at


def _write(descriptor: int, data: bytes, place: int) -> int:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, place)
        view, place = view[written:], place + written
    return len(data)


def _umask() -> int:
    """This process's umask, read without changing it."""
    with suppress(OSError), open("/proc/self/status", "rb") as file:
        for line in file:
            if line.startswith(b"Umask:"):
                return int(line.split()[1], 8)
    return 0o777
