"""Records that lie: the graph holds together all the same, and is built in time."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from tests.unit.graphmaker import Sample, trail_of
from tests.unit.graphs import chain, diamonds, fan_in, rewritten
from tests.unit.lineages import OTHER, carrier, read, record_of, stored, with_input
from tests.unit.test_graphs import hangs_together

from sifprov import trail as trail_module
from sifprov.carrier import Carrier
from sifprov.frozen import replace
from sifprov.identity import Identity
from sifprov.lineage import ANOTHERS, build
from sifprov.model.container import INPUT, OUTPUT
from sifprov.model.graph import MISSING, Graph
from sifprov.model.record import Record
from sifprov.trail import Walk


def test_a_record_of_another_container_is_none_of_this_one() -> None:
    s = Sample()
    data, other = s.made("input.sif"), s.made("other.sif")
    (end,) = s.run(s.application(), (data,), "output.sif")
    own = record_of(s, end)
    lie = replace(own.with_role(INPUT)[0], record=other.record)
    own = with_input(own, lie)
    graph = build(read(replace(carrier(end, own), embedded=s.store)))
    hangs_together(graph)
    it = graph.entities[graph.activities[str(own.id)].used[1].entity]
    assert (it.problem, it.generated_by) == (ANOTHERS, None)


def test_different_runs_of_one_id_stay_apart() -> None:
    s = Sample()
    app, data = s.application(), s.made("input.sif")
    (mid,) = s.run(app, (data,), "middle.sif")
    (end,) = s.run(app, (mid,), "output.sif")
    own = replace(record_of(s, end), id=record_of(s, mid).id)
    graph = build(read(replace(carrier(end, own), embedded=s.store)))
    hangs_together(graph)
    assert len([a for a in graph.activities.values() if a.run]) == 2


def test_outputs_of_one_run_that_need_each_other() -> None:
    """Digests make no circle, but two records of one id can, taken as one."""
    s = Sample()
    app = s.application()
    left, right = s.run(app, (s.made("input.sif"),), "left.sif", "right.sif")
    (mid,) = s.run(app, (left,), right)
    again = replace(record_of(s, right), previous=mid.record)
    # The later one says that it is the same run as the first.
    start = Carrier(
        Identity("/home/ada/right.sif", right.uuid),
        stored(record_of(s, right), record_of(s, mid), again),
        embedded=s.store,
    )
    graph = build(read(start))
    hangs_together(graph)
    assert any("lead to each other" in problem for problem in graph.problems)


def test_a_circle_of_containers_without_records_ends() -> None:
    """Eight containers of one content, each made from the seven others in one moment, whose records
    stand elsewhere."""
    s = Sample()
    every = [s.plain(f"{n}.sif") for n in range(8)]
    (first,) = s.run(s.application(), tuple(every), "x.sif")
    pattern = record_of(s, first)
    same = [replace(e.container, digest="tree-v1:" + "a" * 64) for e in every]

    def link(here: int) -> Record:
        others = tuple(c for n, c in enumerate(same) if n != here)
        output = replace(same[here], role=OUTPUT)
        container = same[here].uuid or OTHER
        id_ = UUID(int=here + 1)
        return replace(pattern, id=id_, container=container, containers=(*others, output))

    start, *found = (carrier(e, link(n), place="/m.sif") for n, e in reversed([*enumerate(every)]))
    graph = build(read(start, *found))
    hangs_together(graph)
    assert len(graph.activities) == 8


def test_what_is_read_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = chain(50)
    monkeypatch.setattr(trail_module, "MAX_RECORDS", 10)
    graph = build(trail_of(wanted))
    hangs_together(graph)
    assert len(graph.activities) == 10
    (problem,) = graph.problems
    assert "the rest was left out" in problem
    assert [e for e in graph.entities.values() if e.standing == MISSING]
    asked: list[object] = []
    monkeypatch.setattr(trail_module, "MAX_CONTAINERS", 5)
    monkeypatch.setattr(trail_module, "MAX_RECORDS", 1000)
    walk = Walk(trail_of(wanted).start, asked.append)
    walk.run()
    assert len(asked) == 4


@pytest.mark.timeout(120)
@pytest.mark.parametrize("make", [chain, fan_in, diamonds, rewritten])
def test_time_grows_with_the_size_alone(make: object) -> None:
    """A walk of all ways through 1,000 diamonds would never end, and one of a quadratic number of
    steps takes 16 times as long."""

    def took(n: int) -> float:
        wanted: Graph = make(n)  # type: ignore[operator]
        trail = trail_of(wanted)
        best = 1e9
        for _ in range(3):
            began = time.process_time()
            built = build(trail)
            best = min(best, time.process_time() - began)
        assert len(built.activities) == len(wanted.activities)
        return best

    assert took(800) < 10 * max(took(200), 0.02)


def test_what_a_found_ancestor_embeds_is_read_when_it_is_needed() -> None:
    """An older version, or a full container, embedded nothing: its ancestors know more."""
    s = Sample()
    app, data = s.application(), s.made("input.sif")
    (mid,) = s.run(app, (data,), "middle.sif")
    (end,) = s.run(app, (mid,), "output.sif")
    there = carrier(mid, record_of(s, mid))
    opened: list[str] = []

    def embedded(carrier: Carrier) -> dict[str, bytes]:
        opened.append(carrier.identity.name)
        return {data.record or "": s.store[data.record or ""]}

    start = carrier(end, record_of(s, end))
    walk = Walk(start, lambda wanted: there if wanted.uuid == mid.uuid else None, embedded)
    walk.run()
    assert opened == ["middle.sif"]
    assert len(walk.records) == 3
    whole = Walk(replace(start, embedded=s.store), lambda c: there if c.uuid == mid.uuid else None,
                 embedded)  # fmt: skip
    whole.run()
    assert opened == ["middle.sif"]
