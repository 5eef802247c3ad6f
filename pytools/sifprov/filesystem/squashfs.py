"""The files of a squashfs 4.0 partition.

Read by code of our own, because nothing else fits: `unsquashfs -ll` prints names as they are, so
that a newline in one forges another file, and it unpacks by name; the tools that turn an image into
a tar archive want it in a file of its own; of the Python libraries one is AGPL, and the others do
not aim at hostile images. Nothing here is asked by name, every position is checked against the
image, and a block never grows beyond its size.

The layout of the bytes stands in `metadata`, and here that of inodes and folders:

    inode    0 type u16   2 mode u16   4 uid, 6 gid (places in the table of ids)   8 mtime u32
             12 number u32, and then by the type:
      folder   start u32   links u32   size u16   byte u16   parent u32
      file     start u32   fragment u32   byte in it u32   size u32, and each block's size u32
      link     links u32   length u32   target
      device   links u32   numbers u32
      7 more, with larger fields, are the same kinds again
    folder   runs of: names - 1 u32   inodes' block u32   number u32, and for each name
             byte u16   number i16   type u16   length - 1 u16   name
"""

from __future__ import annotations

import os
import stat
import struct
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from types import TracebackType

from sifprov.errors import FileError
from sifprov.filesystem import CorruptImageError, FileSystem, Node, check_names
from sifprov.filesystem.metadata import UNCOMPRESSED, Metadata, Place, remember
from sifprov.frozen import NamedTuple
from sifprov.sif import Partition

_NONE = 0xFFFFFFFF
_MAX_TARGET = 65536
# A folder of more than two million names is no folder.
_MAX_LISTING = 64 << 20
_CACHED_FRAGMENTS = 8
# Blocks that are decompressed at a time; zlib and its like let other threads run.
_THREADS = max(1, min(4, os.cpu_count() or 1))

_HEAD = struct.Struct("<HHHHII")
_FOLDER, _LONG_FOLDER = struct.Struct("<IIHHI"), struct.Struct("<IIIIHHI")
_FILE, _LONG_FILE = struct.Struct("<IIII"), struct.Struct("<QQQIIII")
_TWO, _ONE = struct.Struct("<II"), struct.Struct("<I")
_RUN, _NAME = struct.Struct("<III"), struct.Struct("<HhHH")
_FRAGMENT = struct.Struct("<QII")
_TYPES = (
    stat.S_IFDIR, stat.S_IFREG, stat.S_IFLNK, stat.S_IFBLK, stat.S_IFCHR, stat.S_IFIFO,
    stat.S_IFSOCK,
)  # fmt: skip


class _Content(NamedTuple):
    """Where a file's bytes are: its first block, its tail's fragment, its list of block sizes."""

    start: int
    fragment: int
    tail: int
    sizes: Place


