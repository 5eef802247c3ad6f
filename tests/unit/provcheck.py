"""Checks documents of the library `prov` against PROV-CONSTRAINTS, and PROV-N by its grammar.

Sources: https://www.w3.org/TR/prov-constraints/ (numbers of constraints stand in the code),
https://www.w3.org/TR/prov-n/.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from prov.constants import (
    PROV_ACTIVITY,
    PROV_AGENT,
    PROV_ASSOCIATION,
    PROV_ATTR_ENDTIME,
    PROV_ATTR_STARTTIME,
    PROV_ATTRIBUTION,
    PROV_DELEGATION,
    PROV_DERIVATION,
    PROV_ENTITY,
    PROV_GENERATION,
    PROV_INFLUENCE,
    PROV_MEMBERSHIP,
    PROV_SPECIALIZATION,
    PROV_TYPE,
    PROV_USAGE,
)
from prov.model import ProvDocument

# What stands at the places of a relation: e(ntity), a(ctivity), g (agent), t(ime), * any of three.
_PLACES = {
    PROV_GENERATION: "eat", PROV_USAGE: "aet", PROV_DERIVATION: "ee---", PROV_ATTRIBUTION: "eg",
    PROV_ASSOCIATION: "age", PROV_DELEGATION: "gga", PROV_INFLUENCE: "**",
    PROV_SPECIALIZATION: "ee", PROV_MEMBERSHIP: "ee",
}  # fmt: skip
_ELEMENTS = {PROV_ENTITY: "e", PROV_ACTIVITY: "a", PROV_AGENT: "g"}


_READERS: dict[str, dict[str, str]] = {
    "prov-n": {"format": "provn", "profile": "strict"},
    "prov-json": {"format": "json"},
    "prov-xml": {"format": "xml"},
    "prov-ttl": {"format": "rdf", "rdf_format": "turtle"},
}


def read(written: str, fmt: str) -> ProvDocument:
    """Reads an export with the library."""
    with warnings.catch_warnings():
        # The library reads RDF by parts of rdflib that are on their way out.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        stream = io.BytesIO(written.encode("utf-8"))
        return ProvDocument.deserialize(stream, **_READERS[fmt])


def violations(document: ProvDocument) -> list[str]:
    """Returns what in a document breaks a constraint, each in a line."""
    return [*_names(document), *_typed(document), *_unique(document), *_times(document),
            *_order(document)]  # fmt: skip


def _of(document: ProvDocument, kind: Any) -> Iterator[tuple[str | None, list[Any]]]:
    """Yields the name of each relation of this kind, and what stands at its places."""
    for record in document.get_records():
        if record.get_type() == kind:
            name = str(record.identifier) if record.identifier else None
            yield name, [v if isinstance(v, datetime) else v and str(v) for v in record.args]


def _elements(document: ProvDocument) -> dict[str, str]:
    found: dict[str, str] = {}
    for record in document.get_records():
        if record.get_type() in _ELEMENTS:
            found[str(record.identifier)] = _ELEMENTS[record.get_type()]
    return found


def _names(document: ProvDocument) -> Iterator[str]:
    """22, 23 (keys), 53, 54 (disjoint): here every name is one thing, stated once."""
    seen: set[str] = set()
    for record in document.get_records():
        name = str(record.identifier) if record.identifier else None
        if name in seen:
            yield f"{name} is stated twice"
        if name:
            seen.add(name)
            # What every format can write: in XML a name is an NCName.
            if not re.fullmatch(r"sifprov:[a-z][a-z0-9-]*", name):
                yield f"{name} is no name of ours"


def _typed(document: ProvDocument) -> Iterator[str]:
    """50 (typing): what a relation names is stated, and of the kind that stands there."""
    elements = _elements(document)
    for record in document.get_records():
        if record.get_type() in _ELEMENTS:
            if not record.get_asserted_types():
                yield f"{record.identifier} has no type"
            continue
        for place, value in zip(_PLACES[record.get_type()], record.args, strict=True):
            if value is None or place in "t-":
                continue
            kind = elements.get(str(value))
            if kind is None or (place != "*" and kind != place):
                yield f"{record}: {value} is {kind}, not {place}"


def _unique(document: ProvDocument) -> Iterator[str]:
    """24 (unique-generation), and ours: an entity has one generation at all."""
    made: set[str] = set()
    for _, (entity, *_) in _of(document, PROV_GENERATION):
        if entity in made:
            yield f"{entity} is generated twice"
        made.add(entity)


def _times(document: ProvDocument) -> Iterator[str]:
    """The times that are given are in the order that 30, 33, 34, 37, 41, 42 ask for."""
    spans = {
        str(r.identifier): (_one(r, PROV_ATTR_STARTTIME), _one(r, PROV_ATTR_ENDTIME))
        for r in document.get_records()
        if r.get_type() == PROV_ACTIVITY
    }
    made: dict[str, datetime] = {}
    for activity, (start, end) in spans.items():
        if start and end and start > end:
            yield f"{activity} ends before it starts"
    for _, (entity, activity, at) in _of(document, PROV_GENERATION):
        start, end = spans.get(activity, (None, None))
        if at:
            made[entity] = at
            if (start and at < start) or (end and at > end):
                yield f"{entity} is generated outside of {activity}"
    for _, (activity, entity, at) in _of(document, PROV_USAGE):
        start, end = spans.get(activity, (None, None))
        if at and ((start and at < start) or (end and at > end)):
            yield f"{entity} is used outside of {activity}"
        latest = at or end
        if entity in made and latest and made[entity] > latest:
            yield f"{entity} is used by {activity} before it is generated"
    for _, (later, earlier, *_) in _of(document, PROV_DERIVATION):
        if later in made and earlier in made and made[later] < made[earlier]:
            yield f"{later} is older than {earlier}, from which it is derived"


def _order(document: ProvDocument) -> Iterator[str]:
    """55 (event ordering): generation precedes usage, usage in the making of another precedes that
    one's generation, derivation strictly; specialization is irreflexive (52) and no circle."""
    edges: dict[str, set[str]] = {}
    for _, (activity, entity, _) in _of(document, PROV_USAGE):
        edges.setdefault(entity, set()).add(activity)
    for _, (entity, activity, _) in _of(document, PROV_GENERATION):
        edges.setdefault(activity, set()).add(entity)
    for _, (later, earlier, *_) in _of(document, PROV_DERIVATION):
        edges.setdefault(earlier, set()).add(later)
    if _circle(edges):
        yield "generation, usage and derivation lead in a circle"
    general: dict[str, set[str]] = {}
    for _, (specific, whole) in _of(document, PROV_SPECIALIZATION):
        general.setdefault(specific, set()).add(whole)
    if _circle(general):
        yield "specialization leads in a circle"


