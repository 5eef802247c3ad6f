"""Makes room in a full descriptor table: earlier unsigned records go into one bundle, and what
they embed of their ancestors into one object of lineage, never both into one.

What a signature covers and what is not ours stays where it is. An older bundle is taken in only
when what it is merged with is as large: so a container with n records is rewritten about log(n)
times, not n times, and keeps few bundles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sifprov.bundle import MAX_BYTES, MAX_OBJECT, MAX_RECORDS, pack, unpack
from sifprov.embedded import MAX_DOCUMENT, pack_one, read_documents
from sifprov.errors import FormatError, RecordError
from sifprov.frozen import dataclass
from sifprov.groups import (
    BUNDLE_NAME,
    LINEAGE_NAME,
    is_bundle,
    is_lineage,
    is_ours,
    signed_groups,
)
from sifprov.model.canonical import record_digest
from sifprov.model.record import SCHEMA
from sifprov.sif import Descriptor, Image, read_object
from sifprov.sif.merge import Merge, can_keep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

MAX_RECORD = 16 * 1024 * 1024
MARK = SCHEMA.partition("/")[0].encode("ascii")


def read_stored(file: BinaryIO, item: Descriptor) -> tuple[bytes, ...]:
    """Returns the bytes of the records in an object that goes by one of our names, or nothing
    where it is a foreign one.

    Raises FormatError for one too large, RecordError for a broken bundle.
    """
    if is_bundle(item):
        data = read_object(file, item, limit=MAX_OBJECT)
        return unpack(data) if b"sifprov.bundle" in data else ()
    data = read_object(file, item, limit=MAX_RECORD)
    # The runtimes put JSON objects of their own beside ours: a record also names our schema.
    return (data,) if MARK in data else ()


@dataclass(frozen=True)
class _Kind:
    """Objects that go into one: which they are, which of them hold many documents already, what is
    in one, and what is made of them, called `name`."""

    name: str
    has: Callable[[Descriptor], bool]
    many: Callable[[Descriptor], bool]
    read: Callable[[BinaryIO, Descriptor], Sequence[bytes]]
    pack: Callable[[Sequence[bytes]], bytes]
    most: int


_KINDS = (
    _Kind(BUNDLE_NAME, is_ours, is_bundle, read_stored, pack, MAX_BYTES),
    _Kind(LINEAGE_NAME, is_lineage, is_lineage, read_documents, pack_one, MAX_DOCUMENT),
)


def plan_bundle(file: BinaryIO, image: Image, slots: int = 1) -> Merge | None:
    """Chooses what to bundle, so that `slots` descriptors more are free; None when it cannot be."""
    signed = signed_groups(image) | {0}
    free = [d for d in image.descriptors if d.group not in signed]
    # The more there are of a kind, the longer the room will do.
    for kind in sorted(_KINDS, key=lambda k: -sum(map(k.has, free))):
        plan = _plan(file, image, [d for d in free if kind.has(d)], kind, slots)
        if plan:
            return plan
    return None


def _plan(
    file: BinaryIO, image: Image, candidates: list[Descriptor], kind: _Kind, slots: int
) -> Merge | None:
    chosen: dict[Descriptor, Sequence[bytes]] = {}
    stored = total = count = 0
    # Those that stand alone, then the bundles from the smallest on.
    for item in sorted(candidates, key=lambda d: (kind.many(d), d.size)):
        enough = len(chosen) > slots and any(can_keep(image.header, d) for d in chosen)
        if enough and kind.many(item) and item.size > stored:
            break
        try:
            pieces = kind.read(file, item)
        except (FormatError, RecordError):
            continue
        size = sum(map(len, pieces))
        if not pieces or total + size > kind.most or count + len(pieces) > MAX_RECORDS:
            continue
        chosen[item] = pieces
        stored, total, count = stored + item.size, total + size, count + len(pieces)
    keep = next((d for d in chosen if can_keep(image.header, d)), None)
    if keep is None or len(chosen) <= slots:
        return None
    freed = tuple(d for d in chosen if d != keep)
    return Merge(keep, freed, kind.name.encode("ascii"), kind.pack(_each_once(chosen)))


def _each_once(chosen: Mapping[Descriptor, Sequence[bytes]]) -> list[bytes]:
    """Returns the documents in their order.

    A crash between the steps of an earlier merge leaves objects all of which stands in its result
    too, which is behind them in the file: they have no say in the order.
    """
    held: set[str] = set()
    needed = []
    for item in sorted(chosen, key=lambda d: -len(chosen[d])):
        digests = set(map(record_digest, chosen[item]))
        if not digests <= held:
            needed.append(item)
        held |= digests
    ordered = sorted(needed, key=lambda d: d.offset)
    return list({record_digest(r): r for d in ordered for r in chosen[d]}.values())
