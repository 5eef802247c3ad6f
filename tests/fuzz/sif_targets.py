"""Targets that read SIF files: the table, the records, bundles, declarations."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import zlib
from dataclasses import replace
from functools import cache
from itertools import pairwise

from sifprov.bundle import pack, unpack
from sifprov.embedded import (
    Lineage,
    lineage_objects,
    links,
    named_lists,
    open_lineage,
    pack_lineage,
    read_embedded,
)
from sifprov.errors import FileError, FormatError, RecordError
from sifprov.groups import LINEAGE_NAME, by_offset, is_lineage, is_ours, open_group, signed_groups
from sifprov.model.canonical import record_digest
from sifprov.model.record import Record
from sifprov.records import append_record, newest_digest, read_records
from sifprov.roles import parse_declaration
from sifprov.room import plan_bundle
from sifprov.sif import Image, find_partition, load, read_object, text_of
from sifprov.sif.format import DESCRIPTOR_SIZE, HEADER_SIZE
from sifprov.signatures import changed_after_signing, mismatch, signatures
from tests.fuzz.document_targets import mutate_signature
from tests.fuzz.target import SEEDS, Basic, Memory, Target, as_text
from tests.unit.sifs import NOW, origin_record

_MEMORY = Memory()
# Offset and size of every number in the header and in a descriptor.
_HEADER_FIELDS = [(n, 8) for n in range(64, HEADER_SIZE, 8)]
_DESCRIPTOR_FIELDS = (
    [(0, 4), (4, 1), (5, 4), (9, 4), (13, 4), (201, 4), (205, 4)]
    + [(n, 8) for n in range(17, 73, 8)]
)  # fmt: skip
_NAMES = (b"metadata.json", b"metadata.bundle.json", b"metadata.lineage.json",
          b"sifprov:output:/Outputs", b"")  # fmt: skip
_ODD = (0, 1, 2, 3, 4, 127, 128, 584, 585, 4095, 4096, 2**31 - 1, 2**32 - 1, 2**62, 2**63 - 1,
        0xF0000000, 0xF0000001, 0xFFFFFFFF, 0x4004, 0x4005, 0x4006)  # fmt: skip


def sif_load(data: bytes) -> None:
    """Every object of a SIF that loads lies inside it, and its table re-encodes to its bytes."""
    try:
        image = load(io.BytesIO(data))
    except FormatError as error:
        assert error.offset >= 0
        assert str(error).isprintable()
        return
    assert image.header.pack() == data[:HEADER_SIZE]
    for item in image.descriptors:
        start = image.header.place(item.slot)
        assert _comparable(item.pack()) == _comparable(data[start : start + DESCRIPTOR_SIZE])
        text_of(item.name).encode("utf-8", "surrogateescape")
        declaration = parse_declaration(item.name)
        assert declaration is None or declaration.mount.startswith("/")
    spans = sorted((d.offset, d.end) for d in image.descriptors if d.size)
    assert all(0 <= start <= end <= len(data) for start, end in spans)
    assert all(one[1] <= two[0] for one, two in pairwise(spans))
    assert len({d.id for d in image.descriptors}) == len(image.descriptors)
    _select(image)


def _comparable(descriptor: bytes) -> bytes:
    """Any `used` byte but 0 means used, and the group's top nibble is only a mark."""
    changed = bytearray(descriptor)
    changed[4], changed[12] = 1, changed[12] & 0x0F
    return bytes(changed)


def _select(image: Image) -> None:
    assert image.tail >= image.data_end
    assert set(image.free_slots()).isdisjoint(d.slot for d in image.descriptors)
    place = image.free_place()
    if place is None:
        assert not image.free_slots()
    else:
        assert place[0] in image.free_slots()
        assert 0 < place[1] < 2**32 and place[1] not in {d.id for d in image.descriptors}
    group = open_group(image)
    assert 0 < group <= 0x0FFFFFFF
    assert group not in signed_groups(image)
    partition = find_partition(image)
    assert partition is None or partition.offset + partition.size <= image.size
    assert isinstance(image.is_application, bool)


