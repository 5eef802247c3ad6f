"""The tree of a data partition, read straight from the file: no mount, no root."""

from __future__ import annotations

import os

from pyext2fs import Ext2fsError
from pyext2fs.debugfs import ROOT, Debugfs
from pyext2fs.superblock import superblock
from sifprov.content import (
    Deadline,
    Entry,
    Tree,
    file_entry,
    file_kind,
    link_entry,
    make_tree,
    plain_entry,
)
from sifprov.errors import FileError
from sifprov.sif import FsType
from sifprov.sif.image import Partition


def scan_partition(path: str, partition: Partition, deadline: Deadline) -> Tree:
    """Returns the tree of the ext3 `partition` of the SIF at `path`. Raises FileError,
    TooLateError."""
    if partition.fs != FsType.EXT3:
        raise FileError(f"{path}: only ext3 data partitions can be read without mounting them")
    try:
        if superblock(path, partition.offset).needs_recovery:
            # What the journal holds is not in its place yet: the tree would be one that never was.
            raise FileError(
                f"{path}: its file system is in use, or was not unmounted",
                hint="wait for the run that uses it; else repair it with e2fsck",
            )
        with Debugfs(path, partition.offset) as fs:
            return _scan(fs, deadline)
    except Ext2fsError as error:
        raise FileError(f"{path}: {error}") from error


def _scan(fs: Debugfs, deadline: Deadline) -> Tree:
    found: list[Entry] = []
    newest = fs.stat(ROOT).ctime_ns
    for path, entry in fs.walk():
        deadline.check()
        kind = file_kind(entry.mode)
        # ext3's own lost+found at the root is no content, nor is anything that e2fsck put there.
        if (path == b"lost+found" and kind == "d") or path.startswith(b"lost+found/"):
            continue
        status = fs.stat(entry.ino)
        newest = max(newest, status.ctime_ns)
        if kind == "l":
            found.append(link_entry(path, fs.readlink(entry.ino)))
        elif kind in "fx":
            found.append(file_entry(path, kind, fs.read(entry.ino), deadline))
        else:
            found.append(plain_entry(path, kind, (os.major(status.rdev), os.minor(status.rdev))))
    return make_tree(found, newest)
