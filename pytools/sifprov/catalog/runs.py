"""Conditions as SQL: which rows of `execution` fulfil them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Select,
    Table,
    and_,
    case,
    func,
    not_,
    or_,
    select,
    union,
)

from sifprov.catalog import things
from sifprov.catalog.arguments import commands_with
from sifprov.catalog.conditions import Condition
from sifprov.catalog.ids import is_digest
from sifprov.catalog.matching import (
    among,
    begins,
    contains,
    fragment,
    glob,
    number_is,
    text_is,
)
from sifprov.catalog.tables import (
    container_image,
    data_container,
    env_partition,
    environment,
    execution,
    metric,
    note,
    person,
    start_command,
    state,
    tag,
    used,
    workflow,
    workflow_execution,
)
from sifprov.errors import SifprovError

_Where = ColumnElement[bool]
_DAY = 86_400_000_000
# A shell's convention, so that one number tells of every end.
exit_number = func.coalesce(
    execution.c.exit_code,
    128 + execution.c.signal,
    case((execution.c.outcome == "not-started", 255)),
)


def fulfilling(connection: Connection, conditions: Iterable[Condition]) -> _Where:
    """Returns the WHERE of a SELECT from `execution`: all conditions are fulfilled. Runs and
    makings that only others name so far fulfil none."""
    parts = [execution.c.kind.is_not(None)]
    return and_(*parts, *(one(connection, condition) for condition in conditions))


def one(connection: Connection, condition: Condition) -> _Where:
    """Returns what one condition says of a row of `execution`."""
    dialect = connection.dialect
    if condition.name:
        return _named(connection, condition)
    word, operator, value = condition.word, condition.operator, condition.value
    if word in _ROWS:
        return _negated(operator, _ROWS[word](dialect, _plain(operator), str(value)))
    if word in _TEXTS:
        return text_is(dialect, _TEXTS[word], operator, str(value))
    if word in _NUMBERS:
        return number_is(_NUMBERS[word], operator, float(value))
    if word in _BEHIND:
        return _behind(dialect, word, operator, str(value))
    if word in ("since", "until"):
        began = execution.c.started_us
        return began >= value if word == "since" else began < value
    if word == "id":
        return _id(dialect, operator, str(value))
    if word == "user":
        return _user(dialect, operator, str(value))
    if word == "command":
        return _command(dialect, operator, str(value))
    if word == "argument":
        return _argument(dialect, operator, str(value))
    raise AssertionError(word)


def _plain(operator: str) -> str:
    return "=" if operator == "!=" else operator


def _negated(operator: str, found: _Where) -> _Where:
    return not_(found) if operator == "!=" else found


def _used(states: Select[Any]) -> Select[Any]:
    return select(used.c.execution_id).where(used.c.state_id.in_(states))


def _left(states: Select[Any]) -> Select[Any]:
    found = select(state.c.generated_by).where(state.c.id.in_(states))
    # NOT IN of a list that holds NULL is never true.
    return found.where(state.c.generated_by.is_not(None))


def _input(dialect: Dialect, operator: str, text: str) -> _Where:
    return execution.c.id.in_(_used(things.states(dialect, operator, text)))


def _output(dialect: Dialect, operator: str, text: str) -> _Where:
    return execution.c.id.in_(_left(things.states(dialect, operator, text)))


def _container(dialect: Dialect, operator: str, text: str) -> _Where:
    states = things.states(dialect, operator, text)
    return execution.c.id.in_(union(_used(states), _left(states)))


def _app(dialect: Dialect, operator: str, text: str) -> _Where:
    return _of_images(things.images(dialect, operator, text))


def _of_images(images: Select[Any]) -> _Where:
    ran = select(execution.c.id).where(execution.c.container_image_id.in_(images))
    return execution.c.id.in_(ran)


def _digest(dialect: Dialect, operator: str, text: str) -> _Where:
    if operator == "~" or not is_digest(text):
        raise SifprovError(
            f"digest={text}: no digest",
            hint="write it as tree-v1:18b4e1 or image-v1:10b66e, with six digits or more",
        )
    states = select(state.c.id).where(state.c.content_id.in_(things.contents(dialect, text)))
    ran = select(execution.c.id).where(
        execution.c.container_image_id.in_(things.images(dialect, "=", text))
    )
    return execution.c.id.in_(union(_used(states), _left(states), ran))


def _name(dialect: Dialect, operator: str, text: str) -> _Where:
    name = data_container.c.name
    held = select(data_container.c.id).where(text_is(dialect, name, operator, text))
    states = select(state.c.id).where(
        or_(text_is(dialect, state.c.name, operator, text), state.c.data_container_id.in_(held))
    )
    apps = select(container_image.c.id).where(
        text_is(dialect, container_image.c.name, operator, text)
    )
    ran = select(execution.c.id).where(execution.c.container_image_id.in_(apps))
    return execution.c.id.in_(union(_used(states), _left(states), ran))


def _base(dialect: Dialect, operator: str, text: str) -> _Where:
    base = text_is(dialect, container_image.c.base_image, operator, text)
    return _of_images(select(container_image.c.id).where(base))


def _job(dialect: Dialect, operator: str, text: str) -> _Where:
    array, _, task = text.rpartition("_")
    c = execution.c
    found = or_(text_is(dialect, c.job_id, operator, text),
                text_is(dialect, c.array_job_id, operator, text))  # fmt: skip
    if array and operator == "=":
        found = or_(found, and_(c.array_job_id == array, c.task_id == task))
    return c.id.in_(select(c.id).where(found))


def _note(dialect: Dialect, operator: str, text: str) -> _Where:
    said = select(note.c.execution_id).where(text_is(dialect, note.c.text, operator, text))
    return execution.c.id.in_(said)


# Words that stand for rows elsewhere; `!=` is that there are none.
_ROWS: dict[str, Callable[[Dialect, str, str], _Where]] = {
    "app": _app, "base": _base, "container": _container, "digest": _digest, "input": _input,
    "job": _job, "name": _name, "note": _note, "output": _output,
}  # fmt: skip
_TEXTS: dict[str, ColumnElement[Any]] = {
    "activity": execution.c.activity, "kind": execution.c.kind, "outcome": execution.c.outcome,
    "scheduler": execution.c.scheduler, "source": execution.c.source,
}  # fmt: skip
_NUMBERS: dict[str, ColumnElement[Any]] = {
    "elapsed": execution.c.elapsed_us, "ended": execution.c.ended_us, "exit": exit_number,
    "memory": execution.c.max_memory_bytes, "signal": execution.c.signal,
    "started": execution.c.started_us,
    # 1970 began on a Thursday.
    "weekday": (execution.c.started_us // _DAY + 3) % 7,
}  # fmt: skip
# Texts of rows that an execution has one of: the column, and the way there.
_BEHIND: dict[str, tuple[ColumnElement[Any], tuple[Table, ...]]] = {
    "architecture": (environment.c.architecture, (env_partition, environment)),
    "cluster": (environment.c.cluster, (env_partition, environment)),
    "execution": (workflow_execution.c.uuid, (workflow_execution,)),
    "host": (env_partition.c.host, (env_partition,)),
    "queue": (env_partition.c.queue, (env_partition,)),
    "runtime": (environment.c.runtime, (env_partition, environment)),
    "workflow": (workflow.c.wf_key_name, (workflow_execution, workflow)),
}


def _behind(dialect: Dialect, word: str, operator: str, value: str) -> _Where:
    column, way = _BEHIND[word]
    found = select(way[-1].c.id).where(text_is(dialect, column, _plain(operator), value))
    for table, to in zip(reversed(way[:-1]), reversed(way[1:]), strict=True):
        found = select(table.c.id).where(table.c[f"{to.name}_id"].in_(found))
    own = execution.c[f"{way[0].name}_id"]
    if operator == "!=":
        return or_(own.is_(None), own.not_in(found))
    return own.in_(found)


def _id(dialect: Dialect, operator: str, text: str) -> _Where:
    uuid = text.removeprefix("id:").lower()
    if operator == "~":
        return glob(dialect, execution.c.uuid, uuid)
    whole = len(uuid) == 36
    return _negated(
        operator, execution.c.uuid == uuid if whole else begins(dialect, execution.c.uuid, uuid)
    )


def _user(dialect: Dialect, operator: str, text: str) -> _Where:
    who = text_is(dialect, person.c.name, _plain(operator), text)
    if text.isascii() and text.isdigit() and len(text) < 12 and operator != "~":
        who = or_(who, person.c.uid == int(text))
    found = select(person.c.id).where(who)
    if operator == "!=":
        return or_(execution.c.person_id.is_(None), execution.c.person_id.not_in(found))
    return execution.c.person_id.in_(found)


def _command(dialect: Dialect, operator: str, text: str) -> _Where:
    # ["a","b c"] becomes `a b c`; what JSON escapes stays escaped, in the pattern too.
    line = func.replace(
        func.substr(start_command.c.command, 3, func.length(start_command.c.command) - 4),
        '","', " ",
    )  # fmt: skip
    wanted = fragment([text])[1:-1]
    found = select(start_command.c.id).where(text_is(dialect, line, _plain(operator), wanted))
    return _of_commands(operator, found)


def _argument(dialect: Dialect, operator: str, text: str) -> _Where:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SifprovError(f"argument={text}: {error}", hint="quote it as in a shell") from None
    if not words:
        raise SifprovError("argument=: no word", hint="write it as argument='-m 12'")
    part, command = fragment(words), start_command.c.command
    # Behind a bracket or a comma, and before one: no quote within a word stands so, unescaped.
    ways = [f"{a}{part}{b}" for a in "[," for b in ",]"]
    found = select(start_command.c.id).where(
        or_(*(contains(dialect, command, way) for way in ways))
    )
    return _of_commands(operator, found)


def _of_commands(operator: str, found: Select[Any]) -> _Where:
    own = execution.c.start_command_id
    if operator == "!=":
        return or_(own.is_(None), own.not_in(found))
    return own.in_(found)


def _named(connection: Connection, condition: Condition) -> _Where:
    dialect, operator, value = connection.dialect, condition.operator, condition.value
    if condition.word == "metric":
        found = select(metric.c.execution_id).where(
            metric.c.name == condition.name, number_is(metric.c.value, operator, float(value))
        )
        return execution.c.id.in_(found)
    if condition.word == "tag":
        is_it = text_is(dialect, tag.c.value, _plain(operator), str(value))
        found = select(tag.c.execution_id).where(tag.c.name == condition.name, is_it)
        return _negated(operator, execution.c.id.in_(found))
    ids = commands_with(connection, condition)
    return among(dialect, execution.c.start_command_id, ids)
