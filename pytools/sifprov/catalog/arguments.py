"""Settings in the commands of runs: `--lr 0.1`, `--lr=0.1`, `-lr 0.1`, `lr=0.1`."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sqlalchemy import ColumnElement, Connection, select

from sifprov.catalog.conditions import Condition
from sifprov.catalog.matching import contains, fragment, has_form
from sifprov.catalog.tables import execution, setting_name, start_command
from sifprov.catalog.texts import escaped, short

# Stands for all names of a command that sets more of them than so many.
MORE = "*"
_MOST = 256


def settings(command: list[str], name: str) -> Iterator[str]:
    """Yields the values that a command gives to `name`. An option without a value has none."""
    for place, word in enumerate(command):
        before, equals, value = word.partition("=")
        if equals and before in (name, f"-{name}", f"--{name}"):
            yield value
        elif word in (f"-{name}", f"--{name}") and place + 1 < len(command):
            yield command[place + 1]


def names_set(command: list[str]) -> set[str]:
    """Returns the names that a command gives a value to, as `setting_name` holds them: without the
    dashes before them. Where there are too many, MORE is among them."""
    found = set()
    for word in command:
        before, equals, _ = word.partition("=")
        if equals or word.startswith("-"):
            found.add(_bare(before))
    found.discard("")
    return found if len(found) <= _MOST else {MORE}


def _bare(name: str) -> str:
    return short(name.lstrip("-"))


def setting_is(given: str, operator: str, wanted: str) -> bool:
    """True for a value that fulfils a condition: numbers are compared as numbers, all else as text
    (`given` as the catalog holds it), and by order only with a number."""
    if operator == "~":
        return has_form(given, wanted)
    wanted = escaped(wanted)
    try:
        left, right = float(given), float(wanted)
    except ValueError:
        return {"=": given == wanted, "!=": given != wanted}.get(operator, False)
    return {
        "=": left == right, "!=": left != right, "<": left < right, "<=": left <= right,
        ">": left > right, ">=": left >= right,
    }[operator]  # fmt: skip


def words(text: str) -> list[str]:
    """Returns a command that stands in the catalog as JSON; nothing for what is no list."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return [w for w in found if isinstance(w, str)] if isinstance(found, list) else []


def _is_set(connection: Connection, name: str) -> bool:
    """Whether some command may give a value to `name`."""
    bare = _bare(escaped(name))
    wanted = setting_name.c.name.in_([bare, MORE])
    found = connection.scalar(select(setting_name.c.id).where(wanted).limit(1))
    return bare == "" or found is not None


def commands_with(connection: Connection, condition: Condition) -> list[int]:
    """Returns the ids of the start commands that fulfil a condition on `arg.NAME`."""
    return [key for key, _ in values(connection, condition)]


def values(
    connection: Connection, condition: Condition, scope: ColumnElement[bool] | None = None
) -> Iterator[tuple[int, str]]:
    """Yields the start commands that do, each with the value that it gives; only those of the
    executions in `scope`, where few are."""
    if not _is_set(connection, condition.name):
        return
    part = fragment([condition.name])[1:-1]
    rows = select(start_command.c.id, start_command.c.command).where(
        contains(connection.dialect, start_command.c.command, part)
    )
    if scope is not None:
        of = select(execution.c.start_command_id).where(scope)
        rows = rows.where(start_command.c.id.in_(of))
    for key, command in connection.execute(rows):
        for given in settings(words(command), escaped(condition.name)):
            if setting_is(given, condition.operator, str(condition.value)):
                yield key, given
                break
