"""Plans a replay: from a container's records to the steps that make it again. Runs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable

from sifprov.carrier import split_reference
from sifprov.errors import MissingError, NoRecordError, SifprovError
from sifprov.frozen import dataclass, replace
from sifprov.manifests import listed
from sifprov.model.container import Container
from sifprov.model.files import by_key
from sifprov.model.manifest import Manifest
from sifprov.model.record import Origin
from sifprov.replay.ancestry import Ancestry
from sifprov.replay.change import resolve
from sifprov.replay.find import Finder
from sifprov.replay.gather import Gather
from sifprov.replay.runtimes import Runtimes
from sifprov.replay.spooled import waits
from sifprov.replay.steps import Plan
from sifprov.replay.wanted import wanted
from sifprov.trail import Trail, read_trail


def _silent(text: str) -> None:
    pass


@dataclass(frozen=True)
class Options:
    """What the user chose. `record` begins the id or the digest of the record to replay; empty for
    that of the last run. `inputs` (KEY=FILE), `applications` ([KEY=]FILE) and `arguments` (OLD=NEW)
    are what is to be otherwise, as it was typed. `on_step` is told what is being done."""

    record: str = ""
    from_origin: bool = False
    search: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    runtime: str | None = None
    force: bool = False
    metadata: str = ""
    on_step: Callable[[str], None] = _silent


def plan(path: str, options: Options) -> Plan:
    """Finds everything that a replay of the container at `path` (or `PATH@ID`) needs.

    Raises MissingError, naming all that is not there, NoRecordError, FileError, and SifprovError
    for a change that fits nothing.
    """
    path, which = _reference(path, options.record)
    options.on_step(f"reading the records of {os.path.basename(path)}")
    waiting = waits(path)
    try:
        finder = Finder(path, options.search, options.on_step)
        below = finder.searched if options.search else None
        trail = read_trail(path, options.search, options.metadata, below=below)
        found = of_trail(trail, path, which, options, finder, Runtimes(options.runtime))
    except NoRecordError as error:
        hint = f"the record of a run waits: {waiting}" if waiting else error.hint
        raise NoRecordError(str(error), hint=hint) from None
    if waiting and not which:
        note = f"{path}: the record of a run waits, and is not looked at: {waiting}"
        return replace(found, notes=(note, *found.notes))
    return found


def of_trail(
    trail: Trail, path: str, which: str, options: Options, finder: Finder, runtimes: Runtimes
) -> Plan:
    """As `plan`, of a trail that was read: `which` begins the id or the digest of the record."""
    digest = wanted(trail, which)
    ancestry = Ancestry(trail)
    past = ancestry.maker(digest)
    if past is None:
        raise MissingError(f"{path}: its records are too many, or lead in a circle")
    behind = ancestry.behind(digest, inputs=options.from_origin).values()
    changes = resolve(
        options.inputs, options.applications, options.arguments, past, behind, os.path.exists
    )
    gather = Gather(
        ancestry, past, changes, finder, _lists(trail), runtimes,
        from_origin=options.from_origin, force=options.force,
    )  # fmt: skip
    steps = gather.steps()
    notes = dict.fromkeys((*gather.notes, *ancestry.problems, *finder.notes))
    return Plan(
        original=path,
        wanted=digest,
        steps=steps,
        records=ancestry.records,
        changes=tuple(dict.fromkeys(gather.changes)),
        notes=tuple(notes),
        metadata=options.metadata,
    )


def _reference(path: str, record: str) -> tuple[str, str]:
    """Takes `PATH@ID` apart. Raises SifprovError where --record names another one."""
    path, which = split_reference(path)
    if which and record and which != record.lower():
        raise SifprovError(f"{path}@{which}: --record names another record, {record}")
    return path, record or which


def _lists(trail: Trail) -> Callable[[Container | Origin], Manifest | None]:
    """Returns what looks for the files of a container or an origin in the records at hand."""
    documents = by_key(trail.documents.values())
    return lambda about: listed(about, trail.records.get, documents).manifest
