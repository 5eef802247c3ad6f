"""What is printed: text made harmless, times, and the tree of a trail."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import pytest
from tests.unit.sifs import APP, IN, OUT, container, origin_record, run, run_record

from sifprov.errors import SifprovError
from sifprov.identity import Identity
from sifprov.model.canonical import record_digest
from sifprov.model.record import INPUT, OUTPUT, SIGNALED, Record
from sifprov.model.timestamp import from_ns, from_seconds, to_ns
from sifprov.records import Stored
from sifprov.render.clock import local_time
from sifprov.render.tree import render
from sifprov.roles import Declaration, check_mount, parse_declaration
from sifprov.sizes import parse_size
from sifprov.terminal import command, printable, size
from sifprov.trail import Carrier, Trail, Walk


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield monkeypatch
    monkeypatch.undo()
    time.tzset()


def carrier(uuid: UUID, name: str, *records: Record) -> Carrier:
    stored = tuple(
        Stored(i + 2, 2, record_digest(record.to_bytes()), record, None)
        for i, record in enumerate(records)
    )
    newest = stored[-1].digest if stored else None
    return Carrier(Identity(f"/data/{name}", uuid, record=newest), stored)


def trail(start: Carrier, *found: Carrier) -> Trail:
    there = {c.identity.uuid: c for c in found}
    walk = Walk(start, lambda wanted: there.get(wanted.uuid))
    walk.run()
    return Trail(start, walk.found, walk.records, None, tuple(walk.problems))


OTHER = UUID("00000000-0000-4000-8000-000000000009")
GOLDEN = """\
out\\x1b[2J.sif  00000000-0000-4000-8000-000000000001
├─ run 2026-05-28 20:26:39 +0000, 0.50 s, ended by signal 9  00000000-0000-0000-0000-000000000007
│  │  $ sh -c 'a\\u202e\\xff'
│  │  recorded by the plugin, singularity-ce 4.3.3
│  └─ output out.sif at /mnt  00000000-0000-4000-8000-000000000001
│        tree-v1:0000000000000000…
└─ run 2026-05-28 20:26:39 +0000, 0.50 s, exit code 0  00000000-0000-4000-8000-0000000000ff
   │  $ singularity exec app.sif true
   │  recorded by the plugin, singularity-ce 4.3.3
   ├─ application app.sif  00000000-0000-4000-8000-000000000003
   │     image-v1:1111111111111111…
   │     not found here
   ├─ input in.sif at /mnt  00000000-0000-4000-8000-000000000002
   │     tree-v1:0000000000000000…
   │     carries other records now than it did then
   ├─ input made.sif at /mnt  00000000-0000-4000-8000-000000000009
   │  │  tree-v1:0000000000000000…
   │  └─ made 2026-05-28 20:10:00 +0000 from /home/user/inputs  00000000-0000-0000-0000-000000000005
   │        tree-v1:0000000000000000…
   └─ output out.sif at /mnt  00000000-0000-4000-8000-000000000001
         tree-v1:0000000000000000…
! out\\x1b[2J.sif: broken record (object 9): no\\x0ane"""


def test_a_small_trail(utc: pytest.MonkeyPatch) -> None:
    origin = replace(origin_record(OTHER), id=UUID(int=5))
    made = replace(container(INPUT, OTHER, "made.sif"), record=record_digest(origin.to_bytes()))
    first = run_record()
    first = replace(first, containers=(*first.containers, made))
    killed = replace(
        run_record(previous=record_digest(first.to_bytes())),
        id=UUID(int=7),
        run=replace(run(("sh", "-c", "a\u202e\udcff")), outcome=SIGNALED, exit_code=None, signal=9),
        containers=(container(OUTPUT, OUT, "out.sif"),),
    )
    start = carrier(OUT, "out\x1b[2J.sif", first, killed)
    start = replace(start, records=(*start.records, Stored(9, 2, "", None, "no\nne")))
    swapped = carrier(IN, "in.sif", origin_record())
    assert render(trail(start, swapped, carrier(OTHER, "made.sif", origin))) == GOLDEN


def test_an_application_is_shown_with_its_times(utc: pytest.MonkeyPatch) -> None:
    assert str(APP) in render(trail(carrier(OUT, "x", run_record())))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain \u00e9 \u65e5", "plain \u00e9 \u65e5"), ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc\r", "a\\x0ab\\x09c\\x0d"), ("\x7f\x9b", "\\x7f\\x9b"),
        ("\u202egpj.exe", "\\u202egpj.exe"), ("\u2066\u200b\ufeff", "\\u2066\\u200b\\ufeff"),
        ("\u2028", "\\u2028"), ("\udcff\udc80", "\\xff\\x80"), ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"), ("\ue000", "\\ue000"),
    ],
)  # fmt: skip
def test_printable(text: str, shown: str) -> None:
    assert printable(text) == shown
    shown.encode("utf-8")


def test_a_command_line_as_one_types_it() -> None:
    assert command(["a b", "c", "d'e"]) == "'a b' c 'd'\"'\"'e'"


def test_sizes_for_people() -> None:
    assert [size(n) for n in (0, 1023, 1024, 3 << 20, 1 << 50)] == [
        "0 B", "1023 B", "1.0 KiB", "3.0 MiB", "1024.0 TiB",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "count"),
    [("4096", 4096), ("8M", 8 << 20), ("1.5G", 3 << 29), ("512 k", 512 << 10), ("2MiB", 2 << 20),
     ("9007199254740993", 9007199254740993), ("0", 0)],
)  # fmt: skip
def test_sizes_as_people_type_them(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "M", "-1", "1,5G", "1e3", "\u0661M", "9" * 400, "1P"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(SifprovError, match="is no size"):
        parse_size(text)


def test_times() -> None:
    for ns in (0, 1, 1_780_000_000_123_456_789):
        assert to_ns(from_ns(ns)) == ns
    assert from_seconds(253_402_300_799) == "9999-12-31T23:59:59Z"
    for odd in (0, -1, 253_402_300_800, 2**63 - 1):
        assert from_seconds(odd) is None


@pytest.mark.parametrize("zone", ["UTC", "<+14>-14", "<-12>12"])
def test_every_time_can_be_shown(utc: pytest.MonkeyPatch, zone: str) -> None:
    utc.setenv("TZ", zone)
    time.tzset()
    for text in ("1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z"):
        assert local_time(text)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        (b"sifprov:input:/Inputs", Declaration(INPUT, "/Inputs")),
        (b"sifprov:output:/a:b c\xff\0junk", Declaration(OUTPUT, "/a:b c\udcff")),
        (b"sifprov:input:/" + b"x" * 99, Declaration(INPUT, "/" + "x" * 99)),
        (b"sifprov:input:/" + b"x" * 100, None), (b"sifprov:input:Inputs", None),
        (b"sifprov:other:/x", None), (b"sifprov:input", None), (b"", None),
        (b"Sifprov:input:/x", None),
    ],
)  # fmt: skip
def test_declarations(name: bytes, found: Declaration | None) -> None:
    assert parse_declaration(name) == found
    if found:
        assert parse_declaration(found.to_name()) == found


@pytest.mark.parametrize(("given", "plain"), [("/a", "/a"), ("//a///b/", "/a/b"), ("/a b", "/a b")])
def test_mount_points(given: str, plain: str) -> None:
    assert check_mount(given) == plain


@pytest.mark.parametrize(
    "given",
    ["", "/", "a", "/..", "/a/../b", "/./a", "/lost+found", "/a\nb", "/a\0", "/" + "é" * 50],
)
def test_unfit_mount_points(given: str) -> None:
    with pytest.raises(SifprovError):
        check_mount(given)
