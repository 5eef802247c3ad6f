"""A plan as JSON (`sif_layouts/schemas/replay-plan.schema.json`)."""

from __future__ import annotations

from sifprov.model.canonical import Json
from sifprov.replay.steps import Plan

SCHEMA = "sifprov.replay-plan/1"


def to_json(plan: Plan) -> Json:
    """Returns what `sifprov rerun --dry-run --json` prints."""
    raise NotImplementedError
