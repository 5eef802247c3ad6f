"""The fact `workflow`: read from four variables, left out where they are not usable."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from tests.unit.graphs import small
from tests.unit.schemas import problems
from tests.unit.sifs import run, run_record
from tests.unit.test_facts import END, request
from tests.unit.test_prov import changed, every, one, said, valid

from sifprov.capture.facts import collect, early
from sifprov.capture.run import word_problems
from sifprov.model.canonical import Json
from sifprov.model.environment import FOR_HELPER
from sifprov.model.fact import Fact
from sifprov.model.workflowpart import MAX_NAME, WorkflowPart, part_from_environment
from sifprov.render.words import fact_lines

ID = "0f1ce4a2-6a0b-4a3f-9c2d-5b7f0e6a1c3d"
WHOLE = {
    "SIFPROV_WORKFLOW": "maps",
    "SIFPROV_WORKFLOW_ID": ID,
    "SIFPROV_ACTIVITY": "plot",
    "SIFPROV_COMPOSITION": "fine",
}


def test_the_variables_become_a_fact_that_fits_the_schema() -> None:
    made = request(variables=tuple(sorted(WHOLE.items())))
    facts = {f.name: f for f in collect(made, END, early(made))}
    assert facts["workflow"] == Fact(
        "workflow",
        {"name": "maps", "id": ID, "activity": "plot", "composition": "fine"},
        source="environment",
    )
    record = replace(run_record(), run=replace(run(), facts=tuple(facts.values())))
    assert problems("sifprov.record/1", json.loads(record.to_bytes())) == []
    assert word_problems(made) == ()


@pytest.mark.parametrize("variables", [{}, {**WHOLE, "SIFPROV_WORKFLOW": ""}])
def test_without_a_name_there_is_no_fact(variables: dict[str, str]) -> None:
    made = request(variables=tuple(variables.items()))
    assert "workflow" not in {f.name for f in collect(made, END, early(made))}
    assert word_problems(made) == ()


def test_a_name_alone_is_enough() -> None:
    assert part_from_environment({"SIFPROV_WORKFLOW": "w"}) == (WorkflowPart("w"), ())
    assert WorkflowPart("w").to_json() == {"name": "w"}


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("SIFPROV_WORKFLOW_ID", "7", "not a UUID"),
        ("SIFPROV_WORKFLOW_ID", ID + "\n", "not a UUID"),
        ("SIFPROV_ACTIVITY", "a\x1b[2J", "not printable"),
        ("SIFPROV_ACTIVITY", "x" * (MAX_NAME + 1), "longer than 256"),
        ("SIFPROV_ACTIVITY", "\udcff", "not printable"),
        ("SIFPROV_COMPOSITION", "medium", "not one of coarse, hybrid, fine"),
    ],
)
def test_what_is_not_usable_is_left_out_and_told(variable: str, value: str, why: str) -> None:
    part, told = part_from_environment({**WHOLE, variable: value})
    field = variable.removeprefix("SIFPROV_").removeprefix("WORKFLOW_").lower()
    assert part is not None
    assert getattr(part, field) is None
    assert part == replace(WorkflowPart("maps", ID, "plot", "fine"), **{field: None})  # type: ignore[arg-type]
    assert len(told) == 1
    assert told[0].startswith(f"${variable}: {why}")
    assert len(word_problems(request(variables=tuple({**WHOLE, variable: value}.items())))) == 1


def test_a_name_that_is_not_usable_costs_the_fact() -> None:
    part, told = part_from_environment({**WHOLE, "SIFPROV_WORKFLOW": "a\nb"})
    assert part is None
    assert told == (
        "$SIFPROV_WORKFLOW: not printable characters alone: the record names no workflow",
    )


def test_both_ways_of_capture_look_at_the_variables() -> None:
    assert set(WHOLE) <= set(FOR_HELPER)


def test_an_id_is_kept_in_lower_case() -> None:
    part, told = part_from_environment({**WHOLE, "SIFPROV_WORKFLOW_ID": ID.upper()})
    assert part is not None
    assert (part.id, told) == (ID, ())


def test_the_tree_shows_it_in_one_line() -> None:
    fact = Fact("workflow", WorkflowPart("maps", ID, "plot", "fine").to_json(), "environment")
    lines = list(fact_lines(replace(run(), facts=(fact,))))
    assert lines == [f"part of workflow maps, activity plot, composition fine, execution {ID}"]


@pytest.mark.parametrize("value", [5, [], {}, {"name": 5}, {"name": ""}, {"name": "\x1b"}, "maps"])
def test_a_made_up_fact_is_not_shown(value: object) -> None:
    fact = Fact("workflow", value, "environment")  # type: ignore[arg-type]
    assert list(fact_lines(replace(run(), facts=(fact,)))) == []
    valid(changed(small(), facts=(fact,)))


def test_a_made_up_field_is_not_believed() -> None:
    odd: Json = {"name": "w", "id": "x", "activity": 5, "composition": ["fine"]}
    assert WorkflowPart.from_json(odd) == WorkflowPart("w")


def test_prov_has_a_workflow_and_an_execution_of_this_name() -> None:
    fact = Fact("workflow", WorkflowPart("maps", ID, "plot", "fine").to_json(), "environment")
    graph = changed(small(), facts=(fact,))
    valid(graph)
    execution = every(graph, "Execution")[-1]
    assert execution["workflow_activity"] == "plot"
    assert execution["workflow_composition"] == "fine"
    named = [w for w in every(graph, "WorkflowExecution") if w.get("id") == ID]
    assert len(named) == 1
    workflow = next(w for w in every(graph, "Workflow") if w.get("name") == "maps")
    written = said(graph)
    assert f"wasInfluencedBy(sifprov:{execution['']}, sifprov:{named[0]['']})" in written
    assert f"wasAssociatedWith(sifprov:association-{named[0]['']}; " in written
    assert f"sifprov:{workflow['']})" in written


def test_prov_without_the_fact_has_one_workflow() -> None:
    assert one(small(), "WorkflowExecution")
