"""What the application printed: bounded, stored beside the record, read back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.schemas import problems
from tests.unit.sifs import OUT, add, make_sif, run, run_record

from sifprov.applog import read_log
from sifprov.capture.log import store
from sifprov.cli import main
from sifprov.errors import NoRecordError, RecordError
from sifprov.groups import is_log
from sifprov.model.fact import Fact
from sifprov.model.log import Collector, Log
from sifprov.placement import Place
from sifprov.records import read_records
from sifprov.sif import open_image

STREAMS = ("stderr", "stdout")
WRITES = st.lists(st.tuples(st.sampled_from(STREAMS), st.binary(max_size=40)), max_size=40)


def collected(writes: list[tuple[str, bytes]], limit: int) -> Log:
    collector = Collector(limit, STREAMS)
    for stream, data in writes:
        collector.add(stream, data)
    return collector.log()


@given(WRITES, st.integers(0, 3000))
def test_what_is_kept_is_the_first_and_the_last(
    writes: list[tuple[str, bytes]], limit: int
) -> None:
    log = collected(writes, limit)
    everything = b"".join(data for _, data in writes)
    head, tail = (b"".join(data for _, data in part) for part in (log.head, log.tail))
    assert everything.startswith(head)
    assert everything.endswith(tail)
    assert len(head) + log.cut + len(tail) == len(everything)
    assert len(head) + len(tail) <= max(limit, 2)
    for stream in STREAMS:
        assert dict(log.sizes)[stream] == sum(len(d) for s, d in writes if s == stream)
    assert Log.from_bytes(log.to_bytes()) == log
    assert problems("sifprov.log/1", json.loads(log.to_bytes())) == []


@given(WRITES)
def test_little_is_kept_whole_and_in_order(writes: list[tuple[str, bytes]]) -> None:
    log = collected(writes, 1 << 20)
    assert (log.cut, log.tail) == (0, ())
    for stream in STREAMS:
        kept = b"".join(data for s, data in log.head if s == stream)
        assert kept == b"".join(data for s, data in writes if s == stream)


def test_no_character_is_cut_in_two() -> None:
    for limit in range(400, 412):
        log = collected([("stdout", "€".encode() * 1000)], limit)
        assert log.cut
        for _, data in (*log.head, *log.tail):
            data.decode()


def test_streams_that_take_turns_stay_bounded() -> None:
    collector = Collector(10_000, STREAMS)
    for number in range(50_000):
        collector.add(STREAMS[number % 2], b"x")
    log = collector.log()
    assert len(log.to_bytes()) < 10_000
    assert log.cut > 40_000


BROKEN = [
    b"{}", b'{"schema":"sifprov.log/1"}',
    b'{"bytes":{},"cut":-1,"head":[],"schema":"sifprov.log/1","tail":[]}',
    b'{"bytes":{"x":1},"cut":0,"head":[],"schema":"sifprov.log/1","tail":[]}',
    b'{"bytes":{},"cut":0,"head":[["x","y"]],"schema":"sifprov.log/1","tail":[]}',
    b'{"bytes":{},"cut":0,"head":["stdout"],"schema":"sifprov.log/1","tail":[]}',
]  # fmt: skip


@pytest.mark.parametrize("data", BROKEN)
def test_a_broken_log_is_refused(data: bytes) -> None:
    with pytest.raises(RecordError):
        Log.from_bytes(data)
    assert problems("sifprov.log/1", json.loads(data))


LOG = Log((("stdout", b"out\x1b[31m\n"), ("stderr", b"err\xff\n")), 5, (("stdout", b"end\n"),), ())
LOG = replace(LOG, sizes=(("stderr", 5), ("stdout", 18)))


def keep(path: Path, log: Log = LOG) -> str:
    """Stores a log and the record that names it; returns the record's digest."""
    fact = store(Place("container", str(path)), OUT, log.to_bytes())
    assert fact.value is not None
    return add(path, replace(run_record(), run=replace(run(), facts=(fact,))))


def test_a_log_stands_beside_its_record_and_is_no_record(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif")
    keep(path)
    with open_image(str(path)) as (file, image):
        (item,) = filter(is_log, image.descriptors)
        (stored,) = read_records(file, image)
        assert item.group == stored.group
    about, log = read_log(str(path))
    assert (about.id, log) == (run_record().id, LOG)


def test_records_and_logs_share_a_group_and_fill_a_small_table(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif", descriptors=6)
    for number in range(3):
        log = replace(LOG, cut=number)
        fact = store(Place("container", str(path)), OUT, log.to_bytes())
        started = f"2026-05-28T20:00:0{number}Z"
        add(path, replace(run_record(), run=replace(run(), started=started, facts=(fact,))))
    with open_image(str(path)) as (file, image):
        assert len(read_records(file, image)) == 3
        assert len({d.group for d in image.descriptors if d.partition is None}) == 1
    assert read_log(str(path))[1].cut == 2


def test_a_log_that_cannot_be_stored_is_told(tmp_path: Path) -> None:
    other = make_sif(tmp_path / "other.sif", uuid=run_record().id)
    assert "another container" in (
        store(Place("container", str(other)), OUT, LOG.to_bytes()).reason or ""
    )
    assert store(Place("container", str(tmp_path / "no.sif")), OUT, LOG.to_bytes()).value is None
    assert store(Place("sidecar", str(tmp_path / "x.jsonl")), OUT, LOG.to_bytes()).value is None
    assert store(Place("container", str(other)), run_record().id, b"{}").value is None


def test_only_the_log_with_the_recorded_digest_counts(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif")
    keep(path)
    with open_image(str(path)) as (_, image):
        (item,) = filter(is_log, image.descriptors)
    with path.open("r+b") as file:
        file.seek(item.offset + 5)
        file.write(b"X")
    with pytest.raises(RecordError, match="is not in"):
        read_log(str(path))


def test_the_verb_prints_it(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif")
    add(path, run_record())
    with pytest.raises(NoRecordError, match="kept what"):
        read_log(str(path))
    none = Fact("log", None, reason="the plugin cannot")
    add(path, replace(run_record(), run=replace(run(), facts=(none,))))
    with pytest.raises(NoRecordError, match="the plugin cannot"):
        read_log(str(path))
    keep(path)
    done = CliRunner().invoke(main, ["log", str(path)])
    assert done.stdout_bytes == b"out\x1b[31m\nerr\xff\nend\n"
    assert done.stderr == "sifprov: 5 B were not kept here\n"
    done = CliRunner().invoke(main, ["log", str(path), "--stream", "stderr"])
    assert done.stdout_bytes == b"err\xff\n"
    text = CliRunner().invoke(main, ["trail", str(path)]).stdout
    assert "printed 23 B, of which 5 B were not kept" in text
