"""Lineage: what the records of a container's ancestors say, kept beside its own records.

A record names its ancestors' records by their digests: `previous` is the container's earlier
record, the `record` of each entry of `containers` the newest one that it carried. So these
documents need no trust: a reader takes the one whose SHA-256 is named. They stand byte for byte in
objects `metadata.lineage.json`, each of the form of a bundle (bundle.py); the lists of files that
the records name (model/files.py) are among them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from sifprov.bundle import MAX_BYTES, MAX_OBJECT, MAX_RECORDS, pack, unpack
from sifprov.errors import FormatError, RecordError
from sifprov.frozen import dataclass
from sifprov.groups import is_lineage
from sifprov.model.canonical import record_digest
from sifprov.sif import Descriptor, Image, read_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

SCHEMA = "sifprov.lineage/1"
# A larger document does not travel, and the documents of one object are together no larger.
MAX_DOCUMENT = 16 * 1024 * 1024
# What is read of one container, and what one run embeds.
MAX_TOTAL = 512 * 1024 * 1024
MAX_DOCUMENTS = 1 << 20
MAX_EMBEDDED = 64 * 1024 * 1024
# So little is packed in no time.
_SMALL = 1024 * 1024
_MARK = b'"schema":"' + SCHEMA.encode("ascii") + b'"'
_LINKS = (b'"previous":"', b'"record":"')
_LIST, _DIGEST = b'"files":{"count":', b'"digest":"'
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


def lineage_objects(image: Image) -> list[Descriptor]:
    """Returns the objects that go by the name of lineage, the newest first."""
    return sorted(filter(is_lineage, image.descriptors), key=lambda d: -d.offset)


class Lineage:
    """Documents that a run embeds, the nearest ancestors' first, by the SHA-256 of their bytes.

    `roots` are the record digests that they were gathered for; `reason` says why some are left out.
    `own` are more of them, which are known at the end only. What was packed, and which documents a
    place held, is remembered, so that it can be prepared while the application runs.
    """

    def __init__(
        self,
        documents: Mapping[str, bytes],
        roots: frozenset[str] = frozenset(),
        reason: str | None = None,
    ) -> None:
        self.documents, self.roots, self.reason = documents, roots, reason
        self.own: tuple[bytes, ...] = ()
        self._packed: dict[tuple[str, ...], list[bytes]] = {}
        self._held: dict[Hashable, Collection[str]] = {}

    def __bool__(self) -> bool:
        """Whether there is anything to embed."""
        return bool(self.documents or self.own)

    def beside(self, own: Iterable[bytes]) -> Lineage:
        """Returns the same with these documents, each of at most MAX_DOCUMENT bytes, as `own`."""
        made = Lineage(self.documents, self.roots, self.reason)
        made.own, made._packed, made._held = tuple(own), self._packed, self._held
        return made

    def all(self) -> Iterator[bytes]:
        """Yields all documents."""
        yield from self.own
        yield from self.documents.values()

    @property
    def most(self) -> int:
        """How many objects it takes at most."""
        # Of any two that follow each other, the second one's first document did not fit the first.
        size = sum(map(len, self.all()))
        return 2 * size // MAX_DOCUMENT + 1 if size else 0

    def objects(self, held: Collection[str] = ()) -> list[bytes]:
        """Returns the objects of lineage that hold all but what is `held`; mostly one, or none."""
        new = tuple(digest for digest in self.documents if digest not in held)
        own = [data for data in self.own if record_digest(data) not in held]
        few = [self.documents[digest] for digest in new]
        if own and sum(map(len, few)) <= _SMALL:
            return pack_lineage([*own, *few])
        if new not in self._packed:
            self._packed[new] = pack_lineage(few)
        return [*pack_lineage(own), *self._packed[new]]

    def held(self, place: Hashable, read: Callable[[], Collection[str]]) -> Collection[str]:
        """Returns which documents a place holds, by `read` where that was not asked before; `place`
        is another one whenever something was added."""
        if place not in self._held:
            self._held[place] = read()
        return self._held[place]


def read_embedded(file: BinaryIO, image: Image) -> Embedded:
    """Returns what a container embeds: ancestors' records, and lists of files. A broken object
    comes as an error and hides no other."""
    found = ((d.id, d.size, partial(read_documents, file, d)) for d in lineage_objects(image))
    return collect(found)


def read_documents(file: BinaryIO, item: Descriptor, limit: int = MAX_BYTES) -> tuple[bytes, ...]:
    """Returns the documents of an object of lineage, none where it is a foreign one. Raises
    FormatError, RecordError."""
    data = read_lineage(file, item)
    return open_lineage(data, limit) if data else ()


def read_lineage(file: BinaryIO, item: Descriptor) -> bytes:
    """Returns the bytes of an object of lineage, nothing for a foreign one. Raises FormatError."""
    data = read_object(file, item, limit=MAX_OBJECT)
    return data if _MARK in data else b""


def collect(objects: Iterable[tuple[int, int, Callable[[int], tuple[bytes, ...]]]]) -> Embedded:
    """Returns what objects hold: each comes with its id, its size and what reads it within a limit,
    the newest first."""
    documents: dict[str, bytes] = {}
    errors: list[tuple[int, str]] = []
    room, count, stored = MAX_TOTAL, 0, 0
    for number, size, read in objects:
        try:
            if len(documents) > MAX_DOCUMENTS:
                raise RecordError("", f"behind more than {MAX_DOCUMENTS} documents")
            pieces = read(min(room, MAX_BYTES))
        except (FormatError, RecordError) as error:
            errors.append((number, str(error)))
            continue
        room -= sum(map(len, pieces))
        if pieces:
            count, stored = count + 1, stored + size
        for piece in pieces:
            documents.setdefault(record_digest(piece), piece)
    return Embedded(documents, tuple(errors), count, stored)


def open_lineage(data: bytes, limit: int = MAX_BYTES) -> tuple[bytes, ...]:
    """Returns the documents of one object of lineage. Raises RecordError."""
    return unpack(data, SCHEMA, limit)


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


def pack_one(documents: Sequence[bytes]) -> bytes:
    """Returns the one object that holds documents of together MAX_DOCUMENT bytes at most."""
    return pack(documents, SCHEMA)


def links(record: bytes) -> Iterator[str]:
    """Yields the digests of the records that a record's stored bytes name, in their order.

    The bytes are canonical: a quote inside a text stands behind a backslash, so a key between two
    plain ones is a key.
    """
    yield from _behind(record, *_LINKS)


def named_lists(record: bytes) -> Iterator[str]:
    """Yields the digests of the lists of files that a record's stored bytes name."""
    at = record.find(_LIST)
    while at >= 0:
        at += len(_LIST)
        digits, _, rest = record[at : at + 200].partition(b",")
        if digits.isdigit():
            yield from _behind(rest[: len(_DIGEST) + _LENGTH], _DIGEST)
        at = record.find(_LIST, at)


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
