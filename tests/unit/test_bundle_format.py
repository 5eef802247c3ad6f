"""Bundles as bytes: what goes in comes out, and a hostile one is refused within bounds."""

from __future__ import annotations

import base64
import json
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.sifs import origin_record, run_record

from sifprov import bundle
from sifprov.bundle import pack, unpack
from sifprov.errors import RecordError
from sifprov.model.canonical import dumps, record_digest


@given(st.lists(st.binary(min_size=1), min_size=1))
def test_records_come_back(records: list[bytes]) -> None:
    packed = pack(records)
    assert list(unpack(packed)) == records
    assert dumps(json.loads(packed)) == packed  # canonical


def test_standard_tools_can_open_it() -> None:
    records = [origin_record().to_bytes(), run_record().to_bytes()]
    document = json.loads(pack(records))
    data = zlib.decompress(base64.b64decode(document["data"]))
    assert data == b"".join(records)
    assert document["sizes"] == [len(r) for r in records]
    assert document["digest"] == record_digest(data)


def test_similar_records_are_small_together() -> None:
    records = [run_record(previous=record_digest(b"%d" % i)).to_bytes() for i in range(100)]
    assert len(pack(records)) < sum(map(len, records)) / 10


def test_what_makes_no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_BYTES", 10)
    monkeypatch.setattr(bundle, "MAX_RECORDS", 3)
    pack([b"12345", b"67890"])
    for records in ([], [b""], [b"a", b""], [b"12345678901"], [b"a"] * 4):
        with pytest.raises(ValueError, match="make no bundle"):
            pack(records)


def test_what_does_not_compress_fits_an_object() -> None:
    assert bundle.MAX_BYTES * 4 / 3 + bundle.MAX_RECORDS * 9 + 1000 < bundle.MAX_OBJECT


GOOD = {**json.loads(pack([b"one", b"two"]))}


def changed(**fields: object) -> bytes:
    return json.dumps({**GOOD, **fields}).encode()


def packed(data: bytes, more: bytes = b"") -> str:
    return base64.b64encode(zlib.compress(data) + more).decode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not JSON"),
        (b"[]", "not an object"),
        (b"{}", "schema: missing"),
        (changed(schema="sifprov.bundle/2"), "schema: not one of"),
        (changed(more=1), "more: unknown field"),
        (changed(sizes=[]), "sizes: 0 records"),
        (changed(sizes=3), "sizes: not a list"),
        (changed(sizes=[3, -3]), r"sizes\[1\]"),
        (changed(sizes=[3, 0]), r"sizes\[1\]"),
        (changed(sizes=[3, True]), r"sizes\[1\]"),
        (changed(sizes=[3, 1 << 70]), r"sizes\[1\]"),
        (changed(sizes=[1 << 25, 1]), "too many"),
        (changed(sizes=[1] * 65_537), "too many"),
        (changed(sizes=[3, 2]), "does not hold 5 bytes"),
        (changed(sizes=[3, 4]), "does not hold 7 bytes"),
        (changed(data="!"), "not base64"),
        (changed(data=3), "data: not a string"),
        (changed(data=packed(b"onetwo")[:-8]), "does not hold|not base64"),
        (changed(data=packed(b"onetwo", b"x")), "does not hold 6 bytes"),
        (changed(data=packed(b"onetwx")), "digest"),
        (changed(digest="sha256:" + "0" * 64), "digest"),
    ],
)
def test_what_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(RecordError, match=message):
        unpack(data)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = changed(data=packed(bytes(200 * 1024 * 1024)))
    tracemalloc.start()
    try:
        with pytest.raises(RecordError, match="does not hold 6 bytes"):
            unpack(bomb)
        assert tracemalloc.get_traced_memory()[1] < 20 * len(bomb)
    finally:
        tracemalloc.stop()
