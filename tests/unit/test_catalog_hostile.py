"""Containers and records that lie never break an index, and never reach the database as code."""

from __future__ import annotations

import json
import os
import resource
import time
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from tests.bench.catalog_make import sif
from tests.catalogs import Opened
from tests.fuzz.targets import TARGETS
from tests.unit.sifs import IN, OUT, add, add_object, make_sif, origin_record, run_record

from sifprov.bundle import pack
from sifprov.catalog import read
from sifprov.catalog.index import index
from sifprov.catalog.ingest import put_records
from sifprov.catalog.tables import METADATA
from sifprov.catalog.texts import LONG, SHORT, list_text, object_text, on_disk, path, short
from sifprov.embedded import SCHEMA as LINEAGE
from sifprov.frozen import replace
from sifprov.groups import BUNDLE_NAME, LINEAGE_NAME, OBJECT_NAME
from sifprov.model.annotation import Annotation
from sifprov.model.canonical import dumps
from sifprov.model.fact import Fact
from sifprov.model.record import Record
from sifprov.sif import DataType

SEEDS = Path(__file__).parents[1] / "fuzz" / "seeds"
EVIL = "'; DROP TABLE record; --\"\\\0\x1b[2J%s{}$$"


@pytest.fixture(autouse=True)
def _not_racy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "RACY_NS", 0)


def values(opened: Opened) -> list[Any]:
    """All that stands in the catalog."""
    found: list[Any] = []
    with opened.catalog.reading() as connection:
        for table in METADATA.tables.values():
            for row in connection.execute(table.select()):
                found += row
    return found


def check(opened: Opened) -> None:
    """Every table is there, every reference leads somewhere, and every text is bounded."""
    assert opened.tables() == set(METADATA.tables)
    opened.check_references()
    if opened.catalog.is_sqlite:
        with opened.catalog.reading() as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    for value in values(opened):
        if isinstance(value, str):
            assert len(value.encode("utf-8")) <= LONG + 200
            assert "\0" not in value


def record_with(text_: str, *, number: int = 1) -> Record:
    """A record that holds a text wherever one may stand."""
    record = run_record()
    assert record.run
    facts = (
        Fact("application", {
            "bases": [{"from": text_, "bootstrap": text_}, text_], "labels": {text_: text_},
            "entry_point": text_, "environment": {text_: text_}, "source_digest": text_,
        }, "x"),
        Fact("batch", {"system": text_, "job": text_, "task": text_, "cluster": text_}, "x"),
        Fact("binds", [{"source": text_, "destination": text_, "image": text_}, number], "x"),
        Fact("isolation", {text_: text_, "environment": [text_]}, "x"),
        Fact("platform", {
            "host": text_, "cpu": text_, "cpus": number, "memory_bytes": number, "gpus": [text_],
        }, "x"),
        Fact("resources", {"user_us": number, "wall_us": number, "peak_memory_bytes": text_}, "x"),
        Fact("user", {"name": text_, "uid": number}, "x"),
        Fact("workflow", {"name": text_, "id": text_, "activity": text_, "composition": 7}, "x"),
    )  # fmt: skip
    run = replace(
        record.run, argv=(text_, text_), command=(text_,), cwd=text_, runtime_name="x",
        environment=((text_, text_),), action="exec", facts=facts,
    )  # fmt: skip
    containers = tuple(
        replace(c, name=text_, path=text_, mount=text_, source=text_) for c in record.containers
    )
    words = Annotation((text_[:1000],), (("name", text_[:1000]),), (("m", "1e308"),))
    return replace(record, run=run, containers=containers, annotation=words)


