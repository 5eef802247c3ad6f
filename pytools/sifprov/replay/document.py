"""A plan as JSON (`sif_layouts/schemas/replay-plan.schema.json`)."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sifprov.model.canonical import Json, text_to_json
from sifprov.model.container import Container
from sifprov.replay.line import command
from sifprov.replay.steps import (
    Change,
    Copied,
    Found,
    Fresh,
    Kept,
    Made,
    Plan,
    Rebuilt,
    Refilled,
    Start,
    Step,
    Target,
)
from sifprov.replay.work import file_names

SCHEMA = "sifprov.replay-plan/1"
FRESH, KEPT, REFILLED, COPIED, CONTINUED = "fresh", "kept", "refilled", "copied", "continued"


def paths(plan: Plan, into: str) -> dict[str, str]:
    """Returns how the states of a plan will be called when `into` is the new container and all
    others are kept; what a step reads of its own making is not."""
    into = os.path.abspath(into)
    parts = os.path.splitext(into)[0] + ".parts"
    names = file_names(plan, into)
    found = {s: into if s == plan.wanted else os.path.join(parts, n) for s, n in names.items()}
    # These are not kept; the numbers tell them apart.
    rebuilt = (i for step in plan.steps for i in step.inputs if isinstance(i, Rebuilt))
    return found | {
        each.state: os.path.join(parts, f"input-{number}.sif.part")
        for number, each in enumerate(rebuilt, start=1)
    }


def to_json(plan: Plan, into: str) -> dict[str, Json]:
    """Returns what `sifprov rerun --dry-run --json` prints."""
    files = paths(plan, into)
    return {
        "changes": [change_to_json(change) for change in plan.changes],
        "digest": plan.wanted,
        "into": text_to_json(files[plan.wanted]),
        "metadata": text_to_json(plan.metadata) if plan.metadata else None,
        "notes": [text_to_json(note) for note in plan.notes],
        "original": text_to_json(plan.original),
        "record": str(plan.record.id),
        "schema": SCHEMA,
        "steps": [_step(step, files) for step in plan.steps],
    }


def change_to_json(change: Change) -> Json:
    """Returns what the user wants otherwise."""
    return {
        "after": text_to_json(change.after),
        "before": text_to_json(change.before),
        "what": text_to_json(change.what),
    }


def _step(step: Step, files: Mapping[str, str]) -> Json:
    return {
        "application": _source(step.application, files),
        "argv": [text_to_json(word) for word in command(step, files)],
        "changed": step.changed,
        "cwd": text_to_json(step.cwd),
        "inputs": [_source(item, files) for item in step.inputs],
        "key": step.key,
        "needs": list(step.needs),
        "outputs": [_output(target, files) for target in step.outputs],
        "runtime": {
            "name": step.runtime.name,
            "path": text_to_json(step.runtime.path),
            "version": step.runtime.version,
        },
    }


def _named(container: Container) -> dict[str, Json]:
    return {
        "mount": _maybe(container.mount),
        "name": text_to_json(container.name),
        "uuid": str(container.uuid) if container.uuid else None,
    }


def _source(item: Found | Made | Rebuilt, files: Mapping[str, str]) -> Json:
    found = item if isinstance(item, Found) else None
    path = item.path if isinstance(item, Found) else files[item.state]
    kind, source = start_of(item.start, files) if isinstance(item, Rebuilt) else (None, None)
    return {
        **_named(item.container),
        "by": found.by if found else None,
        "changed": _maybe(found.changed) if found else None,
        "digest": found.digest if found else None,
        "moved": _maybe(found.moved) if found else None,
        "passed": [text_to_json(line) for line in found.passed] if found else [],
        "path": text_to_json(path),
        "rebuilt": {"from": _maybe(source), "kind": kind} if kind else None,
        "state": item.state if isinstance(item, Made) else None,
        "where": found.where if found else None,
    }


def _output(target: Target, files: Mapping[str, str]) -> Json:
    kind, path = start_of(target.start, files)
    return {
        **_named(target.container),
        "path": text_to_json(files[target.state]),
        "start": {"from": _maybe(path), "kind": kind},
        "state": target.state,
    }


def start_of(start: Start, files: Mapping[str, str]) -> tuple[str, str | None]:
    """Returns in one word how an output begins, and the file or folder whose content it gets."""
    if isinstance(start, Fresh):
        return FRESH, None
    if isinstance(start, Kept):
        return KEPT, start.path
    if isinstance(start, Refilled):
        return REFILLED, start.origin.source
    if isinstance(start, Copied):
        return COPIED, start.found.path
    return CONTINUED, files[start.state]


def _maybe(text: str | None) -> Json:
    return None if text is None else text_to_json(text)
