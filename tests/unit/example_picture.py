"""Prints docs/trail.svg: `TZ=UTC .venv/bin/python -m tests.unit.example_picture > docs/trail.svg`.

The thesis's example with names, commands and digests as they are in life, and one container that a
later reader does not have any more."""

from __future__ import annotations

import sys
from hashlib import sha256
from uuid import UUID

from tests.unit.graphmaker import Sample

from sifprov.frozen import replace
from sifprov.model.annotation import Annotation
from sifprov.model.graph import Activity, Entity, Graph
from sifprov.render.svg import render

_COMMANDS = {
    "moisture.sif": ("python3", "/predict.py", "--trees", "200"),
    "maps.sif": ("gnuplot", "/Inputs/map.plt"),
}


class Example(Sample):
    """A sample whose identities look as they do in life."""

    def uuid(self) -> UUID:
        number = super().uuid()
        return UUID(bytes=sha256(number.bytes).digest()[:16], version=4)


def graph() -> Graph:
    """Two runs from a folder of measurements to maps."""
    s = Example()
    stations = s.made("stations.sif", "/data/soil/2016")
    terrain = s.missing("terrain.sif")
    words = Annotation(metrics=(("r2", "0.93"),), tags=(("paper", "draft-2"),))
    (moisture,) = s.run(
        s.application("knn.sif"), (stations, terrain), "moisture.sif", annotation=words
    )
    (maps,) = s.run(s.application("gnuplot.sif"), (moisture,), "maps.sif")
    found = s.graph(maps)
    return replace(
        found,
        entities={key: _alive(entity) for key, entity in found.entities.items()},
        activities={key: _named(activity, found) for key, activity in found.activities.items()},
    )


def _alive(entity: Entity) -> Entity:
    scheme, _, value = (entity.digest or "").partition(":")
    digest = f"{scheme}:{sha256(value.encode()).hexdigest()}"
    return replace(entity, container=replace(entity.container, digest=digest))


def _named(activity: Activity, found: Graph) -> Activity:
    if not activity.run or not activity.record:
        return activity
    command = _COMMANDS[found.entities[activity.generated[0].entity].name]
    run = replace(activity.run, command=command)
    return replace(activity, record=replace(activity.record, run=run))


if __name__ == "__main__":
    sys.stdout.write(render(graph()))
