"""From records to the graph: the records of a sample give the graph that it was made as; what is
missing, swapped, changed or hostile is told, and never guessed."""

from __future__ import annotations

import pytest
from tests.unit.graphmaker import Sample, documents, trail_of
from tests.unit.graphs import SAMPLES, small
from tests.unit.lineages import OTHER, carrier, plain, read, record_of, stored, with_input
from tests.unit.test_graphs import hangs_together

from sifprov.capture.files import without_others
from sifprov.carrier import Carrier
from sifprov.frozen import replace
from sifprov.identity import Identity
from sifprov.lineage import CHANGED, MORE, OTHER_RECORDS, build
from sifprov.lineage.order import grouped
from sifprov.model.canonical import record_digest
from sifprov.model.container import CHANGED_OUTSIDE, INPUT, OUTPUT, PROVISIONAL
from sifprov.model.files import Files
from sifprov.model.graph import EMBEDDED, FOUND, MISSING
from sifprov.records import Stored, left_out
from sifprov.trail import Trail, Walk

ORACLES = [name for name in SAMPLES if name != "partly-missing"]


@pytest.mark.parametrize("name", ORACLES)
def test_a_sample_is_built_from_its_records(name: str) -> None:
    wanted = SAMPLES[name]()
    built = build(trail_of(wanted))
    hangs_together(built)
    assert built.targets == wanted.targets
    assert {k: plain(e) for k, e in built.entities.items()} == {
        k: plain(e) for k, e in wanted.entities.items()
    }
    assert built.activities == wanted.activities
    assert list(built.activities) == list(wanted.activities)


def test_the_whole_way_needs_one_file_alone() -> None:
    wanted = small()
    trail = trail_of(wanted)
    assert len(trail.start.records) == 2
    assert len(trail.start.embedded) == 2
    assert trail.ancestors == {}
    assert set(build(trail).activities) == set(wanted.activities)
    bare = replace(trail.start, embedded={})
    walk = Walk(bare, lambda container: None)
    walk.run()
    graph = build(Trail(bare, walk.found, walk.records))
    assert [e.name for e in graph.entities.values() if e.standing == MISSING] == ["middle.sif"]
    assert len(graph.activities) == 1


def test_what_nothing_names_is_not_believed() -> None:
    """An embedded record counts by its digest: others are ignored, and a false one is told."""
    s = Sample()
    data = s.made("input.sif")
    (end,) = s.run(s.application(), (data,), "output.sif")
    stray = s.made("stray.sif")
    graph = s.graph(end)
    whole = documents(graph)
    own = record_of(s, end)
    start = replace(carrier(end, own), embedded=whole)
    built = build(read(start))
    assert stray.key not in built.entities
    assert built.entities[data.key].generated_by
    forged = replace(record_of(s, data), recorded="2026-05-28T20:00:00Z").to_bytes()
    trail = read(replace(start, embedded={**whole, data.record or "": forged}))
    assert any("its bytes have another digest" in problem for problem in trail.problems)
    assert build(trail).entities[data.key].standing == MISSING


def test_ancestors_at_hand_are_checked() -> None:
    s = Sample()
    data, other = s.made("input.sif"), s.made("other.sif")
    (end,) = s.run(s.application(), (data,), "output.sif")
    start = carrier(end, record_of(s, end))
    first, wrong = record_of(s, data), replace(record_of(s, other), container=data.uuid or OTHER)

    there = build(read(start, carrier(data, first))).entities[data.key]
    assert (there.standing, there.path, there.problem) == (FOUND, "/home/ada/input.sif", None)
    # It went on: what it carried then is still there.
    more = replace(wrong, previous=data.record)
    assert build(read(start, carrier(data, first, more))).entities[data.key].standing == FOUND

    swapped = build(read(start, carrier(data, wrong)))
    it = swapped.entities[data.key]
    assert (it.standing, it.path, it.problem) == (MISSING, "/home/ada/input.sif", OTHER_RECORDS)
    assert it.generated_by is None
    embedded = replace(start, embedded={data.record or "": first.to_bytes()})
    it = build(read(embedded, carrier(data, wrong))).entities[data.key]
    assert (it.standing, it.problem) == (EMBEDDED, OTHER_RECORDS)
    assert it.generated_by == str(first.id)


