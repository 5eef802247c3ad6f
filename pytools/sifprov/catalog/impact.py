"""`sifprov impact`: everything that was derived from a container, to any depth.

The way down is: a state, the runs that read it, the states that these left, and so on; and from a
state that was derived to the later ones of the same container, which hold it still. An application
begins with the runs that ran it.

Where it begins, other containers count too that hold the same content, for a copy of broken data is
as broken. Only there: along the way two results may be the same by chance, such as two empty ones,
and would tie trails together that have nothing to do with each other. What holds no file at all
counts for itself alone, even at the beginning.

The database walks (a recursive query visits each state once, so loops end); the least depth of each
is told here.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    Connection,
    Dialect,
    Select,
    lateral,
    or_,
    select,
    true,
    union_all,
)

from sifprov.catalog import things
from sifprov.catalog.conditions import Condition
from sifprov.catalog.ids import uuid_of
from sifprov.catalog.matching import among
from sifprov.catalog.runs import exit_number, fulfilling
from sifprov.catalog.tables import (
    container_image,
    data_container,
    execution,
    location,
    state,
    used,
)
from sifprov.errors import MissingError
from sifprov.model.answer import ID, NUMBER, TIME, Answer, Column, Row

COLUMNS = (
    Column("depth", NUMBER), Column("container"), Column("uuid", ID), Column("run", ID),
    Column("started", TIME), Column("exit", NUMBER), Column("activity"), Column("app"),
    Column("status"), Column("path"),
)  # fmt: skip
SHOWN = ("depth", "container", "run", "started", "exit", "app", "status", "path")
# What is said of where it is now, besides the statuses of `location`.
NOT_INDEXED, GONE_ON = "not indexed", "gone on"


class _Edge(NamedTuple):
    source: int | None  # None: the beginning
    execution: int | None
    target: int


def impact(
    connection: Connection,
    named: Sequence[str],
    *,
    where: Sequence[Condition] = (),
    depth: int | None = None,
    copies: bool = True,
    limit: int | None = None,
) -> Answer:
    """Returns a row for each container, as it stood, that was derived from one of `named` (paths,
    UUIDs, digests, or names), the nearest first; `depth` bounds how far, and `where` says what has
    to hold of the runs that made what is shown.

    Without `copies` only the containers that are named count, not others with the same content.
    Raises MissingError for what the catalog does not know.
    """
    start, ran = set[int](), set[int]()
    for text in named:
        states, images = _begin(connection, text, copies)
        start, ran = start | states, ran | images
    first = list(_first(connection, start, ran))
    edges = first + list(_walk(connection, {*start, *(e.target for e in first)}))
    found = _depths(edges, start, depth)
    keys = sorted(found, key=lambda key: (found[key][0], key))
    if where:
        fit = _fitting(connection, keys, where)
        keys = [key for key in keys if key in fit]
    more = limit is not None and len(keys) > limit
    rows = tuple(_rows(connection, keys[:limit], found))
    asked = " ".join([f"what was derived from {', '.join(named)}", *(c.text for c in where)])
    return Answer(asked, COLUMNS, rows, more)


def _fitting(
    connection: Connection, keys: Sequence[int], where: Sequence[Condition]
) -> Container[int]:
    runs = select(execution.c.id).where(fulfilling(connection, where))
    query = select(state.c.id).where(
        among(connection.dialect, state.c.id, keys), state.c.generated_by.in_(runs)
    )
    return set(connection.scalars(query))


def _begin(connection: Connection, text: str, copies: bool) -> tuple[set[int], set[int]]:
    """Returns the states and the images that are meant."""
    dialect = connection.dialect
    states = set(connection.scalars(things.states(dialect, "=", text)))
    images = set(connection.scalars(things.images(dialect, "=", text)))
    if not states and not images and (uuid := uuid_of(text)):
        left = select(state.c.id).join(execution, state.c.generated_by == execution.c.id)
        states = set(connection.scalars(left.where(execution.c.uuid == uuid)))
    if not states and not images and (uuid := things.uuid_in(text)):
        # A file that the catalog has not seen here, such as one that was moved.
        states = set(connection.scalars(things.states(dialect, "=", uuid)))
        images = set(connection.scalars(things.images(dialect, "=", uuid)))
    if not states and not images:
        raise MissingError(
            f"{text}: nothing in the catalog is called so",
            hint="'sifprov index FOLDER' reads the containers of a folder into it",
        )
    if copies:
        states |= set(connection.scalars(_alike(dialect, states)))
        images |= set(connection.scalars(_alike_images(dialect, images)))
    return states, images


def _alike(dialect: Dialect, states: set[int]) -> Select[Any]:
    mine = select(state.c.content_id).where(among(dialect, state.c.id, states))
    # Nothing is the same as nothing everywhere.
    mine = mine.where(or_(state.c.files.is_(None), state.c.files > 0))
    return select(state.c.id).where(state.c.content_id.in_(mine))


def _alike_images(dialect: Dialect, images: set[int]) -> Select[Any]:
    c = container_image.c
    mine = select(c.content_id).where(among(dialect, c.id, images))
    return select(c.id).where(c.content_id.in_(mine))


def _first(connection: Connection, start: set[int], images: set[int]) -> Iterator[_Edge]:
    """Yields the way from images to what their runs left."""
    query = (
        select(execution.c.id, state.c.id)
        .join(state, state.c.generated_by == execution.c.id)
        .where(among(connection.dialect, execution.c.container_image_id, images))
    )
    for run, target in connection.execute(query) if images else ():
        if target not in start:
            yield _Edge(None, run, target)


def _walk(connection: Connection, start: set[int]) -> Iterator[_Edge]:
    """Yields all ways from one state to another below `start`."""
    reached = _below(connection.dialect, start)
    query = select(reached.c.id, reached.c.generated_by, reached.c.revision_of)
    made: dict[int, list[int]] = defaultdict(list)
    seen = set()
    for key, run, before in connection.execute(query):
        seen.add(key)
        if run is not None:
            made[run].append(key)
        if before is not None:
            yield _Edge(before, run, key)
    # What they read besides comes with it, and does no harm: no way leads there.
    read = select(used.c.execution_id, used.c.state_id).where(
        among(connection.dialect, used.c.execution_id, made)
    )
    for run, source in connection.execute(read):
        if source in seen:
            yield from (_Edge(source, run, target) for target in made[run])


def _below(dialect: Dialect, start: set[int]) -> CTE:
    """The states that can be reached from `start`, each once, with what they came from."""
    columns = (state.c.id, state.c.generated_by, state.c.revision_of)
    begin = select(*columns).where(among(dialect, state.c.id, start))
    reached = begin.cte("reached", recursive=True)
    if dialect.name == "sqlite":
        ran = (
            select(*columns)
            .select_from(reached)
            .join(used, used.c.state_id == reached.c.id)
            .join(state, state.c.generated_by == used.c.execution_id)
        )
        revised = select(*columns).join(reached, state.c.revision_of == reached.c.id)
        return reached.union(ran, revised)
    # PostgreSQL wants one recursive part alone.
    ran = (
        select(*columns)
        .join(used, state.c.generated_by == used.c.execution_id)
        .where(used.c.state_id == reached.c.id)
        .correlate(reached)
    )
    revised = select(*columns).where(state.c.revision_of == reached.c.id).correlate(reached)
    both = lateral(union_all(ran, revised), "next")
    return reached.union(select(*both.c).select_from(reached.join(both, true())))


def _depths(
    edges: Sequence[_Edge], start: set[int], depth: int | None
) -> dict[int, tuple[int, int | None]]:
    """Returns, by state, in how many runs it is reached at the soonest, and by which run."""
    ways: Mapping[int | None, list[_Edge]] = defaultdict(list)
    for edge in edges:
        ways[edge.source].append(edge)
    found: dict[int, tuple[int, int | None]] = {}
    level: list[int | None] = [None, *sorted(start)]
    number = 0
    while level and (depth is None or number < depth):
        number += 1
        following: list[int | None] = []
        for source in level:
            for edge in ways[source]:
                if edge.target not in found and edge.target not in start:
                    found[edge.target] = (number, edge.execution)
                    following.append(edge.target)
        level = following
    return found


def _rows(
    connection: Connection, keys: Sequence[int], found: Mapping[int, tuple[int, int | None]]
) -> Iterator[Row]:
    query = (
        select(
            state.c.id, state.c.name, data_container.c.name, data_container.c.uuid,
            execution.c.uuid, execution.c.started_us, exit_number, execution.c.activity,
            container_image.c.name, state.c.data_container_id,
        )
        .outerjoin(data_container, data_container.c.id == state.c.data_container_id)
        .outerjoin(execution, execution.c.id == state.c.generated_by)
        .outerjoin(container_image, container_image.c.id == execution.c.container_image_id)
        .where(among(connection.dialect, state.c.id, keys))
    )  # fmt: skip
    rows = {row[0]: row for row in connection.execute(query)}
    places = _places(connection, {row[9] for row in rows.values() if row[9] is not None})
    for key in keys:
        _, name, held, uuid, run, started, code, activity, app, container = rows[key]
        status, path = _where(places.get(container, ()), key)
        yield (found[key][0], name or held or "?", uuid, run, started, code, activity, app,
               status, path)  # fmt: skip


def _places(connection: Connection, containers: set[int]) -> Mapping[int, list[Any]]:
    query = select(
        location.c.data_container_id, location.c.state_id, location.c.status,
        location.c.folder, location.c.name,
    ).where(among(connection.dialect, location.c.data_container_id, containers))  # fmt: skip
    places: dict[int, list[Any]] = defaultdict(list)
    for container, *row in connection.execute(query):
        places[container].append(row)
    return places


def _where(places: Sequence[Any], key: int) -> tuple[str, str | None]:
    """Returns what is known of where a state is now: rather a file that stands so, rather one that
    is there."""
    ranked = sorted(places, key=lambda p: (p[1] != "good", p[0] != key, p[2], p[3]))
    if not ranked:
        return NOT_INDEXED, None
    held, status, folder, name = ranked[0]
    if status == "good" and held is not None and held != key:
        status = GONE_ON
    return status, os.path.join(folder, name)