@pytest.mark.parametrize(
    "text_",
    [EVIL, "a\0b", "\udcff\udc80", "ü" * 5000, "\x00" * 4000, "\\" * 9000, "x" * 1_000_000,
     "\U0001f9ea" * 3000, "…sha256:" + "0" * 64],
    ids=["sql", "nul", "bytes", "umlauts", "nuls", "backslashes", "long", "wide", "mark"],
)  # fmt: skip
def test_any_text_is_stored_escaped_and_bounded(opened: Opened, text_: str) -> None:
    usable = text_.encode("utf-8", "surrogateescape")
    if "\udcff" in text_:
        # JSON of facts holds no such text; names and arguments may.
        record = record_with("plain")
        assert record.run
        run = replace(record.run, argv=(text_,), cwd=text_, environment=(("A", text_),))
        named = tuple(replace(c, name=text_, path=text_) for c in record.containers)
        record = replace(record, run=run, containers=named)
    else:
        record = record_with(text_)
    assert put_records(opened.catalog, [record]) == 1
    check(opened)
    assert opened.count("execution") == opened.count("container") == 1
    if text_ == EVIL:
        found = values(opened)
        assert EVIL.replace("\\", "\\\\").replace("\0", "\\x00") in found
    assert usable
    # What is the same is known as the same, what is not is not.
    put_records(opened.catalog, [replace(record, id=uuid4(), container=IN)])
    assert opened.count("person") == opened.count("start_command") == 1


def test_long_texts_that_end_otherwise_stay_apart() -> None:
    one, other = "x" * 5000 + "a", "x" * 5000 + "b"
    assert short(one) != short(other)
    assert len(short(one)) <= SHORT
    many = list_text(["x" * 10_000] * 1000)
    assert len(many) <= LONG
    assert json.loads(many)[-1].endswith(" more")
    assert json.loads(object_text({str(n): "x" * 1000 for n in range(50)}))["…"]
    assert json.loads(list_text(["a\0b", "\ud800"])) == ["a\\x00b", "\\ud800"]


@pytest.mark.parametrize(
    "name",
    ["plain", "a\\b", "a\\x41", "a\\\\b", "\udcff", "a\\\udcff", "\\xff", "é", "\\u0041", "\\"],
)
def test_a_path_can_be_found_again_on_the_disk(name: str) -> None:
    assert on_disk(path(name)) == name


def test_no_two_names_are_one_in_the_catalog() -> None:
    random = Random(3)  # noqa: S311
    pieces = ["\\", "x", "4", "1", "u", "0", "\udcff", "a", "é"]
    names = {"".join(random.choices(pieces, k=random.randrange(1, 9))) for _ in range(20_000)}
    assert len({path(name) for name in names}) == len(names)


@pytest.mark.parametrize("number", [2**53, -(2**53), 2**31, -1])
def test_any_number_is_stored_or_left_out(opened: Opened, number: int) -> None:
    put_records(opened.catalog, [record_with("x", number=number)])
    check(opened)
    assert opened.count("env_partition") == 1


def test_numbers_and_times_of_a_header_beyond_all_bounds(opened: Opened, tmp_path: Path) -> None:
    for number, seconds in enumerate((2**63 - 1, -(2**63), 253_402_300_800, -1)):
        target = make_sif(tmp_path / f"{number}.sif", uuid=uuid4())
        with target.open("r+b") as file:
            file.seek(64)
            file.write(seconds.to_bytes(8, "little", signed=True) * 2)
        os.utime(target, ns=(2**62, 2**62))
    found = index(opened.catalog, [str(tmp_path)])
    assert (found.new, found.unreadable) == (4, 0)
    assert index(opened.catalog, [str(tmp_path)]).unchanged == 4
    check(opened)


def test_the_seeds_of_the_fuzzers_are_indexed(opened: Opened, tmp_path: Path) -> None:
    """As containers, as sidecars, and each within a container."""
    count = 0
    for folder in sorted(SEEDS.iterdir()):
        assert folder.name in TARGETS
        for number, seed in enumerate(sorted(folder.iterdir())):
            data = seed.read_bytes()
            (tmp_path / f"{folder.name}-{number}.sif").write_bytes(data)
            (tmp_path / f"{folder.name}-{number}.jsonl").write_bytes(data + b"\n")
            objects = [
                (name.encode(), DataType.JSON, data, 2)
                for name in (OBJECT_NAME, BUNDLE_NAME, LINEAGE_NAME)
            ]
            whole = sif(UUID(int=count + 1), [(b"x", DataType.PARTITION, b"P" * 4096, 1), *objects])
            (tmp_path / f"{folder.name}-{number}-in.sif").write_bytes(whole)
            count += 1
    assert count > 20
    found = index(opened.catalog, [str(tmp_path)])
    assert found.failed == ()
    assert found.new > count
    assert found.records > 0
    check(opened)


