"""What a run's outputs embed: each ancestor's record once, whatever becomes of the ancestors."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid4

import pytest
from tests.unit.chains import (
    INPUT,
    begin,
    data,
    digest,
    embedded,
    end,
    fact,
    links,
    names,
    own,
    request,
    run,
)
from tests.unit.sifs import add_object, origin_record, run_record

from sifprov import capture, flush, spool
from sifprov.annotate import annotate
from sifprov.capture import lineage, shelf
from sifprov.capture.lineage import Source, gather
from sifprov.content import Deadline, scan_folder
from sifprov.create import create_data
from sifprov.embedded import Lineage, lineage_objects, pack_lineage, read_documents
from sifprov.frozen import replace
from sifprov.listing import make_tree, plain_entry
from sifprov.model.annotation import make as make_annotation
from sifprov.model.canonical import record_digest
from sifprov.model.files import describe, store
from sifprov.model.record import Record, Replay
from sifprov.placement import METADATA, SIDECAR, Place, append_to, read_place, read_place_embedded
from sifprov.sidecar import beside
from sifprov.sif import Descriptor, open_image

LINEAGE, RECORD = "metadata.lineage.json", "metadata.json"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("SIFPROV_METADATA", raising=False)


def source(path: Path) -> Path:
    """An input with an origin record."""
    if not path.exists():
        data(path, INPUT)
    made = replace(origin_record(), id=uuid4(), container=uuid_of(path))
    append_to(Place("container", str(path)), made)
    return path


def uuid_of(path: Path) -> UUID:
    with open_image(str(path)) as (_, image):
        return image.header.uuid


def digests(*paths: Path) -> set[str]:
    return {s.digest for p in paths for s in own(p)}


def test_a_chain_survives_its_ancestors(tmp_path: Path) -> None:
    first = source(tmp_path / "0.sif")
    chain = [first]
    for n in range(1, 6):
        out = data(tmp_path / f"{n}.sif")
        run(chain[-1], to=out)
        chain.append(out)
    wanted = digests(*chain[:-1])
    for path in chain[:-1]:
        path.unlink()
    found = embedded(chain[-1]).documents
    assert set(found) == wanted and len(wanted) == 5
    # The way back is whole: each record that one names is there, down to the origin.
    (newest,) = own(chain[-1])
    assert newest.record
    assert links({newest.digest: newest.record.to_bytes(), **found}) == wanted
    assert any(Record.from_bytes(d).origin for d in found.values())


def test_diamonds_are_stored_once(tmp_path: Path) -> None:
    top = source(tmp_path / "top.sif")
    for n in range(12):
        left, right = data(tmp_path / f"l{n}.sif"), data(tmp_path / f"r{n}.sif")
        run(top, to=left)
        run(top, to=right)
        top = data(tmp_path / f"t{n}.sif")
        run(left, right, to=top)
    assert len(embedded(top).documents) == 1 + 12 * 3 - 1
    assert names(top) == [LINEAGE, RECORD]


def test_a_second_run_with_the_same_inputs_appends_nothing(tmp_path: Path) -> None:
    inputs = [source(tmp_path / f"{n}.sif") for n in range(3)]
    out = data(tmp_path / "out.sif")
    for _ in range(3):
        run(*inputs, to=out)
    assert names(out) == [LINEAGE, RECORD, RECORD, RECORD]
    more = data(tmp_path / "more.sif")
    run(inputs[0], to=more)
    run(more, *inputs, to=out)
    assert names(out)[-2:] == [LINEAGE, RECORD]
    assert set(embedded(out).documents) == digests(*inputs, more)


def test_inputs_without_records_cost_nothing(tmp_path: Path) -> None:
    plain, out = data(tmp_path / "in.sif", INPUT), data(tmp_path / "out.sif")
    started = begin(request((plain,), (out,)))
    assert not started.lineage and not started.lineage.roots
    run(plain, to=out)
    assert names(out) == [RECORD]


def test_what_nothing_leads_to_does_not_travel(tmp_path: Path) -> None:
    hostile, out = source(tmp_path / "in.sif"), data(tmp_path / "out.sif")
    junk = [replace(run_record(), id=uuid4()).to_bytes() for _ in range(5)]
    (packed,) = pack_lineage(junk)
    add_object(hostile, packed, name=LINEAGE.encode(), group=2)
    run(hostile, to=out)
    assert set(embedded(out).documents) == digests(hostile)


def test_what_is_no_record_does_not_travel(tmp_path: Path) -> None:
    hostile, out = data(tmp_path / "in.sif", INPUT), data(tmp_path / "out.sif")
    junk = os.urandom(1000)
    (packed,) = pack_lineage([junk])
    add_object(hostile, packed, name=LINEAGE.encode(), group=2)
    record = replace(origin_record(), container=uuid_of(hostile), previous=record_digest(junk))
    add_object(hostile, record.to_bytes(), name=RECORD.encode(), group=2)
    run(hostile, to=out)
    assert set(embedded(out).documents) == {record_digest(record.to_bytes())}


def test_a_broken_ancestor_is_no_dead_end(tmp_path: Path) -> None:
    """One of two inputs has lost what the other one still has."""
    first = source(tmp_path / "0.sif")
    one, two = data(tmp_path / "1.sif"), data(tmp_path / "2.sif")
    run(first, to=one)
    run(first, to=two)
    with open_image(str(one)) as (_, image):
        item = next(d for d in image.descriptors if d.name.startswith(LINEAGE.encode()))
    with one.open("r+b") as file:
        file.seek(item.offset + 30)
        file.write(b"!!!!")
    for inputs in ((one, two), (two, one)):
        out = data(tmp_path / f"{inputs[0].name}-out.sif")
        run(*inputs, to=out)
        assert set(embedded(out).documents) == digests(first, one, two)
    alone = data(tmp_path / "alone.sif")
    (written,) = run(one, to=alone).written
    assert set(embedded(alone).documents) == digests(one) and written.digest


def test_what_was_looked_for_in_vain_is_found_further_on(tmp_path: Path) -> None:
    """The input that still has it is one generation further away."""
    first = source(tmp_path / "0.sif")
    one, middle, two = (data(tmp_path / f"{n}.sif") for n in range(1, 4))
    for path in (one, middle, two):
        run(first, to=path)
    run(middle, to=two)
    with open_image(str(one)) as (_, image):
        item = next(d for d in image.descriptors if d.name.startswith(LINEAGE.encode()))
    with one.open("r+b") as file:
        file.seek(item.offset + 30)
        file.write(b"!!!!")
    out = data(tmp_path / "out.sif")
    run(one, two, to=out)
    assert set(embedded(out).documents) == digests(first, one, middle, two)


def test_an_output_that_has_company_in_the_end(tmp_path: Path) -> None:
    """The folder's record names what the container carried before."""
    first, out, results = source(tmp_path / "0.sif"), data(tmp_path / "1.sif"), tmp_path / "r"
    results.mkdir()
    run(first, to=out)
    before = digests(out)
    run(first, to=out, folders=(results,))
    place = Place(SIDECAR, beside(str(results)))
    assert set(read_place_embedded(place).documents) == digests(first) | before


