"""Why a recorded run cannot be replayed, and what the user should know of one that can. Reads the
record alone."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sifprov.errors import MissingError
from sifprov.frozen import dataclass
from sifprov.model.container import (
    CHANGED_OUTSIDE,
    FOLDER,
    OUTPUT,
    PROVISIONAL,
    SOURCE_OUTSIDE,
    Container,
)
from sifprov.model.record import UNKNOWN, Run
from sifprov.replay import translate
from sifprov.replay.ancestry import Past, Written
from sifprov.replay.line import host_binds, recorded, writes_elsewhere
from sifprov.runtime.argv import parse
from sifprov.runtime.find import Runtime
from sifprov.terminal import command as typed

BY_HAND = "run the command again by hand"
INSTANCE = "instance://"


@dataclass(frozen=True)
class Refusal:
    """A line that says why not, and what to do."""

    text: str
    hint: str


def with_file(it: Container, option: str = "--with") -> str:
    """Returns what to type for another file in the place of a container, whose name may be
    anything."""
    return typed((option, f"{it.name}=FILE"))


def of_run(past: Past, run: Run, runtime: Runtime, *, force: bool) -> Iterator[Refusal]:
    """Yields why a run cannot be replayed. `run` is the recorded one with the user's changes."""
    which = f"the run {past.key[:8]}"
    for container in past.record.containers:
        if container.role == OUTPUT and FOLDER in container.marks:
            yield Refusal(
                f"{container.path}: a folder of the host took this run's output, and a replay "
                "would write into it",
                f"{BY_HAND}, with another folder",
            )
    if run.redacted:
        places = ", ".join(str(place + 1) for place in run.redacted)
        yield Refusal(
            f"{which}: argument {places} of the recorded command held a secret and was not "
            "recorded",
            BY_HAND,
        )
    if run.outcome == UNKNOWN and not force:
        yield Refusal(
            f"{which}: how it ended is not known, for its runtime was killed; what it had written "
            "by then is no result that could be made again",
            "--force replays it all the same",
        )
    if past.record.itself() is None:
        yield Refusal(f"{which}: its record does not say what became of its container", BY_HAND)
    try:
        line = recorded(run)
    except MissingError as error:
        yield Refusal(f"{which}: {error}", BY_HAND)
        return
    if line.image.startswith(INSTANCE) or run.action == "instance":
        yield Refusal(
            f"{which}: it ran in an instance, of which the record does not tell how it was started",
            "run the command by 'exec', in the instance's container, by hand",
        )
    written = writes_elsewhere(run)
    if written:
        yield Refusal(
            f"{which}: it ran with {', '.join(written)}, and a replay would write into the same "
            "file",
            f"{BY_HAND}, on a copy",
        )
    lacks = translate.options(line.options, run.runtime_name, runtime.name).needed
    if lacks:
        yield Refusal(
            f"{which}: {runtime.name} {runtime.version} has no --{', --'.join(lacks)}, which the "
            f"run by {run.runtime_name} had",
            f"name that runtime with --runtime: it was {run.runtime_name} {run.runtime_version}",
        )
    if not os.path.isdir(run.cwd):
        near = [b.source for b in host_binds(run) if not b.source.startswith("/")]
        if near:
            yield Refusal(
                f"{which}: it bound {', '.join(near)} of the working directory {run.cwd}, which is "
                "not there",
                "make that folder again",
            )


def of_application(container: Container) -> Iterator[Refusal]:
    """Yields why the recorded application cannot be used."""
    if "://" in container.path and not container.path.startswith(INSTANCE):
        yield Refusal(
            f"{container.path}: the run took its application from there, where something else may "
            "be by now",
            "pull it into a SIF file, and name that with --app FILE",
        )


def of_input(container: Container) -> Iterator[Refusal]:
    """Yields why a recorded input cannot be used."""
    if SOURCE_OUTSIDE in container.marks:
        yield Refusal(
            f"{container.path}: the run did not read this container: {container.reason}",
            "bind a folder of the container that no symbolic link leads to, and run it by hand",
        )


def of_start(written: Written) -> Iterator[Refusal]:
    """Yields why it is not known what an output held when its run began. Where it has an earlier
    record, --force may begin with that one's content."""
    name = written.container.name
    instead = f"{with_file(written.container)}, if a container holds it"
    if written.lost:
        yield Refusal(
            f"{name}: it held earlier content when the run began, and the record of that is "
            "missing",
            f"name the place that has it with --metadata PATH; or {instead}",
        )
        return
    if CHANGED_OUTSIDE in written.container.marks:
        yield Refusal(
            f"{name}: somebody had changed it before the run began, by no recorded run: what it "
            "held then cannot be made again",
            f"--force begins with what its earlier record tells; or {instead}",
        )
    if _is_provisional(written):
        yield Refusal(
            f"{name}: a process could still write into it after its earlier record was made: what "
            "it held when the run began is not known",
            f"--force begins with what that record tells; or {instead}",
        )


def _is_provisional(written: Written) -> bool:
    it = written.before.itself() if written.before else None
    return it is not None and PROVISIONAL in it.marks


def notes(past: Past, run: Run, runtime: Runtime) -> Iterator[str]:
    """Yields what the user should know of a run that is replayed."""
    now, then = f"{runtime.name} {runtime.version}", f"{run.runtime_name} {run.runtime_version}"
    if now != then:
        yield f"runtime: {then} then, {now} now"
    line = recorded(run)
    dropped = translate.options(line.options, run.runtime_name, runtime.name).dropped
    if dropped:
        yield f"{runtime.name} has no --{', --'.join(dropped)}: left out"
    if not parse(run.argv):
        yield "the record holds no command line of the runtime: what ran in the container is run"
    if not os.path.isdir(run.cwd):
        yield f"the recorded working directory {run.cwd} is not there; using {os.getcwd()}"
    for bind in host_binds(run):
        where = bind.destination or bind.source
        yield (
            f"{bind.source} of the host was bound at {where}: what it held then is not recorded, "
            "so nothing proves that it is the same now"
        )
    for written in past.outputs:
        it = written.container
        if PROVISIONAL in it.marks:
            yield (
                f"a process of the run could write into {it.name} after it was recorded; the "
                "replay is compared with what is there now"
            )
        if CHANGED_OUTSIDE in it.marks:
            yield f"{it.name} had been changed by no recorded run before this one"
        if written.late:
            yield (
                f"{it.name}: by its time, another run came between this one and the state that it "
                "is recorded to have begun with; the replay begins with that state"
            )
