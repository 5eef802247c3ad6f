"""A plan as JSON: it fits its schema whatever the records say, and tells all that is done."""

from __future__ import annotations

import json
import shlex

import pytest
from tests.unit.graphs import SAMPLES, chain, hostile_names, rewritten
from tests.unit.replays import Shelf, planned
from tests.unit.schemas import problems

from sifprov.frozen import replace
from sifprov.listing import Tree
from sifprov.model.record import Origin
from sifprov.replay.document import SCHEMA, paths, to_json
from sifprov.replay.line import command
from sifprov.replay.steps import GIVEN, Copied, Found, Fresh, Kept, Plan, Refilled, Start

NEW = "/results/new.sif"


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("from_origin", [False, True])
def test_it_fits_its_schema(name: str, from_origin: bool) -> None:
    plan = planned(SAMPLES[name](), from_origin=from_origin)
    document = json.loads(json.dumps(to_json(plan, NEW)))
    assert problems(SCHEMA, document) == []
    assert len(document["steps"]) == len(plan.steps)
    assert document["into"] == NEW
    made = [o["path"] for s in document["steps"] for o in s["outputs"]]
    assert len(set(map(str, made))) == len(made)


def test_what_a_step_reads_is_found_or_made() -> None:
    plan = planned(chain(2), from_origin=True)
    first, second = json.loads(json.dumps(to_json(plan, NEW)))["steps"]
    (found,), (made,) = first["inputs"], second["inputs"]
    assert (found["path"], found["where"], found["by"], found["state"]) == (
        "/home/ada/input.sif", "recorded-path", "digest", None,
    )  # fmt: skip
    assert (made["path"], made["where"], made["by"]) == (
        "/results/new.parts/step-0000.sif", None, None,
    )  # fmt: skip
    assert made["state"] == first["outputs"][0]["state"]
    assert second["needs"] == [first["key"]]
    assert f"{made['path']}:/Inputs:image-src=/Inputs,ro" in second["argv"]


def with_start(plan: Plan, start: Start) -> Plan:
    target = replace(plan.last.outputs[0], start=start)
    return replace(plan, steps=(*plan.steps[:-1], replace(plan.last, outputs=(target,))))


def test_how_an_output_begins() -> None:
    plan = planned(rewritten(2))
    it = plan.last.outputs[0].container
    found = Found(it, "/b.sif", GIVEN, GIVEN, None, it.digest, "b.sif: another", "gone", ("c", "d"))
    starts: list[tuple[Start, str, str | None]] = [
        (plan.last.outputs[0].start, "continued", "/results/new.parts/output.sif"),
        (Fresh(None), "fresh", None),
        (Kept("/a.sif", Tree((), 0)), "kept", "/a.sif"),
        (Copied(found), "copied", "/b.sif"),
        (Refilled(Origin("/data", "tree-v1:" + "0" * 64), "/In", None), "refilled", "/data"),
    ]
    for start, kind, path in starts:
        document = json.loads(json.dumps(to_json(with_start(plan, start), NEW)))
        assert problems(SCHEMA, document) == []
        assert document["steps"][-1]["outputs"][0]["start"] == {"from": path, "kind": kind}


def test_what_is_made_again_for_a_step() -> None:
    plan = planned(chain(2), Shelf(lost=("input.sif",), origins=True), from_origin=True)
    document = json.loads(json.dumps(to_json(plan, NEW)))
    assert problems(SCHEMA, document) == []
    (item,) = document["steps"][0]["inputs"]
    assert item["rebuilt"] == {"from": "/home/ada/data", "kind": "refilled"}
    assert f"{item['path']}:/Inputs:image-src=/Inputs,ro" in document["steps"][0]["argv"]
    assert document["steps"][1]["inputs"][0]["rebuilt"] is None


def test_changes_and_notes() -> None:
    shelf = Shelf(changed=("app.sif",))
    plan = planned(chain(1), shelf, inputs=("/Inputs=/n.sif",), force=True, metadata="/m.sif")
    document = json.loads(json.dumps(to_json(plan, NEW)))
    assert problems(SCHEMA, document) == []
    assert document["changes"] == [
        {"after": "/n.sif", "before": "/home/ada/input.sif", "what": "input /Inputs"}
    ]
    assert "app.sif: changed" in document["notes"]
    assert document["metadata"] == "/m.sif"
    assert document["steps"][0]["changed"] is True


def test_the_same_command_is_run_and_shown() -> None:
    plan = planned(hostile_names(), from_origin=True)
    files = paths(plan, NEW)
    shown = json.loads(json.dumps(to_json(plan, NEW)))["steps"]
    for step, document in zip(plan.steps, shown, strict=True):
        argv = command(step, files)
        assert len(document["argv"]) == len(argv)
        assert shlex.split(shlex.join(argv)) == list(argv)