def test_the_words_about_an_input_travel_too(tmp_path: Path) -> None:
    first, out = source(tmp_path / "0.sif"), data(tmp_path / "out.sif")
    annotate(str(first), make_annotation(["off by one"]))
    run(first, to=out)
    assert set(embedded(out).documents) == digests(first) and len(digests(first)) == 2


def test_a_writable_input_and_an_output_that_was_one(tmp_path: Path) -> None:
    """Whatever role a container turns out to have."""
    first = source(tmp_path / "0.sif")
    older = data(tmp_path / "older.sif", INPUT)
    run(first, to=(older, data(tmp_path / "x.sif")))
    out = data(tmp_path / "out.sif")
    # Bound for writing, and declared an input: nothing in it can be seen to change.
    finished = run(first, to=(older, out))
    assert {w.path for w in finished.written} == {str(out)}
    assert set(embedded(out).documents) == digests(first, older)


def test_several_outputs_know_of_each_other(tmp_path: Path) -> None:
    first = source(tmp_path / "0.sif")
    one, two = data(tmp_path / "1.sif"), data(tmp_path / "2.sif")
    run(first, to=(one, two))
    before = digests(one)
    run(first, to=(one, two))
    # The second record names what the other output carried by then.
    assert set(embedded(two).documents) == digests(first) | before


def test_a_place_for_all_records(tmp_path: Path) -> None:
    first, middle, out = (
        source(tmp_path / "0.sif"),
        data(tmp_path / "1.sif"),
        data(tmp_path / "2.sif"),
    )
    for place in (
        Place(METADATA, str(tmp_path / "m.sif")),
        Place(SIDECAR, str(tmp_path / "m.jsonl")),
    ):
        (made,) = run(first, to=middle, metadata=Path(place.path)).written
        (last,) = run(middle, to=out, metadata=Path(place.path)).written
        # The second record names the first one, which stands there, not in its input.
        assert [c.record for c in last.record.with_role("input")] == [made.digest]
        assert set(read_place_embedded(place).documents) == digests(first)
        assert [s.digest for s in read_place(place)] == [made.digest, last.digest]
        assert not own(middle) and not own(out)


