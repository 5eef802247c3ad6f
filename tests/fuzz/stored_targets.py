"""Targets of what stands beside records: sidecars, logs, telemetry, annotations."""

from __future__ import annotations

import base64
import json
import os
import zlib
from dataclasses import replace
from typing import Any

from sifprov import sidecar
from sifprov.errors import FileError, RecordError
from sifprov.model.annotation import (
    MAX_ITEMS,
    METRICS,
    NOTE,
    TAGS,
    Annotation,
    from_environment,
    merge,
)
from sifprov.model.canonical import dumps, loads
from sifprov.model.log import BOTH, STDERR, STDOUT, Collector, Log
from sifprov.model.record import Record
from sifprov.model.telemetry import Telemetry, thinned
from sifprov.render.telemetry import charts
from sifprov.sif.disk import FileDisk
from tests.fuzz.document_targets import mutate_json
from tests.fuzz.target import Basic, Memory, Target, as_text
from tests.unit.sifs import OUT, run_record

_FILE = Memory()
_RECORD = run_record()
_STREAMS = (STDOUT, STDERR, BOTH)


def read_sidecar(data: bytes) -> None:
    """Every whole line comes as a record or as its error; what another append adds comes last, and
    nothing before it changes."""
    _FILE.fill(data)
    try:
        before = sidecar.read_sidecar(_FILE.path, OUT)
        newest = sidecar.newest_line(_FILE.path, OUT)
        assert newest == (before[-1].digest if before else None)
        assert sum(map(len, sidecar.read_pieces(_FILE.path))) >= 0
        sidecar.read_sidecar_embedded(_FILE.path)
    except FileError as error:
        assert str(error)
        return
    whole = data[: data.rfind(b"\n") + 1].rstrip(b"\n")
    whole += b"\n" if whole else b""  # lines that are empty count for nothing
    try:
        with os.fdopen(os.dup(_FILE.fd), "r+b") as file:
            file.seek(0)
            made, digest = sidecar._append(file, "x", _following, OUT, None, None, FileDisk)
    except FileError as error:
        assert str(error)
        assert _content() == data, "a refusal changes nothing"
        return
    assert _content() == whole + made.to_bytes() + b"\n"
    after = sidecar.read_sidecar(_FILE.path, OUT)
    assert [s.digest for s in after] == [*(s.digest for s in before), digest]
    assert made.previous == newest


def _following(newest: str | None) -> Record:
    return replace(_RECORD, previous=newest)


def _content() -> bytes:
    return os.pread(_FILE.fd, os.fstat(_FILE.fd).st_size, 0)


def mutate_lines(data: bytes, most: int, dice: Any, basic: Basic) -> bytes:
    """Changes one line, or which lines there are."""
    lines = data.split(b"\n")
    place = dice.randrange(len(lines))
    choice = dice.randrange(6)
    if choice == 0:
        lines.insert(place, dice.choice(lines))
    elif choice == 1:
        del lines[place]
    elif choice == 2:
        return basic(data, most)
    else:
        lines[place] = mutate_json(lines[place], most, dice, basic)
    return b"\n".join(lines)[:most]


def read_log(data: bytes) -> None:
    """A log that is read comes back as the same bytes."""
    try:
        found = Log.from_bytes(data)
    except RecordError as error:
        assert str(error)
        return
    stored = found.to_bytes()
    again = Log.from_bytes(stored)
    assert again == found
    assert again.to_bytes() == stored


def read_telemetry(data: bytes) -> None:
    """Telemetry that is read comes back as the same, and can be drawn."""
    try:
        found = Telemetry.from_bytes(data)
    except RecordError as error:
        assert str(error)
        return
    assert Telemetry.from_bytes(found.to_bytes()) == found
    dumps(found.peaks())
    few = thinned(found, 3)
    assert few.samples <= 3
    for chart in charts(few):
        for line in chart.lines:
            assert len(line.values) == few.samples
            assert all(0 <= value < float("inf") for value in line.values)


def mutate_packed(data: bytes, most: int, dice: Any, basic: Basic) -> bytes:
    """Changes the document, or the numbers inside its compression."""
    try:
        document = json.loads(data)
        lists = json.loads(zlib.decompress(base64.b64decode(document["data"])))
    except (ValueError, KeyError, TypeError, zlib.error):
        return mutate_json(data, most, dice, basic)
    if dice.randrange(2):
        return mutate_json(data, most, dice, basic)
    changed = mutate_json(json.dumps(lists).encode(), most, dice, basic)
    document["data"] = base64.b64encode(zlib.compress(changed)).decode("ascii")
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()[:most]


def collect(data: bytes) -> None:
    """What an application prints, bounded: no byte is made up, none is counted twice.

    The first byte is the bound; a byte of each piece says by which stream it comes.
    """
    if not data:
        return
    collector = Collector(data[0], _STREAMS)
    printed: dict[str, bytes] = dict.fromkeys(_STREAMS, b"")
    for piece in data[1:].split(b"\xff"):
        if piece:
            stream = _STREAMS[piece[0] % 3]
            collector.add(stream, piece[1:])
            printed[stream] += piece[1:]
    found = collector.log()
    assert dict(found.sizes) == {name: len(text) for name, text in printed.items()}
    kept = sum(len(text) for _, text in (*found.head, *found.tail))
    assert kept + found.cut == sum(map(len, printed.values()))
    assert kept <= max(data[0], 2)
    for stream, whole in printed.items():
        head = b"".join(text for name, text in found.head if name == stream)
        tail = b"".join(text for name, text in found.tail if name == stream)
        assert whole.startswith(head)
        assert whole.endswith(tail)
        assert len(head) + len(tail) <= len(whole)
    assert Log.from_bytes(found.to_bytes()) == found


def read_annotation(data: bytes) -> None:
    """An annotation that is read can be written, and reads as the same."""
    try:
        value = loads(data)
        found = Annotation.from_json(value, "annotation")
    except RecordError as error:
        assert str(error)
        return
    _comes_back(found)


def typed_annotation(data: bytes) -> None:
    """Whatever stands in the variables: what is used can be written, the rest is a problem told."""
    values = [as_text(part) for part in data.split(b"\0")][:3]
    found, problems = from_environment(dict(zip((NOTE, TAGS, METRICS), values, strict=False)))
    assert all(problem.startswith("$SIFPROV_") for problem in problems)
    _comes_back(found)
    _comes_back(merge(found, found))


def _comes_back(found: Annotation) -> None:
    if found:
        stored = dumps(found.to_json())
        assert Annotation.from_json(loads(stored), "annotation") == found
    assert max(len(found.notes), len(found.tags), len(found.metrics)) <= MAX_ITEMS


TARGETS = (
    Target("sidecar", read_sidecar, 150_000, mutate_lines, max_len=8192),
    Target("log", read_log, 500_000, mutate_json, max_len=1024),
    Target("telemetry", read_telemetry, 300_000, mutate_packed, max_len=2048),
    Target("log-collector", collect, 500_000, max_len=400,
           words=("\\xff\\x00", "\\xff\\x01", "\\xc3\\xa9", "\\xf0\\x9f\\x98\\x80")),
    Target("annotation", read_annotation, 500_000, mutate_json, max_len=1024),
    Target("annotation-typed", typed_annotation, 500_000, max_len=256,
           words=("a=b", ",", "=", "\\x00", "r2=0.93", "1e309", "-0", "1e-400", "\\xc2\\xa0")),
)  # fmt: skip
