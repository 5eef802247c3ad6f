"""The trail as a POSIX shell script: its runs, oldest first, on fresh containers in the folder in
which it is started.

Nothing of a record reaches the shell but as one quoted word or as a printable comment. Containers
go by names of plain characters that the script gives them, so that their own names do no harm. What
a record does not tell, the script does not make up: it stops there and says so.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from uuid import UUID

from sifprov.model.container import CHANGED_OUTSIDE, FOLDER, SOURCE_OUTSIDE, Container
from sifprov.model.graph import APPLICATION as PROGRAM
from sifprov.model.graph import MISSING, Activity, Entity, Graph, Usage
from sifprov.model.record import (
    APPLICATION,
    EXITED,
    INPUT,
    NOT_STARTED,
    ORIGIN,
    OUTPUT,
    SIGNALED,
    Record,
    Run,
)
from sifprov.render.clock import local_time
from sifprov.render.shell import HERE, Shell
from sifprov.render.treetext import outcome
from sifprov.runtime.argv import image_bind, parse, without_image_binds
from sifprov.terminal import command, counted, printable

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-")
_MAX_NAME = 100
_FREE = 64 << 20

_HEAD = """\
#!/bin/sh
# {title}
# Made by 'sifprov trail --script'. Read it before you run it: it does what the records say.
#
# Start it in a new folder. Containers that nothing here makes are taken from where they were found,
# or from this folder where they stand in it by the names below.
set -eu
here=$(pwd -P)
case $here in
*[:,^\\"\\\\]*) echo "no runtime binds containers of a folder of such a name: $here" >&2; exit 1 ;;
esac

stop() {{ echo "stopped: $*" >&2; exit 3; }}
# need NAME PATH WHAT: takes a container that nothing here makes.
need() {{
    [ -e "./$1" ] || [ ! -e "$2" ] || ln -s -- "$2" "./$1"
    [ -e "./$1" ] || {{ echo "missing: $1, which is $3; it was $2" >&2; missing=1; }}
}}
# fresh NAME: a container that is made here.
fresh() {{
    [ ! -e "./$1" ] || {{ echo "$1 is here already: start in a new folder" >&2; exit 1; }}
}}
"""


def script(graph: Graph, sizes: Mapping[UUID, int] | None = None) -> str:
    """Returns the script. `sizes` are those of the partitions of containers at hand, in bytes: an
    output gets as much room; 64 MiB where that is not known."""
    return "\n".join(_Script(graph, sizes or {}).lines()) + "\n"


class _Script:
    def __init__(self, graph: Graph, sizes: Mapping[UUID, int]) -> None:
        self._graph = graph
        self._sizes = sizes
        self._names: dict[str, str] = {}
        self._taken: set[str] = set()
        # What runs write, and what is sealed here, by the name in the script.
        self._made: dict[str, None] = {}
        self._there: set[str] = set()

    def lines(self) -> Iterator[str]:
        # What another program recorded cannot be done again: its results are taken as they are.
        ours = [a for a in self._graph.activities.values() if a.record]
        runs = [a for a in ours if a.kind != ORIGIN or a.used]
        targets = [self._graph.entities[key] for key in self._graph.targets]
        what = ", ".join(printable(e.name or "a container") for e in targets)
        yield _HEAD.format(title=f"How {what} came about, in {counted(len(runs), 'step')}.")
        for activity in runs:
            for usage in activity.generated:
                self._made[self._name(self._graph.entities[usage.entity])] = None
        yield "missing="
        yield from self._needs(runs)
        yield '[ -z "$missing" ] || exit 3'
        yield from (f"fresh {name}" for name in self._made)
        for problem in self._graph.problems:
            yield f"# note: {printable(problem)}"
        for activity in runs:
            yield ""
            yield from self._step(activity)
        yield ""
        for entity in targets:
            by = self._graph.activities.get(entity.generated_by or "")
            if by and by.foreign:
                why = f"{printable(entity.name)} was made by a run that another program recorded"
                yield f"stop {shlex.quote(why)}"
            digest = f", which was {entity.digest} then" if entity.digest else ""
            yield f"echo {shlex.quote(f'made {self._name(entity)}{digest}')}"

    # -- what must be there

    def _needs(self, runs: list[Activity]) -> Iterator[str]:
        """The containers that runs use and none here makes."""
        seen: set[str] = set()
        for activity in runs:
            for usage in activity.used:
                entity = self._graph.entities[usage.entity]
                name = self._name(entity)
                if name in seen or name in self._made:
                    continue
                seen.add(name)
                yield from self._need(name, entity, usage.container)

    def _need(self, name: str, entity: Entity, used: Container) -> Iterator[str]:
        made = self._graph.activities.get(entity.generated_by or "")
        if made and made.record and made.record.origin:
            again = ["sifprov", "data", "create", name, "--from", made.record.origin.source]
            again += ["--mount", used.source or "/Inputs"]
            yield f"# {name} was made {local_time(made.record.recorded)} by: {command(again)}"
        if entity.standing == MISSING:
            yield f"# how {name} came about is not known: its record is missing"
        kind = "the application" if entity.kind == PROGRAM else "the data container"
        uuid = f" with the UUID {entity.uuid}" if entity.uuid else ""
        content = f" and the content {entity.digest}" if entity.digest else ""
        path = os.path.abspath(entity.path) if entity.path else entity.container.path
        what = f"{kind} {printable(entity.name)}{uuid}{content}"
        shell = Shell()
        words = shell.words(["need", name, path or "-", what])
        yield from shell.before
        yield words

    # -- what is done

    def _step(self, activity: Activity) -> Iterator[str]:
        record = activity.record
        if record is None:
            return
        if record.run is None:
            yield from self._seal(activity, record)
            return
        run = record.run
        when, where = local_time(run.started), printable(run.cwd)
        yield f"# run {record.id}, {when}, {outcome(run)}, in {where}:"
        yield f"#   {command(run.argv or run.command)}"
        reason = _not_to_be_run(record, run)
        if run.outcome == NOT_STARTED:
            yield "# It never started, so there is nothing to do."
        elif reason:
            yield f"stop {shlex.quote(f'run {record.id}: {reason}')}"
        else:
            yield from self._run(activity, run)

    def _run(self, activity: Activity, run: Run) -> Iterator[str]:
        for usage in activity.generated:
            yield from self._create(usage)
        line = parse(run.argv)
        if line is None:
            return
        words = [line.program, *(t for o in line.globals for t in o.tokens)]
        words += [line.action, *without_image_binds(line.options)]
        image = line.image
        for usage in (*activity.used, *activity.generated):
            it = usage.container
            path = f"{HERE}/{self._name(self._graph.entities[usage.entity])}"
            if it.role == APPLICATION:
                image = path
            else:
                source, mount = it.source or "/", it.mount or "/"
                words += image_bind(path, mount, source, read_only=it.role == INPUT)
            if CHANGED_OUTSIDE in it.marks:
                yield f"# {printable(it.name)} had been changed before, by no recorded run."
        environment = [f"{name}={value}" for name, value in run.environment if _is_name(name)]
        prefix = ["env", *environment] if environment else []
        code = run.exit_code if run.outcome == EXITED else 128 + (run.signal or 0)
        shell = Shell()
        there = shell.words([run.cwd])
        what = shell.words([*prefix, *words, image, *line.args])
        yield "("
        yield from ("    " + line for line in shell.before)
        yield f'    cd -- {there} 2>/dev/null || cd -- "$here"'
        yield "    " + what
        yield ") && code=0 || code=$?"
        if run.outcome in (EXITED, SIGNALED):
            yield f'[ "$code" -eq {code} ] || stop "it ended with $code, and with {code} then"'

    def _create(self, usage: Usage) -> Iterator[str]:
        """A fresh output, before the first run that writes into it."""
        entity = self._graph.entities[usage.entity]
        name = self._name(entity)
        if name in self._there:
            return
        self._there.add(name)
        before = self._graph.entities.get(entity.revision_of or "")
        origin = self._graph.activities.get(before.generated_by or "") if before else None
        argv = ["sifprov", "data", "create", "-q", name, "--role", OUTPUT]
        argv += ["--mount", usage.container.source or "/Outputs"]
        if origin and origin.record and origin.record.origin:
            argv += ["--from", origin.record.origin.source]
        elif before:
            yield f"# {name} held something before that no record at hand tells; here it is empty."
        argv += ["--free", str(self._sizes.get(entity.uuid or UUID(int=0), _FREE))]
        shell = Shell()
        what = shell.words(argv)
        yield from shell.before
        yield what

    def _seal(self, activity: Activity, record: Record) -> Iterator[str]:
        yield f"# sealed {local_time(record.recorded)}, record {record.id}"
        before = self._name(self._graph.entities[activity.used[0].entity])
        for usage in activity.generated:
            name = self._name(self._graph.entities[usage.entity])
            yield shlex.join(["sifprov", "data", "seal", before, name])

    def _name(self, entity: Entity) -> str:
        """The name of a container here: its own where that has plain characters only and no other
        has it."""
        who = str(entity.uuid or entity.key)
        if who not in self._names:
            own = entity.name
            good = own and _PLAIN.issuperset(own) and own[0] not in "-." and len(own) <= _MAX_NAME
            stem, suffix = os.path.splitext(own) if good else ("container", ".sif")
            name, number = stem + suffix, 1
            while name in self._taken or (number == 1 and not good):
                number += 1
                name = f"{stem}-{number}{suffix}"
            self._taken.add(name)
            self._names[who] = name
        return self._names[who]


def _not_to_be_run(record: Record, run: Run) -> str | None:
    """Why a run cannot be done again from its record."""
    if run.redacted:
        places = ", ".join(str(place + 1) for place in run.redacted)
        return f"argument {places} of its command held a secret and was not recorded"
    if parse(run.argv) is None:
        return "its command line was not recorded, or is none that runs a container"
    for container in record.containers:
        if FOLDER in container.marks:
            return "a folder of the host took its output, which is not to be written again"
        if SOURCE_OUTSIDE in container.marks:
            return "it read files of the host in place of a container's"
    return None


def _is_name(name: str) -> bool:
    return name.isascii() and name.isidentifier()
