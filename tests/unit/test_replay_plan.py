"""From records to steps: what is replayed, in which order, from which states, and what is told when
that cannot be."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from tests.unit.graphmaker import Sample, trail_of
from tests.unit.graphs import SAMPLES, chain, diamonds, fan_in, rewritten, small
from tests.unit.lineages import carrier, read, record_of
from tests.unit.replays import Shelf, hangs_together, planned

from sifprov.capture.files import without_others
from sifprov.errors import MissingError, NoRecordError, SifprovError
from sifprov.frozen import replace
from sifprov.model.container import CHANGED_OUTSIDE, OUTPUT
from sifprov.model.files import Files
from sifprov.model.graph import Graph
from sifprov.model.record import CREATE, Origin
from sifprov.replay.steps import (
    Continued,
    Copied,
    Found,
    Fresh,
    Kept,
    Made,
    Plan,
    Rebuilt,
    Refilled,
)
from sifprov.trail import Trail

WHOLE = [name for name in SAMPLES if name not in ("partly-missing", "replayed")]


def names(plan: Plan) -> list[list[str]]:
    """The outputs of each step, by name."""
    return [[t.container.name for t in step.outputs] for step in plan.steps]


@pytest.mark.parametrize("name", WHOLE)
def test_all_runs_are_replayed_from_the_origin(name: str) -> None:
    graph = SAMPLES[name]()
    plan = planned(graph, from_origin=True)
    hangs_together(plan)
    assert {s.key for s in plan.steps} == {k for k, a in graph.activities.items() if a.run}
    target = graph.entities[graph.targets[0]]
    assert plan.wanted == target.record
    assert plan.record.container == target.uuid


@pytest.mark.parametrize("name", WHOLE)
def test_the_last_run_needs_no_other_while_all_is_found(name: str) -> None:
    graph = SAMPLES[name]()
    target = graph.entities[graph.targets[0]].container.name
    found = Kept("/home/ada/output.sif", None)  # type: ignore[arg-type]
    plan = planned(graph, Shelf(starts={target: found} if name == "rewritten" else {}))
    hangs_together(plan)
    (step,) = plan.steps
    assert plan.wanted == graph.entities[graph.targets[0]].record
    assert all(isinstance(i, Found) for i in step.inputs)


def test_what_a_run_of_a_chain_reads() -> None:
    plan = planned(chain(3), from_origin=True)
    first, second, third = plan.steps
    assert isinstance(first.inputs[0], Found)
    assert first.inputs[0].container.name == "input.sif"
    for before, step in ((first, second), (second, third)):
        assert step.inputs == (Made(step.inputs[0].container, before.outputs[0].state),)
        assert step.needs == (before.key,)
        assert step.outputs[0].start == Fresh(step.outputs[0].container.path)


def test_a_container_that_was_written_again_goes_on_from_its_last_state() -> None:
    plan = planned(rewritten(3))
    hangs_together(plan)
    states = [step.outputs[0].state for step in plan.steps]
    starts = [step.outputs[0].start for step in plan.steps]
    assert starts[0] == Fresh("/home/ada/output.sif")
    assert starts[1:] == [Continued(states[0]), Continued(states[1])]


def test_an_earlier_state_that_is_at_hand_ends_the_way_back() -> None:
    """But not when everything is wanted from the origin."""
    there = Kept("/home/ada/output.sif", None)  # type: ignore[arg-type]
    shelf = Shelf(starts={"output.sif": there})
    plan = planned(rewritten(3), shelf)
    assert [s.outputs[0].start for s in plan.steps] == [there]
    plan = planned(rewritten(3), shelf, from_origin=True)
    assert len(plan.steps) == 3
    assert isinstance(plan.last.outputs[0].start, Continued)


def test_diamonds_are_replayed_once() -> None:
    plan = planned(diamonds(40), from_origin=True)
    hangs_together(plan)
    assert len(plan.steps) == 120


@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (lambda: chain(1000), 1000),
        (lambda: rewritten(1000), 1000),
        (lambda: fan_in(1000), 1),
        (lambda: diamonds(250), 750),
    ],
    ids=["chain", "rewritten", "fan-in", "diamonds"],
)
def test_a_thousand(make: Callable[[], Graph], steps: int) -> None:
    trail = trail_of(make())
    began = time.process_time()
    plan = planned(trail, from_origin=True)
    assert time.process_time() - began < 10
    assert len(plan.steps) == steps
    hangs_together(plan)


def test_twice_as_much_takes_about_twice_as_long() -> None:
    """Nothing is quadratic: four times the runs would take sixteen times as long."""

    def took(n: int) -> float:
        trail = trail_of(chain(n))
        times = []
        for _ in range(2):
            began = time.process_time()
            planned(trail, from_origin=True)
            times.append(time.process_time() - began)
        return min(times)

    assert took(800) < 10 * took(200)


def test_every_container_that_is_missing_is_named_at_once() -> None:
    s = Sample()
    made = s.run(s.application("first.sif"), (s.made("data.sif"),), "middle.sif")
    (end,) = s.run(s.application("app.sif"), (*made, s.plain("bare.sif")), "output.sif")
    graph = s.graph(end)
    with pytest.raises(MissingError) as caught:
        planned(graph, Shelf(lost=("app.sif", "middle.sif", "bare.sif")))
    text, hint = str(caught.value), caught.value.hint or ""
    for name in ("app.sif", "middle.sif", "bare.sif"):
        assert name in text
    assert "for 3 reasons" in text
    assert "\n" not in text
    assert "--search" in hint
    assert "--from-origin makes middle.sif again" in hint
    # It is made again, but nothing makes the others.
    with pytest.raises(MissingError) as caught:
        planned(graph, Shelf(lost=("app.sif", "middle.sif", "bare.sif")), from_origin=True)
    assert "middle.sif" not in str(caught.value)
    assert "--from-origin" not in (caught.value.hint or "")
    plan = planned(graph, Shelf(lost=("middle.sif",)), from_origin=True)
    assert names(plan) == [["middle.sif"], ["output.sif"]]


def test_what_to_type_is_harmless() -> None:
    """A name is quoted as a shell wants it."""
    s = Sample()
    (end,) = s.run(s.application(), (s.plain("$(reboot) \n.sif"),), "output.sif")
    with pytest.raises(MissingError) as caught:
        planned(s.graph(end), Shelf(lost=("$(reboot) \n.sif",)))
    hint = caught.value.hint or ""
    assert r"--with '$(reboot) \x0a.sif=FILE'" in hint


def test_one_that_is_missing_is_looked_for_and_told_once() -> None:
    shelf = Shelf(lost=("app.sif", "input.sif"))
    with pytest.raises(MissingError, match="for 2 reasons"):
        planned(diamonds(20), shelf, from_origin=True)
    assert sorted(shelf.asked) == ["app.sif", "input.sif"]


def test_a_changed_input_is_refused_unless_forced() -> None:
    with pytest.raises(MissingError, match=r"input\.sif: changed") as caught:
        planned(chain(1), Shelf(changed=("input.sif",)))
    assert "--force" in (caught.value.hint or "")
    plan = planned(chain(1), Shelf(changed=("input.sif",)), force=True)
    assert "input.sif: changed" in plan.notes


def test_words_and_verdicts_are_stepped_over() -> None:
    """An input, and an output, that carried words when the run began."""
    s = Sample()
    app = s.application()
    (middle,) = s.run(app, (s.made("input.sif"),), "middle.sif")
    words = s.say(middle, "checked")
    said = replace(middle, container=replace(middle.container, record=s.put(words)))
    (other,) = s.run(app, (said,), "output.sif")
    later = s.say(other, "so so")
    again = replace(other, record=s.put(later))
    (end,) = s.run(app, (said,), again)
    start = replace(carrier(end, *(record_of(s, e) for e in (other, end)), later), embedded=s.store)
    plan = planned(read(start), from_origin=True)
    hangs_together(plan)
    first, second, third = plan.steps
    assert third.inputs == (Made(third.inputs[0].container, first.outputs[0].state),)
    assert third.outputs[0].start == Continued(second.outputs[0].state)


def sealed_trail(digest: str | None = None) -> Trail:
    """A result that was sealed, read by a run; `digest` is what the sealing tells."""
    s = Sample()
    (middle,) = s.run(s.application(), (s.made("input.sif"),), "middle.sif")
    sealed = s.plain("sealed.sif")
    it = replace(middle.container, role="input", mount=None, source=None, files=None)
    told = digest or middle.container.digest or ""
    origin = s._record(
        sealed.uuid, captured_by=CREATE, previous=middle.record,
        origin=Origin("/home/ada/middle.sif", told), containers=(it,),
    )  # fmt: skip
    named = replace(sealed.container, record=s.put(origin), digest=told)
    (end,) = s.run(s.application("second.sif"), (replace(sealed, container=named),), "output.sif")
    return read(replace(carrier(end, record_of(s, end)), embedded=s.store))


def test_a_sealed_input_is_what_it_was_sealed_from() -> None:
    plan = planned(sealed_trail(), Shelf(lost=("sealed.sif",)), from_origin=True)
    hangs_together(plan)
    first, second = plan.steps
    (made,) = second.inputs
    assert made == Made(made.container, first.outputs[0].state)
    assert made.container.name == "sealed.sif"
    with pytest.raises(MissingError, match=r"sealed\.sif") as caught:
        planned(sealed_trail(), Shelf(lost=("sealed.sif",)))
    assert "--from-origin makes sealed.sif again" in (caught.value.hint or "")


def test_a_lost_input_is_made_of_its_folder_again() -> None:
    """Each run that reads it makes its own."""
    graph = diamonds(1)
    for shelf in (
        Shelf(lost=("input.sif",), origins=True),
        Shelf(changed=("input.sif",), origins=True),
    ):
        plan = planned(graph, shelf, from_origin=True)
        hangs_together(plan)
        read = [i for step in plan.steps for i in step.inputs if isinstance(i, Rebuilt)]
        assert len(read) == 2
        assert len({i.state for i in read}) == 2
        for item in read:
            assert isinstance(item.start, Refilled)
            assert item.record.origin == item.start.origin
            assert item.record.previous == item.container.record
            assert item.target.start == item.start
        assert not plan.notes or all("input.sif" not in note for note in plan.notes)
    with pytest.raises(MissingError, match=r"input\.sif"):
        planned(graph, Shelf(lost=("input.sif",)), from_origin=True)
    # The last run alone is replayed with what there is.
    graph = chain(1)
    for shelf, force in (
        (Shelf(lost=("input.sif",), origins=True), True),
        (Shelf(changed=("input.sif",), origins=True), False),
    ):
        with pytest.raises(MissingError, match=r"input\.sif") as caught:
            planned(graph, shelf, force=force)
        assert "--from-origin makes input.sif again" in (caught.value.hint or "")
    plan = planned(graph, Shelf(changed=("input.sif",), origins=True), force=True)
    assert isinstance(plan.last.inputs[0], Found)
    assert "input.sif: changed" in plan.notes


def test_what_runs_made_of_it_is_not_in_the_folder() -> None:
    """An input that a run had written into, or somebody changed, before it was read."""
    s = Sample()
    app = s.application()
    data = s.made("data.sif")
    (again,) = s.run(app, (s.plain("other.sif"),), data)
    (end,) = s.run(app, (again,), "output.sif")
    graph = s.graph(end)
    with pytest.raises(MissingError, match=r"data\.sif"):
        planned(graph, Shelf(lost=("data.sif",), origins=True))
    unread = replace(data.container, digest=None, reason="not read in time")
    (end,) = s.run(app, (replace(data, container=unread),), "unread.sif")
    with pytest.raises(MissingError, match=r"data\.sif"):
        planned(
            read(replace(carrier(end, record_of(s, end)), embedded=s.store)),
            Shelf(lost=("data.sif",), origins=True),
        )
    s = Sample()
    data = s.made("data.sif")
    changed = replace(data.container, marks=(CHANGED_OUTSIDE,), digest="tree-v1:" + "5" * 64)
    (end,) = s.run(s.application(), (replace(data, container=changed),), "output.sif")
    with pytest.raises(MissingError, match="by no recorded run before it was read"):
        planned(
            read(replace(carrier(end, record_of(s, end)), embedded=s.store)),
            Shelf(lost=("data.sif",), origins=True),
        )


def test_a_sealing_that_tells_other_content_is_not_believed() -> None:
    plan = planned(sealed_trail("tree-v1:" + "e" * 64), from_origin=True)
    assert len(plan.steps) == 1
    assert isinstance(plan.last.inputs[0], Found)


def test_all_outputs_of_a_run_are_made_also_those_without_records() -> None:
    s = Sample()
    app = s.application()
    before = s.made("right.sif")
    left, right = s.run(app, (s.made("input.sif"),), "left.sif", before)
    start = replace(carrier(left, record_of(s, left)), embedded={
        d: b for d, b in s.store.items() if d != right.record
    })  # fmt: skip
    there = Copied(None)  # type: ignore[arg-type]
    plan = planned(read(start), Shelf(starts={"right.sif": there}))
    hangs_together(plan)
    (step,) = plan.steps
    assert [t.state for t in step.outputs] == [left.record, right.record]
    assert [t.record.container for t in step.outputs] == [left.uuid, right.uuid]
    assert step.outputs[1].start == there


def test_both_outputs_of_a_run_are_read_and_the_run_is_replayed_once() -> None:
    """Their records list files of their own, so they are not equal but for the container."""
    s = Sample()
    pair = s.run(s.application(), (s.made("input.sif"),), "left.sif", "right.sif")
    records = [record_of(s, e) for e in pair]
    listed = tuple(
        replace(c, files=Files(lines=())) if c.role == OUTPUT else c for c in records[0].containers
    )
    records = [replace(r, containers=without_others(listed, r.container)) for r in records]
    entities = [replace(e, record=s.put(r)) for e, r in zip(pair, records, strict=True)]
    entities = [replace(e, container=replace(e.container, record=e.record)) for e in entities]
    (end,) = s.run(s.application("second.sif"), tuple(entities), "output.sif")
    plan = planned(
        read(replace(carrier(end, record_of(s, end)), embedded=s.store)), from_origin=True
    )
    hangs_together(plan)
    assert names(plan) == [["left.sif", "right.sif"], ["output.sif"]]


@pytest.fixture
def rewritten_trail() -> Trail:
    return trail_of(rewritten(3))


def test_any_record_can_be_replayed(rewritten_trail: Trail) -> None:
    own = [(s.digest, r) for s, r in rewritten_trail.start.good]
    assert planned(rewritten_trail).wanted == own[-1][0]
    for digest, record in own:
        for which in (str(record.id), digest, digest.removeprefix("sha256:")[:12]):
            plan = planned(rewritten_trail, which=which.upper() if "-" in which else which)
            assert plan.wanted == digest
            assert plan.last.key == str(record.id)
            hangs_together(plan)


def test_also_that_of_an_ancestor() -> None:
    trail = trail_of(small())
    ancestor = next(
        d for d, r in trail.records.items() if r.run and r.container != trail.start.identity.uuid
    )
    plan = planned(trail, which=ancestor[7:20])
    assert plan.wanted == ancestor
    assert names(plan) == [["middle.sif"]]


def test_a_record_that_is_none_of_a_run(rewritten_trail: Trail) -> None:
    origin = next(r for r in rewritten_trail.records.values() if r.origin)
    with pytest.raises(NoRecordError, match="not of a run"):
        planned(rewritten_trail, which=str(origin.id))
    with pytest.raises(NoRecordError, match="no record whose id begins with ffff"):
        planned(rewritten_trail, which="ffff")
    with pytest.raises(SifprovError, match="3 records begin with 0000") as caught:
        planned(rewritten_trail, which="0000")
    assert "digest" in (caught.value.hint or "")


def test_the_run_that_began_last_is_replayed() -> None:
    """Its record stands before that of an earlier one, which was delivered late."""
    s = Sample()
    app, data = s.application(), s.made("input.sif")
    (first,) = s.run(app, (data,), "output.sif")
    (second,) = s.run(app, (data,), first)
    (third,) = s.run(app, (data,), first)
    records = [record_of(s, e) for e in (first, third, second)]
    records[2] = replace(records[2], previous=third.record)
    trail = read(carrier(third, *records))
    plan = planned(trail)
    assert plan.wanted == third.record
    hangs_together(plan)
    assert any("another run came between" in note for note in plan.notes)
    # What the other one began with is known: its record tells which one the container carried.
    late = planned(trail, which=str(records[2].id))
    assert [t.start for t in late.last.outputs] == [Continued(first.record or "")]
    assert not any("another run came between" in note for note in late.notes)


def test_nothing_to_replay() -> None:
    s = Sample()
    data = s.made("input.sif")
    with pytest.raises(NoRecordError, match="no record of a run"):
        planned(read(carrier(data, record_of(s, data))))
    trail = trail_of(small())
    broken = tuple(replace(x, record=None, error="not JSON") for x in trail.start.records)
    with pytest.raises(NoRecordError, match="only a broken record"):
        planned(replace(trail, start=replace(trail.start, records=broken)))
    many = replace(trail.start, kind="metadata")
    with pytest.raises(MissingError, match="records of other containers"):
        planned(replace(trail, start=many))


def test_outputs_of_one_run_that_lead_to_each_other() -> None:
    """Digests alone make no circle, but the records of a run do, taken together."""
    s = Sample()
    left, right = s.run(s.application(), (s.made("input.sif"),), "left.sif", "right.sif")
    circle = replace(record_of(s, right), previous=left.record)
    forged = s.put(circle)
    trail = read(replace(carrier(right, circle), embedded=s.store))
    assert trail.records.keys() >= {left.record, forged}
    with pytest.raises(MissingError, match=r"right\.sif: it held earlier content"):
        planned(trail, from_origin=True)
    plan = planned(trail, which=left.record or "", from_origin=True)
    hangs_together(plan)
    assert names(plan) == [["left.sif", "right.sif"]]
    assert any("lead to each other" in note for note in plan.notes)


def test_records_with_one_id_that_are_not_of_one_run() -> None:
    s = Sample()
    app = s.application()
    (first,) = s.run(app, (s.made("input.sif"),), "middle.sif")
    (end,) = s.run(app, (first,), "output.sif")
    forged = replace(record_of(s, end), id=record_of(s, first).id)
    plan = planned(read(replace(carrier(end, forged), embedded=s.store)), from_origin=True)
    hangs_together(plan)
    assert len(plan.steps) == 2


def test_a_state_that_is_named_and_of_another_container() -> None:
    s = Sample()
    app = s.application()
    (other,) = s.run(app, (s.made("input.sif"),), "other.sif")
    forged = replace(s.plain("data.sif").container, record=other.record)
    plain = s.plain("again.sif")
    (end,) = s.run(app, (replace(plain, container=forged),), "output.sif")
    trail = read(replace(carrier(end, record_of(s, end)), embedded=s.store))
    plan = planned(trail, from_origin=True)
    assert len(plan.steps) == 1
    assert isinstance(plan.last.inputs[0], Found)


def test_a_run_without_its_own_output_is_refused() -> None:
    s = Sample()
    (end,) = s.run(s.application(), (s.made("input.sif"),), "output.sif")
    record = record_of(s, end)
    only = tuple(c for c in record.containers if c.role != OUTPUT)
    trail = read(carrier(end, replace(record, containers=only)))
    with pytest.raises(MissingError, match="what became of its container"):
        planned(trail)
