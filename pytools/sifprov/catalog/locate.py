"""Where the file is that an id means: what the catalog knows of a run, a container or a content."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, Dialect, Select, or_, select

from sifprov.catalog import things
from sifprov.catalog.ids import beginning_of, is_digest, uuid_of
from sifprov.catalog.matching import begins
from sifprov.catalog.tables import (
    container_image,
    data_container,
    execution,
    location,
    record,
    state,
)
from sifprov.errors import MissingError, SifprovError


def locate(connection: Connection, text: str) -> tuple[str, str | None]:
    """Returns the path of a file that is there now for a run's id, a container's UUID, a content
    digest or a record's digest, and, for the first and the last, the id of the record that is
    meant.

    A run stands for what it left. Raises MissingError where the catalog knows none, or none is
    where it was last seen.
    """
    seen: list[str] = []
    for query in _ways(connection.dialect, text):
        rows = connection.execute(query).all()
        if beginning_of(text) and len(ids := {row[2] for row in rows if len(row) > 2}) > 1:
            raise SifprovError(f"{text}: {len(ids)} ids begin so", hint="give more of it")
        for folder, name, *meant in rows:
            path = os.path.join(folder, name)
            if os.path.exists(path):
                return path, meant[0] if meant else None
            seen.append(path)
    if seen:
        raise MissingError(
            f"{text}: no longer at {seen[0]}",
            hint="'sifprov index FOLDER' finds containers that were moved",
        )
    raise MissingError(
        f"{text}: neither a file nor known to the catalog",
        hint="'sifprov index FOLDER' reads the containers of a folder into it",
    )


def _ways(dialect: Dialect, text: str) -> Iterator[Select[Any]]:
    places = select(location.c.folder, location.c.name).order_by(
        # Rather what the catalog saw last.
        location.c.status != "good", location.c.seen_us.desc(), location.c.folder, location.c.name,
    )  # fmt: skip
    uuid, beginning = uuid_of(text), beginning_of(text)
    if uuid or beginning:

        def named(column: ColumnElement[Any]) -> ColumnElement[bool]:
            return column == uuid if uuid else begins(dialect, column, beginning or "")

        yield (
            places.add_columns(execution.c.uuid)
            .join(state, state.c.data_container_id == location.c.data_container_id)
            .join(execution, execution.c.id == state.c.generated_by)
            .where(named(execution.c.uuid))
        )
        held = select(data_container.c.id).where(named(data_container.c.uuid))
        yield places.where(location.c.data_container_id.in_(held))
        apps = select(container_image.c.id).where(named(container_image.c.uuid))
        yield places.where(location.c.container_image_id.in_(apps))
    elif is_digest(text):
        if text.startswith("sha256:"):
            yield (
                places.add_columns(execution.c.uuid)
                .join(record, record.c.location_id == location.c.id)
                .outerjoin(execution, execution.c.id == record.c.execution_id)
                .where(record.c.digest == text)
            )
        states = select(state.c.id).where(state.c.content_id.in_(things.contents(dialect, text)))
        apps = select(container_image.c.id).where(
            container_image.c.content_id.in_(things.contents(dialect, text))
        )
        yield places.where(
            or_(location.c.state_id.in_(states), location.c.container_image_id.in_(apps))
        )
