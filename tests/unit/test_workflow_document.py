"""Workflow files: what is good is read and comes back, what is not is refused by its JSON path; the
schema says the same."""

from __future__ import annotations

import copy
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.schemas import problems
from tests.unit.workflows import diamond, document, step

from sifprov.errors import FileError, MissingError, RecordError
from sifprov.model.canonical import dumps, loads
from sifprov.workflow.convert import read
from sifprov.workflow.load import load, to_text
from sifprov.workflow.plan import Plan, ascii_line, data_of_file, plan_from_json
from sifprov.workflow.reading import from_json
from sifprov.workflow.snakefile import snakefile
from sifprov.workflow.work import State

SCHEMA = "sifprov.workflow/1"
FULL = document(
    step(
        "a", ("raw",), environment={"RATE": "0.3", "LANG": "C"}, options=["--nv", "--pwd", "/x"],
        tags={"lr": "0.1"}, cpus=4, memory="2G", minutes=10,
    ),
    step("b", ("a",), action="run", command=[]),
    composition="hybrid",
)  # fmt: skip
FULL["steps"][1]["outputs"][0] |= {"path": "out/b.sif", "layout": "output"}


@pytest.mark.parametrize("what", [diamond(), FULL, document(step("a"))])
def test_a_good_file_is_read_and_comes_back(what: dict[str, Any]) -> None:
    assert problems(SCHEMA, what) == []
    found = from_json(what)
    again = loads(dumps(found.to_json()))
    assert problems(SCHEMA, again) == []
    assert from_json(again) == found
    assert from_json(loads(to_text(found).encode())) == found


def changed(path: str, value: object) -> dict[str, Any]:
    """FULL with one thing changed; `del` takes it away."""
    what = copy.deepcopy(FULL)
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    place: Any = what
    for key in way:
        place = place[key]
    if value == "del":
        del place[last]
    else:
        place[last] = value
    return what


# What is wrong, the JSON path that the message names, and whether the schema says it too.
BAD: list[tuple[str, object, str, bool]] = [
    ("schema", "sifprov.workflow/2", "schema: not one of", True),
    ("name", "", "name: empty", True),
    ("name", "a/b", "name: holds a slash", True),
    ("name", ".a", "name: holds a slash or begins with a dot", True),
    ("name", "a\x1b", "name: not printable", True),
    ("composition", "medium", "composition: not one of coarse", True),
    ("extra", 1, "extra: unknown field", True),
    ("steps", [], "steps: 0 of them", True),
    ("steps", {}, "steps: not a list", True),
    ("steps.0.activity", 5, "steps[0].activity: not a string", True),
    ("steps.0.activity", "b", "steps[1].activity: the same as that of steps[0]", False),
    ("steps.0.application", "", "steps[0].application: not the path of a file", False),
    ("steps.0.application", "a\0b", "steps[0].application: holds a zero byte", False),
    ("steps.0.command", [], "steps[0].command: missing or empty", False),
    ("steps.0.command", "del", "steps[0].command: missing or empty", True),
    ("steps.0.command", "sh -c x", "steps[0].command: not a list", True),
    ("steps.0.command", ["a", 5], "steps[0].command[1]: not a text", True),
    ("steps.0.outputs", [], "steps[0].outputs: empty", True),
    ("steps.0.outputs.0.name", "b", "steps[1].outputs[0].name: the same as that of", False),
    ("steps.0.outputs.0.free", "much", "steps[0].outputs[0].free: 'much' is no size", True),
    ("steps.0.outputs.0.mount", "x", "steps[0].outputs[0].mount: mount point 'x' is not", False),
    ("steps.0.outputs.0.mount", "/a:b", "steps[0].outputs[0].mount: holds a colon", False),
    ("steps.0.outputs.0.mount", "/In", "steps[0]: two containers are to be bound at /In", False),
    ("steps.0.inputs.0", {}, "steps[0].inputs[0]: says either 'file' or 'output'", True),
    ("steps.0.inputs.0.output", "x", "steps[0].inputs[0]: says either 'file' or 'output'", True),
    ("steps.1.inputs.0.output", "x", "steps[1].inputs[0].output: no step has an output 'x'", False),
    ("steps.0.environment", {"a b": "1"}, "steps[0].environment.a b: not the name of", True),
    ("steps.0.environment", {"A": 1}, "steps[0].environment.A: not a text", True),
    ("steps.0.environment", {"SIFPROV_NOTE": "x"}, "SIFPROV_NOTE: what steers", False),
    ("steps.0.environment", {"SINGULARITY_BIND": "/"}, "SINGULARITY_BIND: what steers", False),
    ("steps.0.environment", {"DB_PASSWORD": "x"}, "DB_PASSWORD: speaks of a secret", False),
    ("steps.0.options", ["image.sif"], "steps[0].options: not options of the runtime", False),
    ("steps.0.options", ["--pwd"], "steps[0].options: not options of the runtime", False),
    ("steps.0.options", ["--"], "steps[0].options: not options of the runtime", False),
    ("steps.0.options", ["--out", "x.sif"], "steps[0].options: --out is sifprov's own", False),
    ("steps.0.options", ["-B", "x.sif:/x:image-src=/"], "steps[0].options: bind a", False),
    ("steps.0.tags", {"a=b": "1"}, "steps[0].tags.a=b: holds '='", False),
    ("steps.0.tags", {"": "1"}, "steps[0].tags.: tag '=1' has not the form", False),
    ("steps.0.cpus", 0, "steps[0].cpus: not an integer from 1", True),
    ("steps.0.cpus", True, "steps[0].cpus: not an integer from 1", True),
    ("steps.0.memory", "-1", "steps[0].memory: '-1' is no size", True),
    ("steps.0.minutes", "5", "steps[0].minutes: not an integer", True),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "said", "in_schema"), BAD)
