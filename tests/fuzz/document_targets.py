"""Targets that read JSON: canonical form, records, their picture, capture requests, reports."""

from __future__ import annotations

import json
import random
from typing import Any
from uuid import UUID

from sifprov.errors import RecordError
from sifprov.identity import Identity
from sifprov.model.canonical import dumps, loads, record_digest
from sifprov.model.record import Record
from sifprov.model.report import Report
from sifprov.model.request import is_running, parse_end, parse_request
from sifprov.model.timestamp import to_ns
from sifprov.records import Stored
from sifprov.render.tree import render
from sifprov.trail import Carrier, Trail, Walk
from tests.fuzz.target import Basic, Target
from tests.fuzz.text_targets import harmless

_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 64, 255, 256, 2**53, 2**53 + 1, 10**400, 0.5, 1e308, "", "a",
    float("inf"), "\x1b[2J", "\u202e", "\ud800", "é", "/", "2026-02-30T00:00:00Z",
    "9999-12-31T23:59:59Z", "1970-01-01T00:00:00.000000001Z", {"base64": "/w=="},
    {"base64": "YQ=="}, {"base64": "YR=="}, {"base64": 1}, [], {},
    "00000000-0000-4000-8000-000000000001", "sha256:" + "0" * 64,
)  # fmt: skip


def canonical(data: bytes) -> None:
    """What has a canonical form has one only."""
    try:
        value = loads(data)
    except RecordError as error:
        assert str(error)
        return
    try:
        stored = dumps(value)
    except ValueError:
        return  # fractions, large integers, deep nesting: nothing that we write
    assert loads(stored) == value
    assert dumps(loads(stored)) == stored


def record(data: bytes) -> None:
    """A record that is read can be written; canonical bytes come back as they were."""
    try:
        found = Record.from_bytes(data)
    except RecordError as error:
        assert str(error)
        return
    stored = found.to_bytes()
    again = Record.from_bytes(stored)
    assert again == found
    assert again.to_bytes() == stored
    # Bytes that happen to be UTF-8 are read from base64 too, but written as text.
    if b'"base64"' not in data and dumps(loads(data)) == data:
        assert stored == data
    assert to_ns(found.recorded) >= 0
    _draw(found, data)


def _draw(found: Record, data: bytes) -> None:
    """Its picture has no line and no control character that the record could forge."""
    stored = Stored(1, 1, record_digest(data), found, None)
    start = Carrier(Identity("/x.sif", UUID(int=1)), (stored,))
    walk = Walk(start, lambda container: None)
    walk.run()
    picture = render(Trail(start, walk.found, walk.records))
    lines = picture.split("\n")
    assert all(harmless(line) for line in lines), lines
    assert len(lines) <= 8 + sum(5 + len(c.marks) for c in found.containers)


def request(data: bytes) -> None:
    """Each of the helper's lines is read, or refused."""
    for read in (parse_request, is_running, parse_end):
        try:
            read(data)
        except RecordError as error:
            assert str(error)


def report(data: bytes) -> None:
    """What a run reports comes back as it was written, and names its run."""
    try:
        found = Report.from_bytes(data)
    except RecordError as error:
        assert str(error)
        return
    try:
        stored = found.to_bytes()
    except ValueError:
        return  # a name of the machine or a folder that is longer than a report may be
    again = Report.from_bytes(stored)
    assert again.to_bytes() == stored
    assert (again.id, again.event) == (found.id, found.event)


def mutate_json(data: bytes, most: int, dice: random.Random, basic: Basic) -> bytes:
    """Replaces, drops, adds or changes values of a document, mostly leaving it canonical."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return basic(data, most)
    found = _places(document)
    if not found or dice.random() < 0.15:
        return basic(data, most)
    for _ in range(dice.randint(1, 3)):
        _change(dice, *dice.choice(found), basic)
    try:
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return text.encode("utf-8", "surrogatepass")[:most]
    except (ValueError, RecursionError):
        return basic(data, most)


def mutate_signature(data: bytes, most: int, dice: random.Random, basic: Basic) -> bytes:
    """Changes the JSON of a clear-signed text."""
    head, gap, rest = data.partition(b"\n\n")
    message, mark, tail = rest.partition(b"\n-----BEGIN")
    if not message or dice.random() < 0.2:
        return mutate_json(data, most, dice, basic)
    return (head + gap + mutate_json(message, most, dice, basic) + mark + tail)[:most]


def _places(value: Any, depth: int = 0) -> list[tuple[Any, Any]]:
    if depth > 30:
        return []
    keys: list[Any] = []
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    return [(value, k) for k in keys] + [p for k in keys for p in _places(value[k], depth + 1)]


def _change(dice: random.Random, where: Any, key: Any, basic: Basic) -> None:
    if key not in where and not isinstance(where, list):
        return
    if isinstance(where, list) and key >= len(where):
        return
    old = where[key]
    choice = dice.randrange(8)
    if choice == 0:
        del where[key]
    elif choice == 1 and isinstance(where, list):
        where.insert(key, dice.choice(_VALUES))
    elif choice == 1:
        where[dice.choice(("extra", "base64", "uuid"))] = dice.choice(_VALUES)
    elif choice < 6 and isinstance(old, str):
        raw = basic(old.encode("utf-8", "replace"), 80)
        where[key] = raw.decode("utf-8", "replace")
    elif isinstance(old, int) and choice < 5:
        where[key] = old + dice.randint(-3, 3)
    else:
        where[key] = dice.choice(_VALUES)


TARGETS = (
    Target("canonical", canonical, 1_200_000, max_len=256,
           words=("null", "true", "false", "NaN", "Infinity", "\\\\u", "\\\\ud83d", "1e9", "[[")),
    Target("record", record, 500_000, mutate_json, max_len=4096),
    Target("request", request, 500_000, mutate_json, max_len=4096),
    Target("report", report, 300_000, mutate_json, max_len=4096),
)  # fmt: skip
