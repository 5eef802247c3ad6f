"""Walks folders for files that may be containers: no link is followed, nothing is opened but
folders, and what vanishes meanwhile or cannot be read is passed over."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from sifprov.catalog.texts import path, short
from sifprov.hostfs import is_local

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW
# A SIF's header; a sidecar's record is longer.
_SMALLEST = 128
# So many files of a folder at a time.
PAGE = 4096


class Stat(NamedTuple):
    """By what a file is known to be as it was."""

    device: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


class Page(NamedTuple):
    """Files of a folder: by name, as it is in the catalog, each with its name on the disk and its
    state. They are all that the folder has behind the name `after` up to `last`; an empty `last`
    stands for the end, and `is_one` for a file that was named by itself."""

    folder: str
    host: str
    key: str
    files: dict[str, tuple[str, Stat]]
    after: str = ""
    last: str = ""
    is_one: bool = False


class Walk:
    """Yields the files below some paths, a page of a folder at a time.

    `roots` are the paths, with links resolved; `folders` counts what was walked by the key that it
    has in the catalog, with whether it could be listed; `problems` are paths with a reason.
    """

    def __init__(self, paths: Sequence[str], *, backwards: bool = False) -> None:
        self.roots = [os.path.realpath(p) for p in dict.fromkeys(paths)]
        self.folders: dict[str, bool] = {}
        self.problems: list[tuple[str, str]] = []
        self.missing: set[str] = set()
        self._backwards = backwards
        self._hosts: dict[int, str] = {}
        self._seen: set[tuple[int, int]] = set()

    def __iter__(self) -> Iterator[Page]:
        for root in reversed(self.roots) if self._backwards else self.roots:
            try:
                status = os.stat(root)
            except OSError as error:
                self.missing.add(root)
                self.problems.append((root, error.strerror or str(error)))
                continue
            if stat.S_ISDIR(status.st_mode):
                yield from self._below(root)
            else:
                folder, name = os.path.split(root)
                key = path(name)
                files = {key: (name, stat_of(status))} if stat.S_ISREG(status.st_mode) else {}
                yield Page(folder, self._host(folder, status), path(folder), files, is_one=True)

    def _below(self, root: str) -> Iterator[Page]:
        # An explicit stack: a deep tree needs no recursion.
        todo = [root]
        while todo:
            folder = todo.pop()
            try:
                top = os.open(folder, _FOLDER)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._cannot(folder, error)
                continue
            try:
                status = os.fstat(top)
                if (status.st_dev, status.st_ino) in self._seen:
                    continue
                self._seen.add((status.st_dev, status.st_ino))
                files, folders = self._listed(top, folder)
            finally:
                os.close(top)
            if files is not None:
                self.folders[path(folder)] = True
                yield from self._pages(folder, self._host(folder, status), files)
                todo += [
                    os.path.join(folder, n) for n in sorted(folders, reverse=not self._backwards)
                ]

    def _listed(
        self, top: int, folder: str
    ) -> tuple[dict[str, tuple[str, Stat]] | None, list[str]]:
        files: dict[str, tuple[str, Stat]] = {}
        folders: list[str] = []
        try:
            with os.scandir(top) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.name)
                        elif entry.is_file(follow_symlinks=False):
                            status = entry.stat(follow_symlinks=False)
                            if status.st_size >= _SMALLEST:
                                files[path(entry.name)] = entry.name, stat_of(status)
                    except OSError:
                        pass  # gone by now
        except OSError as error:
            self._cannot(folder, error)
            return None, []
        return files, folders

    def _pages(self, folder: str, host: str, files: dict[str, tuple[str, Stat]]) -> Iterator[Page]:
        names = sorted(files)
        parts = [names[at : at + PAGE] for at in range(0, len(names), PAGE)] or [[]]
        ends = ["", *(part[-1] for part in parts[:-1])]
        lasts = [*ends[1:], ""]
        pages = list(zip(parts, ends, lasts, strict=True))
        for part, after, last in reversed(pages) if self._backwards else pages:
            yield Page(folder, host, path(folder), {n: files[n] for n in part}, after, last)

    def _host(self, folder: str, status: os.stat_result) -> str:
        if status.st_dev not in self._hosts:
            self._hosts[status.st_dev] = host_name() if is_local(folder) else ""
        return self._hosts[status.st_dev]

    def _cannot(self, folder: str, error: OSError) -> None:
        self.folders[path(folder)] = False
        self.problems.append((folder, f"cannot be looked through: {error.strerror}"))


def host_name() -> str:
    """Returns what this machine is called."""
    return short(os.uname().nodename)


def stat_of(status: os.stat_result) -> Stat:
    """Returns of a file's state what a database takes."""
    return Stat(
        _signed(status.st_dev),
        _signed(status.st_ino),
        status.st_size,
        _signed(status.st_mtime_ns),
        _signed(status.st_ctime_ns),
    )


def _signed(number: int) -> int:
    """Inode numbers may need all 64 bits, and times of some file systems more."""
    if -(2**63) <= number < 2**63:
        return number
    number &= 2**64 - 1
    return number - 2**64 if number >= 2**63 else number
