"""Containers as they stood, and what was in them."""

from __future__ import annotations

from prov.constants import PROV_ATTR_GENERAL_ENTITY, PROV_ATTR_SPECIFIC_ENTITY, PROV_SPECIALIZATION

from sifprov.export import attributes
from sifprov.export.attributes import name_of
from sifprov.export.statements import Statements
from sifprov.export.vocabulary import by_digest, text
from sifprov.model.files import Files
from sifprov.model.graph import APPLICATION, DATA, FOLDER, Entity

_TYPES = {DATA: "DataContainer", APPLICATION: "ContainerImage", FOLDER: "Folder"}


def add_container(s: Statements, entity: Entity, listed: Files | None = None) -> None:
    """States a container as it stood; its content, where that is known, is what it shares with
    every other container that holds the same. `listed`: what the record of its making says of its
    files."""
    it = entity.container
    name = s.entity(
        name_of(entity), _TYPES[entity.kind], text(it.name), attributes.container(entity, listed)
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