def test_any_damage_costs_one_file(opened: Opened, tmp_path: Path) -> None:
    pattern = make_sif(tmp_path / "pattern.sif")
    add(pattern, origin_record(OUT))
    add(pattern, run_record())
    data = pattern.read_bytes()
    random = Random(5)  # noqa: S311
    spots = [*range(128), *range(4096, 4096 + 4 * 585), *range(len(data) - 4000, len(data))]
    for number in range(300):
        damaged = bytearray(data)
        for _ in range(random.choice((1, 1, 3))):
            damaged[random.choice(spots)] = random.choice((0, 1, 0x7F, 0x80, 0xFF))
        cut = random.choice((len(data), len(data), random.randrange(len(data))))
        (tmp_path / f"{number}.sif").write_bytes(damaged[:cut])
    found = index(opened.catalog, [str(tmp_path)])
    # What has no magic word any more, or is shorter than a header, is no container at all.
    assert found.new + found.copied > 250
    assert found.unreadable > 20
    assert ("good" in values(opened)) and ("unreadable" in values(opened))
    check(opened)


def test_a_bundle_that_unpacks_to_too_much_is_told(opened: Opened, tmp_path: Path) -> None:
    one = dumps({"schema": "sifprov.record/1", "x": "0" * 900_000})
    bomb = pack([one] * 30)
    lineage = pack([one] * 16, LINEAGE)
    target = make_sif(tmp_path / "bomb.sif")
    for _ in range(3):
        add_object(target, bomb, name=BUNDLE_NAME.encode(), group=2)
        add_object(target, lineage, name=LINEAGE_NAME.encode(), group=2)
    good = make_sif(tmp_path / "good.sif", uuid=IN)
    add(good, origin_record())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = index(opened.catalog, [str(tmp_path)], jobs=1)
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert more < 200 * 1024, f"{more} KiB"
    assert (found.unreadable, found.records) == (1, 1)
    assert str(target) in dict(found.reasons)
    check(opened)


def test_a_record_beside_a_broken_one_counts(opened: Opened, tmp_path: Path) -> None:
    target = make_sif(tmp_path / "a.sif")
    add(target, run_record())
    broken = run_record().to_bytes().replace(b'"outcome":"exited"', b'"outcome":"flown"')
    add_object(target, broken, name=OBJECT_NAME.encode(), group=2)
    found = index(opened.catalog, [str(tmp_path)])
    assert (found.records, found.unreadable) == (1, 0)
    assert [why for _, why in found.reasons] == [
        "broken record: run.outcome: not one of exited, signaled, not-started, unknown"
    ]


def test_a_chain_of_words_without_a_state_takes_time_as_it_is_long(opened: Opened) -> None:
    """Each says something about the one before, and none is a run."""
    from sifprov.model.canonical import record_digest
    from sifprov.model.record import ANNOTATE, Replay

    previous = "sha256:" + "0" * 64
    records = []
    for number in range(3000):
        record = replace(
            run_record(), run=None, captured_by=ANNOTATE, containers=(), id=UUID(int=number + 1),
            previous=previous if number else None, annotation=Annotation(("x",)),
            annotates=Replay(previous, UUID(int=7)),
        )  # fmt: skip
        records.append(record)
        previous = record_digest(record.to_bytes())
    began = time.monotonic()
    assert put_records(opened.catalog, records) == 3000
    assert time.monotonic() - began < 20
    check(opened)


def test_records_of_one_id_that_tell_different_runs_stay_apart(opened: Opened) -> None:
    one = run_record()
    assert one.run
    other = replace(one, container=IN, run=replace(one.run, cwd="/elsewhere"))
    put_records(opened.catalog, [one])
    put_records(opened.catalog, [other])
    assert opened.count("execution") == 2
    # The same again, and from other files, makes no more of it.
    assert put_records(opened.catalog, [other, one]) == 0


def test_a_tree_that_is_deep_ends(opened: Opened, tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    start = here
    for _ in range(1200):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        if here != start:
            os.close(here)
        here = below
    os.close(here)
    make_sif(tmp_path / "a.sif")
    try:
        assert index(opened.catalog, [str(tmp_path)]).new == 1
    finally:
        os.system(f"rm -rf '{tmp_path}/d'")  # noqa: S605
        os.close(start)
