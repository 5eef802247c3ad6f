"""Documents of ancestors beside the records: how they stand in a container, and are read."""

from __future__ import annotations

import base64
import json
import os
import zlib
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from tests.unit.chains import embedded as embedded_in
from tests.unit.chains import fact, names, own
from tests.unit.schemas import problems
from tests.unit.sifs import IN, NOW, OUT, add_object, container, make_sif, run_record

from sifprov import embedded
from sifprov.carrier import embedded_elsewhere, read_carrier
from sifprov.cli import main
from sifprov.embedded import (
    Lineage,
    is_line,
    links,
    named_lists,
    open_lineage,
    pack_lineage,
    read_embedded,
)
from sifprov.errors import RecordError
from sifprov.frozen import replace
from sifprov.growtable import grow_table
from sifprov.info import read_info
from sifprov.model.canonical import record_digest
from sifprov.model.files import Files
from sifprov.model.record import Record
from sifprov.placement import (
    METADATA,
    SIDECAR,
    Place,
    append_to,
    prepare,
    read_place,
    read_place_embedded,
)
from sifprov.records import newest_digest, read_records
from sifprov.sif import DataType, open_image
from sifprov.sif.format import GROUP_MASK
from sifprov.terminal import size

LINEAGE, RECORD, BUNDLE = "metadata.lineage.json", "metadata.json", "metadata.bundle.json"


