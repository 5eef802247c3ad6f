"""The files of an ext3 partition, by inode and never by name, through pyext2fs.

No program is started but for what is not plain ext3: the runtimes take `meta_bg` too.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType

from pyext2fs.inodes import ROOT, InodeReader, Stat
from pyext2fs.superblock import INCOMPAT_RECOVER, read_superblock
from sifprov.errors import FileError
from sifprov.filesystem import CorruptImageError, FileSystem, Node, check_names, check_type
from sifprov.sif import Partition

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyext2fs.debugfs import Debugfs

_CHUNK = 1 << 20


class Ext3(FileSystem):
    """The ext3 `partition` of the SIF at `path`, open from `with` to its end.

    A journal that waits is refused: without its changes the tree would be one that never was;
    unless it is known to be `mounted`, which empties it, and what changes meanwhile does not count.
    """

    threads = True

    def __init__(self, path: str, partition: Partition, *, mounted: bool = False) -> None:
        self._path, self._partition, self._mounted = path, partition, mounted
        self._closing = ExitStack()

    def __enter__(self) -> Ext3:
        with ExitStack() as stack:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, self._fd)
            superblock = read_superblock(self._fd, self._partition.offset)
            if self._mounted:
                superblock = superblock._replace(incompat=superblock.incompat & ~INCOMPAT_RECOVER)
            if superblock.needs_recovery:
                raise FileError(
                    f"{self._path}: its file system is in use, or was not unmounted",
                    hint="wait for the run that uses it; else repair it with e2fsck",
                )
            if superblock.size > self._partition.size:
                raise CorruptImageError("the file system is larger than its partition")
            self._source: InodeReader | _ByDebugfs
            if superblock.plain_ext3:
                self._source = InodeReader(self._fd, self._partition.offset, mounted=self._mounted)
            else:
                from pyext2fs.debugfs import Debugfs

                debugfs = Debugfs(self._path, self._partition.offset)
                self._source = _ByDebugfs(stack.enter_context(debugfs))
            self._block_size = superblock.block_size
            fan = self._block_size // 4
            self._largest = (12 + fan + fan**2 + fan**3) * self._block_size
            self._closing = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing.__exit__(kind, error, trace)

    def fileno(self) -> int:
        """The descriptor of the open file."""
        return self._fd

    @property
    def root(self) -> Node:
        node = self._node(b"", ROOT)
        if not node.is_dir:
            raise CorruptImageError("the root is no folder")
        return node

    def children(self, folder: Node) -> list[Node]:
        names = self._source.listdir(folder.inner)
        check_names(folder.path, names)
        prefix = folder.path + b"/" if folder.path else b""
        return [self._node(prefix + name, names[name]) for name in sorted(names)]

    def _node(self, path: bytes, ino: int) -> Node:
        info = self._source.stat(ino)
        check_type(path, info.mode)
        return Node(
            path,
            ino,
            info.mode,
            info.uid,
            info.gid,
            info.size,
            info.links,
            info.mtime_ns,
            info.ctime_ns,
            info.rdev,
            info,
        )

    def pieces(self, file: Node) -> Iterator[tuple[int, bytes]]:
        if not file.is_file:
            raise FileError(f"{file.path!r} is no file")
        if file.size > self._largest:
            raise CorruptImageError(f"{file.path!r} claims {file.size} bytes")
        return self._pieces(file.inner)

    def _pieces(self, info: Stat) -> Iterator[tuple[int, bytes]]:
        for first, begin, count in info.extents:
            place = first * self._block_size
            end = min(place + count * self._block_size, info.size)
            at = self._partition.offset + begin * self._block_size - place
            while place < end:
                data = os.pread(self._fd, min(_CHUNK, end - place), at + place)
                if not data:
                    raise CorruptImageError("the file is shorter than its file system")
                yield place, data
                place += len(data)

    def readlink(self, link: Node) -> bytes:
        info: Stat = link.inner
        if not stat.S_ISLNK(info.mode):
            raise FileError(f"{link.path!r} is no symbolic link")
        target = info.target
        if target is None and 0 < info.size <= self._block_size:
            target = b"".join(data for _, data in self._pieces(info))
        if not target or b"\0" in target or len(target) != info.size:
            raise CorruptImageError(f"the symbolic link {link.path!r} has no target")
        return target


class _ByDebugfs:
    """What an `InodeReader` does, by asking debugfs."""

    def __init__(self, debugfs: Debugfs) -> None:
        self._debugfs = debugfs
        self.stat = debugfs.stat

    def listdir(self, folder: Stat) -> dict[bytes, int]:
        return {entry.name: entry.ino for entry in self._debugfs.listdir(folder.ino)}
