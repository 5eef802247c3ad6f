"""What the user means by a name, a UUID, a digest or a path: containers, images, contents, runs.

Each function returns a SELECT of ids, for `IN`.
"""

from __future__ import annotations

import os
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, CompoundSelect, Dialect, Select, Table, select, union

from sifprov.catalog.ids import is_digest, uuid_of
from sifprov.catalog.matching import begins, text_is
from sifprov.catalog.tables import container_image, content, data_container, location, state
from sifprov.catalog.texts import long, short
from sifprov.catalog.texts import path as as_folder
from sifprov.errors import SifprovError
from sifprov.sif import open_image

Found: TypeAlias = "Select[Any] | CompoundSelect[Any]"
# Hex digits of SHA-256.
_WHOLE = 64


def is_path(text: str) -> bool:
    """True for what can only be the path of a file."""
    return "/" in text


def uuid_in(path: str) -> str | None:
    """Returns the UUID of the SIF at a path; None where there is none."""
    if not os.path.isfile(path):
        return None
    try:
        with open_image(path) as (_, image):
            return str(image.header.uuid)
    except SifprovError:
        return None


def contents(dialect: Dialect, text: str) -> Select[Any]:
    """The contents with a digest that is, or begins with, `text`."""
    return select(content.c.id).where(_digest_is(dialect, content.c.digest, text))


def _digest_is(dialect: Dialect, column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    is_whole = len(text.rpartition(":")[2]) == _WHOLE
    return column == text if is_whole else begins(dialect, column, text)


def files(path: str) -> ColumnElement[bool]:
    """The condition that a row of `location` is the file of this path."""
    folder, name = os.path.split(os.path.abspath(path))
    folders = {as_folder(folder), as_folder(os.path.realpath(folder))}
    return location.c.folder.in_(sorted(folders)) & (location.c.name == short(name))


def _recorded(table: Table, path: str) -> ColumnElement[bool]:
    whole = os.path.abspath(path)
    return (table.c.name == short(os.path.basename(whole))) & (table.c.path == long(whole))


def states(dialect: Dialect, operator: str, text: str) -> Found:
    """The states of data containers that `text` means, by `=` or, as a pattern of names, by `~`.

    A name or a UUID means the container in all of its states; so does a path, where the catalog
    knows a file there or a state was recorded with it.
    """
    c = state.c
    if operator == "=":
        if uuid := uuid_of(text):
            found = select(data_container.c.id).where(data_container.c.uuid == uuid)
            return select(c.id).where(c.data_container_id.in_(found))
        if is_digest(text):
            return select(c.id).where(c.content_id.in_(contents(dialect, text)))
        if is_path(text):
            there = select(location.c.data_container_id).where(files(text))
            return union(
                select(c.id).where(c.data_container_id.in_(there)),
                select(c.id).where(_recorded(state, text)),
            )
    return states_called(dialect, operator, text)


def states_called(dialect: Dialect, operator: str, text: str) -> Found:
    """The states of data containers with a name, now or when they were recorded."""
    c = state.c
    named = select(data_container.c.id).where(
        text_is(dialect, data_container.c.name, operator, text)
    )
    # Not by OR, for which PostgreSQL would read the whole table.
    return union(
        select(c.id).where(text_is(dialect, c.name, operator, text)),
        select(c.id).where(c.data_container_id.in_(named)),
    )


def images(dialect: Dialect, operator: str, text: str) -> Found:
    """The application containers that `text` means, likewise."""
    c = container_image.c
    if operator == "=":
        if uuid := uuid_of(text):
            return select(c.id).where(c.uuid == uuid)
        if is_digest(text):
            return union(
                select(c.id).where(c.content_id.in_(contents(dialect, text))),
                select(c.id).where(_digest_is(dialect, c.fingerprint, text)),
            )
        if is_path(text) and "://" not in text:
            there = select(location.c.container_image_id).where(files(text))
            return union(
                select(c.id).where(c.id.in_(there)),
                select(c.id).where(_recorded(container_image, text)),
            )
    # A file that was found is known by its UUID alone, beside the content that runs tell; it may be
    # called otherwise than where it ran first.
    named = select(c.uuid).where(text_is(dialect, c.name, operator, text))
    there = select(location.c.container_image_id).where(
        text_is(dialect, location.c.name, operator, text)
    )
    found = select(c.uuid).where(c.id.in_(there))
    return union(
        select(c.id).where(text_is(dialect, c.name, operator, text)),
        select(c.id).where(c.uuid.in_(union(named, found))),
    )