def document(number: int, size: int = 0) -> bytes:
    """A record of an ancestor."""
    record = replace(run_record(IN), id=UUID(int=number + 1))
    if size and record.run:
        word = "".join(f"{number}:{n}" for n in range(size // 4))
        record = replace(record, run=replace(record.run, argv=(word,)))
    return record.to_bytes()


def lineage(*numbers: int, size: int = 0) -> Lineage:
    several = [document(n, size) for n in numbers]
    return Lineage({record_digest(d): d for d in several})


def append(path: Path, number: int, found: Lineage | None = None) -> Record:
    """Appends a record with this lineage to the container at `path`."""
    record = replace(run_record(), id=UUID(int=1000 + number))
    return append_to(Place("container", str(path)), record, lineage=found)[0]


def test_it_stands_before_the_record_and_in_its_group(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    found = lineage(1, 2, 3)
    append(path, 1, found)
    assert names(path) == [LINEAGE, RECORD]
    with open_image(str(path)) as (file, image):
        before, record = (d for d in image.descriptors if not d.partition)
        assert before.group == record.group == 2 and before.offset < record.offset
        data = os.pread(file.fileno(), before.size, before.offset)
        assert newest_digest(file, image) == read_records(file, image)[0].digest
    assert problems("sifprov.lineage/1", json.loads(data)) == []
    assert embedded_in(path).documents == found.documents
    assert embedded_in(path).stored == len(data)
    assert read_carrier(str(path)).embedded == found.documents
    assert not read_carrier(str(path), embedded=False).embedded


def test_what_is_there_is_not_embedded_again(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    append(path, 1, lineage(1, 2))
    before = path.stat().st_size
    append(path, 2, lineage(2, 1))
    assert names(path) == [LINEAGE, RECORD, RECORD]
    assert path.stat().st_size - before < 2 * len(document(1))
    append(path, 3, lineage(1, 2, 3))
    assert names(path) == [LINEAGE, RECORD, RECORD, LINEAGE, RECORD]
    assert len(embedded_in(path).documents) == 3
    # A record of its own is no ancestor's, also when it stands in a bundle.
    mine = [s.record for s in own(path) if s.record]
    found = Lineage({record_digest(r.to_bytes()): r.to_bytes() for r in mine})
    append(path, 4, found)
    assert names(path)[-2:] == [RECORD, RECORD]


def test_the_same_lineage_object_serves_a_copy_that_went_another_way(tmp_path: Path) -> None:
    """What a place holds is remembered by the file, not by what its header says."""
    one, other = make_sif(tmp_path / "1.sif"), make_sif(tmp_path / "2.sif")
    append(one, 1, lineage(1))
    append(other, 1, lineage(2))
    found = lineage(1, 2)
    for path in (one, other):
        append(path, 2, found)
        assert set(embedded_in(path).documents) == set(found.documents)


def test_what_a_place_holds_is_asked_again_when_something_was_added(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    mine = append(path, 1)
    later = replace(run_record(), id=UUID(int=77), previous=record_digest(mine.to_bytes()))
    found = Lineage({record_digest(later.to_bytes()): later.to_bytes()})
    prepare(Place("container", str(path)), found)
    assert append_to(Place("container", str(path)), later)[0] == later
    append(path, 3, found)
    assert names(path) == [RECORD] * 3


def test_a_full_table_merges_lineage_and_records_apart(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=8)
    made: list[Record] = []
    for n in range(40):
        made.append(append(path, n, lineage(n)))
    assert [s.record for s in own(path)] == made
    assert set(embedded_in(path).documents) == set(lineage(*range(40)).documents)
    assert {BUNDLE, LINEAGE} <= set(names(path)) and len(names(path)) <= 7
    grown = path.stat().st_size
    # Each is stored about once, and again for each doubling, but compressed.
    assert grown < 40 * 3 * len(document(0)) + 100_000
    info = read_info(str(path))
    count = names(path).count(LINEAGE)
    assert (info.embedded.objects, len(info.embedded.documents)) == (count, 40)
    shown = CliRunner().invoke(main, ["data", "info", str(path)]).stdout
    assert (
        f"lineage    40 documents of {size(info.embedded.size)}, stored in {count} objects" in shown
    )


def test_signed_lineage_stays_where_it_is(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=8)
    append(path, 1, lineage(1))
    add_object(path, b"sig", datatype=DataType.SIGNATURE, link=GROUP_MASK | 2)
    with open_image(str(path)) as (_, image):
        signed = [d for d in image.descriptors if d.group == 2]
    for n in range(2, 12):
        append(path, n, lineage(n))
    with open_image(str(path)) as (_, image):
        assert [d for d in image.descriptors if d.group == 2] == signed
        assert all(d.group in (1, 3) for d in image.descriptors if d not in signed and d.group)
    assert len(own(path)) == 11 and len(embedded_in(path).documents) == 11


def test_lineage_never_costs_the_record_its_place(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=4)
    add_object(path, b"theirs")
    add_object(path, b"theirs")
    record = append(path, 1, lineage(1))
    assert names(path)[-1] == RECORD and LINEAGE not in names(path)
    assert fact(record) == "the table of objects has no room for it"
    assert [s.record for s in own(path)] == [record]


def test_what_was_left_out_is_told(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    whole = lineage(1)
    record = append(path, 1, Lineage(whole.documents, reason="too many"))
    assert fact(record) == "too many" and len(embedded_in(path).documents) == 1
    assert fact(append(path, 2, whole)) is None


def test_a_larger_table_keeps_it(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=4)
    append(path, 1, lineage(1, 2))
    grow_table(str(path), 100, now=NOW)
    append(path, 2, lineage(1, 2, 3))
    assert set(embedded_in(path).documents) == set(lineage(1, 2, 3).documents)


def test_own_documents_come_beside_what_was_prepared(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    found = lineage(1)
    own_ones = (document(7), document(8))
    append(path, 1, found.beside(own_ones))
    assert names(path) == [LINEAGE, RECORD]
    assert list(embedded_in(path).documents.values()) == [*own_ones, document(1)]
    # What is large was packed before, and is not packed again.
    large = lineage(*range(10, 15), size=300_000)
    packed = large.objects()
    (first, *rest) = large.beside(own_ones).objects()
    assert rest == packed and open_lineage(first) == own_ones


def test_a_sidecar_takes_it_as_a_line(tmp_path: Path) -> None:
    place = Place(SIDECAR, str(tmp_path / "x.jsonl"))
    for n, found in enumerate((lineage(1, 2), lineage(2), lineage(2, 3))):
        append_to(place, replace(run_record(), id=UUID(int=n)), lineage=found)
    lines = (tmp_path / "x.jsonl").read_bytes().split(b"\n")
    assert [is_line(line) for line in lines] == [True, False, False, True, False, False]
    stored = read_place(place)
    assert [s.object_id for s in stored] == [2, 3, 5]
    assert [s.record.previous for s in stored if s.record] == [None, *(s.digest for s in stored)][
        :3
    ]
    assert set(read_place_embedded(place).documents) == set(lineage(1, 2, 3).documents)
    assert read_carrier(place.path).embedded == embedded_elsewhere(place.path).documents


def test_a_metadata_container_takes_it_too(tmp_path: Path) -> None:
    place = Place(METADATA, str(tmp_path / "m.sif"))
    for n in range(3):
        record = replace(run_record(UUID(int=5 + n)), id=UUID(int=n))
        append_to(place, record, lineage=lineage(1, n))
    assert names(tmp_path / "m.sif") == [LINEAGE, RECORD, RECORD, LINEAGE, RECORD]
    assert len(read_place_embedded(place).documents) == 3
    assert len(read_place(place)) == 3


def test_a_broken_object_hides_no_other(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    append(path, 1, lineage(1))
    append(path, 2, lineage(2))
    with open_image(str(path)) as (_, image):
        first = next(d for d in image.descriptors if d.name.startswith(LINEAGE.encode()))
    with path.open("r+b") as file:
        file.seek(first.offset + 40)
        file.write(b"AAAA")
    found = embedded_in(path)
    assert set(found.documents) == set(lineage(2).documents)
    ((number, why),) = found.errors
    assert number == first.id and why.startswith("data")
    assert len(own(path)) == 2 and read_carrier(str(path)).embedded_errors == found.errors
    # What cannot be read does not count as being there.
    append(path, 3, lineage(1, 2))
    assert set(embedded_in(path).documents) == set(lineage(1, 2).documents)


def test_a_foreign_object_of_that_name_is_nobodys(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    add_object(path, b'{"theirs":1}', name=LINEAGE.encode(), group=2)
    assert embedded_in(path) == embedded.NOTHING


BOMB = base64.b64encode(zlib.compress(bytes(1 << 20))).decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"sizes": [1 << 20], "data": BOMB, "digest": "sha256:" + "0" * 64},
        {"sizes": [10], "data": BOMB},
        {"sizes": [1 << 40], "data": BOMB},
        {"sizes": [-1, 2]},
        {"sizes": [0]},
        {"sizes": []},
        {"sizes": [1] * 70_000},
        {"data": "%"},
        {"schema": "sifprov.bundle/1"},
        {"more": 1},
    ],
    ids=lambda fields: ",".join(fields),
)
def test_hostile_objects_are_errors(fields: dict[str, object]) -> None:
    good = json.loads(pack_lineage([document(1)])[0])
    with pytest.raises(RecordError):
        open_lineage(json.dumps({**good, **fields}).encode())


def test_a_list_that_is_too_long_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(data: bytes) -> None:
        raise AssertionError(data[:10])

    monkeypatch.setattr("sifprov.bundle.loads", never)
    with pytest.raises(RecordError, match="more than 65536"):
        open_lineage(b'{"data":"","sizes":[' + b"1," * 70_000 + b"1]}")


def test_a_limit_holds_before_anything_is_unpacked() -> None:
    several = [document(n, 40_000) for n in range(3)]
    (data,) = pack_lineage(several)
    assert open_lineage(data, sum(map(len, several))) == tuple(several)
    with pytest.raises(RecordError, match="too many"):
        open_lineage(data, sum(map(len, several)) - 1)


def test_all_of_a_container_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_sif(tmp_path / "x.sif")
    append(path, 1, lineage(1))
    append(path, 2, lineage(2))
    monkeypatch.setattr(embedded, "MAX_TOTAL", len(document(1)) + 10)
    with open_image(str(path)) as (file, image):
        found = read_embedded(file, image)
        assert set(found.documents) == set(lineage(2).documents) and len(found.errors) == 1
    monkeypatch.setattr(embedded, "MAX_TOTAL", 1 << 20)
    monkeypatch.setattr(embedded, "MAX_DOCUMENTS", 0)
    found = embedded_in(path)
    assert set(found.documents) == set(lineage(2).documents)
    assert "more than 0 documents" in found.errors[0][1]


def test_many_documents_are_several_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "MAX_DOCUMENT", 10_000)
    several = [document(n) for n in range(20)]
    parts = pack_lineage(several)
    found = Lineage({record_digest(d): d for d in several})
    assert len(parts) <= found.most <= 7 and Lineage({}).most == 0
    assert len(parts) == 4 and [d for p in parts for d in open_lineage(p)] == several
    with pytest.raises(ValueError, match="document of"):
        pack_lineage([document(1, 20_000)])


def test_the_links_of_a_record() -> None:
    one, two, three, four = (f"sha256:{c * 64}" for c in "abcd")
    tricky = f'x","previous":"{four}"\\","record":"{four}'
    record = replace(
        run_record(previous=one),
        containers=(
            replace(container("input", IN, tricky), record=two),
            replace(container("input", OUT, "y"), record=three, files=Files(count=12, digest=four)),
            replace(
                container("input", OUT, "z"), files=Files(reason=f'"count":1,"digest":"{one}"')
            ),
        ),
    )
    data = record.to_bytes()
    assert sorted(links(data)) == [one, two, three]
    assert list(named_lists(data)) == [four]
    assert list(links(b'"previous":"sha256:' + b"g" * 64)) == []
    assert list(links(b'"previous":"sha256:' + b"a" * 63)) == []
    assert list(named_lists(b'"files":{"count":')) == []