def test_the_newer_of_two_records_counts(tmp_path: Path) -> None:
    meta = tmp_path / "m.sif"
    first, middle, out = (
        source(tmp_path / "0.sif"),
        data(tmp_path / "1.sif"),
        data(tmp_path / "2.sif"),
    )
    run(first, to=middle, metadata=meta)
    own_one = digest(run(first, to=middle))
    (last,) = run(middle, to=out, metadata=meta).written
    assert [c.record for c in last.record.with_role("input")] == [own_one]
    (newer,) = run(first, to=middle, metadata=meta).written
    (last,) = run(middle, to=out, metadata=meta).written
    assert [c.record for c in last.record.with_role("input")] == [newer.digest]
    assert own_one in read_place_embedded(Place(METADATA, str(meta))).documents


def test_records_in_a_place_that_was_named_before(tmp_path: Path) -> None:
    """The next run names no such place, and its output tells the whole way all the same."""
    meta = tmp_path / "m.sif"
    first, middle, out = (data(tmp_path / f"{n}.sif") for n in range(3))
    source(first)
    (made,) = run(first, to=middle, metadata=meta).written
    (last,) = run(middle, to=out).written
    assert [c.record for c in last.record.with_role("input")] == [made.digest]
    assert made.digest and set(embedded(out).documents) == digests(first) | {made.digest}
    # Where that place is gone, it goes by what the input itself carries.
    meta.unlink()
    (last,) = run(middle, to=data(tmp_path / "3.sif")).written
    assert [c.record for c in last.record.with_role("input")] == [None]


def test_a_folder_as_output(tmp_path: Path) -> None:
    first, results = source(tmp_path / "0.sif"), tmp_path / "results"
    results.mkdir()
    run(first, to=(), folders=(results,))
    place = Place(SIDECAR, beside(str(results)))
    assert set(read_place_embedded(place).documents) == digests(first)
    size = os.stat(place.path).st_size
    run(first, to=(), folders=(results,))
    assert len(read_place(place)) == 2 and os.stat(place.path).st_size < 2 * size


@pytest.mark.parametrize("changed", [False, True])
def test_a_container_that_is_made_of_such_a_folder(tmp_path: Path, changed: bool) -> None:
    first, results = source(tmp_path / "0.sif"), tmp_path / "results"
    (results / "d").mkdir(parents=True)
    (results / "d" / "a").write_text("x")
    made = digest(run(first, to=(), folders=(results,)))
    if changed:
        (results / "d" / "a").write_text("y")
    path = tmp_path / "1.sif"
    create_data(str(path), mount="/Inputs/deep", source=str(results))
    (stored,) = own(path)
    assert stored.record
    (folder,) = stored.record.containers
    assert (folder.role, folder.path, folder.record) == ("input", str(results), made)
    assert folder.digest == scan_folder(str(results), Deadline()).digest
    assert folder.marks == (("changed-outside", "folder") if changed else ("folder",))
    (run_record_,) = read_place(Place(SIDECAR, beside(str(results))))
    assert run_record_.record and folder.uuid == run_record_.record.container
    assert set(embedded(path).documents) == digests(first) | {made}
    # What is to be the same bytes at any time says nothing of it.
    fixed = tmp_path / "2.sif"
    create_data(str(fixed), mount="/Inputs", source=str(results), reproducible=True)
    (stored,) = own(fixed)
    assert stored.record and stored.record.containers == () and not embedded(fixed).documents


