"""Finds the files of containers that records name: where the record says, beside the container,
and anywhere below the folders to search."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from uuid import UUID

from sifprov.carrier import Carrier, Elsewhere, from_elsewhere, read_carrier
from sifprov.errors import FileError, FormatError
from sifprov.model.container import FOLDER, INPUT, Container
from sifprov.sidecar import EXTENSION
from sifprov.sif.format import HEADER_SIZE
from sifprov.sif.parse import parse_header

# What is looked at below the folders to search.
MAX_FILES = 200_000


class Finder:
    """Knows the containers by UUID; a file is read once."""

    def __init__(self, folder: str, search: Iterable[str], others: Elsewhere) -> None:
        self._folder, self._search, self._others = folder, tuple(search), others
        self._read: dict[str, Carrier | None] = {}
        self._digests: dict[str, frozenset[str]] = {}
        self._index: dict[UUID, list[str]] | None = None
        self._sealed: dict[UUID, list[str]] | None = None

    def find(self, wanted: Container) -> Carrier | None:
        """Returns the container that is meant, if it can be the one that carries the record that is
        named; else what records elsewhere say of it; None without any."""
        first: Carrier | None = None
        for path in self._candidates(wanted):
            carrier = self._open(path)
            if carrier is None:
                continue
            if wanted.record is None or wanted.record in self._digests[os.path.realpath(path)]:
                return carrier
            first = first or carrier
        if first or wanted.uuid is None:
            return first
        return from_elsewhere(wanted.path, wanted.uuid, self._others)

    def _candidates(self, wanted: Container) -> Iterator[str]:
        """Yields the paths of the containers with the right UUID, then of sealed copies."""
        folder = FOLDER in wanted.marks
        name = os.path.basename(wanted.name)
        near = (os.path.join(f, name) for f in (self._folder, *self._search))
        for path in (wanted.path, *near):
            if os.path.isdir(path) == folder and not path.endswith(EXTENSION):
                carrier = self._open(path)
                if carrier and carrier.identity.uuid == wanted.uuid:
                    yield path
        if wanted.uuid and not folder:
            yield from self._by_uuid().get(wanted.uuid, ())
            yield from self._by_original().get(wanted.uuid, ())

    def _open(self, path: str) -> Carrier | None:
        key = os.path.realpath(path)
        if key not in self._read:
            self._read[key] = None
            with suppress(FileError):
                carrier = read_carrier(path, self._others, embedded=False)
                self._read[key] = carrier
                self._digests[key] = frozenset(s.digest for s in carrier.records)
        return self._read[key]

    def _by_uuid(self) -> dict[UUID, list[str]]:
        if self._index is None:
            self._index = {}
            for path in _files(self._folder, self._search):
                uuid = _uuid(path)
                if uuid:
                    self._index.setdefault(uuid, []).append(path)
        return self._index

    def _by_original(self) -> dict[UUID, list[str]]:
        """The sealed containers among the files, by what they were sealed from."""
        if self._sealed is None:
            self._sealed = {}
            for path in (p for paths in self._by_uuid().values() for p in paths):
                for uuid in _originals(path):
                    self._sealed.setdefault(uuid, []).append(path)
        return self._sealed


def embedded_in(carrier: Carrier) -> Mapping[str, bytes]:
    """Returns what a container that was found embeds; nothing where it is gone."""
    if not carrier.identity.reason:
        with suppress(FileError):
            return read_carrier(carrier.identity.path).embedded
    return {}


def _files(folder: str, search: Iterable[str]) -> Iterator[str]:
    """Yields the regular files directly in `folder`, and all below the others."""
    left = MAX_FILES
    for top, deep in ((folder, False), *((s, True) for s in search)):
        for where, below, names in os.walk(top):
            below.sort()
            for name in sorted(names):
                path = os.path.join(where, name)
                with suppress(OSError):
                    if stat.S_ISREG(os.stat(path).st_mode):
                        left -= 1
                        yield path
            if left < 0:
                return
            if not deep:
                break


def _uuid(path: str) -> UUID | None:
    """The UUID in the header of a SIF; nothing more of the file is read."""
    with suppress(OSError, FormatError):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            size = os.fstat(descriptor).st_size
            return parse_header(os.pread(descriptor, HEADER_SIZE, 0), size).uuid
        finally:
            os.close(descriptor)
    return None


def _originals(path: str) -> Iterator[UUID]:
    """The containers that a sealed one says it was made of (docs/formats.md, Sealed containers):
    only a reason to look at its content."""
    try:
        carrier = read_carrier(path, embedded=False)
    except FileError:
        return
    its = {carrier.identity.uuid}
    for _, record in reversed(carrier.good):
        if record.origin and record.container in its:
            for container in record.with_role(INPUT):
                if container.uuid:
                    its.add(container.uuid)
                    yield container.uuid
