"""Lineage: what the records of a container's ancestors say, kept beside its own records.

A record names its ancestors' records by their digests: `previous` is the container's earlier
record, the `record` of each entry of `containers` the newest one that it carried. So these
documents need no trust: a reader takes the one whose SHA-256 is named. They stand byte for byte in
objects `metadata.lineage.json`, each of the form of a bundle (bundle.py); the lists of files that
the records name (model/files.py) are among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import BinaryIO

from sifprov.bundle import MAX_BYTES, MAX_OBJECT, MAX_RECORDS, pack, unpack
from sifprov.errors import FormatError, RecordError
from sifprov.frozen import dataclass
from sifprov.groups import is_lineage
from sifprov.model.canonical import record_digest
from sifprov.sif import Descriptor, Image, read_object

SCHEMA = "sifprov.lineage/1"
# A larger document does not travel, and the documents of one object are together no larger.
MAX_DOCUMENT = 16 * 1024 * 1024
# What is read of one container, and what one run embeds.
MAX_TOTAL = 512 * 1024 * 1024
MAX_DOCUMENTS = 1 << 20
MAX_EMBEDDED = 64 * 1024 * 1024
_MARK = b'"schema":"' + SCHEMA.encode("ascii") + b'"'
_LINKS = (b'"previous":"', b'"record":"')
_DIGEST = b'"digest":"'
_LENGTH = len("sha256:") + 64
_HEX = frozenset(b"0123456789abcdef")


@dataclass(frozen=True)
class Embedded:
    """The documents that a container or a sidecar embeds, by the SHA-256 of their bytes.

    `errors` are the objects (in a sidecar the lines) that could not be read, each with the reason;
    `objects` counts all of them, `stored` their bytes.
    """

    documents: Mapping[str, bytes]
    errors: tuple[tuple[int, str], ...] = ()
    objects: int = 0
    stored: int = 0

    @property
    def size(self) -> int:
        """How many bytes the documents have together."""
        return sum(map(len, self.documents.values()))


NOTHING = Embedded({})


def read_embedded(file: BinaryIO, image: Image) -> Embedded:
    """Returns what a container embeds. A broken object comes as an error and hides no other."""
    return collect((d.id, partial(read_lineage, file, d)) for d in lineage_objects(image))


def lineage_objects(image: Image) -> list[Descriptor]:
    """Returns the objects of lineage, the newest first."""
    return sorted(filter(is_lineage, image.descriptors), key=lambda d: -d.offset)


def read_lineage(file: BinaryIO, item: Descriptor) -> bytes:
    """Returns an object's bytes, nothing for a foreign one. Raises FormatError."""
    data = read_object(file, item, limit=MAX_OBJECT)
    return data if _MARK in data else b""


def collect(objects: Iterable[tuple[int, Callable[[], bytes]]]) -> Embedded:
    """Returns what objects of lineage hold: each comes with its id and what reads it, the newest
    first."""
    documents: dict[str, bytes] = {}
    errors: list[tuple[int, str]] = []
    room, count, stored = MAX_TOTAL, 0, 0
    for number, read in objects:
        try:
            data = read()
            if not data:
                continue
            count, stored = count + 1, stored + len(data)
            if len(documents) > MAX_DOCUMENTS:
                raise RecordError("", f"behind more than {MAX_DOCUMENTS} documents")
            found = open_lineage(data, room)
        except (FormatError, RecordError) as error:
            errors.append((number, str(error)))
            continue
        room -= sum(map(len, found.values()))
        # The same bytes, wherever they stand.
        documents |= found
    return Embedded(documents, tuple(errors), count, stored)


def open_lineage(data: bytes, limit: int = MAX_TOTAL) -> dict[str, bytes]:
    """Returns the documents of one object of lineage by their digests. Raises RecordError."""
    pieces = unpack(data, SCHEMA, min(limit, MAX_BYTES))
    return {record_digest(piece): piece for piece in pieces}


def is_line(line: bytes) -> bool:
    """Whether a line of a sidecar holds lineage, not a record."""
    return line.startswith(b'{"data":"') and _MARK in line


def pack_lineage(documents: Iterable[bytes]) -> list[bytes]:
    """Returns the objects of lineage that hold these documents, each of at most MAX_DOCUMENT bytes,
    in their order; mostly one."""
    parts: list[list[bytes]] = []
    room = 0
    for data in documents:
        if not 0 < len(data) <= MAX_DOCUMENT:
            raise ValueError(f"a document of {len(data)} bytes")
        if not parts or len(data) > room or len(parts[-1]) == MAX_RECORDS:
            parts.append([])
            room = MAX_DOCUMENT
        parts[-1].append(data)
        room -= len(data)
    return [pack(part, SCHEMA) for part in parts]


def links(record: bytes) -> Iterator[str]:
    """Yields the digests of the records that a record's stored bytes name, in their order.

    The bytes are canonical: a quote inside a text stands behind a backslash, so a key between two
    plain ones is a key.
    """
    yield from _behind(record, *_LINKS)


def named_digests(record: bytes) -> Iterator[str]:
    """Yields what a record names as a `digest`: lists of files, logs and others."""
    yield from _behind(record, _DIGEST)


def _behind(data: bytes, *keys: bytes) -> Iterator[str]:
    found: list[tuple[int, str]] = []
    for key in keys:
        at = data.find(key)
        while at >= 0:
            start = at + len(key)
            word = data[start : start + _LENGTH]
            if word.startswith(b"sha256:") and len(word) == _LENGTH and _HEX.issuperset(word[7:]):
                found.append((start, word.decode("ascii")))
            at = data.find(key, start)
    yield from (word for _, word in sorted(found))
