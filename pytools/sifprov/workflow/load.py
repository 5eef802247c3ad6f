"""Reads a workflow file: ours, the thesis prototype's or ProvDeploy's."""

from __future__ import annotations

import json
import os

from sifprov.errors import FileError, RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json, loads
from sifprov.plainfile import read_plain
from sifprov.workflow import convert
from sifprov.workflow.document import SCHEMA, Workflow
from sifprov.workflow.graph import shape
from sifprov.workflow.reading import from_json

_MAX_FILE = 16 << 20


@dataclass(frozen=True)
class Loaded:
    """A workflow, the folder that its paths start from, and what was not said in another program's
    file, so that we chose it."""

    workflow: Workflow
    folder: str
    notes: tuple[str, ...] = ()
    kind: str = SCHEMA


def load(path: str) -> Loaded:
    """Reads a workflow file. Raises FileError, which names the file and the JSON path."""
    data = read_plain(path, _MAX_FILE, "workflow")
    try:
        value = loads(data)
        if isinstance(value, dict) and value.get("schema") == SCHEMA:
            found = from_json(value)
            notes: tuple[str, ...] = ()
            kind = SCHEMA
        else:
            found, notes, kind = convert.read(value)
        shape(found)
    except RecordError as error:
        raise FileError(
            f"{path}: {error}", hint="docs/workflows.md shows what a workflow file looks like"
        ) from error
    return Loaded(found, os.path.dirname(os.path.abspath(path)), notes, kind)


def to_text(workflow: Workflow) -> str:
    """Returns a workflow as the text of a file, for people."""
    document: dict[str, Json] = workflow.to_json()
    first = {name: document.pop(name) for name in ("schema", "name")}
    steps = document.pop("steps")
    ordered = {**first, **document, "steps": steps}
    return json.dumps(ordered, indent=2, ensure_ascii=False) + "\n"
