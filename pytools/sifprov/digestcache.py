"""Content digests that are remembered, so that what cannot have changed is not read again.

Two kinds of entries, each found by all that would be different if the content were:

- Of a whole file that nobody writes into (an application, an input): device and inode, size, mtime
  and ctime in ns, the SIF's header and table, and which sections of it. Nobody can set a ctime. It
  is kept only where the ctime lay two seconds back when reading began, so that a further write in
  the same tick of the clock cannot hide (git calls such an entry racy); where the file was synced
  before, for a write through a mapping changes the ctime only of a page that was clean; where
  the file was the same afterwards; and on file systems that keep a ctime (`hostfs`).
- Of the files inside a writable ext3 partition: inode, size, mtime and ctime there. They say
  nothing of who writes past the file system (`dd`, `debugfs`), so they hold only while the SIF
  itself was not written to since the run that read them, and its unmounting.

docs/reference.md ("Digest cache") says it for users.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from sifprov.content import Deadline, FileState, Known, Tree, image_digest, scan_folder
from sifprov.hostfs import has_ctime, kind_of
from sifprov.partition import scan_partition
from sifprov.settings import FAST, NONE, Settings, cache_folder
from sifprov.sif import FsType, Partition, open_image

if TYPE_CHECKING:
    from sifprov.digeststore import Store

# Reading less than this takes no longer than asking the database.
MIN_BYTES = 16 << 20
RACY_NS = 2_000_000_000
# How long after a record the runtime may still be unmounting the container.
UNMOUNT_NS = 300_000_000
SKIPPED = "not digested, as the settings say"
_HEAD = 32768
_FILE = struct.Struct("<QQqq32s")


class DigestCache:
    """The digests of one user, as the settings want them; without a database it only reads.

    Several threads may use it.
    Its methods raise what reading raises: FileError, MissingError, TooLateError.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        self.skips_inputs = settings.digest == NONE
        self._trusted = settings.digest == FAST
        self._wanted = settings.cache
        self._environ = os.environ if environ is None else environ
        self._lock = threading.Lock()
        self._opened: Store | None = None
        self._new: dict[bytes, bytes] = {}
        self._files: list[tuple[bytes, str, _Files]] = []

    def image(self, path: str, sections: Iterable[tuple[int, int]], deadline: Deadline) -> str:
        """Returns the image digest of the application at `path`."""
        sections = tuple(sections)

        def read() -> Known:
            with open_image(path) as (file, _):
                return Known(image_digest(file, sections, deadline), 0)

        return self._whole(path, sections, sum(size for _, size in sections), read).digest

    def tree(self, path: str, partition: Partition, deadline: Deadline) -> Tree | Known:
        """Returns the content of a data container into which nobody writes."""
        return self._whole(
            path,
            (partition.offset, partition.size, partition.fs),
            _used(path, partition),
            lambda: scan_partition(path, partition, deadline),
        )

    def changing(
        self,
        path: str,
        partition: Partition,
        deadline: Deadline,
        *,
        mount: str | None,
        before_ns: int | None,
    ) -> Tree:
        """Returns the content of a data container that a run had for writing.

        It is read where it is mounted, without a `mount` from the partition. `before_ns` is the
        ctime of the file before the run, None where nobody looked.
        """
        files = self._known(path, partition, before_ns)
        if files and mount and not _sync(mount):
            files.trusts_new = False
        if mount:
            return scan_folder(mount, deadline, files)
        first = _stamp(path)
        tree = scan_partition(path, partition, deadline, files)
        if files and _stamp(path) != first:
            files.trusts_new = False
        return tree

    def save(self) -> None:
        """Stores what is known by now of whole files."""
        if self._new and self._opened is not None:
            self._opened.put(self._new)
        self._new = {}

    def settle(self, *, live: bool) -> None:
        """Stores what is known of the files of writable containers, when their records are written.

        `live`: they are still mounted, and will be written to once more by unmounting them.
        """
        for key, path, files in self._files:
            try:
                limit = os.stat(path).st_ctime_ns
            except OSError:
                continue
            if live:
                limit = max(limit, time.time_ns()) + UNMOUNT_NS
            if files.trusts_new:
                self._new[key] = files.pack(limit)
        self._files = []
        self.save()

    def _store_for(self, path: str, size: int) -> Store | None:
        """The database, where it can tell of the file at `path` sooner than reading `size` bytes
        would."""
        # A write to a block device changes no ctime.
        if not (self._wanted and size >= MIN_BYTES and os.path.isfile(path) and has_ctime(path)):
            return None
        with self._lock:
            if self._opened is None:
                try:
                    from sifprov.digeststore import Store  # SQLite takes its time
                except ImportError:  # Python was built without it
                    self._wanted = False
                    return None
                self._opened = Store(cache_folder(self._environ))
        return self._opened if self._opened.usable else None

    def _whole(
        self, path: str, what: tuple[object, ...], size: int, read: Callable[[], Tree | Known]
    ) -> Tree | Known:
        store = self._store_for(path, size)
        if store is None:
            return read()
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return read()  # whose error it is
        try:
            head = os.pread(descriptor, _HEAD, 0)
            first = _stamp(descriptor)
            key = _key("whole", first, hashlib.sha256(head).digest(), what)
            stored = store.get(key) if self._trusted else None
            found = _parse(stored) if stored else None
            if found:
                return found
            began = time.time_ns()
            keeps = _old_enough(first[-1], began) and _synced(descriptor)
            content = read()
            # By its name: what was read may have been another file by then.
            if keeps and _stamp(path) == first and os.pread(descriptor, _HEAD, 0) == head:
                self._new[key] = f"{content.digest} {content.changed_ns}".encode("ascii")
            return content
        finally:
            os.close(descriptor)

    def _known(self, path: str, partition: Partition, before_ns: int | None) -> _Files | None:
        store = self._store_for(path, _used(path, partition))
        if store is None or partition.fs != FsType.EXT3:
            return None
        key = _container_key(path, partition)
        if key is None:
            return None
        stored = store.get(key) if self._trusted and before_ns is not None else None
        files = _Files(time.time_ns())
        if stored and before_ns is not None:
            files.unpack(stored, before_ns)
        self._files.append((key, path, files))
        return files


