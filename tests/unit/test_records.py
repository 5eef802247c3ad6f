"""Records in a container: broken ones, foreign ones, the newest one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.sifs import add, add_object, make_sif, origin_record, run, run_record

from sifprov import room
from sifprov.errors import RecordError
from sifprov.model.canonical import dumps, loads, record_digest, text_from_json, text_to_json
from sifprov.model.record import Record
from sifprov.records import Stored, newest_digest, read_records
from sifprov.sif import open_image


def stored(path: Path) -> tuple[Stored, ...]:
    with open_image(str(path)) as (file, image):
        return read_records(file, image)


def newest(path: Path) -> str | None:
    with open_image(str(path)) as (file, image):
        return newest_digest(file, image)


@pytest.fixture
def sif(tmp_path: Path) -> Path:
    return make_sif(tmp_path / "x.sif", descriptors=12)


def test_a_container_without_a_record(sif: Path) -> None:
    assert stored(sif) == ()
    assert newest(sif) is None


def test_a_broken_record_hides_no_other(sif: Path) -> None:
    first = add(sif, origin_record())
    broken = b'{"schema":"sifprov.record/1"'
    add_object(sif, broken, name=b"metadata.json")
    last = add(sif, run_record())
    found = stored(sif)
    assert [s.digest for s in found] == [first, record_digest(broken), last]
    assert [s.record is None for s in found] == [False, True, False]
    assert found[1].error is not None and found[1].error.startswith("not JSON")
    # The chain runs through the broken one: nobody can replace it unseen.
    assert found[2].record is not None and found[2].record.previous == record_digest(broken)
    assert newest(sif) == last


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'{"data":{"attributes":{}}}', b"metadata.json"),
        (b"not JSON at all", b"metadata.json"),
        (run_record().to_bytes(), b"inspect-metadata.json"),
        (run_record().to_bytes(), b"METADATA.JSON"),
    ],
)
def test_foreign_objects_are_no_records(sif: Path, data: bytes, name: bytes) -> None:
    ours = add(sif, run_record())
    add_object(sif, data, name=name)
    assert [s.digest for s in stored(sif)] == [ours]
    assert newest(sif) == ours


def test_a_record_of_a_later_version_is_told(sif: Path) -> None:
    document = {**json.loads(run_record().to_bytes()), "schema": "sifprov.record/2"}
    add_object(sif, dumps(document), name=b"metadata.json")
    (found,) = stored(sif)
    assert found.error == "schema: not one of sifprov.record/1"


def test_one_that_is_too_large_is_told_and_left_out_of_the_chain(
    sif: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = add(sif, run_record())
    add_object(sif, b" " * 5000, name=b"metadata.json")
    monkeypatch.setattr(room, "MAX_RECORD", 4000)
    assert newest(sif) == first
    add(sif, run_record())
    found = stored(sif)
    assert [s.error is None for s in found] == [True, False, True]
    assert found[1].error is not None and "5000 bytes are more than 4000" in found[1].error
    assert found[2].record is not None and found[2].record.previous == first


def test_an_error_names_the_place() -> None:
    document = json.loads(run_record().to_bytes())
    document["containers"][1]["uuid"] = "x"
    with pytest.raises(RecordError, match=r"^containers\[1\]\.uuid: not a UUID$"):
        Record.from_json(document)


def test_neither_or_both_of_run_and_origin() -> None:
    for record in (
        replace(run_record(), run=None),
        replace(run_record(), origin=origin_record().origin),
    ):
        with pytest.raises(RecordError, match="exactly one"):
            Record.from_bytes(record.to_bytes())


# Canonical JSON: the examples of RFC 8785, but for its fractions.


def test_the_key_order_of_rfc_8785() -> None:
    """Section 3.2.3: keys are compared as UTF-16 code units."""
    document = {
        "\u20ac": "Euro Sign", "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
        "\U0001f600": "Emoji: Grinning Face", "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }  # fmt: skip
    assert list(json.loads(dumps(document)).values()) == [
        "Carriage Return", "One", "Control", "Latin Small Letter O With Diaeresis", "Euro Sign",
        "Emoji: Grinning Face", "Hebrew Letter Dalet With Dagesh",
    ]  # fmt: skip


def test_the_strings_of_rfc_8785() -> None:
    """Section 3.2.2."""
    document = loads(
        rb'{"string": "\u20ac$\u000F\u000aA'
        rb"'"
        rb'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false], "numbers": [0, -1]}'
    )
    assert dumps(document) == (
        b'{"literals":[null,true,false],"numbers":[0,-1],"string":"\xe2\x82\xac$\\u000f\\nA\'B'
        b'\\"\\\\\\\\\\"/"}'
    )
    controls = "".join(map(chr, range(32)))
    assert dumps(controls) == (
        b'"' + b"".join(b"\\u%04x" % i for i in range(8)) + b"\\b\\t\\n\\u000b\\f\\r"
        + b"".join(b"\\u%04x" % i for i in range(14, 32)) + b'"'
    )  # fmt: skip
    assert dumps("\x7f\u2028</") == '"\x7f\u2028</"'.encode()


@pytest.mark.parametrize("value", [1.0, float("nan"), 2**53 + 1, "\ud800", {"\ud800": 1}])
def test_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        dumps([value])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"a":1,"a":2}', b"NaN", b"-Infinity", b'"\\ud800"', b'{"\\udc00":1}', b'"\xff"',
     b"[" * 100_000, b"1" * 10_000, b"\xef\xbb\xbf{}", '"x"'.encode("utf-16"), b"{}{}"],
)  # fmt: skip
def test_what_is_not_read(data: bytes) -> None:
    with pytest.raises(RecordError, match="not JSON"):
        loads(data)


def test_too_deep_a_document() -> None:
    value: list[object] = []
    for _ in range(100):
        value = [value]
    with pytest.raises(ValueError, match="deep"):
        dumps(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "a", "\u20ac", "\udcff", "a\udc80\n"])
def test_texts_come_back(text: str) -> None:
    assert text_from_json(loads(dumps(text_to_json(text))), "x") == text


@pytest.mark.parametrize("value", [None, 1, {"base64": "?"}, {"base64": 1}, {"b": ""}, "\ud800"])
def test_what_is_no_text(value: object) -> None:
    with pytest.raises(RecordError, match=r"^x: "):
        text_from_json(value, "x")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("command", "typed"),
    [
        (("/.singularity.d/actions/exec", "sh", "-c", "x"), ("sh", "-c", "x")),
        (("/.singularity.d/actions/run", "a"), ("run", "a")),
        (("/.singularity.d/actions/shell",), ("shell",)),
        (("true",), ("true",)),
        ((), ("singularity", "exec", "app.sif", "true")),
    ],
)
def test_a_command_is_shown_without_the_runtimes_own_script(
    command: tuple[str, ...], typed: tuple[str, ...]
) -> None:
    assert replace(run(), command=command).typed == typed
