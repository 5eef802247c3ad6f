"""Metrics that a step's application has written into a file of its output: noted about its run, as
`sifprov annotate` does.

The file is one JSON object of names and numbers. The application knows nothing of sifprov, and who
reads the file trusts it in nothing.
"""

from __future__ import annotations

import json
import os
from typing import NoReturn

from sifprov.annotate import annotate
from sifprov.carrier import read_carrier
from sifprov.errors import FileError, RecordError, SifprovError
from sifprov.filesystem.opening import open_container
from sifprov.model.annotation import MAX_ITEMS, MAX_NAME, MAX_NUMBER, Annotation, make
from sifprov.workflow.document import Step
from sifprov.workflow.plan import Plan, Target
from sifprov.workflow.uptodate import made

MAX_FILE = 1 << 20


class _Number(str):
    """A number as it is written."""


def note_metrics(plan: Plan, step: Step) -> None:
    """Notes the metrics of a step that has run about its run, where that is not done yet. Raises
    SifprovError for a file that is not there, or holds no metrics."""
    if step.metrics is None:
        return
    target = _holder(plan, step, step.metrics)
    found = made(target.path, target.name)
    if found is None:
        raise FileError(f"{target.path}: has no record of a run")
    said = read_carrier(target.path, embedded=False).good
    about = (r.annotation for _, r in said if r.about and r.about.id == found.record.id)
    if any(words and words.metrics for words in about):
        return
    words = parse_metrics(_content(target.path, step.metrics), f"{target.path}: {step.metrics}")
    annotate(target.path, words, str(found.record.id))


def parse_metrics(data: bytes, where: str) -> Annotation:
    """Returns the metrics of such a file, each number as it is written there. Raises FileError,
    which begins with `where`."""
    try:
        value = json.loads(data, parse_float=_Number, parse_int=_Number, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{where}: no JSON: {error}") from error
    if not isinstance(value, dict) or not 0 < len(value) <= MAX_ITEMS:
        raise FileError(f"{where}: not an object of 1 to {MAX_ITEMS} numbers")
    for name, number in value.items():
        if not 0 < len(name) <= MAX_NAME:
            raise FileError(f"{where}: a name is not of 1 to {MAX_NAME} characters")
        if not isinstance(number, _Number) or len(number) > MAX_NUMBER:
            raise FileError(f"{where}: {name!r} is no number of at most {MAX_NUMBER} characters")
    try:
        return make(metrics=[f"{name}={number}" for name, number in value.items()])
    except SifprovError as error:
        raise FileError(f"{where}: {error}") from error


def _holder(plan: Plan, step: Step, path: str) -> Target:
    for target in plan.targets(step):
        if path.startswith(f"{target.mount.rstrip('/')}/"):
            return target
    mounts = ", ".join(target.mount for target in plan.targets(step))
    raise RecordError("metrics", f"{path} is in no output of the step: they are at {mounts}")


def _content(container: str, path: str) -> bytes:
    with open_container(container) as (_, fs):
        node = fs.lookup(os.fsencode(path))
        if not node.is_file or node.size > MAX_FILE:
            raise FileError(f"{container}: {path} is no file of at most {MAX_FILE} bytes")
        return b"".join(fs.content(node))


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