def sif_records(data: bytes) -> None:
    """Records are read, or come with their error; none comes twice. What is embedded has the digest
    under which it comes."""
    _MEMORY.fill(data)
    with open(os.dup(_MEMORY.fd), "rb", buffering=0) as raw:
        try:
            image = load(raw)
        except FormatError:
            return
        stored = read_records(raw, image)
        digests = [s.digest for s in stored if s.digest]
        assert len(set(digests)) == len(digests)
        assert all((s.record is None) == (s.error is not None) for s in stored)
        newest = newest_digest(raw, image)
        assert newest is None or newest in digests
        embedded = read_embedded(raw, image).documents
        assert all(record_digest(d) == digest for digest, d in embedded.items())
        merge = plan_bundle(raw, image)
        good = [(s.object_id, s.record) for s in stored if s.record]
        assert changed_after_signing(image, good) in (True, False)
        assert all(s.group > 0 for s in signatures(image))
    if merge and merge.name == LINEAGE_NAME.encode():
        assert {record_digest(d) for d in open_lineage(merge.data)} <= set(embedded)
        assert {merge.keep, *merge.freed} <= set(lineage_objects(image))
    elif merge:
        assert {record_digest(r) for r in unpack(merge.data)} <= set(digests)
        assert {merge.keep, *merge.freed} <= set(by_offset(image))


def sif_append(data: bytes) -> None:
    """A record that is appended to any SIF is there, with its lineage unless that finds no room,
    and nothing is lost; or all is as it was.

    In a full table this bundles what can be bundled.
    """
    _MEMORY.fill(data)
    before = _contents()
    try:
        _, digest = append_record(_MEMORY.path, _next_record, now=NOW, lineage=Lineage(_MORE))
    except FileError as error:
        assert str(error)
        # Bundling may have come before the refusal: the records are the same, if not the bytes.
        assert before == _contents() if before else os.pread(_MEMORY.fd, len(data), 0) == data
        return
    after = _contents()
    assert before is not None
    assert after is not None
    assert after[0] == before[0] | {digest}
    assert after[1] == before[1]
    assert before[2] <= after[2] <= before[2] | _MORE.keys()


_MORE = {record_digest(b"an ancestor"): b"an ancestor"}


def _next_record(image: Image, previous: str | None) -> Record:
    return replace(origin_record(image.header.uuid), previous=previous)


def _contents() -> tuple[set[str], dict[int, bytes], set[str]] | None:
    """The digests of the records, the objects that are not ours, and the digests of what is
    embedded."""
    with open(os.dup(_MEMORY.fd), "rb", buffering=0) as raw:
        try:
            image = load(raw)
        except FormatError:
            return None
        ours = {d.id for d in image.descriptors if is_ours(d) or is_lineage(d)}
        others = {d.id: read_object(raw, d) for d in image.descriptors if d.id not in ours}
        records = {s.digest for s in read_records(raw, image) if s.digest}
        return records, others, set(read_embedded(raw, image).documents)


@cache
def _signed() -> bytes:
    """A SIF whose last object is a signature of group 1."""
    return (SEEDS / "sif-load" / "signed").read_bytes()


def signature(data: bytes) -> None:
    """Whatever a signature says, it matches its group or it does not."""
    with io.BytesIO(_signed()) as base:
        image = load(base)
    item = max(image.descriptors, key=lambda d: d.offset)
    place = image.header.place(item.slot) + 25
    whole = bytearray(_signed()[: item.offset] + data)
    whole[place : place + 8] = len(data).to_bytes(8, "little")
    _MEMORY.fill(bytes(whole))
    with open(os.dup(_MEMORY.fd), "rb", buffering=0) as raw:
        image = load(raw)
        assert [s.group for s in signatures(image)] == [1]
        wrong = mismatch(raw, image, 1)
    assert wrong is None or wrong.id == item.id


def mutate_sif(data: bytes, most: int, dice: random.Random, basic: Basic) -> bytes:
    """Changes a field of the header or of a descriptor, or bytes of an object."""
    if len(data) < HEADER_SIZE or dice.random() < 0.2:
        return basic(data, most)
    changed = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        _change_field(changed, dice)
    if dice.random() < 0.3:
        start = min(dice.choice([HEADER_SIZE, HEADER_SIZE + 4 * DESCRIPTOR_SIZE]), len(changed))
        changed[start:] = basic(bytes(changed[start:]), max(most - start, 1))
    return bytes(changed[:most])


