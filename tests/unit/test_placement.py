"""Where records go, and how they are found there again."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from tests.unit.sifs import IN, OUT, add, add_object, container, make_sif, origin_record, run_record

from sifprov.carrier import elsewhere, read_carrier
from sifprov.errors import FileError, MissingError, NoRecordError
from sifprov.frozen import replace
from sifprov.info import read_info
from sifprov.model.record import FOLDER, OUTPUT, Record
from sifprov.placement import (
    CONTAINER,
    METADATA,
    SIDECAR,
    Place,
    append_to,
    check,
    folder_uuid,
    place_for,
    read_place,
)
from sifprov.render.tree import render
from sifprov.replay.wanted import wanted
from sifprov.sidecar import beside
from sifprov.sif import open_image
from sifprov.trail import read_trail

OTHER = UUID(int=77)


def run_of(number: int, of: UUID = OUT, started: str = "2026-05-28T20:26:39.5Z") -> Record:
    record = run_record(of)
    assert record.run
    return replace(record, id=UUID(int=number), run=replace(record.run, started=started))


def test_which_place() -> None:
    output = container(OUTPUT, OUT, "out.sif")
    folder = replace(output, path="/data/results", marks=(FOLDER,))
    assert place_for(output, "") == Place(CONTAINER, "/data/out.sif")
    assert place_for(folder, "") == Place(SIDECAR, "/data/results.sifprov.jsonl")
    for each in (output, folder):
        assert place_for(each, "/m.sif") == Place(METADATA, "/m.sif")
        assert place_for(each, "/m.jsonl") == Place(SIDECAR, "/m.jsonl")


@pytest.mark.parametrize("kind", [METADATA, SIDECAR])
def test_chains_of_several_containers(tmp_path: Path, kind: str) -> None:
    place = Place(kind, str(tmp_path / ("m.sif" if kind == METADATA else "m.jsonl")))
    first = append_to(place, run_of(1))
    other = append_to(place, run_of(2, OTHER))
    second = append_to(place, run_of(3))
    assert [p[0].previous for p in (first, other, second)] == [None, None, first[1]]
    assert [s.digest for s in read_place(place)] == [first[1], other[1], second[1]]
    assert [s.digest for s in read_place(place, OTHER)] == [other[1]]


def test_chains_go_on_through_bundles(tmp_path: Path) -> None:
    place = Place(METADATA, str(tmp_path / "m.sif"))
    digests: dict[int, list[str]] = {0: [], 1: []}
    for number in range(200):
        which = 0 if number == 0 else 1
        made, digest = append_to(place, run_of(number, UUID(int=100 + which)))
        assert made.previous == (digests[which][-1] if digests[which] else None)
        digests[which].append(digest)
    # The first one's is deep in a bundle by now.
    made, _ = append_to(place, run_of(999, UUID(int=100)))
    assert made.previous == digests[0][0]
    with open_image(place.path) as (_, image):
        assert len(image.descriptors) < 84
    assert [s.digest for s in read_place(place, UUID(int=101))] == digests[1]


def test_a_run_is_not_recorded_twice(tmp_path: Path) -> None:
    places = [
        Place(METADATA, str(tmp_path / "m.sif")),
        Place(SIDECAR, str(tmp_path / "m.jsonl")),
        Place(CONTAINER, str(make_sif(tmp_path / "out.sif"))),
    ]
    for place in places:
        _, digest = append_to(place, run_of(1))
        # Captured again from the request it has another id, but the same start.
        again, found = append_to(place, run_of(2), once=True)
        assert (again.id, found) == (UUID(int=1), digest)
        later = run_of(3, started="2026-05-28T20:26:40Z")
        assert append_to(place, later, once=True)[0].id == later.id
        assert len(read_place(place)) == 2


def test_data_and_applications_are_no_metadata_containers(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif")
    before = path.read_bytes()
    with pytest.raises(FileError, match="no container for others' records"):
        append_to(Place(METADATA, str(path)), run_of(1))
    with pytest.raises(FileError, match="no container for others' records"):
        check(str(path))
    assert path.read_bytes() == before


def test_what_the_wrapper_asks_before_the_start(tmp_path: Path) -> None:
    check(str(tmp_path / "new.sif"))
    with pytest.raises(FileError, match="no such folder"):
        check(str(tmp_path / "missing" / "new.sif"))
    with pytest.raises(FileError, match="a folder, not a SIF"):
        check(str(tmp_path))
    (tmp_path / "notes.jsonl").write_text("mine\n")
    with pytest.raises(FileError, match="no record of ours"):
        check(str(tmp_path / "notes.jsonl"))


def test_the_uuid_of_a_folder_stays(tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    place = Place(SIDECAR, beside(str(folder)))
    uuid = folder_uuid(place, str(folder))
    assert uuid == folder_uuid(place, str(folder))
    marked = replace(container(OUTPUT, uuid, "results"), path=str(folder), marks=(FOLDER,))
    append_to(place, replace(run_of(1, uuid), containers=(marked,)))
    # Both are moved, and named otherwise.
    moved = tmp_path / "final"
    folder.rename(moved)
    Path(place.path).rename(beside(str(moved)))
    assert folder_uuid(Place(SIDECAR, beside(str(moved))), str(moved)) == uuid
    # Elsewhere it goes by its path.
    meta = Place(METADATA, str(tmp_path / "m.sif"))
    append_to(meta, replace(run_of(1, uuid), containers=(marked,)))
    assert folder_uuid(meta, str(folder)) == uuid
    assert folder_uuid(meta, str(moved)) != uuid


def test_a_trail_through_a_metadata_container(tmp_path: Path) -> None:
    """Input and output have their records there; the input is not even found."""
    meta = tmp_path / "m.sif"
    output = make_sif(tmp_path / "out.sif")
    append_to(Place(METADATA, str(meta)), origin_record())
    append_to(Place(METADATA, str(meta)), run_of(1))
    with pytest.raises(NoRecordError):
        read_trail(str(output))
    trail = read_trail(str(output), metadata=str(meta))
    assert [s.place for s in trail.start.records] == [str(meta)]
    assert "made " in render(trail)
    assert trail.ancestors[IN].identity.reason == "not found"
    shown = render(read_trail(str(meta)))
    assert shown.index("out.sif") < shown.index("made ")


def test_info_tells_a_metadata_container(tmp_path: Path) -> None:
    meta = tmp_path / "m.sif"
    append_to(Place(METADATA, str(meta)), run_of(1))
    assert read_info(str(meta)).kind == "metadata"
    assert read_info(str(make_sif(tmp_path / "x.sif", partition=None))).kind == "other"


def test_records_in_the_container_and_elsewhere(tmp_path: Path) -> None:
    meta, output = Place(METADATA, str(tmp_path / "m.sif")), make_sif(tmp_path / "out.sif")
    for number, when in enumerate(["01", "02", "03", "04"], 1):
        record = replace(run_of(number), recorded=f"2026-05-{when}T00:00:00Z")
        if number % 2:
            append_to(meta, record)
        else:
            add(output, record)
    carrier = read_carrier(str(output), elsewhere(meta.path))
    assert [r.id.int for _, r in carrier.good] == [1, 2, 3, 4]
    assert [s.place for s in carrier.records] == [meta.path, None, meta.path, None]
    assert [s.record.container for s in read_carrier(meta.path).records if s.record] == [OUT] * 2


def test_a_folder_without_a_sidecar(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="a folder without a sidecar"):
        read_trail(str(tmp_path))


def test_broken_records_of_a_place_are_shown(tmp_path: Path) -> None:
    meta = tmp_path / "m.sif"
    append_to(Place(METADATA, str(meta)), run_of(1))
    add_object(meta, b'{"schema":"sifprov.record/1"', name=b"metadata.json")
    assert "broken record (object 2)" in render(read_trail(str(meta)))


def test_the_newest_run_is_the_one_that_ran_last(tmp_path: Path) -> None:
    """A record that waited in the spool stands behind newer ones."""
    output = make_sif(tmp_path / "out.sif")
    add(output, run_of(1, started="2026-05-28T20:00:00Z"))
    add(output, run_of(2, started="2026-05-28T19:00:00Z"))
    assert newest_run(str(output)) == UUID(int=1)
    meta = Place(METADATA, str(tmp_path / "m.sif"))
    append_to(meta, run_of(3, started="2026-05-28T21:00:00Z"))
    assert newest_run(str(output), meta.path) == UUID(int=3)
    with pytest.raises(MissingError, match="records of other containers"):
        newest_run(meta.path)


def newest_run(path: str, metadata: str = "") -> UUID:
    """The id of the run that is replayed unless another one is named."""
    trail = read_trail(path, metadata=metadata)
    digest = wanted(trail)
    return next(record.id for stored, record in trail.start.good if stored.digest == digest)


def test_a_hostile_record_leads_into_no_other_kind_of_file(tmp_path: Path) -> None:
    """A path that a record names is read as what the record says that it is."""
    secret = tmp_path / "all.jsonl"
    append_to(Place(SIDECAR, str(secret)), run_of(5, IN))
    folder = tmp_path / "folder"
    folder.mkdir()
    append_to(Place(SIDECAR, beside(str(folder))), run_of(6, OTHER))
    entries = tuple(
        replace(container("input", uuid, "x"), path=str(path))
        for uuid, path in ((IN, secret), (OTHER, folder))
    )
    output = make_sif(tmp_path / "out.sif")
    add(output, replace(run_of(1), containers=entries))
    assert read_trail(str(output)).ancestors == {}
