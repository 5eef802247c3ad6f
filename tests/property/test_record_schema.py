"""`Record.from_json` accepts what the schema accepts, whatever is done to a record."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sifprov.errors import RecordError
from sifprov.model.canonical import Json, dumps, loads
from sifprov.model.record import Record
from tests.unit.schemas import problems
from tests.unit.test_schemas import RECORDS

DOCUMENTS: list[Any] = [json.loads(r.to_bytes()) for r in RECORDS.values()]

STRINGS = [
    "", "x", "input", "output", "exited", "plugin", "sifprov.record/1", "sifprov.record/2",
    "tree-v1:" + "0" * 64, "tree-v1:" + "A" * 64, "md5:" + "0" * 32, "sha256:" + "f" * 64 + "\n",
    "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-00000000000A",
    "{00000000-0000-4000-8000-000000000001}", "00000000000040008000000000000001",
    "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123456789Z", "2026-01-01T00:00:00.1234567890Z",
    "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z", "2024-02-29T00:00:00Z", "2026-01-01T24:00:00Z",
    "2026-01-01T23:59:60Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+00:00",
    "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z", "10000-01-01T00:00:00Z",
    "202\u0666-01-01T00:00:00Z", "2026-01-01 00:00:00Z", "2026-01-01T00:00:00Z\n",
]  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(STRINGS),
    st.none(),
    st.booleans(),
    st.integers(-2, 300),
    st.just(2**60),
    st.sampled_from([1.5, 1.0]),
    st.sampled_from([{"base64": t} for t in ("", "/w==", "/w=", "/w", "!!!!", "YQ==\n", 5)]),
    st.just({"base64": "YQ==", "more": 1}),
    st.just([]),
    st.just({}),
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (object or list, key or index) in a document."""
    found = []
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        found.append((value, key))
        if isinstance(item, dict | list):
            found += places(item)
    return found


def mutate(data: st.DataObject, document: Any) -> None:
    """Drops, replaces or adds one field or item."""
    found = places(document)
    where, key = found[data.draw(st.integers(0, len(found) - 1))]
    what = data.draw(st.sampled_from(["drop", "replace", "replace", "replace", "add"]))
    if what == "drop":
        del where[key]
    elif what == "replace":
        where[key] = copy.deepcopy(data.draw(VALUES))
    elif isinstance(where, dict):
        name = data.draw(st.sampled_from(["extra", "base64", "uuid"]))
        where[name] = copy.deepcopy(data.draw(VALUES))
    else:
        where.append(copy.deepcopy(data.draw(VALUES)))


def beyond_the_schema(document: Any) -> bool:
    """What the schema cannot say, so that it may accept a document that the reader refuses.

    - a place in `redacted` must be one of `argv`;
    - a verdict's result must be what its counts and digests say;
    - the calendar: there is no 30th of February;
    - 1.0 is an integer to JSON Schema, but a record holds no fractions, and no larger numbers than
      every reader of JSON can tell apart;
    - a line end behind a value: `$` matches before it in Python, unlike in other languages.
    """
    values = [where[key] for where, key in places(document)]
    if any(isinstance(v, float) or (isinstance(v, int) and abs(v) > 2**53) for v in values):
        return True
    texts = [v for v in values if isinstance(v, str)]
    if any(t.startswith("2026-02-30") or t.endswith("\n") for t in texts):
        return True
    showed = document.get("verdict")
    if isinstance(showed, dict) and contradicts_itself(showed):
        return True
    run = document.get("run")
    redacted = run.get("redacted") if isinstance(run, dict) else None
    argv = run.get("argv") if isinstance(run, dict) else None
    if not isinstance(redacted, list) or not isinstance(argv, list):
        return False
    return any(isinstance(n, int) and n >= len(argv) for n in redacted)


def contradicts_itself(showed: dict[str, Any]) -> bool:
    counts = showed.get("counts")
    if not isinstance(counts, dict) or not all(isinstance(n, int) for n in counts.values()):
        return False
    beside = [counts.get(name, 0) for name in ("differs", "only-original", "only-replay")]
    result = "differs" if any(beside) else "alike" if counts.get("alike") else "same"
    same = showed.get("original") == showed.get("content")
    files = showed.get("files")
    many = isinstance(files, list) and len(files) > sum(beside) + counts.get("alike", 0)
    return showed.get("result") != result or same != (result == "same") or many


@given(st.data())
@settings(max_examples=1500, deadline=None)
def test_reader_and_schema_agree(data: st.DataObject) -> None:
    document = copy.deepcopy(data.draw(st.sampled_from(DOCUMENTS)))
    for _ in range(data.draw(st.integers(0, 2))):
        if places(document):
            mutate(data, document)
    try:
        record = Record.from_json(document)
    except RecordError as error:
        assert problems("sifprov.record/1", document) or beyond_the_schema(document), error
    else:
        assert problems("sifprov.record/1", document) == []
        # What was read can be written, and is then the same.
        stored = record.to_bytes()
        assert Record.from_bytes(stored) == record
        assert Record.from_bytes(stored).to_bytes() == stored


def test_both_are_seen() -> None:
    """The mutations above are no use when all are refused, or none."""
    for value, good in (("2026-01-01T00:00:00Z", True), ("2026-01-01T24:00:00Z", False)):
        document = {**DOCUMENTS[0], "recorded": value}
        assert (problems("sifprov.record/1", document) == []) is good


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(JSON)
def test_canonical_json_comes_back(document: Json) -> None:
    data = dumps(document)
    assert loads(data) == document
    assert dumps(loads(data)) == data


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda t: t.encode("utf-8", "replace")))
def test_any_bytes_are_a_record_error_or_json(data: bytes) -> None:
    for candidate in (data, b'{"a":' + data + b"}", b'["' + data + b'"]'):
        try:
            loads(candidate)
        except RecordError as error:
            assert str(error)


@given(st.binary(max_size=300))
def test_any_text_of_bytes_comes_back(raw: bytes) -> None:
    """A name of any bytes, as the file system gives it."""
    record = RECORDS["run"]
    assert record.run is not None
    text = raw.decode("utf-8", "surrogateescape")
    record = replace(record, run=replace(record.run, cwd=text, argv=(text, text)))
    again = Record.from_bytes(record.to_bytes()).run
    assert again is not None
    assert again.cwd.encode("utf-8", "surrogateescape") == raw
