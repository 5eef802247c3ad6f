"""Settings in the commands of runs: `--lr 0.1`, `--lr=0.1`, `-lr 0.1`, `lr=0.1`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fnmatch import translate
from re import fullmatch

from sqlalchemy import Connection, select

from sifprov.catalog.conditions import Condition
from sifprov.catalog.matching import contains, fragment
from sifprov.catalog.tables import start_command
from sifprov.catalog.texts import escaped


def settings(command: list[str], name: str) -> Iterator[str]:
    """Yields the values that a command gives to `name`. An option without a value has none."""
    for place, word in enumerate(command):
        before, equals, value = word.partition("=")
        if equals and before in (name, f"-{name}", f"--{name}"):
            yield value
        elif word in (f"-{name}", f"--{name}") and place + 1 < len(command):
            yield command[place + 1]


def setting_is(given: str, operator: str, wanted: str) -> bool:
    """True for a value that fulfils a condition: numbers are compared as numbers, all else as text
    (`given` as the catalog holds it), and by order only with a number."""
    wanted = escaped(wanted)
    if operator == "~":
        pattern = translate(wanted.replace("[", "[[]"))
        return fullmatch(pattern, given) is not None
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


def commands_with(connection: Connection, condition: Condition) -> list[int]:
    """Returns the ids of the start commands that fulfil a condition on `arg.NAME`."""
    return [key for key, _ in values(connection, condition)]


def values(connection: Connection, condition: Condition) -> Iterator[tuple[int, str]]:
    """Yields the start commands that do, each with the value that it gives."""
    part = fragment([condition.name])[1:-1]
    rows = select(start_command.c.id, start_command.c.command).where(
        contains(connection.dialect, start_command.c.command, part)
    )
    for key, command in connection.execute(rows):
        for given in settings(words(command), escaped(condition.name)):
            if setting_is(given, condition.operator, str(condition.value)):
                yield key, given
                break
