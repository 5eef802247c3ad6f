"""Content digests that are remembered, so that what cannot have changed is not read again.

An entry is of a whole file that nobody writes into (an application, an input), and is found by all
that would be different if the content were: device and inode, size, mtime and ctime in ns, the
SIF's header and table, and which sections of it. Nobody can set a ctime. It is kept only where the
ctime lay two seconds back when reading began, so that a further write in the same tick of the clock
cannot hide (git calls such an entry racy); where the file was synced before, for a write through a
mapping changes the ctime only of a page that was clean; where the file was the same afterwards; and
on file systems that keep a ctime (`hostfs`).

Of a container that runs write into nothing is remembered, for what unmounting it writes hides any
other change of its ctime. Its files are read while the application runs (`readahead`).

docs/reference.md ("Digest cache") says it for users.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping

from sifprov.content import Deadline, Known, Tree, image_digest, scan_folder
from sifprov.hostfs import RACY_NS, has_ctime, kind_of
from sifprov.partition import scan_partition
from sifprov.settings import FAST, FULL, NONE, Settings, cache_folder
from sifprov.sha import sha256
from sifprov.sif import FsType, Partition, open_image

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sifprov.digeststore import Store
    from sifprov.readahead import ReadAhead

# Reading less than this takes no longer than asking the database.
MIN_BYTES = 16 << 20
SKIPPED = "not digested, as the settings say"
_HEAD = 32768


class DigestCache:
    """The digests of one user, as the settings want them; without a database it only reads.

    Several threads may use it.
    Its methods raise what reading raises: FileError, MissingError, TooLateError.
    """

    def __init__(self, settings: Settings, environ: Mapping[str, str] | None = None) -> None:
        self.skips_inputs = settings.digest == NONE
        self._trusted = settings.digest == FAST
        self._reads_ahead = settings.digest != FULL
        self._wanted = settings.cache
        self._environ = os.environ if environ is None else environ
        self._lock = threading.Lock()
        self._opened: Store | None = None
        self._new: dict[bytes, bytes] = {}
        self._ahead: dict[str, ReadAhead] = {}

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

    def known(self, path: str, what: Partition | Iterable[tuple[int, int]]) -> str | None:
        """Returns the digest that is remembered of a data container (its partition), or of an
        application (the sections of its image digest); the content is not read."""
        if isinstance(what, Partition):
            sections: tuple[object, ...] = (what.offset, what.size, what.fs)
            size = _used(path, what)
        else:
            sections = parts = tuple(what)
            size = sum(length for _, length in parts)
        store = self._store_for(path, size) if self._trusted else None
        if store is None:
            return None
        try:
            with open(path, "rb", buffering=0) as file:
                head = os.pread(file.fileno(), _HEAD, 0)
                stored = store.get(_whole_key(_stamp(file.fileno()), head, sections))
        except OSError:
            return None
        found = _parse(stored) if stored else None
        return found.digest if found else None

    def ahead(self, path: str, partition: Partition, deadline: Deadline, began_ns: int) -> None:
        """Begins to read a container that a run writes into, while it runs; it began at `began_ns`
        (ns since 1970)."""
        large = _used(path, partition) >= MIN_BYTES
        if self._reads_ahead and large and partition.fs == FsType.EXT3:
            from sifprov.readahead import ReadAhead  # only who has something to read pays for it

            self._ahead[path] = ReadAhead(path, partition, deadline, began_ns)

    def changing(
        self, path: str, partition: Partition, deadline: Deadline, *, mount: str | None
    ) -> Tree:
        """Returns the content of a data container that a run had for writing, when it has ended.

        It is read where it is mounted, without a `mount` from the partition.
        """
        ahead = self._ahead.pop(path, None)
        known = ahead if ahead and ahead.is_of(path) else None
        try:
            if mount:
                if known:
                    known.in_seconds = kind_of(mount).startswith(b"fuse")
                return scan_folder(mount, deadline, known)
            return scan_partition(path, partition, deadline, known)
        finally:
            if ahead:
                ahead.end()

    def save(self) -> None:
        """Stores what is known by now of whole files."""
        if self._new and self._opened is not None:
            self._opened.put(self._new)
        self._new = {}

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
            key = _whole_key(first, head, what)
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


def _used(path: str, partition: Partition) -> int:
    """About how many bytes reading a partition takes: what its file takes on the disk. The file
    system's own count is wrong after every run by FUSE."""
    try:
        return min(partition.size, os.stat(path).st_blocks * 512)
    except OSError:
        return 0


def _whole_key(stamp: tuple[int, ...], head: bytes, what: tuple[object, ...]) -> bytes:
    return _key("whole", stamp, sha256(head).digest(), what)


def _key(*parts: object) -> bytes:
    return sha256(repr(("sifprov-digests/1", *parts)).encode("ascii")).digest()


def _parse(stored: bytes) -> Known | None:
    digest, _, changed = stored.decode("ascii").partition(" ")
    return Known(digest, int(changed))
