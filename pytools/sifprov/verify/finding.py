"""Finds the files of containers that records name: where the record says, beside the container,
and anywhere below the folders to search."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from uuid import UUID

from sifprov.carrier import Carrier, Elsewhere, from_elsewhere, read_carrier
from sifprov.errors import FileError
from sifprov.model.container import FOLDER, INPUT, Container
from sifprov.places import Place, Places
from sifprov.sidecar import EXTENSION


class Finder:
    """Knows the containers by UUID; a file is read once."""

    def __init__(
        self,
        folder: str,
        search: Iterable[str],
        others: Elsewhere,
        on_step: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._folder, self._search, self._others = folder, tuple(search), others
        self._read: dict[str, Carrier | None] = {}
        self._digests: dict[str, frozenset[str]] = {}
        below = (Place(s, True) for s in self._search)
        self._places = Places([Place(folder, False), *below], on_step)
        self._sealed: dict[UUID, list[str]] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be looked through so far."""
        return tuple(self._places.notes)

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
            yield from self._places.with_uuid(wanted.uuid)
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

    def _by_original(self) -> dict[UUID, list[str]]:
        """The sealed containers among the files, by what they were sealed from."""
        if self._sealed is None:
            self._sealed = {}
            for path in (sif.path for _, found in self._places for sif in found):
                for uuid in _originals(path):
                    self._sealed.setdefault(uuid, []).append(path)
        return self._sealed


def embedded_in(carrier: Carrier) -> Mapping[str, bytes]:
    """Returns what a container that was found embeds; nothing where it is gone."""
    if not carrier.identity.reason:
        with suppress(FileError):
            return read_carrier(carrier.identity.path).embedded
    return {}


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
