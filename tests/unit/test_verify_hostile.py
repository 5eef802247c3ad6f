"""Hostile containers: verify ends soon, takes little memory, and prints what cannot do harm."""

from __future__ import annotations

import json
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from tests.unit.sifs import OUT, add, add_object, container, make_sif, run_record
from tests.unit.verified import make_site

from sifprov.bundle import pack, unpack
from sifprov.errors import RecordError
from sifprov.frozen import replace
from sifprov.groups import BUNDLE_NAME, LINEAGE_NAME, OBJECT_NAME
from sifprov.model.canonical import record_digest
from sifprov.model.container import INPUT
from sifprov.model.record import Record
from sifprov.records import parse_stored
from sifprov.render.verify import render
from sifprov.sif import DataType, open_image
from sifprov.sif.format import GROUP_MASK
from sifprov.verify import BROKEN, INCOMPLETE, Check, Report, Verdict, content, verify
from sifprov.verify.chain import check_chain
from sifprov.verify.check import MAX_FINDINGS, Findings
from sifprov.verify.reading import Piece

ESCAPE = "a\x1b[2Jb\n\u202ec"


def text(report: Report) -> str:
    return "\n".join(render(report, verbose=True))


def check(report: Report, name: str) -> Check:
    return next(c for c in report.checks if c.name == name)


def harmless(report: Report) -> bool:
    return not any(c in text(report) for c in ("\x1b", "\u202e")) and bool(
        json.dumps(report.to_json())
    )


