"""The files of a writable container, read while the application runs.

What a run leaves alone is the same after it as before. So files are read meanwhile, straight from
the partition, and at the end only those are read that the run has changed or that nobody came to.
Nothing of an earlier run counts: no inode tells of a write past the file system (`dd`, `debugfs`),
and the container's own ctime cannot, for the runtime writes to the file once more by unmounting it
when the record is written.

A file is the same whose inode, size, mtime and ctime are, if its ctime lay two seconds back when
reading began: whatever changes it through the mount sets a later one.
"""

from __future__ import annotations

import heapq
import os
import threading
import time
from functools import partial

from pyext2fs import Ext2fsError
from pyext2fs.superblock import superblock
from sifprov.errors import SifprovError
from sifprov.filesystem import Node
from sifprov.filesystem.ext3 import Ext3
from sifprov.hostfs import RACY_NS
from sifprov.listing import Deadline, FileState, TooLateError, file_entry
from sifprov.parallel import run_all
from sifprov.sif import Partition

_SECOND = 1_000_000_000
# How often to look whether the container is mounted by now, in seconds.
_LOOK = 0.01
# So many of the largest files, for each costs memory.
_MOST = 20_000
_ERRORS = (SifprovError, Ext2fsError, OSError, TooLateError)


class ReadAhead:
    """What is known so far of the files in the ext3 `partition` of the SIF at `path`.

    A thread reads them, the largest first. `began_ns` is when the run began (ns since 1970). What
    it cannot read is not known, and nothing is raised. At the end of the run it is the `KnownFiles`
    of the container: the first question ends the reading, but for what is being read just then.
    `in_seconds`: these questions have their times from fuse2fs, in whole seconds.
    """

    in_seconds = False

    def __init__(self, path: str, partition: Partition, deadline: Deadline, began_ns: int) -> None:
        self._path, self._partition, self._began = path, partition, began_ns
        self._deadline = _Ending(deadline)
        self._file: tuple[int, int] | None = None
        self._lock = threading.Condition()
        self._known: dict[FileState, str] = {}
        self._reading: set[FileState] = set()
        self._exact: dict[FileState, FileState] = {}
        self._asked = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def find(self, state: FileState) -> str | None:
        """Returns the digest of the file in that state; waits while it is being read."""
        with self._lock:
            self._asked = True
            state = self._exact.get(state, state) if self.in_seconds else state
            self._lock.wait_for(lambda: state not in self._reading)
            return self._known.get(state)

    def keep(self, state: FileState, value: str) -> None:
        """What is read at the end of a run says nothing for the next one."""

    def is_of(self, path: str) -> bool:
        """Whether the file that is read is the one at `path` now."""
        return self._file is not None and self._file == _identity(path)

    def end(self) -> None:
        """Ends all reading."""
        self._asked = self._deadline.over = True

    def join(self) -> None:
        """Waits until all is read that could be."""
        self._thread.join()

    def _work(self) -> None:
        try:
            if self._journal_is_empty():
                with Ext3(self._path, self._partition, mounted=True) as fs:
                    self._file = _identity(fs.fileno())
                    run_all([partial(self._read, fs, node) for node in self._old_files(fs)])
        except Exception:  # noqa: S110  (a thread's traceback would reach the user)
            pass  # what is not known is read at the end

    def _journal_is_empty(self) -> bool:
        """Waits until no journal holds what may belong to an old file: until this run has mounted
        the container, which empties it. False where the end of the run comes first."""
        while not self._asked:
            found = superblock(self._path, self._partition.offset)
            if not found.needs_recovery or found.mounted_at >= self._began // _SECOND:
                return True
            time.sleep(_LOOK)
        return False

    def _old_files(self, fs: Ext3) -> list[Node]:
        """The files to read, the largest first."""
        limit = time.time_ns() - RACY_NS
        found: list[tuple[int, int, Node]] = []
        inodes = set()
        try:
            for node in fs.walk():
                self._deadline.check()
                if self._asked:
                    break
                if node.is_file and node.ctime_ns <= limit and node.ino not in inodes:
                    inodes.add(node.ino)
                    put = heapq.heappush if len(found) < _MOST else heapq.heappushpop
                    put(found, (node.size, node.ino, node))
        except (SifprovError, Ext2fsError):
            pass  # the application is changing what was read just then
        return [node for _, _, node in sorted(found, reverse=True)]

    def _read(self, fs: Ext3, node: Node) -> None:
        state = FileState(node.ino, node.size, node.mtime_ns, node.ctime_ns)
        with self._lock:
            if self._asked:
                return
            self._reading.add(state)
            self._exact[_whole_seconds(state)] = state
        try:
            entry = file_entry(node.path, node.mode, fs.content(node), self._deadline, node.size)
            self._known[state] = entry.value
        except _ERRORS:
            pass  # whoever reads it at the end will say
        finally:
            with self._lock:
                self._reading.discard(state)
                self._lock.notify_all()


class _Ending(Deadline):
    """The time that is granted, which is `over` as well when nobody asks any more."""

    def __init__(self, granted: Deadline) -> None:
        super().__init__()
        self._granted = granted
        self.over = False

    def check(self) -> None:
        if self.over:
            raise TooLateError
        self._granted.check()


def _whole_seconds(state: FileState) -> FileState:
    mtime, ctime = (t // _SECOND * _SECOND for t in (state.mtime_ns, state.ctime_ns))
    return state._replace(mtime_ns=mtime, ctime_ns=ctime)


def _identity(file: str | int) -> tuple[int, int] | None:
    try:
        found = os.stat(file)
    except OSError:
        return None
    return found.st_dev, found.st_ino
