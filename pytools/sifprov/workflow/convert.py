"""Workflow files of other programs, read as ours. What they do not say is chosen, and told.

The thesis's prototype (one run of an application's runscript):

    {"WorkflowName": "knn_workflow", "ApplicationContainer": {"Name": "knn", "InPath": "knn.def"},
     "InputContainer": [{"Name": "train", "InPath": "data/train", "Size": 2097152}],
     "OutputContainer": {"Name": "predictions", "Size": 33554432}}

ProvDeploy (activities one behind the other; `image` at the top is that of a coarse composition):

    {"workflow": "example-df", "path": "example/hybrid", "machine": "local",
     "act": [{"code": ["a.py", "b.py"], "image": "python37", "exec_command": "python a.py"},
             {"code": "c.py", "image": "tensorflow", "exec_command": "python c.py"}]}
"""

from __future__ import annotations

import os
import re
import shlex

from sifprov.errors import RecordError
from sifprov.model.canonical import Json
from sifprov.model.reader import Reader
from sifprov.model.workflowpart import COARSE, FINE, HYBRID, checked_name
from sifprov.roles import MAX_MOUNT
from sifprov.workflow.document import DEFAULT_FREE, RUN, Input, Output, Step, Workflow
from sifprov.workflow.reading import from_json

PROTOTYPE, PROVDEPLOY = "prototype", "provdeploy"
# Where a workflow of ProvDeploy finds its scripts, and what the activity before it made.
_CODE, _BEFORE, _RESULTS = "/Workflow", "/Before", "/Outputs"
_MAX_ACTIVITIES = 10_000
_MAX_SIZE = 1 << 50


def read(value: Json) -> tuple[Workflow, tuple[str, ...], str]:
    """Returns the workflow of another program's document, what was chosen for it, and which
    program's it is. Raises RecordError, which names the JSON path."""
    fields = value if isinstance(value, dict) else {}
    if "WorkflowName" in fields:
        return (*_as_ours(*_prototype(value)), PROTOTYPE)
    if "workflow" in fields and "act" in fields:
        return (*_as_ours(*_provdeploy(value)), PROVDEPLOY)
    raise RecordError(
        "schema", "not 'sifprov.workflow/1', nor a workflow of the prototype or of ProvDeploy"
    )


def _as_ours(found: Workflow, notes: tuple[str, ...]) -> tuple[Workflow, tuple[str, ...]]:
    try:
        return from_json(found.to_json()), notes
    except RecordError as error:
        raise RecordError("", f"no workflow of ours can say that: {error}") from error


# -- the thesis's prototype


def _prototype(value: Json) -> tuple[Workflow, tuple[str, ...]]:
    r = Reader(value, "")
    title = _name(r, "WorkflowName")
    application = Reader(r.json("ApplicationContainer"), "ApplicationContainer")
    name = _name(application, "Name")
    notes = []
    if source := _maybe_text(application, "InPath"):
        notes.append(f"{name}.sif is the application; the prototype builds it from {source}")
    inputs = []
    for each, path in r.items("InputContainer", lambda v, p: (v, p)):
        its = Reader(each, path)
        data = _name(its, "Name")
        inputs.append(Input(file=f"{data}.sif", mount=f"/{data}"))
        if source := _maybe_text(its, "InPath"):
            made = shlex.join(["data", "create", f"{data}.sif", "--from", source])
            notes.append(f"an input: sifprov {made} --mount /{data}")
        _size(its)
        its.end()
    its = Reader(r.json("OutputContainer"), "OutputContainer")
    result, size = _name(its, "Name"), _size(its)
    _maybe_text(its, "InPath")
    output = Output(result, f"{result}.sif", f"/{result}", size or DEFAULT_FREE)
    for reader in (its, application, r):
        _size(reader)
        reader.end()
    step = Step(name, f"{name}.sif", (), tuple(inputs), (output,), action=RUN)
    notes.append(f"it says no command: the runscript of {name}.sif runs")
    if size is None:
        notes.append(f"{result}.sif has room for {DEFAULT_FREE}")
    return Workflow(title, (step,)), tuple(notes)


def _name(r: Reader, field: str) -> str:
    """A name of which the prototype makes a file's and a folder's."""
    name = checked_name(r.word(field), r.path(field))
    if "/" in name or ":" in name or name.startswith(".") or len(os.fsencode(name)) >= MAX_MOUNT:
        raise RecordError(r.path(field), "not a name that a file and a folder can have")
    return name


