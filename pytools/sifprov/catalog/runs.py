"""Conditions as SQL: which rows of `execution` fulfil them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Dialect,
    Select,
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
from sifprov.catalog.ids import WHOLE, is_digest
from sifprov.catalog.matching import (
    among,
    begins,
    contains,
    fragment,
    glob,
    number_is,
    text_is,
)
from sifprov.catalog.mentioned import mentioned
from sifprov.catalog.tables import (
    container_image,
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
from sifprov.catalog.texts import short
from sifprov.errors import SifprovError
from sifprov.model.container import APPLICATION, INPUT, OUTPUT

_Where: TypeAlias = "ColumnElement[bool]"
Found: TypeAlias = "Select[Any] | CompoundSelect[Any]"
# So many ids are handed over as they are.
_FEW = 10_000
_DAY = 86_400_000_000
# A shell's convention, so that one number tells of every end.
exit_number = func.coalesce(
    execution.c.exit_code,
    128 + execution.c.signal,
    case((execution.c.outcome == "not-started", 255)),
)


def fulfilling(connection: Connection, conditions: Iterable[Condition]) -> _Where:
    """Returns the WHERE of a SELECT from `execution`: all conditions are fulfilled. Runs and
    makings that only others name so far fulfil none; runs that go on have an outcome, and no
    kind."""
    is_told = or_(execution.c.kind.is_not(None), execution.c.outcome.is_not(None))
    return and_(is_told, *(one(connection, condition) for condition in conditions))


def one(connection: Connection, condition: Condition) -> _Where:
    """Returns what one condition says of a row of `execution`."""
    if condition.name:
        return _named(connection, condition)
    word, operator, value = condition.word, condition.operator, condition.value
    if word in _ROWS:
        found = _ROWS[word](connection, _plain(operator), str(value))
        return not_(found) if operator == "!=" else found
    if word in _TEXTS:
        return text_is(connection.dialect, _TEXTS[word], operator, str(value))
    if word in _NUMBERS:
        return number_is(_NUMBERS[word], operator, float(value))
    if word in ("since", "until"):
        began = execution.c.started_us
        return began >= value if word == "since" else began < value
    link, of = _LINKS[word]
    return _linked(connection, link, operator, of(connection.dialect, _plain(operator), str(value)))


def _plain(operator: str) -> str:
    return "=" if operator == "!=" else operator


def _found(connection: Connection, found: Found) -> Callable[[ColumnElement[Any]], _Where]:
    """Returns what tells of a column that it is one of the ids that a query finds: looked up now
    when they are few, for no database guesses well how many they will be."""
    ids = list(connection.scalars(found.limit(_FEW + 1)))
    if len(ids) > _FEW:
        return lambda column: column.in_(select(found.subquery().c[0]))
    return lambda column: among(connection.dialect, column, ids)


def _among(connection: Connection, column: ColumnElement[Any], found: Found) -> _Where:
    return _found(connection, found)(column)


def _linked(connection: Connection, link: str, operator: str, found: Found) -> _Where:
    """Executions whose column `link` is one of what a query finds; for `!=` it is none of them."""
    column = execution.c[link]
    is_it = _among(connection, column, found)
    return or_(column.is_(None), not_(is_it)) if operator == "!=" else is_it


def _used(is_state: Callable[[ColumnElement[Any]], _Where]) -> Select[Any]:
    return select(used.c.execution_id).where(is_state(used.c.state_id))


def _left(is_state: Callable[[ColumnElement[Any]], _Where]) -> Select[Any]:
    # NOT IN of a list that holds NULL is never true.
    made = state.c.generated_by.is_not(None)
    return select(state.c.generated_by).where(is_state(state.c.id), made)


def _ran(connection: Connection, images: Found) -> Select[Any]:
    image = execution.c.container_image_id
    return select(execution.c.id).where(_among(connection, image, images))


def _input(connection: Connection, operator: str, text: str) -> _Where:
    states = things.states(connection.dialect, operator, text)
    found = _among(connection, execution.c.id, _used(_found(connection, states)))
    return _or_reported(connection, found, operator, text, INPUT)


def _output(connection: Connection, operator: str, text: str) -> _Where:
    states = things.states(connection.dialect, operator, text)
    found = _among(connection, execution.c.id, _left(_found(connection, states)))
    return _or_reported(connection, found, operator, text, OUTPUT)


def _container(connection: Connection, operator: str, text: str) -> _Where:
    found = _taking_part(connection, things.states(connection.dialect, operator, text), None)
    return _or_reported(connection, found, operator, text, INPUT, OUTPUT)


def _taking_part(connection: Connection, states: Found, images: Found | None) -> _Where:
    is_state = _found(connection, states)
    parts = [_used(is_state), _left(is_state)]
    if images is not None:
        parts.append(_ran(connection, images))
    return _among(connection, execution.c.id, union(*parts))


def _or_reported(
    connection: Connection, found: _Where, operator: str, text: str, *roles: str
) -> _Where:
    """Or what a run without a record reported."""
    reported = list(mentioned(connection, operator, text, *roles))
    return or_(found, among(connection.dialect, execution.c.id, reported)) if reported else found


def _digest(connection: Connection, operator: str, text: str) -> _Where:
    if operator == "~" or not is_digest(text):
        raise SifprovError(
            f"digest={text}: no digest",
            hint="write it as tree-v1:18b4e1 or image-v1:10b66e, with six digits or more",
        )
    dialect = connection.dialect
    return _taking_part(
        connection, things.states(dialect, "=", text), things.images(dialect, "=", text)
    )


def _name(connection: Connection, operator: str, text: str) -> _Where:
    dialect = connection.dialect
    apps = select(container_image.c.id).where(
        text_is(dialect, container_image.c.name, operator, text)
    )
    found = _taking_part(connection, things.states_called(dialect, operator, text), apps)
    return _or_reported(connection, found, operator, text, INPUT, OUTPUT, APPLICATION)


def _job(connection: Connection, operator: str, text: str) -> _Where:
    array, _, task = text.rpartition("_")
    c, dialect = execution.c, connection.dialect
    found = [
        select(c.id).where(text_is(dialect, column, operator, text))
        for column in (c.job_id, c.array_job_id)
    ]
    if array and operator == "=":
        found.append(select(c.id).where(c.array_job_id == array, c.task_id == task))
    return _among(connection, c.id, union(*found))


def _note(connection: Connection, operator: str, text: str) -> _Where:
    said = text_is(connection.dialect, note.c.text, operator, text)
    return _among(connection, execution.c.id, select(note.c.execution_id).where(said))


def _id(connection: Connection, operator: str, text: str) -> _Where:
    uuid = text.removeprefix("id:").lower()
    column, dialect = execution.c.uuid, connection.dialect
    if operator == "~":
        return glob(dialect, column, uuid)
    return column == uuid if len(uuid) == WHOLE else begins(dialect, column, uuid)


# Words that stand for rows elsewhere; `!=` is that there are none.
_ROWS: dict[str, Callable[[Connection, str, str], _Where]] = {
    "container": _container, "digest": _digest, "id": _id, "input": _input, "job": _job,
    "name": _name, "note": _note, "output": _output,
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


def _base(dialect: Dialect, operator: str, text: str) -> Found:
    is_it = text_is(dialect, container_image.c.base_image, operator, text)
    return select(container_image.c.id).where(is_it)


def _user(dialect: Dialect, operator: str, text: str) -> Found:
    who = text_is(dialect, person.c.name, operator, text)
    if text.isascii() and text.isdigit() and len(text) < 12 and operator != "~":
        who = or_(who, person.c.uid == int(text))
    return select(person.c.id).where(who)


def _command(dialect: Dialect, operator: str, text: str) -> Found:
    # ["a","b c"] becomes `a b c`; what JSON escapes stays escaped, in the pattern too.
    command = start_command.c.command
    line = func.replace(func.substr(command, 3, func.length(command) - 4), '","', " ")
    wanted = fragment([text])[1:-1]
    if operator == "~":
        return select(start_command.c.id).where(glob(dialect, line, wanted))
    return select(start_command.c.id).where(line == wanted)


def _argument(dialect: Dialect, operator: str, text: str) -> Found:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SifprovError(f"argument={text}: {error}", hint="quote it as in a shell") from None
    if not words:
        raise SifprovError("argument=: no word", hint="write it as argument='-m 12'")
    part, command = fragment(words), start_command.c.command
    # Behind a bracket or a comma, and before one: no quote within a word stands so, unescaped.
    ways = [f"{a}{part}{b}" for a in "[," for b in ",]"]
    return select(start_command.c.id).where(or_(*(contains(dialect, command, w) for w in ways)))


def _of_partition(column: ColumnElement[Any]) -> Callable[[Dialect, str, str], Found]:
    def found(dialect: Dialect, operator: str, text: str) -> Found:
        to = env_partition.join(environment, environment.c.id == env_partition.c.environment_id)
        is_it = text_is(dialect, column, operator, text)
        return select(env_partition.c.id).select_from(to).where(is_it)

    return found


def _of_workflow(column: ColumnElement[Any]) -> Callable[[Dialect, str, str], Found]:
    def found(dialect: Dialect, operator: str, text: str) -> Found:
        to = workflow_execution.join(workflow, workflow.c.id == workflow_execution.c.workflow_id)
        is_it = text_is(dialect, column, operator, text)
        return select(workflow_execution.c.id).select_from(to).where(is_it)

    return found


_PARTITION, _WORKFLOW = "env_partition_id", "workflow_execution_id"
# Words about rows that an execution has one of: its column, and which of these rows are meant.
_LINKS: dict[str, tuple[str, Callable[[Dialect, str, str], Found]]] = {
    "app": ("container_image_id", things.images),
    "architecture": (_PARTITION, _of_partition(environment.c.architecture)),
    "argument": ("start_command_id", _argument),
    "base": ("container_image_id", _base),
    "cluster": (_PARTITION, _of_partition(environment.c.cluster)),
    "command": ("start_command_id", _command),
    "execution": (_WORKFLOW, _of_workflow(workflow_execution.c.uuid)),
    "host": (_PARTITION, _of_partition(env_partition.c.host)),
    "queue": (_PARTITION, _of_partition(env_partition.c.queue)),
    "runtime": (_PARTITION, _of_partition(environment.c.runtime)),
    "user": ("person_id", _user),
    "workflow": (_WORKFLOW, _of_workflow(workflow.c.wf_key_name)),
}  # fmt: skip


def _named(connection: Connection, condition: Condition) -> _Where:
    dialect, operator, value = connection.dialect, condition.operator, condition.value
    if condition.word == "metric":
        found = select(metric.c.execution_id).where(
            metric.c.name == short(condition.name),
            number_is(metric.c.value, operator, float(value)),
        )
        return _among(connection, execution.c.id, found)
    if condition.word == "tag":
        is_it = text_is(dialect, tag.c.value, _plain(operator), str(value))
        found = select(tag.c.execution_id).where(tag.c.name == short(condition.name), is_it)
        has_it = _among(connection, execution.c.id, found)
        return not_(has_it) if operator == "!=" else has_it
    return among(dialect, execution.c.start_command_id, commands_with(connection, condition))