def test_what_is_wrong_is_named_by_its_path(
    path: str, value: object, said: str, in_schema: bool, tmp_path: Path
) -> None:
    what = changed(path, value)
    with pytest.raises(RecordError) as caught:
        from_json(what)
    assert said in str(caught.value)
    assert bool(problems(SCHEMA, what)) == in_schema
    if path != "schema":
        file = tmp_path / "w.json"
        file.write_text(json.dumps(what))
        with pytest.raises(FileError, match=r"w\.json: "):
            load(str(file))


def test_nothing_but_our_errors_comes_of_any_json() -> None:
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
                ["schema", "name", "steps", "activity", "application", "command", "outputs",
                 "inputs", "WorkflowName", "ApplicationContainer", "InputContainer", "Name",
                 "OutputContainer", "workflow", "act", "code", "image", "exec_command", "path"]
            ), inner, max_size=6)
        ),
        max_leaves=20,
    )  # fmt: skip

    @given(values)
    def check(value: Any) -> None:
        for reader in (from_json, read, State.from_json):
            with suppress(RecordError):
                reader(value)

    check()


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[]", b'"x"', b'{"a":1,"a":2}', b"NaN"])
def test_what_is_no_workflow_is_one_line(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_bytes(data)
    with pytest.raises(FileError, match=r"^[^\n]*w\.json: "):
        load(str(path))


def test_a_plan_survives_its_snakefile(tmp_path: Path) -> None:
    workflow = from_json(changed("steps.0.command", ["a\nb", "\x7f", "ä😀\u2028", "{x}"]))
    plan = Plan(workflow, "/a b/\udcff", "0f1ce4a2-6a0b-4a3f-9c2d-5b7f0e6a1c3d", None, ("--nv",))
    text = snakefile(plan, ["/p/{x} y/python", "sifprov"])
    assert text.isascii()
    path = tmp_path / "Snakefile"
    path.write_text(text)
    again = plan_from_json(data_of_file(str(path)), str(tmp_path))
    assert again.to_json() == plan.to_json()
    assert problems("sifprov.workflow-plan/1", json.loads(ascii_line(plan.to_json()))) == []
    code = [line for line in text.splitlines() if not line.startswith("#")]
    # Outside of the comment only what we made up.
    assert not any(word in "\n".join(code) for word in ("raw", "app.sif", "join", "\udcff", "a b"))
    assert "shell: \"'/p/{{x}} y/python' sifprov workflow step {params.plan:q} 1\"" in text


def test_paths_start_from_the_folder_of_the_file(tmp_path: Path) -> None:
    plan = Plan(from_json(FULL), str(tmp_path))
    a, b = plan.workflow.steps
    assert plan.sources(a)[0].path == str(tmp_path / "raw.sif")
    assert [(s.path, s.maker) for s in plan.sources(b)] == [(str(tmp_path / "a.sif"), 0)]
    (target,) = plan.targets(b)
    assert (target.path, target.mount, target.free) == (str(tmp_path / "out/b.sif"), "/b", 65536)


@pytest.mark.parametrize(
    ("layout", "error"), [("archive", FileError), ("none", MissingError), ("./x.json", FileError)]
)
def test_a_layout_that_cannot_be_written_to_is_refused(
    layout: str, error: type[Exception], tmp_path: Path
) -> None:
    what = document(step("a"))
    what["steps"][0]["outputs"][0] = {"name": "a", "layout": layout}
    plan = Plan(from_json(what), str(tmp_path))
    with pytest.raises(error):
        plan.targets(plan.workflow.steps[0])


def test_a_layout_says_what_the_output_does_not() -> None:
    what = document(step("a"))
    what["steps"][0]["outputs"][0] = {"name": "a", "layout": "output"}
    plan = Plan(from_json(what), "/x")
    (target,) = plan.targets(plan.workflow.steps[0])
    assert target.mount == "/Outputs"
    assert target.free > 0
