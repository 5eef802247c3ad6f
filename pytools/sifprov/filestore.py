"""Which documents a place needs beside a record, so that the lists of files that it names are at
hand there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import partial
from uuid import UUID

from sifprov.embedded import lineage_objects, read_documents
from sifprov.errors import FormatError, RecordError, SifprovError
from sifprov.model.files import (
    MAX_DOCUMENT,
    Document,
    Files,
    by_key,
    key_of,
    load,
    load_whole,
    store,
)
from sifprov.model.manifest import Manifest
from sifprov.model.record import Record
from sifprov.placement import SIDECAR, Place, read_place, read_place_embedded
from sifprov.records import newest_first
from sifprov.sif import open_image

# What is unpacked to find earlier lists of files; where that is not enough they are stored again.
_MAX_UNPACKED = 32 * 1024 * 1024


def new_documents(
    place: Place, record: Record, manifests: Mapping[str, Manifest]
) -> tuple[bytes, ...]:
    """Returns the documents that `place` must hold beside `record`: of the `manifests`, by their
    digest, those that the record names and that are not there yet.

    The content of the record's own container is told against what its newest record there says,
    where that is shorter. Raises nothing: where the place cannot be read, lists are stored whole.
    """
    named = [digest for files in listings(record) if (digest := files.digest)]
    wanted = {digest: manifests[digest] for digest in named if digest in manifests}
    if not wanted:
        return ()
    own = files.digest if (files := _own(record)) else None
    try:
        held, newest = _held(place, record.container, wanted.keys(), own)
    except (SifprovError, OSError):
        held, newest = {}, None
    made = []
    for digest, manifest in wanted.items():
        if not _is_held(digest, held):
            base, spent = _base(newest, held) if digest == own else (None, 0)
            data = store(manifest, base, spent).to_bytes()
            # Paths that are gone may be longer than all that are there.
            made.append(data if len(data) <= MAX_DOCUMENT else store(manifest).to_bytes())
    return tuple(made)


def listings(record: Record) -> Iterator[Files]:
    """Yields what a record says of lists of files: of its own content and of its containers'."""
    for it in (record.origin, *record.containers):
        if it and it.files:
            yield it.files


def _own(record: Record) -> Files | None:
    it = record.origin or record.itself()
    return it.files if it else None


def _is_held(digest: str, held: Mapping[str, bytes]) -> bool:
    try:
        load(digest, held)
    except RecordError:
        return False
    return True


def _base(newest: str | None, held: Mapping[str, bytes]) -> tuple[list[bytes] | None, int]:
    """The whole list that the newest one is, or was told against, and what was told against it so
    far."""
    if newest is None or newest not in held:
        return None, 0
    try:
        document = Document.from_bytes(held[newest])
        return load_whole(document.base or newest, held), document.spent
    except RecordError:
        return None, 0


def _held(
    place: Place, container: UUID, wanted: Set[str], own: str | None
) -> tuple[dict[str, bytes], str | None]:
    """Lists of files that a place holds: at least those that are `wanted` and the one that the
    newest record of `container` names, with its base, as far as they are there; and the digest of
    that one. Where there is one, the container's `own` new list is mostly another, and is not
    looked for."""
    if not os.path.lexists(place.path):
        return {}, None
    if place.kind == SIDECAR:
        stored = reversed(read_place(place, container))
        newest = _newest((s.record for s in stored if s.record), container)
        return by_key(read_place_embedded(place).documents.values()), newest
    with open_image(place.path) as (file, image):
        newest = _newest(newest_first(file, image), container)
        objects = [partial(read_documents, file, item) for item in lineage_objects(image)]
        return _search(objects, {*(wanted - {own}), newest} if newest else {*wanted}), newest


def _newest(records: Iterable[Record], container: UUID) -> str | None:
    """The digest of the list that the first of `records` which tells the container's content
    names."""
    for record in records:
        if record.container == container and (record.origin or record.itself()):
            files = _own(record)
            return files.digest if files else None
    return None


def _search(
    objects: Iterable[Callable[[int], Sequence[bytes]]], needed: set[str]
) -> dict[str, bytes]:
    """The lists of files in objects of lineage, until those that are `needed` are among them, and
    what they were told against."""
    found: dict[str, bytes] = {}
    room = _MAX_UNPACKED
    for read in objects:
        if not needed:
            break
        try:
            documents = read(room)
        except (FormatError, RecordError):
            continue
        room -= sum(map(len, documents))
        found = {**by_key(documents), **found}
        bases = {key[1] for d in needed & found.keys() if (key := key_of(found[d]))}
        needed = {d for d in needed | bases if d and d not in found}
    return found