def test_a_sidecar_that_is_none_is_no_hindrance(tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    Path(beside(str(results))).write_text("theirs\n")
    create_data(str(tmp_path / "1.sif"), mount="/Inputs", source=str(results))
    (stored,) = own(tmp_path / "1.sif")
    assert stored.record and stored.record.containers == ()


def test_a_replay_embeds_what_it_replayed(tmp_path: Path) -> None:
    first, out, again = (
        source(tmp_path / "0.sif"),
        data(tmp_path / "1.sif"),
        data(tmp_path / "2.sif"),
    )
    replayed = digest(run(first, to=out))
    (stored,) = own(out)
    assert stored.record
    run(
        first,
        to=again,
        replays=Replay(replayed, stored.record.id),
        also=(Source(replayed, (str(out),)),),
    )
    assert set(embedded(again).documents) == digests(first, out)


@pytest.mark.parametrize("moved", [False, True])
def test_the_spool_keeps_it_with_the_record(tmp_path: Path, moved: bool) -> None:
    first, out = source(tmp_path / "0.sif"), data(tmp_path / "out.sif")
    wanted = digests(first)
    started = begin(request((first,), (out,)))
    away = tmp_path / "away"
    away.mkdir()
    content = out.read_bytes()
    shutil.move(out, away)
    out.write_bytes(b"another file")
    (written,) = capture.finish(started, end(), Deadline()).written
    assert written.kept and spool.count() == 1
    first.unlink()
    if not moved:
        out.write_bytes(content)
    (delivered,) = flush.flush([str(away)] if moved else [])
    assert delivered.error is None
    found = away / "out.sif" if moved else out
    assert set(embedded(found).documents) == wanted and len(own(found)) == 1
    assert names(found) == [LINEAGE, RECORD]


def test_a_record_whose_lineage_is_broken_in_the_spool_is_delivered(tmp_path: Path) -> None:
    out = data(tmp_path / "out.sif")
    record = replace(run_record(), container=uuid_of(out))
    document = record.to_bytes()
    kept = spool.save(str(out), record, lineage=Lineage({record_digest(document): document}))
    text = Path(kept).read_text().replace('"sizes":[', '"sizes":[1,')
    Path(kept).write_text(text)
    (delivered,) = flush.flush()
    assert delivered.error is None
    (stored,) = own(out)
    assert stored.record and "broken" in (fact(stored.record) or "")


def test_what_does_not_fit_is_told_and_the_nearest_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = [source(tmp_path / "0.sif")]
    for n in range(1, 5):
        chain.append(data(tmp_path / f"{n}.sif"))
        run(chain[-2], to=chain[-1])
    monkeypatch.setattr(lineage, "MAX_COUNT", 2)
    out = data(tmp_path / "out.sif")
    (written,) = run(chain[-1], to=out).written
    assert set(embedded(out).documents) == digests(*chain[-2:])
    assert fact(written.record) == lineage.TOO_MUCH
    monkeypatch.setattr(lineage, "MAX_COUNT", 100)
    monkeypatch.setattr(
        lineage,
        "MAX_EMBEDDED",
        sum(len(s.record.to_bytes()) for s in own(chain[-1]) if s.record) + 10,
    )
    other = data(tmp_path / "other.sif")
    (written,) = run(chain[-1], to=other).written
    assert set(embedded(other).documents) == digests(chain[-1])
    assert fact(written.record) == lineage.TOO_MUCH
    # What was left out once is embedded as soon as it may be.
    monkeypatch.undo()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (written,) = run(chain[-1], to=other).written
    assert set(embedded(other).documents) == digests(*chain) and fact(written.record) is None


def test_reading_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile, out = source(tmp_path / "in.sif"), data(tmp_path / "out.sif")
    for n in range(5):
        (packed,) = pack_lineage([bytes([n + 1]) * 100_000])
        add_object(hostile, packed, name=LINEAGE.encode(), group=2)
    record = replace(origin_record(), container=uuid_of(hostile), previous="sha256:" + "1" * 64)
    add_object(hostile, record.to_bytes(), name=RECORD.encode(), group=2)
    read = []

    def counted(file: BinaryIO, item: Descriptor) -> tuple[bytes, ...]:
        read.append(item)
        return read_documents(file, item)

    monkeypatch.setattr(shelf, "read_documents", counted)
    monkeypatch.setattr(lineage, "MAX_READ", 150_000)
    (written,) = run(hostile, to=out).written
    assert fact(written.record) == lineage.TOO_MUCH and len(read) <= 3
    assert record_digest(record.to_bytes()) in embedded(out).documents


def test_no_time_is_left(tmp_path: Path) -> None:
    first = source(tmp_path / "0.sif")
    late = Deadline()
    late.start(-1)
    found = gather([Source(digests(first).pop(), (str(first),))], late)
    assert not found and found.reason and "in the time granted" in found.reason


def test_an_input_that_is_replaced_meanwhile(tmp_path: Path) -> None:
    first = source(tmp_path / "0.sif")
    annotate(str(first), make_annotation(["two of them"]))
    here = shelf.Shelf(str(first))
    assert {record_digest(d) for d in here.more() or ()} < digests(first)
    other = source(tmp_path / "1.sif")
    os.replace(other, first)
    assert here.more() is None


def test_no_file_stays_open(tmp_path: Path) -> None:
    inputs = [source(tmp_path / f"{n}.sif") for n in range(20)]
    before = len(os.listdir("/proc/self/fd"))
    started = begin(request(tuple(inputs), (data(tmp_path / "out.sif"),)))
    assert len(started.lineage.documents) == 20
    assert len(os.listdir("/proc/self/fd")) == before and threading.active_count() < 10


def test_lists_of_files_travel_after_the_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = make_tree([plain_entry(f"f{n}".encode(), 0o040755) for n in range(300)], 0)
    files, manifest = describe(tree)
    assert manifest and files.digest
    stored = store(manifest).to_bytes()
    first = data(tmp_path / "0.sif", INPUT)
    made = origin_record()
    assert made.origin
    record = replace(
        made, container=uuid_of(first), origin=replace(made.origin, digest=tree.digest, files=files)
    )
    append_to(Place("container", str(first)), record, lineage=Lineage({}).beside((stored,)))
    out, next_ = data(tmp_path / "1.sif"), data(tmp_path / "2.sif")
    run(first, to=out)
    run(out, to=next_)
    for path in (out, next_):
        assert record_digest(stored) in embedded(path).documents
    # One that is told against another brings that one along.
    more = make_tree([*tree.entries, plain_entry(b"g", 0o040755)], 0)
    files, second = describe(more)
    assert second and files.digest
    delta = store(second, manifest.lines).to_bytes()
    assert len(delta) < len(stored)
    record = replace(
        record, id=uuid4(), origin=replace(made.origin, digest=more.digest, files=files)
    )
    both = data(tmp_path / "4.sif", INPUT)
    append_to(
        Place("container", str(both)),
        replace(record, container=uuid_of(both)),
        lineage=Lineage({}).beside((delta, stored)),
    )
    target = data(tmp_path / "5.sif")
    run(both, to=target)
    assert {record_digest(delta), record_digest(stored)} < set(embedded(target).documents)
    monkeypatch.setattr(lineage, "MAX_EMBEDDED", len(stored) + 10)
    small = data(tmp_path / "3.sif")
    (written,) = run(first, to=small).written
    assert set(embedded(small).documents) == digests(first)
    assert fact(written.record) == lineage.TOO_MUCH


def test_prepared_while_the_application_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end nothing is packed any more."""
    first, out = source(tmp_path / "0.sif"), data(tmp_path / "out.sif")
    started = begin(request((first,), (out,)))
    monkeypatch.setattr(
        "sifprov.embedded.pack_lineage", lambda documents: [][: len(list(documents))]
    )
    (written,) = capture.finish(started, end(), Deadline()).written
    assert written.digest and set(embedded(out).documents) == digests(first)


def test_what_came_meanwhile_is_seen(tmp_path: Path) -> None:
    """Another run may write into the output while ours goes on."""
    first, second, out = (
        source(tmp_path / "0.sif"),
        source(tmp_path / "1.sif"),
        data(tmp_path / "out.sif"),
    )
    started = begin(request((first, second), (out,)))
    run(first, to=out)
    capture.finish(started, end(), Deadline())
    assert names(out) == [LINEAGE, RECORD, LINEAGE, RECORD]
    assert set(embedded(out).documents) == digests(first, second)
    sizes = [len(d) for d in embedded(out).documents.values()]
    assert len(sizes) == 2


APPENDER = """
import sys
from pathlib import Path
from sifprov import capture
from sifprov.content import Deadline
from tests.unit.chains import begin, end, request
out, *inputs = map(Path, sys.argv[1:])
started = begin(request(tuple(inputs), (out,)))
print("ready", flush=True)
sys.stdin.readline()
(written,) = capture.finish(started, end(), Deadline()).written
assert written.digest, written.spooled
"""


def test_many_runs_into_one_output_at_once(tmp_path: Path) -> None:
    """Each had prepared its lineage before any of them wrote; each document is there once."""
    inputs = [source(tmp_path / f"{n}.sif") for n in range(8)]
    out = data(tmp_path / "out.sif")
    running = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, out, *inputs[n : n + 3]],
            cwd=Path(__file__).parents[2], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for n in range(6)
    ]  # fmt: skip
    try:
        for process in running:
            assert process.stdout and process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin
            process.stdin.write("\n")
            process.stdin.flush()
    finally:
        for process in running:
            _, err = process.communicate(timeout=60)
            assert process.returncode == 0, err
    assert len(own(out)) == 6 and set(embedded(out).documents) == digests(*inputs)
    assert names(out).count(RECORD) == 6
    with open_image(str(out)) as (file, image):
        several = [read_documents(file, d) for d in lineage_objects(image)]
    assert sum(map(len, several)) == 8
