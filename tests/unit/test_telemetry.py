"""What a run used over time: bounded, stored compactly beside the record, read back, shown."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.schemas import problems
from tests.unit.sifs import OUT, add, make_sif, run, run_record

from sifprov.capture.beside import append_beside
from sifprov.capture.telemetry import store
from sifprov.cli import main
from sifprov.errors import FileError, NoRecordError, RecordError
from sifprov.groups import TELEMETRY_NAME, is_telemetry
from sifprov.lineage import build
from sifprov.measured import measured_in, read_measured
from sifprov.model.canonical import Json, dumps, record_digest
from sifprov.model.fact import Fact
from sifprov.model.record import Record
from sifprov.model.telemetry import COLUMNS, COUNTER, MAX_SAMPLES, Telemetry, thinned
from sifprov.placement import Place
from sifprov.records import read_records
from sifprov.render.html import render
from sifprov.render.telemetry import charts, for_page
from sifprov.sif import open_image
from sifprov.telemetry.series import MOST, Series
from sifprov.trail import read_trail
from sifprov.verify import verify

NUMBERS = st.integers(0, 2**40)


@st.composite
def telemetries(draw: st.DrawFn, most: int = 30) -> Telemetry:
    count = draw(st.integers(1, most))
    names = draw(st.sets(st.sampled_from([*COLUMNS]))) | {"time_us"}
    columns = []
    for name in (n for n in COLUMNS if n in names):
        values = draw(st.lists(NUMBERS, min_size=count, max_size=count))
        columns.append((name, tuple(sorted(values) if COLUMNS[name][0] == COUNTER else values)))
    network = draw(st.sampled_from(["own", "host", None]))
    return Telemetry(draw(st.integers(1, 10**10)), draw(st.text()), network, tuple(columns))


@settings(deadline=None)  # the schemas are read once
@given(telemetries())
def test_what_is_stored_comes_back_and_is_valid(found: Telemetry) -> None:
    data = found.to_bytes()
    assert Telemetry.from_bytes(data) == found
    assert problems("sifprov.telemetry/1", json.loads(data)) == []


@given(telemetries(), st.integers(1, 40))
def test_thinning_keeps_totals_and_peaks(found: Telemetry, most: int) -> None:
    few = thinned(found, most)
    assert few.samples <= most
    for (name, before), (_, after) in zip(found.columns, few.columns, strict=True):
        if COLUMNS[name][0] == COUNTER:
            assert after[-1] == before[-1]
        else:
            assert max(after) == max(before)


SAMPLES = Telemetry(
    1_000_000, "/proc", "host",
    (
        ("time_us", (50_000, 1_000_000, 2_000_000, 3_000_000)),
        ("user_us", (10_000, 900_000, 2_400_000, 2_400_000)),
        ("system_us", (0, 50_000, 50_000, 150_000)),
        ("memory_bytes", (4096, 40_960, 8192, 8192)),
        ("processes", (1, 3, 1, 1)),
        ("storage_read_bytes", (0, 0, 0, 0)),
        ("storage_write_bytes", (0, 2_097_152, 2_097_152, 3_145_728)),
    ),
)  # fmt: skip


def test_rates_are_of_the_time_between_two_samples() -> None:
    rate = SAMPLES.rate("user_us", "system_us")
    assert rate == pytest.approx([200_000, 940_000 / 0.95, 1_500_000, 100_000])
    assert SAMPLES.rate("read_bytes") is None
    assert SAMPLES.peaks() == {
        "peak_cpu_percent": 150, "peak_memory_bytes": 40_960, "peak_processes": 3,
    }  # fmt: skip


def test_a_peak_is_not_taken_from_an_interval_of_a_few_ticks() -> None:
    columns = (("time_us", (1000, 2000, 1_000_000)), ("user_us", (0, 10_000, 500_000)),
               ("system_us", (0, 0, 0)))  # fmt: skip
    assert Telemetry(1_000_000, "", None, columns).peaks() == {"peak_cpu_percent": 50}


def broken(**changes: Json) -> bytes:
    return dumps({**json.loads(SAMPLES.to_bytes()), **changes})


def packed(value: Any) -> str:
    return base64.b64encode(zlib.compress(json.dumps(value).encode())).decode()


HEADS: list[Any] = json.loads(SAMPLES.to_bytes())["columns"]
LISTS: list[list[int]] = json.loads(zlib.decompress(base64.b64decode(
    json.loads(SAMPLES.to_bytes())["data"])))  # fmt: skip


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"{}", "schema: missing"),
        (broken(samples=MAX_SAMPLES + 1), "samples: not an integer"),
        (broken(samples=3), "not lists of 3 integers"),
        (broken(network="mine"), "network: not one of"),
        (broken(interval_us=0), "interval_us"),
        (broken(more=1), "more: unknown field"),
        (broken(columns=HEADS[1:]), "columns: not time_us"),
        (broken(columns=[HEADS[0], *HEADS]), "columns: not time_us"),
        (broken(columns=[{**HEADS[0], "step": 0}, *HEADS[1:]]), "step: not an integer"),
        (broken(columns=[{**HEADS[0], "unit": "byte"}, *HEADS[1:]]), "unit: not one of us"),
        (broken(columns=[{**HEADS[0], "name": "gpu"}, *HEADS[1:]]), "name: not one of"),
        (broken(data="?"), "not base64"),
        (broken(data=packed(LISTS[1:])), "data: not 7 lists"),
        (broken(data=packed([[1.5] * 4, *LISTS[1:]])), "not lists of integers"),
        (broken(data=packed([[True] * 4, *LISTS[1:]])), "not lists of integers"),
        (broken(data=packed([[1, -1, 0, 0], *LISTS[1:]])), "a counter that goes back"),
        (broken(data=packed([[2**60, 0, 0, 0], *LISTS[1:]])), "not within"),
        (broken(data=packed([*LISTS[:3], [-1, 0, 0, 0], *LISTS[4:]])), "memory_bytes: not within"),
        # What would unpack to a thousand times its size is not unpacked.
        (broken(data=packed([[0] * 10_000_000])), "does not hold 4 samples"),
        (b" " * (3 << 20), "more than"),
        (broken(data=packed("[" * 500)), "data"),
    ],
)  # fmt: skip
def test_what_is_broken_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(RecordError, match=what):
        Telemetry.from_bytes(data)


def test_a_list_that_is_nested_without_end_is_refused() -> None:
    deep = base64.b64encode(zlib.compress(b"[" * 400)).decode()
    with pytest.raises(RecordError):
        Telemetry.from_bytes(broken(data=deep))


# -- samples of a long run


def test_a_long_run_keeps_a_thousand_samples_and_all_that_was_used() -> None:
    series = Series(1_000_000)
    peak = second = 0
    while second < 1_000_000:  # eleven days
        memory = (second * 7919) % 1_000_003
        peak = max(peak, memory)
        series.add(second * 1_000_000, {"user_us": second * 500, "memory_bytes": memory})
        assert len(series) < MOST
        last = second
        second += series.interval_us // 1_000_000
    columns = dict(series.columns())
    assert len(series) >= MOST // 2 - 1
    assert columns["time_us"][-1] == last * 1_000_000
    assert columns["user_us"][-1] == last * 500
    assert max(columns["memory_bytes"]) == peak
    assert series.interval_us == 1024 * 1_000_000


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.integers(2, 9))
def test_merging_never_loses_the_last_or_the_most(values: list[int], most: int) -> None:
    series = Series(1, most)
    for n, value in enumerate(values):
        series.add(n, {"user_us": sum(values[: n + 1]), "memory_bytes": value})
    columns = dict(series.columns())
    assert columns["user_us"][-1] == sum(values)
    assert max(columns["memory_bytes"]) == max(values)
    assert columns["time_us"][-1] == len(values) - 1


def test_a_column_that_comes_late_or_goes_has_a_value_everywhere() -> None:
    series = Series(1_000_000)
    series.add(1, {"user_us": 5})
    series.add(2, {"user_us": 6, "read_bytes": 7})
    series.add(1, {"memory_bytes": 9})  # the clock was set back
    series.settle({"user_us": 100, "read_bytes": 1, "other": 4})
    assert dict(series.columns()) == {
        "time_us": (1, 2, 2), "user_us": (5, 6, 100), "memory_bytes": (0, 0, 9),
        "read_bytes": (0, 7, 7),
    }  # fmt: skip


# -- beside the record


class Sampled:
    """A sampler that was stopped."""

    cost_us = 1234

    def __init__(self, found: Telemetry | None = SAMPLES) -> None:
        self._found = found

    def result(self) -> tuple[Telemetry | None, str]:
        return self._found, "the container's process was not seen"


def fact_of(place: Place, uuid: Any = OUT, sampled: Sampled | None = None) -> Fact:
    return store(place, uuid, sampled or Sampled())  # type: ignore[arg-type]


def keep(path: Path, found: Telemetry = SAMPLES) -> Record:
    """Stores telemetry and a record that names it."""
    fact = fact_of(Place("container", str(path)), sampled=Sampled(found))
    assert fact.value is not None
    record = replace(run_record(), run=replace(run(), facts=(fact,)))
    add(path, record)
    return record


def test_it_stands_beside_its_record_and_is_named_by_it(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif")
    record = keep(path)
    with open_image(str(path)) as (file, image):
        (item,) = filter(is_telemetry, image.descriptors)
        (stored,) = read_records(file, image)
        assert item.group == stored.group
    about, found = read_measured(str(path))
    assert (about.id, found) == (record.id, SAMPLES)
    assert record.run and record.run.facts[0].value == {
        "columns": [name for name, _ in SAMPLES.columns], "cost_us": 1234,
        "digest": record_digest(SAMPLES.to_bytes()), "interval_us": 1_000_000, "network": "host",
        "object": TELEMETRY_NAME, "peak_cpu_percent": 150, "peak_memory_bytes": 40_960,
        "peak_processes": 3, "samples": 4,
    }  # fmt: skip


def test_what_cannot_be_stored_or_was_not_measured_says_why(tmp_path: Path) -> None:
    other = make_sif(tmp_path / "other.sif", uuid=run_record().id)
    place = Place("container", str(other))
    assert "another container" in (fact_of(place).reason or "")
    assert fact_of(Place("sidecar", str(tmp_path / "x.jsonl"))).reason == (
        "a sidecar holds records alone"
    )
    assert "no.sif" in (fact_of(Place("container", str(tmp_path / "no.sif"))).reason or "")
    assert "was not seen" in (fact_of(place, run_record().id, Sampled(None)).reason or "")
    assert store(place, OUT, None).reason == "nobody measured this run"


def test_a_table_keeps_a_place_for_the_record(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif", descriptors=6)
    for number in range(12):
        found = replace(SAMPLES, interval_us=number + 1)
        fact = fact_of(Place("container", str(path)), sampled=Sampled(found))
        started = f"2026-05-28T20:00:{number:02}Z"
        add(path, replace(run_record(), run=replace(run(), started=started, facts=(fact,))))
    with open_image(str(path)) as (file, image):
        records = [s.record for s in read_records(file, image)]
    assert len(records) == 12
    assert records[-1] and records[-1].run
    assert "no room" in (records[-1].run.facts[0].reason or "")


def test_verify_finds_what_is_gone_changed_or_named_by_nobody(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif")
    keep(path)

    def said() -> str:
        return str(next(c for c in verify(str(path)).to_json()["checks"] if c["name"] == "records"))

    assert "telemetry" not in said()
    append_beside(Place("container", str(path)), OUT, TELEMETRY_NAME,
                  replace(SAMPLES, source="x").to_bytes())  # fmt: skip
    assert "is a telemetry that no record names" in said()
    with open_image(str(path)) as (_, image):
        first, _ = sorted(filter(is_telemetry, image.descriptors), key=lambda d: d.offset)
    data = path.read_bytes()
    place = data.index(b'"samples":4', first.offset)
    path.write_bytes(data[:place] + b'"samples":5' + data[place + 11 :])
    assert "not lists of 5 integers" in said()
    assert "the telemetry sha256:" in said()
    with pytest.raises(FileError, match="is not there"):
        read_measured(str(path))


# -- what people see


def cli(*argv: str) -> Result:
    return CliRunner().invoke(main, argv)


def test_the_verb_prints_a_table_csv_and_json(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif")
    add(path, run_record())
    with pytest.raises(NoRecordError, match="no run that was measured"):
        read_measured(str(path))
    record = keep(path)
    shown = cli("log", str(path), "--telemetry").stdout.splitlines()
    assert shown[0] == f"4 samples of record {str(record.id)[:8]}, by /proc"
    assert "whole machine" in shown[1]
    assert shown[2].split() == [
        "time", "processor", "all", "processor", "of", "it", "system", "memory", "processes",
        "disk", "read", "disk", "written",
    ]  # fmt: skip
    assert shown[5].split() == ["2.00", "s", "1.50", "0.00", "8.0", "KiB", "1", "0", "B/s", "0",
                                "B/s"]  # fmt: skip
    rows = cli("log", str(path), "--telemetry", "--csv").stdout.splitlines()
    assert rows[0] == ",".join(name for name, _ in SAMPLES.columns)
    assert rows[4] == "3000000,2400000,150000,8192,1,0,3145728"
    document = json.loads(cli("log", str(path), "--telemetry", "--json").stdout)
    assert problems("sifprov.measured/1", document) == []
    assert document["columns"] == {name: list(values) for name, values in SAMPLES.columns}
    assert "measured 4 times, at most 1.50 cores, 40.0 KiB of memory, 3 processes" in (
        cli("trail", str(path)).stdout
    )


@pytest.mark.parametrize(
    "words",
    [("--telemetry", "--stream", "stdout"), ("--csv",), ("--json",),
     ("--telemetry", "--csv", "--json")],
)  # fmt: skip
def test_options_that_do_not_go_together(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = make_sif(tmp_path / "out.sif")
    keep(path)
    assert "go" in cli("log", str(path), *words).stderr


def test_the_page_gets_what_it_draws_and_nothing_where_there_is_nothing(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif")
    keep(path)
    trail = read_trail(str(path))
    found = measured_in(trail)
    assert list(found.values()) == [SAMPLES]
    assert '"used":{"samples":4,"times":[0.05,1.0,2.0,3.0]' in render(build(trail), None, found)
    assert '"used":' not in render(build(trail))
    titles = [(c.title, c.unit, [line.name for line in c.lines]) for c in charts(SAMPLES)]
    assert titles == [
        ("Processor", "cores", ["all", "of it system"]), ("Memory", "B", ["memory"]),
        ("Processes", "", ["processes"]), ("Disk", "B/s", ["read", "written"]),
    ]  # fmt: skip
    only_time = replace(SAMPLES, columns=SAMPLES.columns[:1])
    assert for_page(only_time) == {
        "samples": 4, "times": [0.05, 1.0, 2.0, 3.0], "charts": [],
    }  # fmt: skip
    page: Any = for_page(SAMPLES, 2)
    assert page["times"] == [1.0, 3.0]
    assert page["charts"][1] == ["Memory", "B", [["memory", [40960.0, 8192.0]]]]


def test_a_broken_object_costs_the_page_nothing(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif")
    data = b'{"schema":"sifprov.telemetry/1"}'
    assert append_beside(Place("container", str(path)), OUT, TELEMETRY_NAME, data) is None
    value: Json = {"digest": record_digest(data), "samples": 4}
    fact = Fact("telemetry", value, source="/proc")
    add(path, replace(run_record(), run=replace(run(), facts=(fact,))))
    assert measured_in(read_trail(str(path))) == {}
    assert cli("trail", str(path), "--format", "html").exit_code == 0
    done = cli("log", str(path), "--telemetry")
    assert f"out.sif: the telemetry {record_digest(data)}: samples: missing" in str(done.exception)
