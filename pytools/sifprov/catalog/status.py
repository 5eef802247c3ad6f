"""How a catalog stands: where it is, what it holds, and how large it is."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sqlalchemy import Connection, func, select, text

from sifprov.catalog.store import Catalog
from sifprov.catalog.tables import catalog_info, container_image, execution, location, record
from sifprov.frozen import dataclass


@dataclass(frozen=True)
class Status:
    """`files` are the known files by what they were found to be, `runs` the executions by kind
    (`reported`: those of which no record was read). Times are microseconds since 1970, `size` is
    in bytes; each is None where it is not known."""

    name: str
    database: str
    is_safe_mode: bool
    version: int
    created_us: int | None
    size: int | None
    files: Mapping[str, int]
    runs: Mapping[str, int]
    records: int
    images: int
    newest_us: int | None
    indexed_us: int | None


def status(catalog: Catalog) -> Status:
    """Returns how a catalog stands. Raises FileError."""
    with catalog.reading() as connection:
        rows = connection.execute(select(catalog_info.c.name, catalog_info.c.value))
        info: dict[str, str] = {name: value for name, value in rows}  # noqa: C416
        kinds = connection.execute(
            select(execution.c.kind, func.count()).group_by(execution.c.kind)
        )
        runs = {kind or "reported": count for kind, count in kinds}
        of_files = select(location.c.status, func.count()).group_by(location.c.status)
        files: dict[str, int] = {kind: n for kind, n in connection.execute(of_files)}  # noqa: C416
        newest = connection.scalar(select(func.max(record.c.recorded_us)))
        indexed = connection.scalar(select(func.max(location.c.seen_us)))
        records = connection.scalar(select(func.count()).select_from(record)) or 0
        # A file that was found and not read is known by its UUID, beside its content.
        which = func.coalesce(container_image.c.uuid, container_image.c.fingerprint)
        images = connection.scalar(select(func.count(which.distinct()))) or 0
        size = _size(catalog, connection)
    return Status(
        catalog.name,
        catalog.place.kind,
        catalog.is_safe_mode,
        int(info["version"]),
        int(info["created_us"]) if info.get("created_us", "").isdigit() else None,
        size,
        files,
        runs,
        records,
        images,
        newest,
        indexed,
    )


def _size(catalog: Catalog, connection: Connection) -> int | None:
    if not catalog.is_sqlite:
        found: int | None = connection.scalar(text("SELECT pg_database_size(current_database())"))
        return found
    total = 0
    for end in ("", "-wal"):
        try:
            total += os.stat(catalog.place.path + end).st_size
        except FileNotFoundError:
            continue
    return total
