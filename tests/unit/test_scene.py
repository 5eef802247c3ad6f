"""What every picture shows: the words on boxes, and which boxes are one."""

from __future__ import annotations

import unicodedata
from uuid import UUID

import pytest
from tests.unit.graphs import SAMPLES, chain, diamonds, fan_in, hostile_names, partly_missing, small

from sifprov.frozen import replace
from sifprov.model.foreign import Foreign
from sifprov.model.graph import MISSING, Activity, Graph
from sifprov.model.record import CHANGED_OUTSIDE, PROVISIONAL
from sifprov.render.fold import FEW, folded
from sifprov.render.scene import (
    FAILED,
    HELD,
    MADE,
    PROBLEM,
    REVISION,
    TARGET,
    UNSURE,
    USED,
    activity_box,
    duration,
    scene,
)


def test_a_trail_in_words() -> None:
    graph = small()
    what = scene(graph)
    assert what.title == "Record trail of output.sif"
    titles = [box.title for box in what.boxes.values()]
    assert titles[0] == "input.sif"
    assert "/home/ada/data" in titles
    assert sorted(a.kind for a in what.arrows) == [MADE] * 3 + [USED] * 4
    (end,) = [box for box in what.boxes.values() if TARGET in box.flags]
    assert end.title == "output.sif"
    assert end.lines[0].startswith("tree-v1:")
    last = list(what.boxes.values())[-1]
    assert last.title.startswith("sh -c 'cat")
    assert last.lines[1] == "29.25 s, exit code 0"
    assert last.lines[2] == "r2 = 0.93 · paper: draft-2 · 2 notes"


def test_what_is_special_is_marked() -> None:
    boxes = {box.title: box.flags for box in scene(partly_missing()).boxes.values()}
    assert boxes["gone.sif"] == (MISSING,)
    assert boxes["bare.sif"] == (HELD,)
    assert PROBLEM in boxes["swapped.sif"]
    flags = [box.flags for box in scene(partly_missing()).boxes.values()]
    assert flags.count((FAILED,)) == 1


def test_a_mark_of_any_use_shows_on_the_container_and_on_the_arrow() -> None:
    graph = small()
    key, last = list(graph.activities.items())[-1]
    usage = last.used[1]
    marked = replace(usage, container=replace(usage.container, marks=(CHANGED_OUTSIDE,)))
    made = last.generated[0]
    unsure = replace(made, container=replace(made.container, marks=(PROVISIONAL,)))
    changed = replace(last, used=(last.used[0], marked), generated=(unsure,))
    what = scene(replace(graph, activities={**graph.activities, key: changed}))
    flags = {box.title: box.flags for box in what.boxes.values()}
    assert CHANGED_OUTSIDE in flags["middle.sif"]
    assert PROVISIONAL in flags["output.sif"]
    assert [a.flags for a in what.arrows if a.flags] == [(CHANGED_OUTSIDE,), (PROVISIONAL,)]


@pytest.mark.parametrize(
    ("outcome", "code", "signal", "flags", "words"),
    [
        ("exited", 3, None, (FAILED,), "exit code 3"),
        ("signaled", None, 9, (FAILED,), "ended by signal 9"),
        ("not-started", None, None, (FAILED,), "never started"),
        ("unknown", None, None, (UNSURE,), "outcome unknown"),
    ],
)
def test_how_a_run_ended(
    outcome: str, code: int | None, signal: int | None, flags: tuple[str, ...], words: str
) -> None:
    activity = list(small().activities.values())[-1]
    assert activity.record and activity.record.run
    run = replace(activity.record.run, outcome=outcome, exit_code=code, signal=signal)
    box = activity_box("a0", replace(activity, record=replace(activity.record, run=run)))
    assert box.flags == flags
    assert box.lines[1].endswith(words)


def test_records_of_another_program_are_drawn_too() -> None:
    foreign = Foreign("out", UUID(int=1), None, "python3 /a.py\x1b", None, (), None)
    run = Activity("k", None, (), (), (), foreign=foreign)
    assert activity_box("a0", run).title == "python3 /a.py\\x1b"
    making = replace(run, foreign=replace(foreign, command="no operation"))
    assert activity_box("a0", making).title == "files that are not named"


@pytest.mark.parametrize("name", SAMPLES)
def test_no_text_can_act_on_its_reader(name: str) -> None:
    what = scene(SAMPLES[name]())
    texts = [what.title, *what.problems, *(a.label for a in what.arrows)]
    texts += [t for box in what.boxes.values() for t in (box.title, *box.lines)]
    for text in texts:
        assert not {unicodedata.category(c)[0] for c in text} & {"C"}, ascii(text)
        assert len(text) < 2000


def test_durations() -> None:
    assert duration(1_500_000_000) == "1.50 s"
    assert duration(61 * 10**9) == "1 min 1 s"
    assert duration(7322 * 10**9) == "2 h 2 min"


def test_an_empty_graph_has_a_title() -> None:
    what = folded(scene(Graph((), {}, {})))
    assert (what.title, dict(what.boxes)) == ("Record trail", {})


def test_a_thousand_inputs_are_one_box_and_their_makings_another() -> None:
    what = folded(scene(fan_in(1000)))
    groups = [box for box in what.boxes.values() if box.members]
    assert [(box.title, len(box.members)) for box in groups] == [
        ("1,000 data containers", 1000), ("1,000 makings", 1000),
    ]  # fmt: skip
    assert groups[0].lines == ("part-0000.sif", "part-0001.sif", "part-0002.sif", "… and 997 more")
    assert len(what.boxes) == 5
    assert sorted(a.label for a in what.arrows if "1," in a.label) == ["1,000 \u00d7"] * 2


def test_few_are_not_hidden() -> None:
    assert len(folded(scene(fan_in(FEW))).boxes) == 2 * FEW + 3
    assert len(folded(scene(fan_in(FEW + 1))).boxes) == 5


def test_what_is_special_is_in_no_group_of_what_is_not() -> None:
    graph = fan_in(100)
    key = list(graph.entities)[50]
    odd = replace(graph.entities[key], standing=MISSING)
    what = folded(scene(replace(graph, entities={**graph.entities, key: odd})))
    assert [b.title for b in what.boxes.values() if b.flags == (MISSING,)] == [odd.name]


@pytest.mark.parametrize("graph", [chain(40), diamonds(20)], ids=["chain", "diamonds"])
def test_what_plays_different_parts_is_not_one(graph: Graph) -> None:
    assert len(folded(scene(graph)).boxes) == len(graph.entities) + len(graph.activities)


def test_folding_keeps_every_arrow_and_makes_no_loop() -> None:
    for graph in (fan_in(50), hostile_names(), diamonds(5)):
        whole, what = scene(graph), folded(scene(graph))
        after = {a.source: {b.target for b in what.arrows if b.source == a.source}
                 for a in what.arrows}  # fmt: skip
        into = {m: box.id for box in what.boxes.values() for m in box.members}
        for arrow in whole.arrows:
            source = into.get(arrow.source, arrow.source)
            assert into.get(arrow.target, arrow.target) in after[source]
        seen: set[str] = set()
        while ready := [b for b in what.boxes if b not in seen and after.get(b, set()) <= seen]:
            seen.update(ready)
        assert seen == set(what.boxes)


def test_earlier_content_of_one_container() -> None:
    what = scene(SAMPLES["rewritten"]())
    revisions = [a for a in what.arrows if a.kind == REVISION]
    assert [what.boxes[a.source].title for a in revisions] == ["output.sif"] * 2
