"""What workflows leave behind: the record of executions, the states of steps; a trail as a
workflow."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.unit.graphmaker import Sample
from tests.unit.graphs import small
from tests.unit.schemas import problems
from tests.unit.test_prov import changed
from tests.unit.workflows import diamond

from sifprov.errors import NoRecordError, SifprovError
from sifprov.model.canonical import dumps, loads
from sifprov.model.fact import Fact
from sifprov.model.graph import Graph
from sifprov.model.record import SIGNALED
from sifprov.model.workflowpart import WorkflowPart
from sifprov.workflow import history
from sifprov.workflow.history import StepRun, WorkflowRun
from sifprov.workflow.reading import from_json
from sifprov.workflow.traced import workflow_of
from sifprov.workflow.work import DONE, FAILED, Result, State, Steps

ID = "0f1ce4a2-6a0b-4a3f-9c2d-5b7f0e6a1c3d"
RESULT = Result("a", "/x/\udcff.sif", ID, "sha256:" + "1" * 64, "tree-v1:" + "2" * 64)
RUN = WorkflowRun(
    ID, from_json(diamond()), "coarse", "/x\udcff", ("snakemake", "9.1", "local"),
    "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", "failed",
    (StepRun("a", DONE, "", 0, 5, (RESULT,)), StepRun("b", FAILED, "no", 3, 5, ())),
)  # fmt: skip


def test_an_execution_comes_back(tmp_path: Path) -> None:
    path = str(tmp_path / "w.workflow.jsonl")
    assert problems("sifprov.workflow-run/1", json.loads(dumps(RUN.to_json()))) == []
    other = replace(RUN, id=ID.replace("0", "1"), state="interrupted")
    history.append(path, RUN)
    history.append(path, other)
    assert history.read(path) == (RUN, other)
    # An execution that went on: the later line counts, in its place.
    history.append(path, replace(RUN, state="complete"))
    assert [(r.id, r.state) for r in history.read(path)] == [
        (other.id, "interrupted"), (ID, "complete"),
    ]  # fmt: skip
    assert history.last(path, ID) == replace(RUN, state="complete")
    assert history.last(path, None) is None


def test_what_a_killed_writer_left_costs_one_line(tmp_path: Path) -> None:
    path = tmp_path / "w.workflow.jsonl"
    history.append(str(path), RUN)
    with path.open("ab") as file:
        file.write(b'{"id": "torn')
    other = replace(RUN, id=ID.replace("0", "1"))
    history.append(str(path), other)
    assert history.read(str(path)) == (RUN, other)


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", b"\xff\xfe\n", b"[" * 100_000])
def test_a_file_without_an_execution_is_told(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.workflow.jsonl"
    path.write_bytes(data)
    with pytest.raises(NoRecordError):
        history.read(str(path))


def test_the_state_of_a_step_comes_back(tmp_path: Path) -> None:
    steps = Steps(str(tmp_path))
    steps.make()
    state = State(3, "a", DONE, "no a yet", 0, 12, ID, (RESULT,))
    assert problems("sifprov.workflow-step/1", json.loads(dumps(state.to_json()))) == []
    steps.write(state)
    assert steps.read(3) == state
    assert steps.read(4) is None
    (tmp_path / ".sifprov" / "0004.json").write_bytes(dumps(state.to_json()))
    assert steps.read(4) is None  # it speaks of another one
    (tmp_path / ".sifprov" / "0003.json").write_text("{")
    assert steps.read(3) is None
    assert not steps.marked(3)
    steps.mark(3)
    assert steps.marked(3)
    steps.unmark(3)
    steps.unmark(3)
    assert not steps.marked(3)


# -- a trail as a workflow


def chain(**facts: Any) -> Graph:
    s = Sample()
    app = s.application()
    (mid,) = s.run(app, (s.made("in.sif"),), "mid.sif")
    (end,) = s.run(app, (mid,), "end.sif")
    return s.graph(end)


def test_a_trail_is_a_workflow_of_its_runs() -> None:
    workflow = workflow_of(chain())
    assert problems("sifprov.workflow/1", workflow.to_json()) == []
    first, second = workflow.steps
    assert first.inputs[0].file
    assert first.inputs[0].file.endswith("/in.sif")
    assert second.inputs[0].output == first.outputs[0].name == "mid"
    assert workflow.name == "end"
    assert from_json(loads(dumps(workflow.to_json()))) == workflow


def test_names_come_from_the_fact_where_there_is_one() -> None:
    part = WorkflowPart("maps", ID, "plot").to_json()
    workflow = workflow_of(changed(small(), facts=(Fact("workflow", part, "environment"),)))
    assert "plot" in {step.activity for step in workflow.steps}
    assert workflow.name == "maps"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"exit_code": 3}, "did not end with 0"),
        ({"exit_code": None, "signal": 9, "outcome": SIGNALED}, "did not end with 0"),
        ({"redacted": (1,)}, "had a secret in its command line"),
        ({"argv": ("singularity", "shell", "a.sif"), "command": ("sh",)}, "was no exec: shell"),
    ],
)
def test_a_run_that_no_step_can_be_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(SifprovError) as caught:
        workflow_of(changed(small(), **changes))
    assert said in str(caught.value)
    assert "rerun" in (caught.value.hint or "")


def test_a_run_that_wrote_into_what_was_there_is_no_step() -> None:
    s = Sample()
    app, data = s.application(), s.made("in.sif")
    (end,) = s.run(app, (data,), "out.sif")
    with pytest.raises(SifprovError, match="which held something already"):
        workflow_of(s.graph(*s.run(app, (data,), end)))


def test_what_no_run_made_is_no_workflow() -> None:
    s = Sample()
    with pytest.raises(SifprovError, match="no run has made it"):
        workflow_of(s.graph(s.made("in.sif")))


def test_a_hostile_trail_is_refused_or_harmless() -> None:
    graph = changed(small(), environment=(("LC_A", "x\ny"), ("SINGULARITYENV_X y", "1")))
    with pytest.raises(SifprovError, match="the trail is no workflow"):
        workflow_of(graph)
