"""Containers that reports name: what there is to know of a run without a record."""

from __future__ import annotations

import os
from collections.abc import Iterator
from operator import eq

from sqlalchemy import Connection, select

from sifprov.catalog.ids import is_digest, uuid_of
from sifprov.catalog.matching import contains, fragment, has_form
from sifprov.catalog.tables import report
from sifprov.catalog.texts import long, short
from sifprov.catalog.things import is_path
from sifprov.catalog.toldtexts import containers_of


def mentioned(connection: Connection, operator: str, text: str, *roles: str) -> Iterator[int]:
    """Yields the executions whose reports name a container in one of `roles`: by `=` its name, UUID
    or path, by `~` a pattern of names."""
    key, wanted = "name", text if operator == "~" else short(text)
    if operator == "=":
        if uuid := uuid_of(text):
            key, wanted = "uuid", uuid
        elif is_digest(text):
            return  # a report was written before anything was read
        elif is_path(text):
            key, wanted = "path", long(os.path.abspath(text))
    is_it = has_form if operator == "~" else eq
    query = select(report.c.execution_id, report.c.containers)
    if operator == "=":
        query = query.where(contains(connection.dialect, report.c.containers, fragment([wanted])))
    for execution, listed in connection.execute(query):
        if any(
            each.get("role") in roles and is_it(str(each.get(key)), wanted)
            for each in containers_of(listed)
        ):
            yield execution