def test_names_that_act_on_a_terminal(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out\x1b.sif")
    record = run_record()
    its = tuple(replace(c, name=ESCAPE, path="/no/" + ESCAPE) for c in record.containers)
    add(path, replace(record, containers=its))
    report = verify(str(path))
    assert harmless(report)
    assert "a\\x1b[2Jb\\x0a\\u202ec" in text(report)


def test_a_bundle_of_many_broken_records(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    words = [b'{"schema":"sifprov.record/1","n":%d}' % n for n in range(60_000)]
    add_object(path, pack(words), name=BUNDLE_NAME.encode(), group=2)
    began = time.monotonic()
    report = verify(str(path))
    assert time.monotonic() - began < 20
    assert report.verdict == BROKEN
    found = check(report, "records")
    assert len(found.findings) == MAX_FINDINGS
    assert "and 59999 more" in found.text


def test_forks_and_starts_without_end() -> None:
    """Thousands of records that all go on behind the first, or begin a chain."""
    first = run_record().to_bytes()
    for previous in (record_digest(first), None):
        pieces = [Piece(parse_stored(1, 1, first), True)]
        for _ in range(3_000):
            record = replace(run_record(), id=uuid4(), previous=previous)
            stored = parse_stored(1, 1, b"x")
            data = record.to_bytes()
            pieces.append(Piece(replace(stored, digest=record_digest(data), record=record), True))
        found = Findings("chain")
        began = time.monotonic()
        check_chain(pieces, OUT, found)
        assert time.monotonic() - began < 5
        what = "3000 records go on behind" if previous else "3001 records are the first"
        assert found.texts(Verdict.BROKEN)[0].startswith(what)


def test_a_long_chain_is_quick(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    records: list[bytes] = []
    previous = None
    for _ in range(5_000):
        record = replace(run_record(), id=uuid4(), previous=previous, containers=())
        records.append(record.to_bytes())
        previous = record_digest(records[-1])
    add_object(path, pack(records), name=BUNDLE_NAME.encode(), group=2)
    began = time.monotonic()
    report = verify(str(path))
    assert time.monotonic() - began < 20
    assert check(report, "chain").text == "each of 5000 goes on behind the one before it"


def test_containers_without_end(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    record = run_record()
    many = tuple(container(INPUT, uuid4(), f"{n}.sif") for n in range(3_000))
    record = replace(record, containers=(*many, *record.containers))
    add(path, record)
    began = time.monotonic()
    report = verify(str(path), full=True)
    assert time.monotonic() - began < 20
    assert check(report, "ancestors").verdict is Verdict.MISSING
    assert len(check(report, "ancestors").findings) == MAX_FINDINGS


def test_bytes_that_are_not_canonical(tmp_path: Path) -> None:
    """They say the same, and have a digest beside them that fits."""
    record = run_record().to_bytes()
    bundle = pack([record])
    loose = next(
        changed
        for more in (b"", b" ", b"  ")
        for data in [pack([replace(run_record(), version="0.1" + more.decode()).to_bytes()])]
        if (changed := with_loose_end(data)) != data
    )
    several = (
        (OBJECT_NAME, record.replace(b'{"captured_by"', b'{ "captured_by"')),
        (OBJECT_NAME, record.replace(b"app.sif", rb"\u0061pp.sif", 1)),
        (BUNDLE_NAME, b" " + bundle),
        (BUNDLE_NAME, loose),
    )
    for number, (name, data) in enumerate(several):
        path = make_sif(tmp_path / f"{number}.sif")
        add_object(path, data, name=name.encode(), group=2)
        found = check(verify(str(path)), "records")
        assert found.verdict is Verdict.BROKEN, number
        assert "not in the canonical form" in found.text


def with_loose_end(bundle: bytes) -> bytes:
    """Sets a bit of a bundle's base64 that stands for nothing, where there is one."""
    end = bundle.index(b"=", bundle.index(b'"data":"')) if b'="' in bundle else 0
    if not end:
        return bundle
    letter = bytes([bundle[end - 1] + 1])
    changed = bundle[: end - 1] + letter + bundle[end:]
    try:
        return changed if unpack(changed) == unpack(bundle) else bundle
    except RecordError:
        return bundle


def test_objects_that_are_no_json(tmp_path: Path) -> None:
    for number, (name, data, where) in enumerate((
        (OBJECT_NAME, b"sifprov.record \xff", "records"),
        (OBJECT_NAME, b'"sifprov.record" ' + b"[" * 100_000, "records"),
        (BUNDLE_NAME, b'{"schema":"sifprov.bundle/1","sizes":[999999999]}', "records"),
        (LINEAGE_NAME, b'{"data":"AAAA","digest":"x","schema":"sifprov.lineage/1","sizes":[1]}',
         "lineage"),
        (LINEAGE_NAME, b'{"schema":"sifprov.lineage/1"', "lineage"),
        ("metadata.log.json", b"\0", "records"),
    )):  # fmt: skip
        path = make_sif(tmp_path / f"{number}.sif")
        add_object(path, data, name=name.encode(), group=2)
        report = verify(str(path))
        assert check(report, where).verdict is Verdict.BROKEN, (name, data[:40])
        assert harmless(report)


def test_a_document_that_no_record_names(tmp_path: Path) -> None:
    """A crash may leave one; where a named one is missing, it is that one, changed."""
    for carried, wanted in ((None, Verdict.GOOD), ("sha256:" + "0" * 64, Verdict.BROKEN)):
        path = make_sif(tmp_path / f"{wanted.value}.sif")
        record = run_record()
        its = tuple(replace(c, record=carried) for c in record.containers)
        add(path, replace(record, containers=its))
        stray = replace(run_record(UUID(int=9)), id=uuid4()).to_bytes()
        data = pack([stray], "sifprov.lineage/1")
        add_object(path, data, name=LINEAGE_NAME.encode(), group=2)
        found = check(verify(str(path)), "lineage")
        assert found.verdict is wanted
        assert f"{record_digest(stray)} is embedded and named by no record" in str(found.findings)


def test_a_signature_of_a_group_that_is_gone(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    add_object(path, b"x", datatype=DataType.SIGNATURE, link=GROUP_MASK | 77)
    add_object(path, b"x", datatype=DataType.SIGNATURE, link=99)
    found = check(verify(str(path)), "objects")
    assert "signs group 77, of which nothing is there" in str(found.findings)
    assert "belongs to object 99, which is not there" in str(found.findings)


def test_an_object_of_ours_under_another_name(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    add(path, run_record())
    with open_image(str(path), write=True) as (file, image):
        place = image.header.place(image.descriptors[1].slot)
        file.seek(place + 73)
        file.write(b"netadata.json")
    assert "has not the name" in check(verify(str(path)), "objects").text


@pytest.mark.parametrize("field", [0, 4, 13, 33])  # type, used, link, padded size
def test_other_numbers_in_a_descriptor(tmp_path: Path, field: int) -> None:
    path = make_sif(tmp_path / "x.sif")
    add(path, run_record())
    with open_image(str(path), write=True) as (file, image):
        file.seek(image.header.place(image.descriptors[1].slot) + field)
        file.write(b"\x7e" if field == 4 else b"\x7e\x7e\x7e")
    assert check(verify(str(path)), "objects").verdict is Verdict.BROKEN


def test_a_record_that_names_itself_as_its_input(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")

    def loop(record: Record) -> Record:
        its = container(INPUT, OUT, "x.sif")
        return replace(record, containers=(*record.containers, replace(its, path=str(path))))

    add(path, loop(run_record()))
    add(path, loop(replace(run_record(), id=uuid4())))
    report = verify(str(path), [str(tmp_path)], full=True)
    assert report.verdict == BROKEN  # no file system, and no ancestors
    assert harmless(report)


def test_holes_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes no room on the disk is not read for hours."""
    site = make_site(tmp_path)
    site.run()
    monkeypatch.setattr(content, "_PATIENCE", -1)
    monkeypatch.setattr(content, "_SLOWEST", 10**12)
    report = verify(str(site.out), full=True)
    assert report.verdict == INCOMPLETE
    for name in ("content", "ancestors", "application"):
        assert content.TOO_LATE in check(report, name).text
