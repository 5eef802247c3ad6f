"""Environments by name, and compositions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, func, select

from sifprov.catalog.conditions import COMPOSITIONS
from sifprov.catalog.matching import among
from sifprov.catalog.tables import env_partition, environment, execution

COARSE, HYBRID, FINE = COMPOSITIONS


def environments(connection: Connection, partitions: Iterable[int]) -> dict[int, str]:
    """Returns the names of environments, by the id of their partition: queue, machine or cluster,
    else processor or architecture; and the runtime."""
    query = (
        select(
            env_partition.c.id, env_partition.c.queue, env_partition.c.host, environment.c.cluster,
            env_partition.c.cpu, environment.c.architecture, environment.c.runtime,
            environment.c.runtime_version,
        )
        .outerjoin(environment, environment.c.id == env_partition.c.environment_id)
        .where(among(connection.dialect, env_partition.c.id, partitions))
    )  # fmt: skip
    return {row[0]: _name(*row[1:]) for row in connection.execute(query)}


def _name(*parts: str | None) -> str:
    *places, runtime, version = parts
    place = next((part for part in places if part), None)
    program = " ".join(part for part in (runtime, version) if part)
    return ", ".join(part for part in (place, program) if part) or "unknown"


def composed(declared: str | None, images: int, activities: int, pairs: int) -> str | None:
    """Returns how a workflow was composed: as declared; else coarse with one image, fine where each
    image carried out one activity only, hybrid between. None where nothing names the activities.

    `pairs` is how many images and activities went together.
    """
    if declared in COMPOSITIONS:
        return declared
    if images == 1:
        return COARSE
    if not images or not activities:
        return None
    return FINE if pairs == images else HYBRID


def counts() -> tuple[Any, Any, Any]:
    """Returns the three aggregates over `execution` that `composed` wants."""
    image, activity = execution.c.container_image_id, execution.c.activity
    # NULL with anything is NULL, and not counted.
    pair = image.concat(":").concat(activity)
    return (
        func.count(image.distinct()), func.count(activity.distinct()), func.count(pair.distinct()),
    )  # fmt: skip