class _Files:
    """The files of one container: what was known of them, and what is known now."""

    def __init__(self, began_ns: int) -> None:
        self._began = began_ns
        self._old: dict[FileState, bytes] = {}
        self._now: dict[FileState, bytes] = {}
        self.trusts_new = True

    def find(self, state: FileState) -> str | None:
        value = self._old.get(state)
        if value is None:
            return None
        self._now[state] = value
        return value.hex()

    def keep(self, state: FileState, value: str) -> None:
        if _old_enough(state.ctime_ns, self._began):
            self._now[state] = bytes.fromhex(value)

    def pack(self, limit_ns: int) -> bytes:
        """As stored: the latest ctime of the SIF at which this holds, then each file."""
        files = (_FILE.pack(*state, value) for state, value in self._now.items())
        return struct.pack("<q", limit_ns) + b"".join(files)

    def unpack(self, stored: bytes, before_ns: int) -> None:
        if len(stored) % _FILE.size != 8 or before_ns > struct.unpack_from("<q", stored)[0]:
            return
        for ino, size, mtime, ctime, value in _FILE.iter_unpack(stored[8:]):
            self._old[FileState(ino, size, mtime, ctime)] = value


def _old_enough(ctime_ns: int, began_ns: int) -> bool:
    return ctime_ns <= began_ns - RACY_NS


def _stamp(file: str | int) -> tuple[int, int, int, int, int]:
    """The ctime comes last. Without a file, what equals no stamp."""
    try:
        s = os.stat(file)
    except OSError:
        return (-1, -1, -1, -1, time.monotonic_ns())
    return (s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns)


def _synced(descriptor: int) -> bool:
    """Whether every page of the file is clean now."""
    try:
        os.fdatasync(descriptor)
    except OSError:
        return False
    return True


def _sync(mount: str) -> bool:
    """Makes every page of a mounted file system clean; through FUSE a later write changes the ctime
    whenever it comes to be written."""
    if kind_of(mount).startswith(b"fuse"):
        return True
    import ctypes  # Python has no syncfs

    try:
        descriptor = os.open(mount, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return bool(ctypes.CDLL(None).syncfs(descriptor) == 0)
    except (AttributeError, OSError):
        return False
    finally:
        os.close(descriptor)


def _used(path: str, partition: Partition) -> int:
    """About how many bytes reading a partition takes: what its file takes on the disk. The file
    system's own count is wrong after every run by FUSE."""
    try:
        return min(partition.size, os.stat(path).st_blocks * 512)
    except OSError:
        return 0


def _container_key(path: str, partition: Partition) -> bytes | None:
    """Which file system this is: in which file, where, and when it was made."""
    try:
        with open(path, "rb", buffering=0) as file:
            device, inode = _stamp(file.fileno())[:2]
            raw = os.pread(file.fileno(), 1024, partition.offset + 1024)
    except OSError:
        return None
    # UUID; mkfs's time; the seed of folders' hashes.
    return _key("files", device, inode, partition.offset, raw[104:120], raw[264:268], raw[236:252])


def _key(*parts: object) -> bytes:
    return hashlib.sha256(repr(("sifprov-digests/1", *parts)).encode("ascii")).digest()


def _parse(stored: bytes) -> Known | None:
    digest, _, changed = stored.decode("ascii").partition(" ")
    return Known(digest, int(changed))
