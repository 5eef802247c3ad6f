"""What lists of runs have in common: who ran them, and the tables' texts as people read them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import ColumnElement, or_

from sifprov.catalog.tables import person
from sifprov.catalog.texts import short
from sifprov.model.container import APPLICATION, OUTPUT
from sifprov.model.run import typed
from sifprov.terminal import command as shell_words


def user_is(user: str) -> ColumnElement[bool]:
    """The condition that a row of `person` has this name, or this number."""
    named = person.c.name == short(user)
    is_number = user.isascii() and user.isdigit() and len(user) < 11
    return or_(named, person.c.uid == int(user)) if is_number else named


def user_of(name: str | None, uid: int | None) -> str | None:
    """Returns a person's name, or the number of one who has none."""
    return name or (None if uid is None else str(uid))


def job_of(job: str | None, array_job: str | None, task: str | None) -> str | None:
    """Returns a batch job as its batch system calls it: of an array `JOB_TASK`."""
    if task is not None and (array_job or job):
        return f"{array_job or job}_{task}"
    return job


def command_of(command: str | None, argv: str | None) -> str | None:
    """Returns what ran as one would type it."""
    words = typed(tuple(_texts(command)), tuple(_texts(argv)))
    return shell_words(words) if words else None


def names_of(containers: str | None, role: str | None = None) -> tuple[str, ...]:
    """Returns the names of the data containers of a report, those of one role or of all."""
    return tuple(
        str(each.get("name"))
        for each in containers_of(containers)
        if each.get("role") != APPLICATION and role in (None, each.get("role"))
    )


def containers_of(text: str | None) -> Iterator[dict[str, object]]:
    """Yields the containers of a report: role, name, path, UUID, mount point."""
    return (each for each in _items(text) if isinstance(each, dict))


def outputs_of(containers: str | None) -> tuple[str, ...]:
    """Returns the names of the containers of a report that the run was to fill."""
    return names_of(containers, OUTPUT)


def _texts(text: str | None) -> Iterator[str]:
    return (each for each in _items(text) if isinstance(each, str))


def _items(text: str | None) -> list[object]:
    try:
        found = json.loads(text) if text else []
    except ValueError:
        return []
    return found if isinstance(found, list) else []
