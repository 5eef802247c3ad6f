"""Read a filesystem by inode number, through one debugfs process.

debugfs tells what stands where. File content is read from the image directly, from the blocks that
debugfs lists: `cat` through the pipe costs several times as much. Nothing is ever asked by name,
since no quoting of debugfs covers every name.
"""

from __future__ import annotations

import os
import re
import stat as _stat
from collections.abc import Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import NamedTuple

from pyext2fs._run import CorruptFilesystem, Ext2fsError, opened
from pyext2fs._session import Session
from pyext2fs.superblock import read_superblock

ROOT = 2
_CHUNK = 1 << 20
_FAST_LINK = 60  # bytes that fit into the inode, with a NUL
_OUTPUT_LIMIT = 256 << 20
_NOT_BLOCK_MAPPED = 0x80000 | 0x10000000  # extents, inline data
_TYPES = {
    b"regular": _stat.S_IFREG,
    b"directory": _stat.S_IFDIR,
    b"symlink": _stat.S_IFLNK,
    b"FIFO": _stat.S_IFIFO,
    b"socket": _stat.S_IFSOCK,
    b"block special": _stat.S_IFBLK,
    b"character special": _stat.S_IFCHR,
}
_ENTRY = re.compile(rb"/(\d+)/([0-7]+)/(-?\d+)/(-?\d+)/([^/]*)/(\d*)/\n")
_HEAD = re.compile(
    rb"Inode: (?P<ino>\d+) +Type: (?P<type>[^\n]*?) *"
    rb"Mode: +(?P<mode>[0-7]+) +Flags: 0x(?P<flags>[0-9a-f]+)\n"
    rb"Generation: [^\n]*\n"
    rb"User: +(?P<uid>-?\d+) +Group: +(?P<gid>-?\d+)[^\n]*? Size: (?P<size>\d+)\n"
    rb"File ACL: [^\n]*\n"
    rb"Links: (?P<links>\d+) [^\n]*\n"
    rb"(?:Fragment: [^\n]*\n)?"
    rb" *ctime: (?P<ctime>[^\n]*)\n *atime: (?P<atime>[^\n]*)\n *mtime: (?P<mtime>[^\n]*)\n"
    rb"(?: *crtime: [^\n]*\n)?(?: *dtime: (?P<dtime>[^\n]*)\n)?"
)
_TIME = re.compile(rb"0x([0-9a-f]+)(?::\(?([0-9a-f]+))?")
_DEVICE = re.compile(rb"evice major/minor number: (\d+):(\d+) \(hex [^\n]*\)\n\Z")
_RUN = re.compile(rb"\((?:([DT]?IND)|(\d+)(?:-(\d+))?)\):(\d+)(?:-(\d+))?(?:, *|\n)")
_TOTAL = re.compile(rb"(?:TOTAL: \d+\n)?\n*\Z")


class Entry(NamedTuple):
    """One name in a folder. `mode` includes the type; `size` is 0 for a folder."""

    ino: int
    mode: int
    uid: int
    gid: int
    name: bytes
    size: int

    @property
    def is_dir(self) -> bool:
        return _stat.S_ISDIR(self.mode)


class Stat(NamedTuple):
    """An inode. Times in nanoseconds since 1970; `dtime` in seconds, 0 for a living file.

    `extents`: (first block of the file, first block of the image, how many), ascending, without
    holes. `target`: of a symbolic link that stands in the inode itself.
    """

    ino: int
    mode: int
    uid: int
    gid: int
    size: int
    links: int
    flags: int
    atime_ns: int
    mtime_ns: int
    ctime_ns: int
    dtime: int
    rdev: int
    extents: tuple[tuple[int, int, int], ...]
    target: bytes | None


