"""A trail as a Snakefile for those who want only the workflow: plain `snakemake` carries it out.

Its results are made in the folder of the Snakefile, wherever that is then.
"""

from __future__ import annotations

import os

from sifprov.errors import FileError
from sifprov.model.graph import Graph
from sifprov.trailformats import write as write_text
from sifprov.workflow.document import Workflow
from sifprov.workflow.load import to_text
from sifprov.workflow.plan import Plan
from sifprov.workflow.snakefile import snakefile
from sifprov.workflow.traced import workflow_of

# Found by whoever runs it, wherever that is.
_PROGRAM = ("sifprov",)


def snakefile_of(graph: Graph) -> str:
    """Returns the Snakefile of a trail. Raises SifprovError for one that is no workflow."""
    return _snakefile(workflow_of(graph))


def write(graph: Graph, path: str) -> None:
    """Writes the Snakefile of a trail; into a folder, also the workflow as a file of its own.
    Raises SifprovError for a trail that is no workflow, FileError."""
    workflow = workflow_of(graph)
    if not (os.path.isdir(path) or path.endswith("/")):
        write_text(path, _snakefile(workflow))
        return
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: {error.strerror}") from error
    write_text(os.path.join(path, "Snakefile"), _snakefile(workflow))
    write_text(os.path.join(path, "workflow.json"), to_text(workflow))


def _snakefile(workflow: Workflow) -> str:
    return snakefile(Plan(workflow, "."), _PROGRAM)
