"""`annotate`: a record of its own about an earlier one, which changes none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from tests.unit.schemas import problems
from tests.unit.sifs import IN, OUT, RUN_ID, add, make_sif, origin_record, run, run_record

from sifprov.annotate import annotate
from sifprov.cli import main
from sifprov.errors import NoRecordError, SifprovError
from sifprov.lineage import build
from sifprov.lineage.document import document as trail_document
from sifprov.lineage.document import dumps
from sifprov.model.annotation import make
from sifprov.placement import append_to, named, read_place
from sifprov.records import read_records
from sifprov.render.tree import render
from sifprov.replay.wanted import wanted
from sifprov.sif import open_image
from sifprov.sif.image import read_object
from sifprov.trail import read_trail

LATE = "2026-05-28T21:00:00Z"
LATER = UUID("00000000-0000-4000-8000-0000000000aa")


def stored_bytes(path: Path) -> list[bytes]:
    """What stands in the objects, in their order."""
    with open_image(str(path)) as (file, image):
        return [read_object(file, d) for d in image.descriptors if d.partition is None]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = make_sif(tmp_path / "out.sif")
    add(path, origin_record(OUT))
    add(path, run_record())
    add(path, replace(run_record(), id=LATER, run=replace(run(), started=LATE)))
    return path


def test_it_joins_the_chain_and_changes_no_record(output: Path) -> None:
    before = stored_bytes(output)
    done = annotate(str(output), make(["good"], ["paper=2"], ["r2=0.93"]))
    assert stored_bytes(output)[:-1] == before
    assert (done.about.id, done.record.kind, done.record.captured_by) == (
        LATER, "annotation", "annotate",
    )  # fmt: skip
    with open_image(str(output)) as (file, image):
        records = read_records(file, image)
    assert records[-1].record == done.record
    assert done.record.previous == records[-2].digest
    assert done.record.annotates is not None
    assert done.record.annotates.record == records[-2].digest
    assert problems("sifprov.record/1", json.loads(stored_bytes(output)[-1])) == []


def newest_run(path: Path) -> UUID:
    """The id of the run that is replayed unless another one is named."""
    trail = read_trail(str(path))
    digest = wanted(trail)
    return next(record.id for stored, record in trail.start.good if stored.digest == digest)


def test_the_newest_run_is_still_the_newest_run(output: Path) -> None:
    annotate(str(output), make(["good"]))
    annotate(str(output), make(["better"]))
    assert newest_run(output) == LATER
    assert annotate(str(output), make(["best"])).about.id == LATER


def test_a_record_is_chosen_by_its_id(output: Path) -> None:
    done = annotate(str(output), make(["x"]), record=str(LATER)[:36].upper())
    assert done.about.id == LATER
    with pytest.raises(NoRecordError, match="more than one record"):
        annotate(str(output), make(["x"]), record="00000000")
    with pytest.raises(NoRecordError, match="no record of a run"):
        annotate(str(output), make(["x"]), record=str(done.record.id))
    with pytest.raises(SifprovError, match="too short"):
        annotate(str(output), make(["x"]), record="0")


def test_without_a_run_it_is_about_the_making(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "in.sif")
    with pytest.raises(NoRecordError, match="no record of a run or a making"):
        annotate(str(path), make(["x"]))
    add(path, origin_record(OUT))
    assert annotate(str(path), make(["x"])).about.origin is not None
    with pytest.raises(SifprovError, match="nothing to say"):
        annotate(str(path), make())


def test_it_is_bundled_as_every_record(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif", descriptors=4)
    add(path, run_record())
    for number in range(9):
        annotate(str(path), make([f"note {number}"]))
    with open_image(str(path)) as (file, image):
        records = [s.record for s in read_records(file, image)]
    notes = [r.annotation.notes[0] for r in records if r and r.annotation]
    assert notes == [f"note {number}" for number in range(9)]
    assert newest_run(path) == RUN_ID


def test_the_trail_shows_it_with_its_record(output: Path) -> None:
    words = make(["good \x1b[31m"], ["paper=2"], ["r2=0.93"])
    shown = CliRunner().invoke(
        main, ["annotate", str(output), "--note", "plain", "--metric", "n=4"]
    )
    assert (shown.exit_code, shown.output) == (0, f"noted about the run {LATER}\n")
    annotate(str(output), words)
    trail = read_trail(str(output))
    text = render(trail)
    newest = text[: text.index("├─ run", text.index("run") + 1)]
    for line in ("note (", "good \\x1b[31m", "paper=2", "r2 = 0.93", "plain", "n = 4"):
        assert line in newest
    assert "noted" not in text
    document = json.loads(dumps(trail_document(trail, build(trail))))
    assert problems("sifprov.trail/1", document) == []
    last = document["container"]["records"][-1]["record"]
    assert last["annotation"]["metrics"] == {"r2": "0.93"}


@pytest.mark.parametrize("name", ["meta.sif", "meta.jsonl"])
def test_it_joins_its_record_in_a_place_for_many(tmp_path: Path, name: str) -> None:
    output, place = make_sif(tmp_path / "out.sif"), named(str(tmp_path / name))
    append_to(place, run_record())
    append_to(place, replace(run_record(IN), id=LATER))
    done = annotate(str(output), make(["there"]), metadata=place.path)
    assert (done.about.id, done.record.container) == (RUN_ID, OUT)
    mine = read_place(place, OUT)
    assert [s.record.kind for s in mine if s.record] == ["run", "annotation"]
    assert done.record.previous == mine[0].digest
    with open_image(str(output)) as (file, image):
        assert read_records(file, image) == ()
    assert "there" in render(read_trail(str(output), metadata=place.path))


def test_one_about_a_record_that_is_elsewhere_stands_alone(tmp_path: Path) -> None:
    one, two = make_sif(tmp_path / "one.sif"), make_sif(tmp_path / "two.sif")
    add(one, run_record())
    stray = annotate(str(one), make(["lost"])).record
    add(two, stray)
    text = render(read_trail(str(two)))
    assert f"about record {RUN_ID}" in text
    assert "note: lost" in text


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [([], 2, "nothing to say"), (["--tag", "x"], 2, "KEY=VALUE"), (["--metric", "x=y"], 2, "x")],
)
def test_wrong_words_are_told(output: Path, arguments: list[str], code: int, text: str) -> None:
    before = output.read_bytes()
    done = CliRunner().invoke(main, ["annotate", str(output), *arguments])
    assert isinstance(done.exception, SifprovError)
    assert done.exception.exit_code == code
    assert text in str(done.exception)
    assert output.read_bytes() == before