def _circle(edges: dict[str, set[str]]) -> bool:
    """Whether a graph has a circle; without recursion."""
    wanted: dict[str, int] = {}
    for targets in edges.values():
        for target in targets:
            wanted[target] = wanted.get(target, 0) + 1
    ready = [node for node in edges if node not in wanted]
    while ready:
        for target in edges.pop(ready.pop(), ()):
            wanted[target] -= 1
            if not wanted[target]:
                ready.append(target)
    return any(edges.values())


def _one(record: Any, attribute: Any) -> Any:
    return next(iter(record.get_attribute(attribute)), None)


def types(document: ProvDocument, name: str) -> set[str]:
    """The types of a thing."""
    (record,) = document.get_record(f"sifprov:{name}")
    return {str(t) for t in record.get_attribute(PROV_TYPE)}


# -- PROV-N, by the productions of its grammar that an export can have

_NAME = r"[A-Za-z][\w.-]*:[A-Za-z][\w.-]*"
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"
_STRING = r'"(?:[^"\\\n\r]|\\["\\tbnrf\'])*"'
_VALUE = rf"(?:{_STRING}(?: %% {_NAME})?|'{_NAME}'|-?\d+)"
_PAIR = rf"{_NAME}={_VALUE}"
_STATEMENT = re.compile(
    rf"  (\w+)\((?:({_NAME}); )?((?:{_NAME}|{_TIME}|-)(?:, (?:{_NAME}|{_TIME}|-))*)"
    rf"(?:, \[{_PAIR}(?:, {_PAIR})*\])?\)"
)
_ARITY = {
    "entity": (1,), "agent": (1,), "activity": (3,), "wasGeneratedBy": (3,), "used": (3,),
    "wasDerivedFrom": (5,), "wasAttributedTo": (2,), "wasAssociatedWith": (3,),
    "actedOnBehalfOf": (3,), "wasInfluencedBy": (2,), "specializationOf": (2,), "hadMember": (2,),
}  # fmt: skip


def provn_errors(text: str) -> list[str]:
    """Returns the lines of a PROV-N document that its grammar does not have."""
    lines: Iterable[str] = text.removesuffix("\n").split("\n")
    first, *rest, last = lines
    wrong = [line for line in (first, last) if line not in ("document", "endDocument")]
    for line in rest:
        if not line.strip() or re.fullmatch(r"  prefix \w+ <[^<>\s]+>", line):
            continue
        match = _STATEMENT.fullmatch(line)
        if not match or match.group(3).count(", ") + 1 not in _ARITY.get(match.group(1), ()):
            wrong.append(line)
    return wrong
