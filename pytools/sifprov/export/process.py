"""What ran, and in what: the start command, the container as a process, its image, its output."""

from __future__ import annotations

from collections.abc import Iterable

from prov.constants import PROV_ATTR_ACTIVITY, PROV_ATTR_ENTITY, PROV_GENERATION, PROV_USAGE

from sifprov.export.attributes import MAX_LABEL, start_command
from sifprov.export.facts import Facts
from sifprov.export.images import add_image
from sifprov.export.relations import derive
from sifprov.export.statements import Statements
from sifprov.export.vocabulary import by_value, named, text
from sifprov.model.canonical import text_to_json
from sifprov.model.record import Run
from sifprov.terminal import command


def add_command(s: Statements, run: Run) -> str:
    """States the command that a container was started with: one for all runs of the same."""
    fields = start_command(run)
    label = command(run.argv or run.command)[:MAX_LABEL]
    return s.entity(by_value("command", {**fields}), "StartCommand prov:Plan", label, fields)


def add_command_text(s: Statements, words: str) -> str:
    """States a command of which no more is known than a text."""
    name, label = by_value("command", {"text": text_to_json(words)}), text(words)
    return s.entity(name, "StartCommand prov:Plan", label[:MAX_LABEL], {"command_text": label})


def add_process(s: Statements, run: str, key: str, images: Iterable[str], facts: Facts) -> None:
    """States the process that ran an image, what it could see of the host, what the image says of
    itself, what was printed, and what was measured."""
    attributes = {**facts.mounts(), **facts.attributes("isolation")}
    name = s.entity(named("container", key), "Container", None, attributes)
    s.relation(PROV_USAGE, {PROV_ATTR_ACTIVITY: run, PROV_ATTR_ENTITY: name})
    for image in images:
        derive(s, name, image)
        add_image(s, image, facts)
    if facts.fields("log"):
        log = s.entity(named("log", key), "Log", None, facts.attributes("log"))
        s.relation(PROV_GENERATION, {PROV_ATTR_ENTITY: log, PROV_ATTR_ACTIVITY: run})
    if facts.fields("telemetry"):
        attributes = facts.attributes("telemetry")
        measured = s.entity(named("telemetry", key), "Telemetry", None, attributes)
        s.relation(PROV_GENERATION, {PROV_ATTR_ENTITY: measured, PROV_ATTR_ACTIVITY: run})
