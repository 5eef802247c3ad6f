"""Where containers are looked for: folders, some with all that is below them.

Of a file only the header is read, and of a folder that has been looked through nothing again. A
tree may be hostile, or simply somebody's whole disk: no link to a folder is followed, nothing but a
regular file is opened, what vanishes meanwhile or cannot be read is passed over, and the number of
entries has a limit. `notes` says what was left out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from uuid import UUID

from sifprov.errors import FormatError
from sifprov.frozen import dataclass
from sifprov.sif.format import HEADER_SIZE
from sifprov.sif.parse import parse_header

# Files and folders that are looked at; about 20 s on a local disk.
MAX_ENTRIES = 1_000_000
_TOLD = 3
_EACH = 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


@dataclass(frozen=True)
class Place:
    """A folder to look through: alone, or with all that is below it (`deep`). `label` is the
    caller's."""

    folder: str
    deep: bool
    label: str = ""


@dataclass(frozen=True)
class Sif:
    """A file that has a SIF's header, and the UUID there."""

    path: str
    uuid: UUID

    @property
    def name(self) -> str:
        """The file's name."""
        return os.path.basename(self.path)


class Places:
    """Knows the SIF files in `places`, each looked through when it is first asked for.

    A file that has several names, or stands in several places, counts where it comes first: by the
    order of `places`, then by name, a folder's files before what is below it.
    """

    def __init__(
        self,
        places: Sequence[Place],
        on_step: Callable[[str], None] = lambda text: None,
        *,
        limit: int = MAX_ENTRIES,
    ) -> None:
        self.places = tuple(places)
        self.notes: list[str] = []
        self._on_step, self._limit, self._left = on_step, limit, limit
        self._found: dict[int, tuple[Sif, ...]] = {}
        self._by_uuid: dict[int, dict[UUID, list[str]]] = {}
        self._files: set[tuple[int, int]] = set()
        self._folders: set[tuple[int, int]] = set()
        self._unreadable = 0
        self._count = 0
        self._is_cut = False

    def __iter__(self) -> Iterator[tuple[Place, tuple[Sif, ...]]]:
        """Yields each place and the SIF files that are found there and in none before it."""
        for number, place in enumerate(self.places):
            yield place, self._looked_through(number)

    def with_uuid(self, uuid: UUID, *labels: str) -> Iterator[str]:
        """Yields the paths of the files with this UUID, in the places with these labels (all)."""
        for number, place in enumerate(self.places):
            if not labels or place.label in labels:
                self._looked_through(number)
                yield from self._by_uuid[number].get(uuid, ())

    def _looked_through(self, number: int) -> tuple[Sif, ...]:
        if number not in self._found:
            found = self._found[number] = tuple(self._walk(self.places[number]))
            self._by_uuid[number] = {}
            for sif in found:
                self._by_uuid[number].setdefault(sif.uuid, []).append(sif.path)
        return self._found[number]

    def _walk(self, place: Place) -> Iterator[Sif]:
        # An explicit stack: a deep tree needs no recursion.
        todo = [place.folder]
        while todo:
            path = todo.pop()
            try:
                # The first is what the user named, and may be a link.
                top = os.open(path, _FOLDER | (0 if path is place.folder else os.O_NOFOLLOW))
            except OSError as error:
                self._cannot(path, error)
                continue
            try:
                if place.deep and not self._is_new(self._folders, os.fstat(top)):
                    continue
                if self._left <= 0:
                    self._leave_out(path)
                    return
                files, folders = self._listed(top, path)
                for name in files:
                    sif = self._header(top, path, name)
                    if sif:
                        yield sif
                if place.deep:
                    todo += [os.path.join(path, name) for name in reversed(folders)]
            finally:
                os.close(top)

    def _listed(self, top: int, path: str) -> tuple[list[str], list[str]]:
        """The names of files and of folders in an open folder, both sorted."""
        files: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(top) as entries:
                for entry in islice(entries, self._left):
                    self._left -= 1
                    # What can be told only by a further call may be gone by now.
                    with suppress(OSError):
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(entry.name)
                        elif entry.is_file():
                            files.append(entry.name)
                cut = next(entries, None) is not None
        except OSError as error:
            self._cannot(path, error)
            return [], []
        if cut:
            self._leave_out(path)
        return sorted(files), sorted(folders)

    def _header(self, top: int, folder: str, name: str) -> Sif | None:
        """Reads the header of a file in an open folder; None for what is no SIF, or is known."""
        self._count += 1
        if self._count % _EACH == 0:
            self._on_step(f"looking for containers: {self._count} files, now in {folder}")
        with suppress(OSError, FormatError):
            if os.stat(name, dir_fd=top).st_size < HEADER_SIZE:
                return None
            descriptor = os.open(name, _FILE, dir_fd=top)
            try:
                status = os.fstat(descriptor)
                if not stat.S_ISREG(status.st_mode):
                    return None
                head = os.pread(descriptor, HEADER_SIZE, 0)
                uuid = parse_header(head, status.st_size).uuid
            finally:
                os.close(descriptor)
            if self._is_new(self._files, status):
                return Sif(os.path.join(folder, name), uuid)
        return None

    def _is_new(self, known: set[tuple[int, int]], status: os.stat_result) -> bool:
        key = status.st_dev, status.st_ino
        before = len(known)
        known.add(key)
        return len(known) > before

    def _leave_out(self, path: str) -> None:
        if not self._is_cut:
            self._is_cut = True
            self.notes.append(
                f"more than {self._limit} files and folders to look through: "
                f"not all of {path} and what comes behind it was"
            )

    def _cannot(self, path: str, error: OSError) -> None:
        self._unreadable += 1
        text = f"{path}: cannot be looked through: {error.strerror}"
        if self._unreadable <= _TOLD:
            self.notes.append(text)
        elif self._unreadable == _TOLD + 1:
            self.notes.append("more folders cannot be looked through")
