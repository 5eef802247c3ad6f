"""The tree of a data partition, read straight from the file: no mount, no root."""

from __future__ import annotations

import os

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
from sifprov.filesystem import FileSystem
from sifprov.filesystem.opening import open_filesystem
from sifprov.sif import Partition


def scan_partition(path: str, partition: Partition, deadline: Deadline) -> Tree:
    """Returns the tree of the data `partition` of the SIF at `path`. Raises FileError,
    MissingError, TooLateError."""
    with open_filesystem(path, partition) as fs:
        return _scan(fs, deadline)


def _scan(fs: FileSystem, deadline: Deadline) -> Tree:
    found: list[Entry] = []
    newest = fs.root.ctime_ns
    for node in fs.walk():
        deadline.check()
        kind = file_kind(node.mode)
        newest = max(newest, node.ctime_ns)
        if kind == "l":
            found.append(link_entry(node.path, fs.readlink(node)))
        elif kind in "fx":
            found.append(file_entry(node.path, kind, fs.content(node), deadline))
        else:
            found.append(plain_entry(node.path, kind, (os.major(node.rdev), os.minor(node.rdev))))
    return make_tree(found, newest)
