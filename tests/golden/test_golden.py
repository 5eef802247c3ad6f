"""Bytes that were written once are read for ever. New samples are added, old ones stay."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from sifprov.model.canonical import record_digest
from sifprov.model.files import Document, by_key, load
from sifprov.model.manifest import Manifest
from sifprov.model.record import Record
from sifprov.records import read_records
from sifprov.sif import open_image

HERE = Path(__file__).parent
RECORDS = sorted(HERE.glob("*.json"))
FILES = sorted((HERE / "files").glob("*.json"))
CONTAINERS = sorted(HERE.glob("*.sif.bin"))


def test_the_corpus_is_there() -> None:
    assert len(RECORDS) >= 3
    assert len(CONTAINERS) >= 1
    assert len(FILES) >= 2
    assert sum(p.stat().st_size for p in (*RECORDS, *CONTAINERS)) < 60_000


@pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.name)
def test_a_record_is_read_and_written_alike(path: Path) -> None:
    data = path.read_bytes()
    assert Record.from_bytes(data).to_bytes() == data


def test_lists_of_files_are_read_and_written_alike() -> None:
    stored = [path.read_bytes() for path in FILES]
    assert [Document.from_bytes(data).to_bytes() for data in stored] == stored
    record = Record.from_bytes((HERE / "record-v1-files-beside.json").read_bytes())
    output = record.itself()
    assert output and output.files and output.files.digest
    manifest = load(output.files.digest, by_key(stored))
    assert manifest.tree_digest == output.digest
    assert len(manifest.entries) == output.files.count == 21
    origin = Record.from_bytes((HERE / "record-v1-files.json").read_bytes()).origin
    assert origin and origin.files and origin.files.lines
    assert Manifest.from_lines(origin.files.lines).tree_digest == origin.digest


@pytest.mark.parametrize("path", CONTAINERS, ids=lambda p: p.name)
def test_a_container_is_read(path: Path) -> None:
    with open_image(str(path)) as (file, image):
        stored = read_records(file, image)
        assert image.header.uuid == UUID("00000000-0000-4000-8000-000000000001")
        assert image.header.dtotal == len(image.descriptors) + image.header.dfree
    assert stored
    known = {record_digest(p.read_bytes()): p for p in RECORDS}
    for item in stored:
        assert item.error is None and item.record is not None
        assert item.digest in known
    assert stored[1].record is not None
    assert stored[1].record.previous == stored[0].digest
