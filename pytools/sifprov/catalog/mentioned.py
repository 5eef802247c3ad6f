"""Containers that reports name: what there is to know of a run without a record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import translate
from re import fullmatch

from sqlalchemy import Connection, select

from sifprov.catalog.ids import is_digest, uuid_of
from sifprov.catalog.matching import contains, fragment
from sifprov.catalog.tables import report
from sifprov.catalog.texts import escaped, long, short
from sifprov.catalog.things import is_path
from sifprov.catalog.toldtexts import containers_of


def mentioned(connection: Connection, operator: str, text: str, *roles: str) -> Iterator[int]:
    """Yields the executions whose reports name a container in one of `roles`: by `=` its name, UUID
    or path, by `~` a pattern of names."""
    key, wanted = "name", short(text)
    if operator == "=":
        if uuid := uuid_of(text):
            key, wanted = "uuid", uuid
        elif is_digest(text):
            return  # a report was written before anything was read
        elif is_path(text):
            key, wanted = "path", long(os.path.abspath(text))
    query = select(report.c.execution_id, report.c.containers)
    if operator == "=":
        query = query.where(contains(connection.dialect, report.c.containers, fragment([wanted])))
    for execution, listed in connection.execute(query):
        if any(
            each.get("role") in roles and _is(operator, each.get(key), wanted)
            for each in containers_of(listed)
        ):
            yield execution


def _is(operator: str, found: object, wanted: str) -> bool:
    if operator != "~":
        return found == wanted
    pattern = translate(escaped(wanted).replace("[", "[[]"))
    return isinstance(found, str) and fullmatch(pattern, found) is not None
