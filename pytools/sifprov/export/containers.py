"""Containers as they stood, and what was in them."""

from __future__ import annotations

from prov.constants import PROV_ATTR_GENERAL_ENTITY, PROV_ATTR_SPECIFIC_ENTITY, PROV_SPECIALIZATION

from sifprov.export.statements import Attributes, Statements
from sifprov.export.vocabulary import by_digest, named, text, texts
from sifprov.model.container import Container
from sifprov.model.files import Files
from sifprov.model.graph import APPLICATION, DATA, FOLDER, Entity

_KINDS = {DATA: "data", APPLICATION: "image", FOLDER: "folder"}
_TYPES = {DATA: "DataContainer", APPLICATION: "ContainerImage", FOLDER: "Folder"}


def name_of(entity: Entity) -> str:
    """Returns the name of a container as it stood."""
    return named(_KINDS[entity.kind], entity.key)


def add_container(s: Statements, entity: Entity, listed: Files | None = None) -> None:
    """States a container as it stood; its content, where that is known, is what it shares with
    every other container that holds the same. `listed`: what the record of its making says of its
    files."""
    it = entity.container
    elsewhere = entity.path if entity.path != it.path else None
    name = s.entity(
        name_of(entity),
        _TYPES[entity.kind],
        text(it.name),
        {
            "name": text(it.name),
            "path": text(it.path),
            "found_at": elsewhere and text(elsewhere),
            "uuid": str(it.uuid) if it.uuid else None,
            "created": it.created,
            "modified": it.modified,
            "digest": it.digest,
            "record": entity.record,
            "standing": entity.standing,
            "problem": entity.problem and text(entity.problem),
            **files(it.files or listed),
        },
    )
    if it.digest:
        specialize(s, name, content(s, it.digest))


def content(s: Statements, digest: str) -> str:
    """States a content: whatever has this digest."""
    return s.entity(by_digest("content", digest), "Content", digest, {"digest": digest})


def specialize(s: Statements, name: str, general: str) -> None:
    """States that one thing is another, and more."""
    formal = {PROV_ATTR_SPECIFIC_ENTITY: name, PROV_ATTR_GENERAL_ENTITY: general}
    s.relation(PROV_SPECIALIZATION, formal)


def files(listed: Files | None) -> Attributes:
    """Returns what a record says of the files, as attributes."""
    if listed is None:
        return {}
    lines = None
    if listed.lines is not None:
        lines = texts(line.decode("utf-8", "surrogateescape") for line in listed.lines)
    return {
        "files": lines,
        "files_count": listed.count,
        "files_digest": listed.digest,
        "files_reason": listed.reason and text(listed.reason),
    }


def bound(it: Container, entity: Entity) -> Attributes:
    """Returns how a run had a container, as attributes of the relation between the two."""
    return {
        "mount": None if it.mount is None else text(it.mount),
        "source": None if it.source is None else text(it.source),
        "writable": it.writable,
        "read_only_added": it.read_only_added,
        "reason": None if it.reason is None else text(it.reason),
        "mark": it.marks,
        "name": text(it.name) if it.name != entity.container.name else None,
        "path": text(it.path) if it.path != entity.container.path else None,
    }
