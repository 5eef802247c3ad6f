"""Workflow files of other programs, read as ours."""

from __future__ import annotations

from sifprov.errors import RecordError
from sifprov.model.canonical import Json
from sifprov.workflow.document import Workflow


def read(value: Json) -> tuple[Workflow, tuple[str, ...], str]:
    raise RecordError("schema", "unknown")