def _size(r: Reader) -> str | None:
    return str(r.integer("Size", 0, _MAX_SIZE)) if r.has("Size") else None


def _maybe_text(r: Reader, field: str) -> str | None:
    return r.text(field) if r.has(field) else None


# -- ProvDeploy


def _provdeploy(value: Json) -> tuple[Workflow, tuple[str, ...]]:
    r = Reader(value, "")
    title = _file_name(r.word("workflow"), "workflow")
    folder = _maybe_text(r, "path") or "."
    machine = _maybe_text(r, "machine")
    image = _maybe_text(r, "image")
    for field in ("exec_command", "new_conf"):
        if r.has(field):
            r.json(field)
    acts = r.items("act", lambda v, p: (v, p))
    r.end()
    if not 0 < len(acts) <= _MAX_ACTIVITIES:
        raise RecordError("act", f"{len(acts)} of them: from 1 to {_MAX_ACTIVITIES} can be")
    code = f"{_plain(os.path.basename(os.path.abspath(folder)))}.sif"
    steps: list[Step] = []
    several = False
    for act, path in acts:
        step, is_list = _activity(Reader(act, path), image, code, steps)
        several = several or is_list
        steps.append(step)
    made = shlex.join(["data", "create", code, "--from", folder])
    notes = [
        f"the scripts are an input: sifprov {made} --mount {_CODE}",
        f"each activity runs in {_CODE}, finds at {_BEFORE} what the one before it wrote, and"
        f" writes to {_RESULTS}; there is room for {DEFAULT_FREE}",
    ]
    notes += [f"image {name}: {path}" for name, path in _images(steps, acts, image).items()]
    if machine not in (None, "local"):
        notes.append(f"machine {machine}: where steps run is said by --executor or --profile")
    composition = COARSE if image else HYBRID if several else FINE
    return Workflow(title, tuple(steps), composition), tuple(notes)


def _activity(r: Reader, image: str | None, code: str, before: list[Step]) -> tuple[Step, bool]:
    value = r.json("code")
    scripts = (
        r.items("code", _script) if isinstance(value, list) else (_script(value, r.path("code")),)
    )
    if not scripts:
        raise RecordError(r.path("code"), "empty")
    own = _maybe_text(r, "image") or image
    if not own:
        raise RecordError(r.path("image"), "missing, here and at the top")
    try:
        command = tuple(shlex.split(r.text("exec_command")))
    except ValueError as error:
        raise RecordError(r.path("exec_command"), str(error)) from error
    if not command:
        raise RecordError(r.path("exec_command"), "empty")
    _maybe_text(r, "lpath")
    r.end()
    taken = {step.activity for step in before}
    activity = _free("+".join(scripts)[:200], taken)
    name = _free(_plain(activity), {o.name for step in before for o in step.outputs})
    inputs = [Input(file=code, mount=_CODE)]
    if before:
        inputs.append(Input(output=before[-1].outputs[0].name, mount=_BEFORE))
    step = Step(
        activity=checked_name(activity, r.path("code")),
        application=_image_file(own, r.path("image")),
        command=command,
        inputs=tuple(inputs),
        outputs=(Output(name, f"{name}.sif", _RESULTS, DEFAULT_FREE),),
        options=("--pwd", _CODE),
    )
    return step, isinstance(value, list)


def _script(value: Json, path: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise RecordError(path, "not the name of a script")
    return value.strip()


def _image_file(image: str, path: str) -> str:
    """The catalog's word for an image, as a file; a path stays what it is."""
    if "\0" in image or image.endswith("/"):
        raise RecordError(path, "not the name of an image")
    return image if "/" in image or image.endswith(".sif") else f"{image}.sif"


def _images(
    steps: list[Step], acts: tuple[tuple[Json, str], ...], image: str | None
) -> dict[str, str]:
    found = {}
    for step, (act, _) in zip(steps, acts, strict=True):
        own = act.get("image") if isinstance(act, dict) else None
        found[str(own or image)] = step.application
    return found


def _file_name(name: str, path: str) -> str:
    checked = checked_name(name, path)
    if "/" in checked or checked.startswith("."):
        raise RecordError(path, "not a name that a file can have")
    return checked


def _plain(text: str) -> str:
    return re.sub(r"[^\w+-]", "_", text.removesuffix(".py")).strip("_-")[:60] or "workflow"


def _free(name: str, taken: set[str]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found
