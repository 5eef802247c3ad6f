"""The containers of the brain workflow as files: `scans/`, and a folder for each execution."""

from __future__ import annotations

from pathlib import Path

from tests.unit.brain import FIRST, Brain
from tests.unit.sifs import add, make_sif

from sifprov.model.record import Record


def write(brain: Brain, folder: Path) -> None:
    """Makes a SIF of each data container, with the records that speak of it."""
    places = {entity.uuid: f"scans/{entity.name}" for entity in brain.entities.values()}
    for (which, name), entity in brain.of.items():
        places[entity.uuid] = f"{'monday' if which == FIRST else 'tuesday'}/{name}"
    for data in brain.records():
        record = Record.from_bytes(data)
        path = folder / places[record.container]
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            make_sif(path, uuid=record.container)
        add(path, record)
