"""The files of a squashfs 4.0 partition.

Read by code of our own, 300 lines, because nothing else fits: `unsquashfs -ll` prints names as
they are, so that a newline in one forges another file, and unpacks all or by name; the tar tools
need a seekable file of their own; of the Python libraries one is AGPL, and the others bound
neither time nor memory on a hostile image. Nothing here is read by name, every
position is checked against the image, and a block never grows beyond its size.

Little-endian (linux/fs/squashfs/squashfs_fs.h). Positions are bytes from the image's start.

    0   magic "hsqs"    4 inodes    8 made at   12 block size   16 fragments   20 compressor u16
    22  log2(block size) u16   24 flags u16   26 ids u16   28 version 4, 0 (u16 each)
    32  root inode   40 bytes used   48 ids at   56 xattrs at   64 inodes at   72 folders at
    80  fragments at   88 exports at            (u64 each)

Metadata (inodes, folders, fragments, ids) stands in blocks of at most 8 KiB, each behind a u16:
its size, with bit 15 where it is not compressed. A reference to an inode is
(block, from the table's start) << 16 | (byte in the uncompressed block).
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
from typing import NamedTuple, TypeVar

from sifprov.errors import FileError
from sifprov.filesystem import CorruptImageError, FileSystem, Node, check_names
from sifprov.filesystem.compress import decompressor
from sifprov.sif import Partition

_K = TypeVar("_K")
_V = TypeVar("_V")
_SUPERBLOCK = struct.Struct("<IIIIIHHHHHHQQQQQQQQ")
_MAGIC = 0x73717368
_METADATA = 8192
_UNCOMPRESSED_METADATA = 1 << 15
_UNCOMPRESSED = 1 << 24
_NONE = 0xFFFFFFFF
_MAX_TARGET = 65536
# A folder of more than two million names is no folder.
_MAX_LISTING = 64 << 20
_CACHED_METADATA, _CACHED_FRAGMENTS = 512, 8
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


class Superblock(NamedTuple):
    """What the image says about itself."""

    magic: int
    inodes: int
    made: int
    block_size: int
    fragments: int
    compressor: int
    block_log: int
    flags: int
    ids: int
    major: int
    minor: int
    root: int
    used: int
    ids_at: int
    xattrs_at: int
    inodes_at: int
    folders_at: int
    fragments_at: int
    exports_at: int


class _Place(NamedTuple):
    """A byte in the metadata: a block's position, and the byte in it."""

    block: int
    byte: int


class _Content(NamedTuple):
    """Where a file's bytes are: its first block, its tail's fragment, its list of block sizes."""

    start: int
    fragment: int
    tail: int
    sizes: _Place


