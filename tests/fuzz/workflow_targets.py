"""Targets that read workflow files, ours and those of other programs, and what executions leave."""

from __future__ import annotations

import os

from sifprov.errors import RecordError
from sifprov.model.canonical import Json, dumps, loads
from sifprov.workflow import convert
from sifprov.workflow.document import Workflow
from sifprov.workflow.history import WorkflowRun
from sifprov.workflow.plan import Plan, plan_from_json
from sifprov.workflow.reading import from_json
from sifprov.workflow.replayed import Wanted
from sifprov.workflow.snakefile import snakefile
from sifprov.workflow.work import State
from tests.fuzz.document_targets import mutate_json
from tests.fuzz.target import Target


def workflow(data: bytes) -> None:
    """What is read comes back; its Snakefile is lines of ASCII, and outside of the comment all that
    it holds is ours."""
    found = _read(data)
    if found is None:
        return
    assert from_json(loads(dumps(found.to_json()))) == found
    try:
        plan = Plan(found, "/x")
    except RecordError as error:
        assert str(error)
        return
    text = snakefile(plan, ["sifprov"])
    assert all(line.isascii() and line.isprintable() for line in text.split("\n"))
    comments = [line for line in text.split("\n") if line.startswith("# {")]
    assert len(comments) == 1
    assert plan_from_json(loads(comments[0][2:].encode()), "/y").to_json() == plan.to_json()
    empty = snakefile(Plan(_bare(found), "/x"), ["sifprov"])
    assert _code(text) == _code(empty)


def _read(data: bytes) -> Workflow | None:
    try:
        value = loads(data)
        if isinstance(value, dict) and "schema" in value:
            return from_json(value)
        return convert.read(value)[0]
    except RecordError as error:
        assert str(error)
        return None


def _bare(found: Workflow) -> Workflow:
    """The same steps with names that are harmless: files and outputs by their numbers."""
    document = loads(dumps(found.to_json()))
    assert isinstance(document, dict)
    images: dict[str, str] = {}
    numbers: dict[str, str] = {}
    paths: dict[str, str] = {}
    steps: Json = document["steps"]
    assert isinstance(steps, list)
    for each, step in zip(found.steps, steps, strict=True):
        assert isinstance(step, dict)
        image = os.path.normpath(each.application)
        step |= {
            "activity": f"s{len(numbers)}",
            "application": images.setdefault(image, f"i{len(images)}"),
            "command": ["x"], "environment": {}, "options": [], "tags": {},
        }  # fmt: skip
        outputs = []
        for output in each.outputs:
            name = numbers.setdefault(output.name, f"o{len(numbers)}")
            paths[os.path.normpath(output.path)] = name
            outputs.append({"name": name})
        step["outputs"] = list(outputs)
    for each, step in zip(found.steps, steps, strict=True):
        assert isinstance(step, dict)
        made = [numbers[i.output] if i.output else paths.get(os.path.normpath(i.file or ""))
                for i in each.inputs]  # fmt: skip
        step["inputs"] = [{"output": name} for name in made if name]
    return from_json({**document, "name": "w"})


def _code(text: str) -> list[str]:
    return [line for line in text.split("\n") if not line.startswith("# {")]


def execution(data: bytes) -> None:
    """What an execution leaves is read, or refused, and comes back."""
    try:
        value = loads(data)
    except RecordError:
        return
    for kind in (WorkflowRun, State, Wanted):
        try:
            found = kind.from_json(value)
        except RecordError as error:
            assert str(error)
            continue
        assert kind.from_json(loads(dumps(found.to_json()))) == found


TARGETS = (
    Target("workflow", workflow, 200_000, mutate_json, max_len=4096,
           words=("inputs", "outputs", "output", "composition", "coarse", "{x}", "$(x)")),
    Target("workflow-run", execution, 200_000, mutate_json, max_len=4096),
)  # fmt: skip