def test_one_that_carried_no_record_and_has_one_now() -> None:
    s = Sample()
    bare, made = s.plain("bare.sif"), s.made("made.sif")
    (end,) = s.run(s.application(), (bare,), "output.sif")
    now = replace(record_of(s, made), container=bare.uuid or OTHER)
    graph = build(read(carrier(end, record_of(s, end)), carrier(bare, now)))
    it = graph.entities[bare.key]
    assert (it.standing, it.problem, it.generated_by) == (FOUND, OTHER_RECORDS, None)


def test_records_elsewhere_are_known_by_the_content() -> None:
    """As in a metadata container: the input named no record of its own."""
    s = Sample()
    data = s.made("input.sif")
    bare = replace(data, container=replace(data.container, record=None))
    (end,) = s.run(s.application(), (bare,), "output.sif")
    own = record_of(s, end)
    there = carrier(data, record_of(s, data), place="/data/meta.sif")
    used = next(iter(build(read(carrier(end, own), there)).activities.values())).generated
    assert used[0].entity == data.key
    # Another content is not that state.
    changed = with_input(own, replace(bare.container, digest="tree-v1:" + "f" * 64, role=INPUT))
    graph = build(read(carrier(end, changed), there))
    used = graph.activities[str(own.id)].used
    assert graph.entities[used[1].entity].generated_by is None


@pytest.mark.parametrize(
    ("marks", "digest", "problem"),
    [((CHANGED_OUTSIDE,), None, CHANGED), ((), "tree-v1:" + "f" * 64, CHANGED)],
)
def test_a_content_that_no_record_tells(
    marks: tuple[str, ...], digest: str | None, problem: str
) -> None:
    s = Sample()
    data = s.made("input.sif")
    (end,) = s.run(s.application(), (data,), "output.sif")
    own = record_of(s, end)
    it = replace(own.with_role(INPUT)[0], marks=marks, digest=digest, reason=None)
    start = replace(carrier(end, with_input(own, it)), embedded=s.store)
    graph = build(read(start))
    hangs_together(graph)
    entity = graph.entities[graph.activities[str(own.id)].used[1].entity]
    assert (entity.problem, entity.generated_by, entity.revision_of) == (problem, None, data.key)
    assert graph.entities[data.key].digest == data.digest


def test_more_was_written_after_a_provisional_record() -> None:
    s = Sample()
    app = s.application()
    (mid,) = s.run(app, (s.made("input.sif"),), "middle.sif")
    (end,) = s.run(app, (mid,), "output.sif")
    first, own = record_of(s, mid), record_of(s, end)
    first = replace(
        first,
        containers=tuple(
            replace(c, marks=(PROVISIONAL,)) if c.role == OUTPUT else c for c in first.containers
        ),
    )
    named = record_digest(first.to_bytes())
    it = replace(own.with_role(INPUT)[0], record=named, digest="tree-v1:" + "e" * 64)
    own = with_input(own, it)
    start = replace(carrier(end, own), embedded={**s.store, named: first.to_bytes()})
    graph = build(read(start))
    assert graph.entities[graph.activities[str(own.id)].used[1].entity].problem == MORE


def test_words_stand_with_what_they_are_about() -> None:
    """A container whose newest record are words is in the state before them."""
    s = Sample()
    data = s.made("input.sif")
    words = s.say(data, "good data")
    named = record_digest(words.to_bytes())
    noted = replace(data, container=replace(data.container, record=named))
    (end,) = s.run(s.application(), (noted,), "output.sif")
    start = replace(carrier(end, record_of(s, end)), embedded=s.store)
    graph = build(read(start))
    hangs_together(graph)
    assert graph.entities[data.key].standing == EMBEDDED
    assert graph.activities[data.generated_by or ""].words == (words,)
    assert graph.activities[end.generated_by or ""].used[1].entity == data.key
    # Words that nobody named yet stand in the container that is found.
    later = replace(words, id=OTHER, previous=named, recorded="2026-06-01T00:00:00Z")
    found = carrier(data, record_of(s, data), words, later)
    both = build(read(start, found)).activities[data.generated_by or ""].words
    assert both == (words, later)


def test_words_about_what_is_not_at_hand() -> None:
    s = Sample()
    data = s.made("input.sif")
    words = s.say(data, "lost")
    graph = build(read(carrier(data, words)))
    assert graph.words == (words,)
    assert graph.activities == {}