class Squashfs(FileSystem):
    """The squashfs `partition` of the SIF at `path`, open from `with` to its end."""

    def __init__(self, path: str, partition: Partition) -> None:
        self._path, self._partition = path, partition
        self._fragments: OrderedDict[int, bytes] = OrderedDict()
        self._pool: ThreadPoolExecutor | None = None
        self._closing = ExitStack()

    def __enter__(self) -> Squashfs:
        with ExitStack() as stack:
            fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, fd)
            self._metadata = Metadata(fd, self._partition)
            self.superblock = self._metadata.superblock
            self._ids = self._read_ids()
            self._closing = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        self._closing.__exit__(kind, error, trace)

    @property
    def root(self) -> Node:
        node = self._node(b"", self.superblock.root)
        if not node.is_dir:
            raise CorruptImageError("the root is no folder")
        return node

    def children(self, folder: Node) -> list[Node]:
        if not folder.is_dir:
            raise FileError(f"{folder.path!r} is no folder")
        names = sorted(self._listing(folder))
        check_names(folder.path, (name for name, _ in names))
        prefix = folder.path + b"/" if folder.path else b""
        return [self._node(prefix + name, reference) for name, reference in names]

    def readlink(self, link: Node) -> bytes:
        if not link.is_link:
            raise FileError(f"{link.path!r} is no symbolic link")
        target, _ = self._metadata.take(link.inner, link.size)
        if not target or b"\0" in target:
            raise CorruptImageError(f"the symbolic link {link.path!r} has no target")
        return target

    def pieces(self, file: Node) -> Iterator[tuple[int, bytes]]:
        if not file.is_file:
            raise FileError(f"{file.path!r} is no file")
        content: _Content = file.inner
        tail = file.size % self.superblock.block_size
        if file.size > tail or content.fragment == _NONE:
            yield from self._blocks(file.size, content)
        if content.fragment != _NONE and tail:
            data = self._fragment(content.fragment)
            if content.tail + tail > len(data):
                raise CorruptImageError(f"the end of {file.path!r} is outside its fragment")
            yield file.size - tail, data[content.tail : content.tail + tail]

    def _blocks(self, size: int, content: _Content) -> Iterator[tuple[int, bytes]]:
        """The whole blocks of a file, and its last one where that is in no fragment."""
        step = self.superblock.block_size
        whole = size // step if content.fragment != _NONE else -(-size // step)
        waiting: deque[tuple[int, Callable[[], bytes]]] = deque()
        position = content.start
        for number, packed in enumerate(self._sizes(content.sizes, whole)):
            if not packed:
                continue
            length = min(step, size - number * step)
            waiting.append((number * step, self._later(position, packed, length, whole)))
            position += packed & ~UNCOMPRESSED
            if len(waiting) > 2 * _THREADS:
                place, ready = waiting.popleft()
                yield place, ready()
        for place, ready in waiting:
            yield place, ready()

    def _later(self, position: int, packed: int, length: int, blocks: int) -> Callable[[], bytes]:
        """The data of one block, decompressed beside others where a file has many."""

        def block() -> bytes:
            data = self._metadata.data(position, packed, length)
            if len(data) != length:
                raise CorruptImageError("a block is shorter than its file says")
            return data

        if blocks < 4 or packed & UNCOMPRESSED:
            return block
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS)
        future: Future[bytes] = self._pool.submit(block)
        return future.result

    def _sizes(self, place: Place, count: int) -> Iterator[int]:
        """The sizes of a file's blocks as they stand on the disk, read piece by piece: a file may
        claim any number."""
        while count > 0:
            some = min(count, 1024)
            raw, place = self._metadata.take(place, 4 * some)
            yield from struct.unpack(f"<{some}I", raw)
            count -= some

    def _fragment(self, number: int) -> bytes:
        found = self._fragments.get(number)
        if found is None:
            if number >= self.superblock.fragments:
                raise CorruptImageError(f"there is no fragment {number}")
            raw = self._metadata.entry(self.superblock.fragments_at, number, _FRAGMENT.size)
            start, packed, _ = _FRAGMENT.unpack(raw)
            found = self._metadata.data(start, packed, self.superblock.block_size)
            remember(self._fragments, number, found, _CACHED_FRAGMENTS)
        else:
            self._fragments.move_to_end(number)
        return found

    def _read_ids(self) -> list[int]:
        sb = self.superblock
        return [_ONE.unpack(self._metadata.entry(sb.ids_at, n, 4))[0] for n in range(sb.ids)]

    def _id(self, index: int) -> int:
        if index >= len(self._ids):
            raise CorruptImageError(f"there is no id {index}")
        return self._ids[index]

    def _node(self, path: bytes, reference: int) -> Node:
        place = Place(self.superblock.inodes_at + (reference >> 16), reference & 0xFFFF)
        raw, place = self._metadata.take(place, _HEAD.size)
        kind, mode, uid, gid, mtime, _ = _HEAD.unpack(raw)
        if not 1 <= kind <= 2 * len(_TYPES):
            raise CorruptImageError(f"{path!r} is of the unknown type {kind}")
        long, type_ = kind > len(_TYPES), _TYPES[(kind - 1) % len(_TYPES)]
        size, links, rdev = 0, 1, 0
        inner: _Content | Place | None = None
        if type_ == stat.S_IFDIR:
            size, links, inner = self._folder(place, long)
        elif type_ == stat.S_IFREG:
            size, links, inner = self._file(place, long)
        elif type_ == stat.S_IFLNK:
            raw, inner = self._metadata.take(place, _TWO.size)
            links, size = _TWO.unpack(raw)
            if size > _MAX_TARGET:
                raise CorruptImageError(f"the symbolic link {path!r} is too long")
        elif type_ in (stat.S_IFBLK, stat.S_IFCHR):
            links, packed = _TWO.unpack(self._metadata.take(place, _TWO.size)[0])
            rdev = os.makedev((packed & 0xFFF00) >> 8, (packed & 0xFF) | (packed >> 12 & 0xFFF00))
        time = mtime * 10**9
        return Node(path, reference, type_ | mode & 0o7777, self._id(uid), self._id(gid), size,
                    links, time, time, rdev, inner)  # fmt: skip

    def _folder(self, place: Place, long: bool) -> tuple[int, int, Place]:
        if long:
            raw, _ = self._metadata.take(place, _LONG_FOLDER.size)
            links, size, start, _, _, byte, _ = _LONG_FOLDER.unpack(raw)
        else:
            raw, _ = self._metadata.take(place, _FOLDER.size)
            start, links, size, byte, _ = _FOLDER.unpack(raw)
        return size, links, Place(self.superblock.folders_at + start, byte)

    def _file(self, place: Place, long: bool) -> tuple[int, int, _Content]:
        links = 1
        if long:
            raw, place = self._metadata.take(place, _LONG_FILE.size)
            start, size, _, links, fragment, tail, _ = _LONG_FILE.unpack(raw)
        else:
            raw, place = self._metadata.take(place, _FILE.size)
            start, fragment, tail, size = _FILE.unpack(raw)
        return size, links, _Content(start, fragment, tail, place)

    def _listing(self, folder: Node) -> Iterator[tuple[bytes, int]]:
        """The names of a folder, each with the reference of its inode."""
        # The size counts "." and "..", which do not stand there, as three bytes.
        left, place = folder.size - 3, folder.inner
        last = b""
        if left > _MAX_LISTING:
            raise CorruptImageError(f"the folder {folder.path!r} claims {left} bytes of names")
        while left > 0:
            raw, place = self._metadata.take(place, _RUN.size)
            count, block, _ = _RUN.unpack(raw)
            left -= _RUN.size
            if count >= 256:
                raise CorruptImageError(f"the folder {folder.path!r} has a run of {count} names")
            for _ in range(count + 1):
                raw, place = self._metadata.take(place, _NAME.size)
                byte, _, _, length = _NAME.unpack(raw)
                if length >= 256:
                    raise CorruptImageError(f"the folder {folder.path!r} has too long a name")
                name, place = self._metadata.take(place, length + 1)
                left -= _NAME.size + length + 1
                # The kernel wants them ascending; and one name, compressed, would else give
                # millions of entries.
                if name <= last:
                    raise CorruptImageError(
                        f"the folder {folder.path!r} holds the name {name!r} twice, or out of order"
                    )
                last = name
                yield name, block << 16 | byte
        if left < 0:
            raise CorruptImageError(f"the folder {folder.path!r} ends inside a name")
