"""A workflow with all that its steps have to know to be carried out, one by one, anywhere.

    {"schema": "sifprov.workflow-plan/1", "workflow": {…}, "folder": "/…", "id": "UUID" or null, …}

It stands in the Snakefile, in one line that is a comment there.
"""

from __future__ import annotations

import os

from sifprov.errors import FileError, MissingError, RecordError
from sifprov.frozen import dataclass
from sifprov.layouts import Layout, find_layout
from sifprov.model.canonical import Json, dumps, loads, text_to_json
from sifprov.model.reader import Reader
from sifprov.plainfile import read_plain
from sifprov.sizes import parse_size
from sifprov.workflow.document import DEFAULT_FREE, DEFAULT_MOUNT, Output, Step, Workflow
from sifprov.workflow.graph import Shape, composition, shape
from sifprov.workflow.reading import from_json

SCHEMA = "sifprov.workflow-plan/1"
MAX_FILE = 16 << 20
EXT3 = "ext3"


@dataclass(frozen=True)
class Source:
    """A data container that a step reads: where it is, where it is bound (None: where it says), and
    the number of the step that makes it."""

    path: str
    mount: str | None
    maker: int | None


@dataclass(frozen=True)
class Target:
    """A data container that a step makes; `free` in bytes."""

    name: str
    path: str
    mount: str
    free: int


class Plan:
    """`folder` is the absolute one that paths of the workflow start from, `id` the UUID of this
    execution (None: each start of the engine is one), `runtime` the program to use, `options` what
    each step's runtime is to be told besides its own."""

    def __init__(
        self,
        workflow: Workflow,
        folder: str,
        id: str | None = None,  # noqa: A002 - as the document calls it
        runtime: str | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        """Raises RecordError for a workflow that is none (graph.py)."""
        self.workflow, self.folder, self.id = workflow, folder, id
        self.runtime, self.options = runtime, options
        self.shape: Shape = shape(workflow)
        self._outputs = {o.name: self.path(o.path) for s in workflow.steps for o in s.outputs}
        self._makers = {
            self.path(o.path): n for n, s in enumerate(workflow.steps) for o in s.outputs
        }

    def with_id(self, execution: str) -> Plan:
        """Returns the plan of an execution."""
        return Plan(self.workflow, self.folder, execution, self.runtime, self.options)

    @property
    def composition(self) -> str:
        """How the activities share application containers."""
        return composition(self.workflow)

    def step(self, number: int) -> Step:
        """Returns a step, counted from 1. Raises MissingError."""
        if not 1 <= number <= len(self.workflow.steps):
            raise MissingError(f"the workflow has no step {number}")
        return self.workflow.steps[number - 1]

    def path(self, path: str) -> str:
        """Returns the absolute path of a file of the workflow."""
        return os.path.normpath(os.path.join(self.folder, path))

    def sources(self, step: Step) -> tuple[Source, ...]:
        """Returns what a step reads, in its order."""
        found = []
        for each in step.inputs:
            file = each.file is not None
            path = self.path(each.file or "") if file else self._outputs[each.output or ""]
            found.append(Source(path, each.mount, self._makers.get(path)))
        return tuple(found)

    def targets(self, step: Step) -> tuple[Target, ...]:
        """Returns what a step makes, in its order. Raises FileError, MissingError, for a layout."""
        return tuple(self._target(output) for output in step.outputs)

    def _target(self, output: Output) -> Target:
        layout = self._layout(output)
        mount = output.mount or (layout.mount if layout else None) or DEFAULT_MOUNT
        free = output.free or (layout.free if layout else None) or DEFAULT_FREE
        return Target(output.name, self.path(output.path), mount, parse_size(free))

    def _layout(self, output: Output) -> Layout | None:
        name = output.layout
        if name is None:
            return None
        layout = find_layout(self.path(name) if "/" in name or name.endswith(".json") else name)
        if layout.fs != EXT3:
            raise FileError(f"layout {name}: sealed, so no run can write into it")
        return layout

    def to_json(self) -> dict[str, Json]:
        """Returns the JSON document."""
        return {
            "folder": text_to_json(self.folder),
            "id": self.id,
            "options": [text_to_json(word) for word in self.options],
            "runtime": None if self.runtime is None else text_to_json(self.runtime),
            "schema": SCHEMA,
            "workflow": self.workflow.to_json(),
        }


def plan_from_json(value: Json, beside: str) -> Plan:
    """Reads a plan; its folder may be relative to the folder `beside`. Raises RecordError."""
    r = Reader(value, "")
    r.word("schema", SCHEMA)
    found = Plan(
        workflow=_workflow(r.json("workflow")),
        folder=os.path.normpath(os.path.join(beside, r.text("folder"))),
        id=r.optional("id", lambda n: str(r.uuid(n))),
        runtime=r.optional("runtime", r.text),
        options=tuple(Reader({"x": w}, p).text("x") for w, p in r.items("options", _pair)),
    )
    r.end()
    return found


def _pair(value: Json, path: str) -> tuple[Json, str]:
    return value, path


def _workflow(value: Json) -> Workflow:
    try:
        return from_json(value)
    except RecordError as error:
        raise RecordError("workflow", str(error)) from error


def line_of(plan: Plan) -> str:
    """Returns the plan as one line of ASCII that a comment can hold."""
    return ascii_line(plan.to_json())


def ascii_line(value: Json) -> str:
    """Returns a document as one line of ASCII that a comment can hold."""
    text = dumps(value).decode("utf-8")
    # Canonical JSON escapes control characters; all else that is no ASCII is escaped here.
    return "".join(c if c.isascii() and c != "\x7f" else _escaped(c) for c in text)


def data_of_file(path: str) -> Json:
    """Returns the data that stand in a Snakefile of ours. Raises FileError, RecordError."""
    start = b"# {"
    lines = [
        line
        for line in read_plain(path, MAX_FILE, "Snakefile").splitlines()
        if line.startswith(start)
    ]
    if len(lines) != 1:
        raise FileError(f"{path}: not a Snakefile that sifprov has written")
    return loads(lines[0][2:])


def _escaped(character: str) -> str:
    number = ord(character)
    if number < 0x10000:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
