"""Answers as tables, CSV and JSON; whatever a text holds, nothing acts on it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator

import pytest
from tests.unit.schemas import problems

from sifprov.commands.answers import SCHEMA
from sifprov.model.answer import (
    COMMAND,
    ID,
    NUMBER,
    SIZE,
    SPAN,
    TEXT,
    TEXTS,
    TIME,
    Answer,
    Column,
    Value,
    iso,
)
from sifprov.render.rows import csv_text, table

COLUMNS = (
    Column("name"), Column("id", ID), Column("n", NUMBER), Column("began", TIME),
    Column("took_s", SPAN, "took"), Column("memory", SIZE), Column("inputs", TEXTS),
    Column("command", COMMAND),
)  # fmt: skip
ROW = (
    "out.sif", "00000000-0000-4000-8000-000000000001", 0.25, 1_780_000_000_000_007, 5_400_000_000,
    2048, ("a.sif", "b.sif"), ("sh", "-c", "echo hi"),
)  # fmt: skip
HOSTILE = [
    "\x1b[2J\x07", "=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(A1)", "\tx",
    "<script>alert(1)</script>",
    "a\nb", '"quoted"', "a,b;c", "\u202egpj.sif", "caf\udce9", "100%_",
    "'; DROP TABLE execution; --",
]  # fmt: skip


def of(*values: Value, kind: str = TEXT) -> Answer:
    return Answer("x", (Column("v", kind),), tuple((value,) for value in values))


def test_a_row_in_each_form(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Answer("runs", COLUMNS, (ROW, (None,) * 8))
    lines = list(table(answer))
    assert lines[0].split() == [
        "name", "id", "n", "began", "took", "memory", "inputs", "command",
    ]  # fmt: skip
    assert "out.sif  00000000  0.25  2026-05-28 " in lines[1]
    assert "1 h 30 min  2.0 KiB  a.sif, b.sif  sh -c 'echo hi'" in lines[1]
    assert set(lines[2].split()) == {"-"}
    (head, first, second) = csv.reader(io.StringIO(csv_text(answer)))
    assert head == list(answer.names)
    assert first == [
        "out.sif", "00000000-0000-4000-8000-000000000001", "0.25", "2026-05-28T20:26:40.000007Z",
        "5400.0", "2048", "a.sif; b.sif", "sh -c 'echo hi'",
    ]  # fmt: skip
    assert second == [""] * 8
    assert answer.dicts()[0] == {
        "name": "out.sif", "id": ROW[1], "n": 0.25, "began": "2026-05-28T20:26:40.000007Z",
        "took_s": 5400.0, "memory": 2048, "inputs": ("a.sif", "b.sif"),
        "command": ("sh", "-c", "echo hi"),
    }  # fmt: skip
    assert problems(SCHEMA, json.loads(json.dumps(answer.to_json(SCHEMA)))) == []


def unsafe(text: str) -> Iterator[str]:
    yield from (c for c in text if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or c in "\u202e")


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("kind", [TEXT, ID, TEXTS, COMMAND])
def test_a_hostile_text_acts_on_nothing(text: str, kind: str) -> None:
    value: Value = (text, text) if kind in (TEXTS, COMMAND) else text
    answer = Answer(text, (Column("v", kind, text),), ((value,),), more=True)
    for line in table(answer, 40):
        assert not list(unsafe(line))
    written = csv_text(answer)
    assert not list(unsafe(written.replace("\r\n", "")))
    (_, (cell,)) = csv.reader(io.StringIO(written))
    # What a spreadsheet would reckon with.
    assert not cell.startswith(("=", "+", "-", "@", "\t", "\r"))
    document = json.loads(json.dumps(answer.to_json(SCHEMA)))
    assert problems(SCHEMA, document) == []
    json.dumps(answer.to_json(SCHEMA)).encode("ascii")
    if "\udce9" not in text:
        kept = document["rows"][0]["v"]
        assert kept == (list(value) if isinstance(value, tuple) else value)


def test_numbers_are_no_formulas_and_infinity_is_no_json() -> None:
    answer = of(-3, -0.5, float("inf"), float("nan"), kind=NUMBER)
    cells = [row[0] for row in csv.reader(io.StringIO(csv_text(answer)))]
    assert cells[1:3] == ["-3", "-0.5"]
    document = json.dumps(answer.to_json(SCHEMA), allow_nan=False)
    assert [row["v"] for row in json.loads(document)["rows"]] == [-3, -0.5, None, None]


def test_a_table_fits_its_width_and_takes_from_the_widest() -> None:
    answer = Answer("x", (Column("a"), Column("b")), (("x" * 200, "short text"), ("y", "z")))
    lines = list(table(answer, 40))
    assert all(len(line) <= 40 for line in lines)
    assert lines[1].endswith("short text") and "…  short" in lines[1]
    assert lines[2].split() == ["y", "z"]
    narrow = list(table(answer, 5))
    assert len(narrow[1]) == 18


def test_wide_characters_count_double() -> None:
    first, second = list(table(Answer("x", (Column("a"), Column("b")), (("漢字", "x"),))))
    assert first == "a     b"
    assert second == "漢字  x"


def test_a_time_that_no_calendar_has() -> None:
    assert iso(2**62) is None
    assert list(table(of(2**62, kind=TIME)))[1] == str(2**62)
    assert list(table(of(-5, kind=SPAN)))[1].strip() == "-5"


def test_columns_can_be_chosen_and_rows_limited() -> None:
    answer = Answer("x", COLUMNS, (ROW, ROW))
    some = answer.only(("n", "name"))
    assert some.rows == ((0.25, "out.sif"), (0.25, "out.sif"))
    assert answer.limited(1).rows == (ROW,) and answer.limited(1).more
    assert answer.limited(2) is answer and answer.limited(None) is answer
    assert answer.column("n") == [0.25, 0.25]
