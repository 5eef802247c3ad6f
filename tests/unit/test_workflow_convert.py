"""Workflow files of the thesis's prototype and of ProvDeploy are read as ours."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.schemas import problems
from tests.unit.workflows import make_site

from sifprov.errors import RecordError
from sifprov.model.canonical import Json
from sifprov.workflow.convert import PROTOTYPE, PROVDEPLOY, read
from sifprov.workflow.graph import shape
from sifprov.workflow.reading import from_json

PREDICT: dict[str, Json] = {
    "WorkflowName": "knn_workflow",
    "ApplicationContainer": {"Name": "knn", "InPath": "knn.def"},
    "InputContainer": [
        {"Name": "train", "InPath": "data/train", "Size": 2097152},
        {"Name": "eval", "InPath": "data/eval dir", "Size": 33554432},
    ],
    "OutputContainer": {"Name": "predictions", "Size": 33554432},
}
COARSE: dict[str, Json] = {
    "workflow": "dl-df",
    "act": [{"code": "train.py", "exec_command": " python train.py --epochs '3 4'"}],
    "path": "example/", "exec_command": "python3", "image": "tensorflow", "machine": "local",
}  # fmt: skip
HYBRID: dict[str, Json] = {
    "workflow": "example-df",
    "act": [
        {"code": ["a.py", "b.py"], "image": "python37", "exec_command": " python a.py"},
        {"code": ["c.py"], "image": "tensorflow", "exec_command": "python c.py"},
    ],
    "path": "example/hybrid", "machine": "sdumont",
}  # fmt: skip
FINE: dict[str, Json] = {
    "workflow": "w",
    "act": [
        {"code": "a.py", "image": "one", "exec_command": "python a.py"},
        {"code": "a.py", "image": "./two.sif", "exec_command": "python a.py"},
    ],
}


def test_a_file_of_the_prototype_is_one_run_of_a_runscript() -> None:
    workflow, notes, kind = read(PREDICT)
    assert kind == PROTOTYPE
    assert problems("sifprov.workflow/1", workflow.to_json()) == []
    assert from_json(workflow.to_json()) == workflow
    (step,) = workflow.steps
    assert (workflow.name, step.action, step.command) == ("knn_workflow", "run", ())
    assert step.application == "knn.sif"
    assert [(i.file, i.mount) for i in step.inputs] == [
        ("train.sif", "/train"), ("eval.sif", "/eval"),
    ]  # fmt: skip
    (output,) = step.outputs
    assert (output.path, output.mount, output.free) == (
        "predictions.sif", "/predictions", "33554432",
    )  # fmt: skip
    assert "sifprov data create eval.sif --from 'data/eval dir' --mount /eval" in "\n".join(notes)


@pytest.mark.parametrize(
    ("what", "composition", "applications", "activities"),
    [
        (COARSE, "coarse", ["tensorflow.sif"], ["train.py"]),
        (HYBRID, "hybrid", ["python37.sif", "tensorflow.sif"], ["a.py+b.py", "c.py"]),
        (FINE, "fine", ["one.sif", "./two.sif"], ["a.py", "a.py-2"]),
    ],
)
def test_a_file_of_provdeploy_is_a_chain(
    what: Any, composition: str, applications: list[str], activities: list[str]
) -> None:
    workflow, notes, kind = read(what)
    assert kind == PROVDEPLOY
    assert problems("sifprov.workflow/1", workflow.to_json()) == []
    assert from_json(workflow.to_json()) == workflow
    assert shape(workflow).order == tuple(range(len(workflow.steps)))
    assert workflow.composition == composition
    assert [s.application for s in workflow.steps] == applications
    assert [s.activity for s in workflow.steps] == activities
    for before, step in zip(workflow.steps, workflow.steps[1:], strict=False):
        assert step.inputs[-1].output == before.outputs[0].name
    assert any("--mount /Workflow" in note for note in notes)


def test_a_command_is_taken_apart_as_a_shell_would() -> None:
    workflow, _, _ = read(COARSE)
    assert workflow.steps[0].command == ("python", "train.py", "--epochs", "3 4")
    assert workflow.steps[0].options == ("--pwd", "/Workflow")


def test_where_it_would_run_elsewhere_is_said() -> None:
    assert "machine sdumont" in "\n".join(read(HYBRID)[1])


def changed(what: dict[str, Any], **fields: Any) -> Any:
    return {**json.loads(json.dumps(what)), **fields}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ({}, "schema: not 'sifprov.workflow/1', nor"),
        ([], "schema: not 'sifprov.workflow/1', nor"),
        (changed(PREDICT, ApplicationContainer={}), "ApplicationContainer.Name: missing"),
        (changed(PREDICT, ApplicationContainer=5), "ApplicationContainer: not an object"),
        (changed(PREDICT, InputContainer=[{"Name": "../x"}]), "InputContainer[0].Name: not a name"),
        (changed(PREDICT, OutputContainer={"Name": "p", "Size": -1}), "OutputContainer.Size: not"),
        (changed(PREDICT, Other=1), "Other: unknown field"),
        (changed(COARSE, act=[]), "act: 0 of them"),
        (changed(COARSE, workflow="a/b"), "workflow: not a name"),
        (changed(COARSE, act=[{"code": "x"}]), "act[0].exec_command: missing"),
        (changed(COARSE, act=[{"code": [], "exec_command": "x"}]), "act[0].code: empty"),
        (changed(COARSE, act=[{"code": "x", "exec_command": "'"}]), "act[0].exec_command: No clos"),
        (changed(FINE, act=[{"code": "x", "exec_command": "x"}]), "act[0].image: missing, here"),
        (changed(FINE, act=[{"code": "\x1b", "image": "i", "exec_command": "x"}]), "act[0].code"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(what: Any, said: str) -> None:
    with pytest.raises(RecordError) as caught:
        read(what)
    assert str(caught.value).startswith(said)


def test_it_is_written_as_ours_and_runs_as_it_is(tmp_path: Path) -> None:
    site = make_site(tmp_path / "w")
    site.path("app.sif").rename(site.path("knn.sif"))
    site.path("raw.sif").rename(site.path("train.sif"))
    what = changed(PREDICT)
    what["InputContainer"] = [{"Name": "train", "Size": 1}]
    site.write(what, "knn.json")
    done = site.cli("workflow", "convert", "knn.json", "-o", "ours.json")
    assert "note: it says no command" in done.stderr
    ours = json.loads(site.path("ours.json").read_text())
    assert problems("sifprov.workflow/1", ours) == []
    told = json.loads(site.cli("workflow", "check", "knn.json", "--json").stdout)
    assert [s["why"] for s in told["steps"]] == ["no predictions yet"]
    assert told == json.loads(site.cli("workflow", "check", "ours.json", "--json").stdout)
