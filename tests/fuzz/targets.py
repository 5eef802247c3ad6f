"""All fuzz targets, by name."""

from __future__ import annotations

from tests.fuzz import (
    document_targets,
    files_targets,
    filesystem_targets,
    picture_targets,
    sif_targets,
    stored_targets,
    text_targets,
    workflow_targets,
)
from tests.fuzz.target import Target

TARGETS: dict[str, Target] = {
    t.name: t
    for module in (
        sif_targets,
        document_targets,
        files_targets,
        stored_targets,
        text_targets,
        filesystem_targets,
        picture_targets,
        workflow_targets,
    )
    for t in module.TARGETS
}
