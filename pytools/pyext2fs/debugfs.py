"""Read a filesystem by inode number, through one debugfs process.

debugfs tells what stands where. File content is read from the image directly, from the blocks that
debugfs lists: `cat` through the pipe costs several times as much. Nothing is ever asked by name,
since no quoting of debugfs covers every name.
"""

from __future__ import annotations

import os
import stat as _stat
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType

from pyext2fs._parse import parse_entries, parse_stat
from pyext2fs._run import CorruptFilesystem, Ext2fsError, fake_time, opened
from pyext2fs._session import Session
from pyext2fs._types import TYPES, Entry, Stat
from pyext2fs.superblock import read_superblock

__all__ = ["Debugfs", "Entry", "Stat"]

ROOT = 2
_CHUNK = 1 << 20
_OUTPUT_LIMIT = 256 << 20


class Debugfs:
    """The filesystem at `offset` of the file `path`, open from `with` to its end.

    `timeout` bounds each command, in seconds. Whatever is inside the image, a method
    returns or raises Ext2fsError (CorruptFilesystem where the image is at fault). A journal is
    not replayed: where `superblock.needs_recovery`, this is not what a mount would show.
    `timestamp`: the present, in seconds since 1970, for what a writable one changes.
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str],
        offset: int = 0,
        *,
        writable: bool = False,
        timeout: float = 60,
        timestamp: int | None = None,
    ) -> None:
        self._path, self._offset = path, offset
        self._writable, self._timeout = writable, timeout
        self._env = fake_time(timestamp)
        self._closing = ExitStack()

    def __enter__(self) -> Debugfs:
        with ExitStack() as stack:
            self._fd = stack.enter_context(opened(self._path, self._writable))
            self.superblock = read_superblock(self._fd, self._offset)
            if self._offset + self.superblock.size > os.fstat(self._fd).st_size:
                raise CorruptFilesystem("the file is shorter than its filesystem")
            self._session = Session(
                self._fd,
                self._offset,
                writable=self._writable,
                timeout=self._timeout,
                env=self._env,
            )
            self._closing = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._closing:
            try:
                if self._writable and kind is None:
                    self._session.close()  # what was not written is an error
            finally:
                self._session.kill()

    def run(self, *commands: str) -> None:
        """Commands that change the filesystem; see debugfs(8)."""
        self._session.run(commands)

    def listdir(self, ino: int = ROOT) -> list[Entry]:
        """The names in a folder, without `.` and `..`, in the folder's own order."""
        limit = min(_OUTPUT_LIMIT, (1 << 16) + 8 * self.superblock.size)
        output = self._session.command(f"ls -p <{ino:d}>", limit)
        return parse_entries(ino, output)

    def stat(self, ino: int) -> Stat:
        # A block takes about 20 bytes where no two are neighbours.
        limit = min(_OUTPUT_LIMIT, (1 << 20) + 40 * self.superblock.blocks_count)
        output = self._session.command(f"stat <{ino:d}>", limit)
        return parse_stat(ino, output, self.superblock.blocks_count)

    def read(self, ino: int, limit: int | None = None) -> Iterator[bytes]:
        """The content of a file, in pieces of at most 1 MiB.

        A file that claims more than `limit` bytes, or more than ext3 can map, is refused before
        the first piece: a few bytes of image can claim petabytes of holes.
        """
        return self.content(self.stat(ino), limit)

    def content(self, info: Stat, limit: int | None = None) -> Iterator[bytes]:
        """As `read`, for an inode whose `stat` is already known."""
        block_size = self.superblock.block_size
        fan = block_size // 4
        most = (12 + fan + fan**2 + fan**3) * block_size
        if not _stat.S_ISREG(info.mode) and not _stat.S_ISLNK(info.mode):
            raise Ext2fsError(f"inode <{info.ino}>: not a file")
        if info.size > most or (limit is not None and info.size > limit):
            raise CorruptFilesystem(f"inode <{info.ino}>: claims {info.size} bytes")
        return self._pieces(info)

    def _pieces(self, info: Stat) -> Iterator[bytes]:
        block_size = self.superblock.block_size
        done = 0
        hole = bytes(min(_CHUNK, info.size))
        for first, begin, count in (*info.extents, (-(-info.size // block_size), 0, 0)):
            while done < min(first * block_size, info.size):
                piece = hole[: min(first * block_size, info.size) - done]
                done += len(piece)
                yield piece
            end = min((first + count) * block_size, info.size)
            while done < end:
                position = begin * block_size + done - first * block_size
                piece = os.pread(self._fd, min(_CHUNK, end - done), self._offset + position)
                if not piece:
                    raise CorruptFilesystem("the file is shorter than its filesystem")
                done += len(piece)
                yield piece

    def readlink(self, ino: int) -> bytes:
        """The target of a symbolic link."""
        info = self.stat(ino)
        if not _stat.S_ISLNK(info.mode):
            raise Ext2fsError(f"inode <{ino}>: not a symbolic link")
        if info.target is not None:
            return info.target
        target = b"".join(self.content(info, self.superblock.block_size))
        if not target or b"\0" in target:
            raise CorruptFilesystem(f"symbolic link <{ino}>: no target")
        return target

    def walk(
        self,
        root: int = ROOT,
        *,
        max_entries: int = 5_000_000,
        max_depth: int = 1024,
        max_path: int = 1 << 16,
    ) -> Iterator[tuple[bytes, Entry]]:
        """Every entry below the folder `root` with its path, folders before what they hold.

        Names of a folder come in the order of their bytes. A folder that stands in two places, or
        more than the limits allow, is CorruptFilesystem.
        """
        visited = {root}
        count = 0
        waiting = [(b"", root, 0)]
        while waiting:
            path, ino, depth = waiting.pop()
            folders = []
            for entry in sorted(self.listdir(ino), key=lambda entry: entry.name):
                count += 1
                inside = path + b"/" + entry.name if path else entry.name
                if count > max_entries or depth >= max_depth or len(inside) > max_path:
                    raise CorruptFilesystem("more or deeper folders than allowed")
                if _stat.S_IFMT(entry.mode) not in TYPES.values():
                    raise CorruptFilesystem(f"inode <{entry.ino}>: no type of file")
                if entry.is_dir:
                    if entry.ino in visited:
                        raise CorruptFilesystem(f"folder <{entry.ino}> stands in two places")
                    visited.add(entry.ino)
                    folders.append((inside, entry.ino, depth + 1))
                yield inside, entry
            waiting.extend(reversed(folders))
