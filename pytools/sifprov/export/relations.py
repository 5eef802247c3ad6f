"""The relations that several parts state."""

from __future__ import annotations

from prov.constants import (
    PROV_ATTR_AGENT,
    PROV_ATTR_COLLECTION,
    PROV_ATTR_ENTITY,
    PROV_ATTR_GENERATED_ENTITY,
    PROV_ATTR_INFLUENCEE,
    PROV_ATTR_INFLUENCER,
    PROV_ATTR_USED_ENTITY,
    PROV_ATTRIBUTION,
    PROV_DERIVATION,
    PROV_INFLUENCE,
    PROV_MEMBERSHIP,
)

from sifprov.export.statements import Statements


def derive(s: Statements, later: str, earlier: str) -> None:
    """States that an entity came of an earlier one."""
    formal = {PROV_ATTR_GENERATED_ENTITY: later, PROV_ATTR_USED_ENTITY: earlier}
    s.relation(PROV_DERIVATION, formal)


def revise(s: Statements, later: str, earlier: str) -> None:
    """States that an entity is the same thing as an earlier one, changed."""
    formal = {PROV_ATTR_GENERATED_ENTITY: later, PROV_ATTR_USED_ENTITY: earlier}
    s.relation(PROV_DERIVATION, formal, name=f"revision-{later}", types="prov:Revision")


def attribute(s: Statements, entity: str, agent: str) -> None:
    """States that an agent is responsible for an entity."""
    s.relation(PROV_ATTRIBUTION, {PROV_ATTR_ENTITY: entity, PROV_ATTR_AGENT: agent})


def influence(s: Statements, what: str, by: str) -> None:
    """States that one thing had a part in another, in a way that PROV has no other word for."""
    s.relation(PROV_INFLUENCE, {PROV_ATTR_INFLUENCEE: what, PROV_ATTR_INFLUENCER: by})


def member(s: Statements, collection: str, entity: str) -> None:
    """States that an entity is a part of a collection."""
    s.relation(PROV_MEMBERSHIP, {PROV_ATTR_COLLECTION: collection, PROV_ATTR_ENTITY: entity})
