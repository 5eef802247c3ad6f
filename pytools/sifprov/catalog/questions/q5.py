"""q5: images that a user created."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, func, select

from sifprov.catalog.matching import among, begins, glob
from sifprov.catalog.questions import Asked
from sifprov.catalog.questions.places import environments
from sifprov.catalog.questions.scope import e
from sifprov.catalog.tables import container_image, execution
from sifprov.model.answer import NUMBER, Answer, Column

COLUMNS = (
    Column("id", NUMBER), Column("author"), Column("arch"), Column("vendor"),
    Column("image_tags"), Column("description"), Column("env_name"), Column("image_type"),
    Column("base_image"),
)  # fmt: skip
APPLICATION, BASE, UNUSED = "application", "base", "unused"


def ask(connection: Connection, asked: Asked) -> Answer:
    """A row for each image, in the order in which the catalog got to know them."""
    c = container_image.c
    user = asked.user or ""
    if "*" in user or "?" in user:
        who = glob(connection.dialect, c.creator, user)
    else:
        # As in `A name <user7@lab>`, too.
        who = (c.creator == user) | begins(connection.dialect, c.creator, user + " <")
    images = connection.execute(
        select(c.id, c.creator, c.architecture, c.driver, c.name, c.description, c.base_image)
        .where(who)
        .order_by(c.id)
    ).all()
    last = _last_used(connection, [row.id for row in images])
    names = environments(connection, set(last.values()) - {0})
    bases = _bases(connection, [row.name for row in images if row.name])
    rows = tuple(
        (
            row.id, row.creator, row.architecture, row.driver, row.name, row.description,
            names.get(last.get(row.id, 0)),
            APPLICATION if row.id in last else BASE if row.name in bases else UNUSED,
            row.base_image,
        )
        for row in images
    )  # fmt: skip
    return Answer(f"images that {user} created", COLUMNS, rows)


def _last_used(connection: Connection, images: Sequence[int]) -> dict[int, int]:
    """Returns where images ran last, by image; 0 where that is not known."""
    newest = (
        select(e.container_image_id, func.max(e.id).label("id"))
        .where(among(connection.dialect, e.container_image_id, images))
        .group_by(e.container_image_id)
        .subquery()
    )
    query = select(newest.c.container_image_id, execution.c.env_partition_id).join(
        execution, execution.c.id == newest.c.id
    )
    return {image: partition or 0 for image, partition in connection.execute(query)}


def _bases(connection: Connection, names: Sequence[str]) -> set[str]:
    base = container_image.c.base_image
    return set(connection.scalars(select(base).where(base.in_(names)).distinct()))
