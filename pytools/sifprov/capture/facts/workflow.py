"""The workflow that the run was part of."""

from __future__ import annotations

from collections.abc import Mapping

from sifprov.model.fact import Fact
from sifprov.model.workflowpart import part_from_environment


def workflow(variables: Mapping[str, str]) -> Fact | None:
    """Returns the workflow by the variables that name it, None where they name none."""
    part, _ = part_from_environment(variables)
    return Fact("workflow", part.to_json(), source="environment") if part else None
