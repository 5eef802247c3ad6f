"""Empties a catalog of all that stands in containers, to read it from them again.

Where the files are is kept, and what was reported of runs that have no record yet. When it is ended
in between, the next index of these files, or the next rebuild, reads what is left.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from sqlalchemy import Connection, or_, select, text

from sifprov.catalog.index import Summary, index
from sifprov.catalog.read import VANISHED
from sifprov.catalog.store import Catalog
from sifprov.catalog.tables import location
from sifprov.catalog.texts import on_disk
from sifprov.catalog.walk import host_name

# In an order in which nothing is left that names what is gone. Executions that were reported, and
# have no record yet, stay, with all that they name.
_STATEMENTS = (
    "DELETE FROM used",
    "DELETE FROM tag",
    "DELETE FROM metric",
    "DELETE FROM note",
    "DELETE FROM record",
    "UPDATE location SET data_container_id = NULL, container_image_id = NULL, state_id = NULL,"
    " ctime_ns = NULL",
    "DELETE FROM state",
    "DELETE FROM data_container",
    "DELETE FROM container WHERE execution_id NOT IN (SELECT execution_id FROM report)",
    "DELETE FROM execution WHERE id NOT IN (SELECT execution_id FROM report)",
    *(
        f"DELETE FROM {table} WHERE id NOT IN (SELECT {table}_id FROM {of}"  # noqa: S608
        f" WHERE {table}_id IS NOT NULL)"
        for table, of in (
            ("container_image", "execution"), ("configuration", "container_image"),
            ("content", "container_image"), ("start_command", "execution"),
            ("person", "execution"), ("env_partition", "execution"),
            ("environment", "env_partition"), ("workflow_execution", "execution"),
            ("workflow", "workflow_execution"),
        )
    ),
    # Whoever has the catalog open forgets what it remembers of it.
    "DELETE FROM catalog_info WHERE name = 'generation'",
)  # fmt: skip


def rebuild(
    catalog: Catalog,
    *,
    jobs: int | None = None,
    on_step: Callable[[str], None] = lambda text: None,
) -> Summary:
    """Reads all files that a catalog knows on this machine again. Raises FileError."""
    generation = int(catalog.info("generation") or 0) + 1

    def empty(connection: Connection) -> None:
        for statement in _STATEMENTS:
            connection.execute(text(statement))
        connection.execute(
            text("INSERT INTO catalog_info (name, value) VALUES ('generation', :value)"),
            {"value": str(generation)},
        )

    catalog.write(empty)
    with catalog.reading() as connection:
        here = or_(location.c.host == host_name(), location.c.host == "")
        known = select(location.c.folder, location.c.name)
        known = known.where(here, location.c.status != VANISHED)
        paths = [
            os.path.join(folder, name)
            for row in connection.execute(known.order_by(location.c.folder, location.c.name))
            if (folder := on_disk(row[0])) and (name := on_disk(row[1]))
        ]
    return index(catalog, paths, jobs=jobs, on_step=on_step)
