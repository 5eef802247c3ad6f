"""The tree of a data partition, read straight from the file: no mount, no root."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial

from sifprov.content import (
    LARGE,
    Deadline,
    Entry,
    FileState,
    KnownFiles,
    Tree,
    file_entry,
    file_kind,
    known_entry,
    link_entry,
    make_tree,
    plain_entry,
)
from sifprov.filesystem import FileSystem, Node
from sifprov.filesystem.opening import open_filesystem
from sifprov.parallel import run_all
from sifprov.sif import Partition


def scan_partition(
    path: str, partition: Partition, deadline: Deadline, known: KnownFiles | None = None
) -> Tree:
    """Returns the tree of the data `partition` of the SIF at `path`; files that `known` knows are
    not read. Raises FileError, MissingError, TooLateError."""
    with open_filesystem(path, partition) as fs:
        return _scan(fs, deadline, known)


def _scan(fs: FileSystem, deadline: Deadline, known: KnownFiles | None) -> Tree:
    found: list[Entry] = []
    large: list[Callable[[], Entry]] = []
    newest = fs.root.ctime_ns
    for node in fs.walk():
        deadline.check()
        kind = file_kind(node.mode)
        newest = max(newest, node.ctime_ns)
        if kind == "l":
            found.append(link_entry(node.path, fs.readlink(node)))
        elif kind in "fx" and node.size >= LARGE and fs.threads:
            large.append(partial(_file, fs, node, deadline, known))
        elif kind in "fx":
            found.append(_file(fs, node, deadline, known))
        else:
            numbers = (os.major(node.rdev), os.minor(node.rdev))
            found.append(plain_entry(node.path, node.mode, numbers))
    return make_tree([*found, *run_all(large)], newest)


def _file(fs: FileSystem, node: Node, deadline: Deadline, known: KnownFiles | None) -> Entry:
    state = FileState(node.ino, node.size, node.mtime_ns, node.ctime_ns)
    return known_entry(
        node.path,
        node.mode,
        state,
        known,
        lambda: file_entry(node.path, node.mode, fs.content(node), deadline, node.size),
        # Nobody has it mounted.
        lambda: state,
    )