class Debugfs:
    """The filesystem at `offset` of the file `path`, open from `with` to its end.

    `timeout` bounds each command, in seconds. Whatever is inside the image, a method
    returns or raises Ext2fsError (CorruptFilesystem where the image is at fault).
    """

    def __init__(
        self,
        path: str | bytes | os.PathLike[str],
        offset: int = 0,
        *,
        writable: bool = False,
        timeout: float = 60,
    ) -> None:
        self._path, self._offset = path, offset
        self._writable, self._timeout = writable, timeout
        self._closing = ExitStack()

    def __enter__(self) -> Debugfs:
        with ExitStack() as stack:
            self._fd = stack.enter_context(opened(self._path, self._writable))
            self.superblock = read_superblock(self._fd, self._offset)
            if self._offset + self.superblock.size > os.fstat(self._fd).st_size:
                raise CorruptFilesystem("the file is shorter than its filesystem")
            self._session = Session(
                self._fd, self._offset, writable=self._writable, timeout=self._timeout
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
        entries: list[Entry] = []
        seen: set[bytes] = set()
        at = 0
        end = len(output) - (output.endswith(b"\n\n") or output == b"\n")
        while at < end:
            match = _ENTRY.match(output, at, end)
            if not match:
                raise CorruptFilesystem(f"folder <{ino}>: a name that debugfs cannot show")
            at = match.end()
            number, mode, uid, gid, name, size = match.groups()
            if number == b"0" or name in (b".", b".."):
                continue  # an unused entry; itself and its parent
            if not name or name in seen:
                raise CorruptFilesystem(f"folder <{ino}>: an empty name, or one that stands twice")
            seen.add(name)
            entries.append(
                Entry(
                    int(number), int(mode, 8), _unsigned(uid), _unsigned(gid), name, int(size or 0)
                )
            )
        return entries

    def stat(self, ino: int) -> Stat:
        # A block takes about 20 bytes where no two are neighbours.
        limit = min(_OUTPUT_LIMIT, (1 << 20) + 40 * self.superblock.blocks_count)
        output = self._session.command(f"stat <{ino:d}>", limit)
        match = _HEAD.match(output)
        if not match or int(match["ino"]) != ino:
            raise CorruptFilesystem(f"inode <{ino}>: {output[:60]!r}")
        if match["type"] not in _TYPES:
            raise CorruptFilesystem(f"inode <{ino}>: no type of file")
        mode = _TYPES[match["type"]] | int(match["mode"], 8) & 0o7777
        size, flags = int(match["size"]), int(match["flags"], 16)
        rdev, target = 0, None
        extents: tuple[tuple[int, int, int], ...] = ()
        if _stat.S_ISCHR(mode) or _stat.S_ISBLK(mode):
            device = _DEVICE.search(output)
            rdev = os.makedev(int(device[1]), int(device[2])) if device else 0
        elif _stat.S_ISLNK(mode) and 0 < size < _FAST_LINK:
            # Taken from the end: what stands before it may be made to look alike.
            target = output[-size - 2 : -2]
            if not output.endswith(b'Fast link dest: "' + target + b'"\n') or b"\0" in target:
                raise CorruptFilesystem(f"symbolic link <{ino}>: not {size} bytes")
        elif flags & _NOT_BLOCK_MAPPED:
            raise CorruptFilesystem(f"inode <{ino}>: not mapped by blocks, so not ext3")
        else:
            extents = self._extents(ino, output)
        return Stat(
            ino=ino,
            mode=mode,
            uid=_unsigned(match["uid"]),
            gid=_unsigned(match["gid"]),
            size=size,
            links=int(match["links"]),
            flags=flags,
            atime_ns=_time(match["atime"]),
            mtime_ns=_time(match["mtime"]),
            ctime_ns=_time(match["ctime"]),
            dtime=_time(match["dtime"]) // 10**9 if match["dtime"] else 0,
            rdev=rdev,
            extents=extents,
            target=target,
        )

    def _extents(self, ino: int, output: bytes) -> tuple[tuple[int, int, int], ...]:
        """The block list at the end of what `stat` prints, checked against the image."""
        # Only digits follow the last BLOCKS, so nothing inside the image can forge it.
        at = output.rfind(b"BLOCKS:\n") + 8
        if at < 8:
            raise CorruptFilesystem(f"inode <{ino}>: no list of blocks")
        extents: list[tuple[int, int, int]] = []
        total, next_block = 0, 0
        while match := _RUN.match(output, at):
            at = match.end()
            kind, first, last, start, stop = match.groups()
            begin, count = int(start), int(stop or start) - int(start) + 1
            total += count
            if kind is None:
                if int(first) < next_block or int(last or first) - int(first) + 1 != count:
                    raise CorruptFilesystem(f"inode <{ino}>: blocks out of order")
                next_block = int(first) + count
                extents.append((int(first), begin, count))
            if count < 1 or begin + count > self.superblock.blocks_count:
                raise CorruptFilesystem(f"inode <{ino}>: a block outside the filesystem")
        if not _TOTAL.match(output, at) or total > self.superblock.blocks_count:
            raise CorruptFilesystem(f"inode <{ino}>: a list of blocks that cannot be")
        return tuple(extents)

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
                if _stat.S_IFMT(entry.mode) not in _TYPES.values():
                    raise CorruptFilesystem(f"inode <{entry.ino}>: no type of file")
                if entry.is_dir:
                    if entry.ino in visited:
                        raise CorruptFilesystem(f"folder <{entry.ino}> stands in two places")
                    visited.add(entry.ino)
                    folders.append((inside, entry.ino, depth + 1))
                yield inside, entry
            waiting.extend(reversed(folders))


def _unsigned(number: bytes) -> int:
    return int(number) & 0xFFFFFFFF


def _time(text: bytes) -> int:
    """Nanoseconds from `0xSECONDS:EXTRA`; EXTRA is nanoseconds << 2 | bits 32 and 33 of seconds."""
    match = _TIME.match(text)
    if not match:
        raise CorruptFilesystem("a time that debugfs cannot show")
    seconds, extra = int(match[1], 16), int(match[2] or b"0", 16)
    seconds = (seconds ^ 2**31) - 2**31 + ((extra & 3) << 32)
    return seconds * 10**9 + (extra >> 2)