class Squashfs(FileSystem):
    """The squashfs `partition` of the SIF at `path`, open from `with` to its end."""

    def __init__(self, path: str, partition: Partition) -> None:
        self._path, self._partition = path, partition
        self._metadata: OrderedDict[int, tuple[bytes, int]] = OrderedDict()
        self._fragments: OrderedDict[int, bytes] = OrderedDict()
        self._pool: ThreadPoolExecutor | None = None
        self._closing = ExitStack()

    def __enter__(self) -> Squashfs:
        with ExitStack() as stack:
            self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, self._fd)
            self.superblock = read_superblock(self._fd, self._partition)
            self._decompress = decompressor(self.superblock.compressor)
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
        target, _ = self._take(link.inner, link.size)
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
            position += packed & ~_UNCOMPRESSED
            if len(waiting) > 2 * _THREADS:
                place, ready = waiting.popleft()
                yield place, ready()
        for place, ready in waiting:
            yield place, ready()

    def _later(self, position: int, packed: int, length: int, blocks: int) -> Callable[[], bytes]:
        """The data of one block, decompressed beside others where a file has many."""

        def block() -> bytes:
            data = self._data(position, packed, length)
            if len(data) != length:
                raise CorruptImageError("a block is shorter than its file says")
            return data

        if blocks < 4 or packed & _UNCOMPRESSED:
            return block
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS)
        future: Future[bytes] = self._pool.submit(block)
        return future.result

    def _sizes(self, place: _Place, count: int) -> Iterator[int]:
        """The sizes of a file's blocks as they stand on the disk, read piece by piece: a file may
        claim any number."""
        while count > 0:
            some = min(count, 1024)
            raw, place = self._take(place, 4 * some)
            yield from struct.unpack(f"<{some}I", raw)
            count -= some

    def _fragment(self, number: int) -> bytes:
        found = self._fragments.get(number)
        if found is None:
            if number >= self.superblock.fragments:
                raise CorruptImageError(f"there is no fragment {number}")
            raw = self._entry(self.superblock.fragments_at, number, _FRAGMENT.size)
            start, packed, _ = _FRAGMENT.unpack(raw)
            found = self._data(start, packed, self.superblock.block_size)
            _remember(self._fragments, number, found, _CACHED_FRAGMENTS)
        else:
            self._fragments.move_to_end(number)
        return found

    def _data(self, position: int, packed: int, limit: int) -> bytes:
        """One block of data of at most `limit` bytes."""
        size = packed & ~_UNCOMPRESSED
        if size > self.superblock.block_size:
            raise CorruptImageError("a block is larger than the image's blocks")
        raw = self._bytes(position, size)
        data = raw if packed & _UNCOMPRESSED else self._decompress(raw, limit)
        if len(data) > limit:
            raise CorruptImageError("a block holds more than it may")
        return data

    def _bytes(self, position: int, size: int) -> bytes:
        if position + size > self.superblock.used:
            raise CorruptImageError(f"{size} bytes at {position} are outside the image")
        raw = os.pread(self._fd, size, self._partition.offset + position)
        if len(raw) != size:
            raise CorruptImageError("the file is shorter than its file system")
        return raw

    def _block(self, position: int) -> tuple[bytes, int]:
        """The metadata block at `position`, and the position behind it."""
        found = self._metadata.get(position)
        if found is None:
            (head,) = struct.unpack("<H", self._bytes(position, 2))
            size = head & ~_UNCOMPRESSED_METADATA
            if not 0 < size <= _METADATA:
                raise CorruptImageError(f"the metadata block at {position} has {size} bytes")
            raw = self._bytes(position + 2, size)
            data = raw if head & _UNCOMPRESSED_METADATA else self._decompress(raw, _METADATA)
            found = data, position + 2 + size
            _remember(self._metadata, position, found, _CACHED_METADATA)
        else:
            self._metadata.move_to_end(position)
        return found

    def _take(self, place: _Place, size: int) -> tuple[bytes, _Place]:
        """The `size` bytes of metadata at `place`, and the place behind them."""
        block, byte = place
        data, behind = self._block(block)
        if byte + size <= len(data):
            return data[byte : byte + size], _Place(block, byte + size)
        parts = []
        while True:
            if byte > len(data) or not data:
                raise CorruptImageError("a place outside its metadata block")
            part = data[byte : byte + size]
            parts.append(part)
            size -= len(part)
            if not size:
                return b"".join(parts), _Place(block, byte + len(part))
            block, byte = behind, 0
            data, behind = self._block(block)

    def _entry(self, table: int, number: int, size: int) -> bytes:
        """An entry of a table: u64 positions of metadata blocks, each full of entries."""
        block, index = divmod(number, _METADATA // size)
        (position,) = struct.unpack("<Q", self._bytes(table + 8 * block, 8))
        return self._take(_Place(position, index * size), size)[0]

    def _read_ids(self) -> list[int]:
        sb = self.superblock
        return [_ONE.unpack(self._entry(sb.ids_at, n, 4))[0] for n in range(sb.ids)]

    def _id(self, index: int) -> int:
        if index >= len(self._ids):
            raise CorruptImageError(f"there is no id {index}")
        return self._ids[index]

    def _node(self, path: bytes, reference: int) -> Node:
        place = _Place(self.superblock.inodes_at + (reference >> 16), reference & 0xFFFF)
        raw, place = self._take(place, _HEAD.size)
        kind, mode, uid, gid, mtime, _ = _HEAD.unpack(raw)
        if not 1 <= kind <= 2 * len(_TYPES):
            raise CorruptImageError(f"{path!r} is of the unknown type {kind}")
        long, type_ = kind > len(_TYPES), _TYPES[(kind - 1) % len(_TYPES)]
        size, links, rdev = 0, 1, 0
        inner: _Content | _Place | None = None
        if type_ == stat.S_IFDIR:
            size, links, inner = self._folder(place, long)
        elif type_ == stat.S_IFREG:
            size, links, inner = self._file(place, long)
        elif type_ == stat.S_IFLNK:
            raw, inner = self._take(place, _TWO.size)
            links, size = _TWO.unpack(raw)
            if size > _MAX_TARGET:
                raise CorruptImageError(f"the symbolic link {path!r} is too long")
        elif type_ in (stat.S_IFBLK, stat.S_IFCHR):
            links, packed = _TWO.unpack(self._take(place, _TWO.size)[0])
            rdev = os.makedev((packed & 0xFFF00) >> 8, (packed & 0xFF) | (packed >> 12 & 0xFFF00))
        time = mtime * 10**9
        return Node(path, reference, type_ | mode & 0o7777, self._id(uid), self._id(gid), size,
                    links, time, time, rdev, inner)  # fmt: skip

    def _folder(self, place: _Place, long: bool) -> tuple[int, int, _Place]:
        if long:
            raw, _ = self._take(place, _LONG_FOLDER.size)
            links, size, start, _, _, byte, _ = _LONG_FOLDER.unpack(raw)
        else:
            raw, _ = self._take(place, _FOLDER.size)
            start, links, size, byte, _ = _FOLDER.unpack(raw)
        return size, links, _Place(self.superblock.folders_at + start, byte)

    def _file(self, place: _Place, long: bool) -> tuple[int, int, _Content]:
        links = 1
        if long:
            raw, place = self._take(place, _LONG_FILE.size)
            start, size, _, links, fragment, tail, _ = _LONG_FILE.unpack(raw)
        else:
            raw, place = self._take(place, _FILE.size)
            start, fragment, tail, size = _FILE.unpack(raw)
        return size, links, _Content(start, fragment, tail, place)

    def _listing(self, folder: Node) -> Iterator[tuple[bytes, int]]:
        """The names of a folder, each with the reference of its inode."""
        # The size counts "." and "..", which do not stand there, as three bytes.
        left, place = folder.size - 3, folder.inner
        if left > _MAX_LISTING:
            raise CorruptImageError(f"the folder {folder.path!r} claims {left} bytes of names")
        while left > 0:
            raw, place = self._take(place, _RUN.size)
            count, block, _ = _RUN.unpack(raw)
            left -= _RUN.size
            if count >= 256:
                raise CorruptImageError(f"the folder {folder.path!r} has a run of {count} names")
            for _ in range(count + 1):
                raw, place = self._take(place, _NAME.size)
                byte, _, _, length = _NAME.unpack(raw)
                if length >= 256:
                    raise CorruptImageError(f"the folder {folder.path!r} has too long a name")
                name, place = self._take(place, length + 1)
                left -= _NAME.size + length + 1
                yield name, block << 16 | byte
        if left < 0:
            raise CorruptImageError(f"the folder {folder.path!r} ends inside a name")


def read_superblock(fd: int, partition: Partition) -> Superblock:
    """Reads and checks the superblock of a squashfs partition. Raises CorruptImageError."""
    raw = os.pread(fd, _SUPERBLOCK.size, partition.offset)
    if len(raw) < _SUPERBLOCK.size or len(raw) > partition.size:
        raise CorruptImageError("the partition is too small for a squashfs")
    found = Superblock(*_SUPERBLOCK.unpack(raw))
    if found.magic != _MAGIC or (found.major, found.minor) != (4, 0):
        raise CorruptImageError("the partition holds no squashfs 4.0")
    if not 12 <= found.block_log <= 20 or found.block_size != 1 << found.block_log:
        raise CorruptImageError(f"the squashfs has blocks of {found.block_size} bytes")
    if found.used > partition.size:
        raise CorruptImageError(f"the squashfs claims {found.used} bytes of {partition.size}")
    return found


def _remember(cache: OrderedDict[_K, _V], key: _K, value: _V, most: int) -> None:
    cache[key] = value
    if len(cache) > most:
        cache.popitem(last=False)
