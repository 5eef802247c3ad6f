"""Plans a replay: what a record needs, where that is now, and the command line. Runs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

from sifprov.carrier import elsewhere, read_carrier
from sifprov.errors import MissingError, NoRecordError
from sifprov.locate import Found, locate
from sifprov.model.record import (
    APPLICATION,
    CHANGED_OUTSIDE,
    FOLDER,
    INPUT,
    OUTPUT,
    PROVISIONAL,
    SOURCE_OUTSIDE,
    Container,
    Record,
    Run,
)
from sifprov.model.timestamp import to_ns
from sifprov.records import Stored
from sifprov.runtime.argv import CommandLine, image_bind, parse, without_image_binds
from sifprov.runtime.find import Runtime, find_runtime
from sifprov.terminal import printable


@dataclass(frozen=True)
class Plan:
    """What a replay will do: `argv` in `cwd`, with `outputs` (recorded container, fresh path).

    `metadata` is what takes the replay's records instead of its outputs; empty for nothing.
    """

    original: str
    record: Record
    record_digest: str
    run: Run
    runtime: Runtime
    application: Found
    inputs: tuple[Found, ...]
    outputs: tuple[tuple[Container, str], ...]
    argv: tuple[str, ...]
    cwd: str
    notes: tuple[str, ...]
    metadata: str = ""


@dataclass
class Options:
    """What the user chose."""

    into: str | None = None
    search: tuple[str, ...] = ()
    runtime: str | None = None
    force: bool = False
    metadata: str = ""
    on_note: Callable[[str], None] = field(default=lambda text: None)
    on_step: Callable[[str], None] = field(default=lambda text: None)


def last_run(path: str, metadata: str = "") -> tuple[Stored, Record, Run]:
    """Returns the newest run recorded of the container at `path`, in it or in the place that
    `metadata` names. Raises NoRecordError, MissingError."""
    carrier = read_carrier(path, elsewhere(metadata))
    if carrier.of_many:
        raise MissingError(
            f"{path}: holds the records of other containers",
            hint="name the container to replay, and this file with --metadata",
        )
    runs = [(s, r, r.run) for s, r in carrier.good if r.run]
    if runs:
        # One that waited in the spool may stand behind newer ones.
        return max(runs, key=lambda found: to_ns(found[2].started))
    broken = [s for s in carrier.records if s.error]
    what = "only a broken record" if broken else "no record of a run"
    raise NoRecordError(f"{path}: carries {what}, so there is nothing to replay")


def plan(path: str, options: Options) -> Plan:
    """Finds everything that a replay of the container at `path` needs. Raises MissingError,
    naming what is not there."""
    stored, record, run = last_run(path, options.metadata)
    plain = next((c for c in record.with_role(OUTPUT) if FOLDER in c.marks), None)
    if plain:
        raise MissingError(
            f"{plain.path}: a folder of the host took this run's output, and a replay would write "
            "into it",
            hint="run the command again by hand, with another folder",
        )
    if run.redacted:
        places = ", ".join(str(i + 1) for i in run.redacted)
        raise MissingError(
            f"{path}: argument {places} of the recorded command held a secret and was not recorded",
            hint="run the command again by hand",
        )
    folders = [os.path.dirname(os.path.abspath(path)), *options.search]
    found = _locate_all(record, folders, options)
    application = next((f for f in found if f.container.role == APPLICATION), None)
    if application is None:
        raise MissingError(f"{path}: its record names no application container")
    inputs = tuple(f for f in found if f.container.role == INPUT)
    into = options.into or _fresh_name(path)
    outputs = _outputs(record, into)
    runtime = find_runtime(options.runtime or _recorded_runtime(run))
    return Plan(
        original=path,
        record=record,
        record_digest=stored.digest,
        run=run,
        runtime=runtime,
        application=application,
        inputs=inputs,
        outputs=outputs,
        argv=_argv(run, runtime, application, inputs, outputs),
        cwd=run.cwd if os.path.isdir(run.cwd) else os.getcwd(),
        notes=_notes(path, record, run, runtime),
        metadata=options.metadata,
    )


def _locate_all(record: Record, folders: list[str], options: Options) -> list[Found]:
    found = []
    for container in (*record.with_role(APPLICATION), *record.with_role(INPUT)):
        if SOURCE_OUTSIDE in container.marks:
            raise MissingError(
                f"{container.path}: the run did not read this container: {container.reason}",
                hint="bind a folder of the container that no symbolic link leads to, and run it "
                "by hand",
            )
        options.on_step(f"looking for {printable(container.name)} and reading it")
        item = locate(container, folders)
        if item.changed and not options.force:
            raise MissingError(item.changed, hint="--force runs it all the same")
        if item.changed:
            options.on_note(item.changed)
        found.append(item)
    return found


def _notes(path: str, record: Record, run: Run, runtime: Runtime) -> tuple[str, ...]:
    notes = []
    before = record.previous
    if before:
        notes.append(
            f"{path} held earlier records when this run began; "
            "the replay starts from an empty output"
        )
    now = f"{runtime.name} {runtime.version}"
    if now != f"{run.runtime_name} {run.runtime_version}":
        notes.append(f"runtime: {run.runtime_name} {run.runtime_version} then, {now} now")
    for container in record.containers:
        if PROVISIONAL in container.marks:
            notes.append(
                f"a process of the run could write into {container.name} after it was recorded; "
                "the replay is compared with what is there now"
            )
        if CHANGED_OUTSIDE in container.marks:
            notes.append(f"{container.name} had been changed by no recorded run before this one")
    if not os.path.isdir(run.cwd):
        notes.append(f"the recorded working directory {run.cwd} is not there; using {os.getcwd()}")
    return tuple(notes)


def _recorded_runtime(run: Run) -> str | None:
    """The program that ran then, where it was named by its path and is still there."""
    program = run.argv[0] if run.argv else ""
    if os.path.isabs(program) and os.access(program, os.X_OK):
        return program
    return None


def _fresh_name(path: str) -> str:
    stem, suffix = os.path.splitext(path)
    number = 1
    while os.path.lexists(f"{stem}.rerun-{number}{suffix}"):
        number += 1
    return f"{stem}.rerun-{number}{suffix}"


def _outputs(record: Record, into: str) -> tuple[tuple[Container, str], ...]:
    """The fresh path of every output: `into` for the one that is replayed, names beside it for
    others."""
    stem, suffix = os.path.splitext(into)
    planned = []
    for container in record.with_role(OUTPUT):
        own = container.uuid == record.container
        name = os.path.splitext(os.path.basename(container.name))[0]
        planned.append((container, into if own else f"{stem}.{name}{suffix}"))
    return tuple(planned)


def _argv(
    run: Run,
    runtime: Runtime,
    application: Found,
    inputs: tuple[Found, ...],
    outputs: tuple[tuple[Container, str], ...],
) -> tuple[str, ...]:
    line = parse(run.argv) or _from_command(run)
    argv = [runtime.path]
    for option in line.globals:
        argv += option.tokens
    argv += [line.action, *without_image_binds(line.options)]
    for item in inputs:
        c = item.container
        argv += image_bind(
            os.path.abspath(item.path), c.mount or "/", c.source or "/", read_only=True
        )
    for container, path in outputs:
        argv += image_bind(
            os.path.abspath(path), container.mount or "/", container.source or "/", read_only=False
        )
    return (*argv, os.path.abspath(application.path), *line.args)


def _from_command(run: Run) -> CommandLine:
    """For a run whose command line is no plain `exec`: what ran in the container, by `exec`."""
    command = run.command
    if command and command[0].startswith("/.singularity.d/actions/"):
        action = os.path.basename(command[0])
        return CommandLine(
            "", (), action if action in ("run", "shell") else "exec", (), "", command[1:]
        )
    if not command:
        raise MissingError("the record holds no command line, so it cannot be replayed")
    return CommandLine("", (), "exec", (), "", command)
