"""Reads the file that describes a workflow. Whatever it says is data: names are checked, paths and
commands stay lists of texts. Errors name the JSON path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from sifprov.errors import RecordError, SifprovError
from sifprov.model.annotation import make
from sifprov.model.canonical import Json, text_from_json
from sifprov.model.reader import Reader
from sifprov.model.redact import secret_name
from sifprov.model.workflowpart import COMPOSITIONS, checked_name
from sifprov.roles import check_mount
from sifprov.runtime.argv import parse, without_image_binds
from sifprov.sizes import parse_size
from sifprov.workflow.document import EXEC, RUN, SCHEMA, Input, Output, Step, Workflow
from sifprov.wrapper.line import OPTIONS

MAX_STEPS = 10_000
MAX_ITEMS = 1000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# What the engine itself sets.
_OURS = ("SIFPROV_", "SINGULARITY_", "APPTAINER_")
T = TypeVar("T")


def from_json(value: Json) -> Workflow:
    """Reads a document. Raises RecordError, which names the JSON path."""
    r = Reader(value, "")
    r.word("schema", SCHEMA)
    name = checked_name(r.word("name"), "name")
    if "/" in name or name.startswith("."):
        raise RecordError("name", "holds a slash or begins with a dot: files are called after it")
    composition = _maybe(r, "composition", lambda n: r.word(n, *COMPOSITIONS))
    steps = r.items("steps", _step)
    r.end()
    if not 0 < len(steps) <= MAX_STEPS:
        raise RecordError("steps", f"{len(steps)} of them: from 1 to {MAX_STEPS} can be")
    _check_names(steps)
    return Workflow(name, steps, composition)


def _step(value: Json, path: str) -> Step:
    r = Reader(value, path)
    found = Step(
        activity=checked_name(r.word("activity"), r.path("activity")),
        application=_path(r.json("application"), r.path("application")),
        command=_items(r, "command", _word),
        inputs=_items(r, "inputs", _input),
        outputs=r.items("outputs", _output),
        environment=_variables(r),
        options=_items(r, "options", _word),
        tags=_tags(r),
        cpus=r.integer("cpus", 1, 1 << 20) if r.has("cpus") else 1,
        memory=_maybe(r, "memory", lambda n: _size(r, n)),
        minutes=_maybe(r, "minutes", lambda n: r.integer(n, 1, 1 << 20)),
        action=r.word("action", EXEC, RUN) if r.has("action") else EXEC,
    )
    r.end()
    if not found.command and found.action == EXEC:
        raise RecordError(r.path("command"), "missing or empty: it is a list, the program first")
    if not found.outputs:
        raise RecordError(r.path("outputs"), "empty: what a run writes nowhere has no record")
    _check_options(found.options, r.path("options"))
    mounts = (*(i.mount for i in found.inputs), *(o.mount for o in found.outputs))
    places = [mount for mount in mounts if mount]
    if twice := next((m for m in places if places.count(m) > 1), None):
        raise RecordError(path, f"two containers are to be bound at {twice}")
    return found


def _input(value: Json, path: str) -> Input:
    r = Reader(value, path)
    if r.has("file") == r.has("output"):
        raise RecordError(path, "says either 'file' or 'output', the name of a step's output")
    found = Input(
        file=_maybe(r, "file", lambda n: _path(r.json(n), r.path(n))),
        output=_maybe(r, "output", r.word),
        mount=_maybe(r, "mount", lambda n: _mount(r, n)),
    )
    r.end()
    return found


def _output(value: Json, path: str) -> Output:
    r = Reader(value, path)
    name = checked_name(r.word("name"), r.path("name"))
    if not r.has("path") and ("/" in name or name.startswith(".")):
        raise RecordError(r.path("path"), "missing: the output's name cannot be a file's")
    found = Output(
        name=name,
        path=_path(r.json("path"), r.path("path")) if r.has("path") else f"{name}.sif",
        mount=_maybe(r, "mount", lambda n: _mount(r, n)),
        free=_maybe(r, "free", lambda n: _size(r, n)),
        layout=_maybe(r, "layout", lambda n: _path(r.json(n), r.path(n))),
    )
    r.end()
    return found


def _check_names(steps: tuple[Step, ...]) -> None:
    activities: dict[str, int] = {}
    outputs: dict[str, str] = {}
    for at, step in enumerate(steps):
        if (other := activities.setdefault(step.activity, at)) != at:
            raise RecordError(f"steps[{at}].activity", f"the same as that of steps[{other}]")
        for n, output in enumerate(step.outputs):
            path = f"steps[{at}].outputs[{n}]"
            if (other_path := outputs.setdefault(output.name, path)) != path:
                raise RecordError(f"{path}.name", f"the same as that of {other_path}")
    for at, step in enumerate(steps):
        for n, each in enumerate(step.inputs):
            if each.output is not None and each.output not in outputs:
                raise RecordError(
                    f"steps[{at}].inputs[{n}].output", f"no step has an output {each.output!r}"
                )


def _check_options(options: tuple[str, ...], path: str) -> None:
    line = parse(["", "exec", *options, "IMAGE", "COMMAND"], OPTIONS)
    if line is None or line.image != "IMAGE" or line.args != ("COMMAND",) or "--" in options:
        raise RecordError(path, "not options of the runtime alone, each with its value")
    if ours := [o.name for o in line.options if o.name in OPTIONS]:
        raise RecordError(path, f"--{ours[0]} is sifprov's own, not the runtime's")
    kept = without_image_binds(line.options)
    if len(kept) != sum(len(o.tokens) for o in line.options):
        raise RecordError(path, "bind a container: say it as an input or an output")


def _variables(r: Reader) -> tuple[tuple[str, str], ...]:
    if not r.has("environment"):
        return ()
    found = _texts(r, "environment")
    for name, value in found:
        path = f"{r.path('environment')}.{name}"
        if not _VARIABLE.fullmatch(name):
            raise RecordError(path, "not the name of a variable")
        if name.startswith(_OURS):
            raise RecordError(path, "what steers sifprov or the runtime is not a step's to set")
        if secret_name(name):
            raise RecordError(path, "speaks of a secret, which no record or workflow may hold")
        if "\0" in value:
            raise RecordError(path, "holds a zero byte")
    return found


def _tags(r: Reader) -> tuple[tuple[str, str], ...]:
    if not r.has("tags"):
        return ()
    found = _texts(r, "tags")
    for name, value in found:
        try:
            make(tags=[f"{name}={value}"])
        except SifprovError as error:
            raise RecordError(f"{r.path('tags')}.{name}", str(error)) from error
        if "=" in name:
            raise RecordError(f"{r.path('tags')}.{name}", "holds '='")
    return found


def _texts(r: Reader, field: str) -> tuple[tuple[str, str], ...]:
    value = r.json(field)
    if not isinstance(value, dict) or len(value) > MAX_ITEMS:
        raise RecordError(r.path(field), f"not an object of at most {MAX_ITEMS} texts")
    path = r.path(field)
    return tuple((n, text_from_json(value[n], f"{path}.{n}")) for n in sorted(value))


def _path(value: Json, path: str) -> str:
    text = _word(value, path)
    if not text or text.endswith("/"):
        raise RecordError(path, "not the path of a file")
    return text


def _word(value: Json, path: str) -> str:
    text = text_from_json(value, path)
    if "\0" in text:
        raise RecordError(path, "holds a zero byte")
    return text


def _mount(r: Reader, name: str) -> str:
    try:
        mount = check_mount(_word(r.json(name), r.path(name)))
    except SifprovError as error:
        if isinstance(error, RecordError):
            raise
        raise RecordError(r.path(name), str(error)) from error
    if ":" in mount:
        raise RecordError(r.path(name), "holds a colon")
    return mount


def _size(r: Reader, name: str) -> str:
    text = r.word(name)
    try:
        parse_size(text)
    except SifprovError as error:
        raise RecordError(r.path(name), str(error)) from error
    return text


def _items(r: Reader, name: str, item: Callable[[Json, str], T]) -> tuple[T, ...]:
    return r.items(name, item) if r.has(name) else ()


def _maybe(r: Reader, name: str, read: Callable[[str], T]) -> T | None:
    return read(name) if r.has(name) else None