def _change_field(data: bytearray, dice: random.Random) -> None:
    slots = max((len(data) - HEADER_SIZE) // DESCRIPTOR_SIZE, 0)
    base, (at, size) = 0, dice.choice(_HEADER_FIELDS)
    if slots and dice.random() < 0.8:
        base = HEADER_SIZE + DESCRIPTOR_SIZE * dice.randrange(min(slots, 6))
        at, size = dice.choice(_DESCRIPTOR_FIELDS)
        if dice.random() < 0.1:
            data[base + 73 : base + 201] = dice.choice(_NAMES).ljust(128, b"\0")
    old = int.from_bytes(data[base + at : base + at + size], "little")
    new = dice.choice(
        (dice.choice(_ODD), old + dice.randint(-8, 8), old ^ 1 << dice.randrange(8 * size),
         -old, len(data) + dice.randint(-2, 2), dice.getrandbits(8 * size))
    )  # fmt: skip
    data[base + at : base + at + size] = (new % 256**size).to_bytes(size, "little")


def bundle(data: bytes) -> None:
    """What unpacks has the sizes that it names, and packs to records that unpack alike."""
    try:
        records = unpack(data)
    except RecordError as error:
        assert str(error)
        return
    assert all(records)
    assert unpack(pack(records)) == records


def lineage(data: bytes) -> None:
    """What opens packs to documents that open alike, and every link of theirs is a digest."""
    try:
        documents = open_lineage(data, 1 << 20)
    except RecordError as error:
        assert str(error)
        return
    assert [d for part in pack_lineage(documents) for d in open_lineage(part)] == list(documents)
    for document in documents:
        for link in (*links(document), *named_lists(document)):
            assert len(link) == 71 and link.encode() in document


def mutate_bundle(data: bytes, most: int, dice: random.Random, basic: Basic) -> bytes:
    """Changes what is inside the compression, and makes digest and sizes fit again, mostly."""
    try:
        document = json.loads(data)
        inside = zlib.decompress(base64.b64decode(document["data"]))
        if dice.random() < 0.3:
            raise ValueError
        inside = basic(inside, 400)
        document["data"] = base64.b64encode(zlib.compress(inside)).decode()
        if dice.random() < 0.8:
            cut = dice.randint(0, len(inside))
            document["sizes"] = [n for n in (cut, len(inside) - cut) if n]
            document["digest"] = record_digest(inside)
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()[:most]
    except (ValueError, KeyError, TypeError, zlib.error, RecursionError):
        return basic(data, most)


def declaration(data: bytes) -> None:
    """A declaration that is read is written as the same name."""
    found = parse_declaration(data)
    if found:
        assert found.to_name() == data.split(b"\0", 1)[0]
        assert as_text(found.mount.encode("utf-8", "surrogateescape")) == found.mount


_SIGNED = ("objects", "relativeId", "objectDigest", "sha256:", "sha512:", "payload", "1e999", "NaN",
           "-----BEGIN PGP SIGNED MESSAGE-----", "\\x0a\\x0a",
           "\\x0a-----BEGIN PGP SIGNATURE-----")  # fmt: skip

TARGETS = (
    Target("sif-load", sif_load, 2_000_000, mutate_sif, max_len=4096),
    Target("sif-records", sif_records, 900_000, mutate_sif, max_len=16384),
    Target("sif-append", sif_append, 100_000, mutate_sif, max_len=16384),
    Target("signature", signature, 300_000, mutate_signature, max_len=512, words=_SIGNED),
    Target("bundle", bundle, 900_000, mutate_bundle, max_len=2048,
           words=("sifprov.bundle/1", "sizes", "digest", "sha256:", "schema", "data")),
    Target("lineage", lineage, 900_000, mutate_bundle, max_len=2048,
           words=("sifprov.lineage/1", "previous", "record", "sha256:", "files", "count")),
    Target("declaration", declaration, 1_000_000, max_len=160,
           words=("sifprov:", "output:", "input:/")),
)  # fmt: skip