def test_two_outputs_are_one_run() -> None:
    s = Sample()
    app = s.application()
    left, right = s.run(app, (s.made("input.sif"),), "left.sif", "right.sif")
    alone = replace(carrier(left, record_of(s, left)), embedded=s.store)
    graph = build(read(alone))
    (run,) = (a for a in graph.activities.values() if a.run)
    assert run.digests == (left.record,)
    sibling = graph.entities[run.generated[1].entity]
    assert (sibling.name, sibling.record, sibling.standing) == ("right.sif", None, EMBEDDED)
    # The other one is found: the same run.
    graph = build(read(alone, carrier(right, record_of(s, right))))
    (run,) = (a for a in graph.activities.values() if a.run)
    assert run.digests == (left.record, right.record)
    assert graph.entities[run.generated[1].entity].standing == FOUND


def test_each_output_of_a_run_lists_its_own_files() -> None:
    """The records of a run differ in what each says of its own container, and of what was to stand
    beside it."""
    s = Sample()
    outputs = s.run(s.application(), (s.made("input.sif"),), "left.sif", "right.sif")
    records = [record_of(s, output) for output in outputs]
    listed = tuple(
        replace(c, files=Files(lines=())) if c.role == OUTPUT else c for c in records[0].containers
    )
    records = [replace(r, containers=without_others(listed, r.container)) for r in records]
    records[1] = left_out(records[1], "the table of objects has no room for it")
    groups = grouped({record_digest(r.to_bytes()): r for r in records})
    assert [len(digests) for digests in groups.values()] == [2]
    # Another input, or another command, is no record of that run.
    swapped = tuple(replace(c, digest=None) if c.role == INPUT else c for c in listed)
    run = records[1].run
    assert run
    for other in (
        replace(records[1], containers=swapped),
        replace(records[1], run=replace(run, argv=("rm",))),
    ):
        assert len(grouped({str(n): r for n, r in enumerate((records[0], other))})) == 2


def test_the_other_output_is_known_by_the_id_of_the_run() -> None:
    """Its container is found, and nobody names its record."""
    s = Sample()
    before = s.made("right.sif")
    left, right = s.run(s.application(), (s.made("input.sif"),), "left.sif", before)
    start = replace(carrier(left, record_of(s, left)), embedded=s.store)
    there = carrier(right, record_of(s, before), record_of(s, right))
    graph = build(read(start, there))
    hangs_together(graph)
    (run,) = (a for a in graph.activities.values() if a.run)
    assert run.digests == (left.record, right.record)
    assert graph.entities[right.key].revision_of == before.key
    assert graph.entities[right.key].standing == FOUND


def test_a_sealed_container_goes_on_from_what_it_was_sealed_from() -> None:
    s = Sample()
    (end,) = s.run(s.application(), (s.made("input.sif"),), "output.sif")
    own = record_of(s, end)
    origin = record_of(s, s.made("sealed.sif"))
    assert origin.origin
    sealed = replace(
        origin,
        previous=end.record,
        origin=replace(origin.origin, digest=end.digest or ""),
        containers=(replace(end.container, role=INPUT),),
    )
    start = Carrier(
        Identity("/home/ada/sealed.sif", sealed.container), stored(own, sealed), embedded=s.store
    )
    graph = build(read(start))
    hangs_together(graph)
    (target,) = graph.targets
    assert graph.entities[target].revision_of is None
    assert graph.entities[target].name == "sealed.sif"
    making = graph.activities[str(sealed.id)]
    assert [u.entity for u in making.used] == [end.key]
    assert graph.entities[end.key].generated_by == str(own.id)


def test_a_place_shows_the_ends_of_all_trails() -> None:
    s = Sample()
    app, data = s.application(), s.made("input.sif")
    (mid,) = s.run(app, (data,), "middle.sif")
    (one,) = s.run(app, (mid,), "one.sif")
    (two,) = s.run(app, (data,), "two.sif")
    records = [record_of(s, e) for e in (data, mid, one, two)]
    start = Carrier(Identity("/home/ada/all.jsonl"), stored(*records), kind="sidecar")
    assert build(read(start)).targets == (two.key, one.key)


def test_a_broken_record_hides_no_other() -> None:
    s = Sample()
    data = s.made("input.sif")
    good = carrier(data, record_of(s, data))
    start = replace(good, records=(*good.records, Stored(9, 2, "", None, "not JSON")))
    graph = build(read(start))
    assert graph.targets == (data.key,)
    assert graph.problems == ("input.sif: broken record (object 9): not JSON",)
    nothing = build(read(replace(start, records=start.records[1:])))
    assert len(nothing.targets) == 1
    assert nothing.activities == {}
