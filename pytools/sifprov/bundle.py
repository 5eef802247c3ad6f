"""A bundle: many records in one object, byte for byte. Pack and unpack, no I/O.

Canonical JSON, so that standard tools can open it (docs/formats.md):

    {"data": "…",                       base64 of the zlib stream of the records' stored bytes,
                                        one directly behind the other
     "digest": "sha256:…",              of these bytes before compression
     "schema": "sifprov.bundle/1",
     "sizes": [1615, 1702, …]}          of the records in bytes, in the order in which they came

A record's digest is that of its bytes, so it stays what it was. Lineage (embedded.py) has the same
form under a schema of its own.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Sequence

from sifprov.errors import RecordError
from sifprov.model.canonical import Json, dumps, loads, record_digest
from sifprov.model.reader import Reader

SCHEMA = "sifprov.bundle/1"
# What one bundle may hold, so that a small hostile one cannot fill the memory.
MAX_BYTES = 32 * 1024 * 1024
MAX_RECORDS = 1 << 16
# Even what does not compress fits, in base64, beside its sizes.
MAX_OBJECT = 2 * MAX_BYTES
_FIELDS = 4


def pack(records: Sequence[bytes], schema: str = SCHEMA) -> bytes:
    """Returns the bundle of these records, within MAX_BYTES and MAX_RECORDS."""
    data = b"".join(records)
    if not records or not all(records) or len(data) > MAX_BYTES or len(records) > MAX_RECORDS:
        raise ValueError(f"{len(records)} records of {len(data)} bytes make no bundle")
    return dumps(
        {
            "data": base64.b64encode(zlib.compress(data)).decode("ascii"),
            "digest": record_digest(data),
            "schema": schema,
            "sizes": [len(r) for r in records],
        }
    )


def unpack(bundle: bytes, schema: str = SCHEMA, limit: int = MAX_BYTES) -> tuple[bytes, ...]:
    """Returns a bundle's records, of together `limit` bytes at most. Raises RecordError, naming the
    JSON path, before anything larger is unpacked."""
    # No comma stands in base64: a list that is too long is not even parsed.
    if bundle.count(b",") > MAX_RECORDS + _FIELDS:
        raise RecordError("sizes", f"more than {MAX_RECORDS} of them")
    r = Reader(loads(bundle), "")
    r.word("schema", schema)
    sizes = r.items("sizes", _size)
    digest, text = r.digest("digest"), r.word("data")
    r.end()
    total = sum(sizes)
    if not sizes or len(sizes) > MAX_RECORDS or total > limit:
        raise RecordError("sizes", f"{len(sizes)} records of {total} bytes are none, or too many")
    data = _inflate(text, total)
    if record_digest(data) != digest:
        raise RecordError("data", "does not have the digest that stands beside it")
    records, at = [], 0
    for size in sizes:
        records.append(data[at : at + size])
        at += size
    return tuple(records)


def _size(value: Json, path: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MAX_BYTES:
        raise RecordError(path, f"not an integer from 1 to {MAX_BYTES}")
    return value


def _inflate(text: str, total: int) -> bytes:
    """Decompresses exactly `total` bytes; a stream that holds more is never unpacked further."""
    stream = zlib.decompressobj()
    try:
        data = stream.decompress(base64.b64decode(text, validate=True), total + 1)
    except (zlib.error, binascii.Error, ValueError) as error:
        raise RecordError("data", f"not base64 of a zlib stream: {error}") from error
    if len(data) != total or not stream.eof or stream.unused_data:
        raise RecordError("data", f"does not hold {total} bytes")
    return data
