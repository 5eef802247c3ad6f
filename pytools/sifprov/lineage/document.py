"""The JSON document of a trail (`sif_layouts/schemas/trail.schema.json`)."""

from __future__ import annotations

import json
from collections.abc import Iterator

from sifprov.carrier import Carrier
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.foreign import Foreign
from sifprov.model.graph import MISSING, Activity, Entity, Graph, Usage
from sifprov.trail import Trail

SCHEMA = "sifprov.trail/1"


def document(trail: Trail, graph: Graph) -> dict[str, Json]:
    """Returns what `sifprov trail --json` prints."""
    return {
        "ancestors": [_carrier(c) for c in trail.ancestors.values()],
        "container": _carrier(trail.start),
        "graph": graph_document(graph),
        "missing": [key for key, e in graph.entities.items() if e.standing == MISSING],
        "now": trail.standing.to_json() if trail.standing else None,
        "schema": SCHEMA,
    }


def graph_document(graph: Graph) -> Json:
    """Returns the graph as JSON."""
    return {
        "activities": [_activity(a) for a in graph.activities.values()],
        "entities": [_entity(e) for e in graph.entities.values()],
        "problems": [text_to_json(p) for p in graph.problems],
        "targets": list(graph.targets),
        "words": [word.to_json() for word in graph.words],
    }


def dumps(value: Json) -> str:
    """Returns JSON in ASCII, with each item of a list at the top or below it on a line of its own:
    an indented document of a thousand records would take a second."""
    return "".join(_lines(value, 0))


_SPREAD = 3


def _lines(value: Json, depth: int) -> Iterator[str]:
    if not value or depth == _SPREAD or not isinstance(value, (dict, list)):
        yield json.dumps(value, sort_keys=True)
        return
    begin, end = ("{", "}") if isinstance(value, dict) else ("[", "]")
    items = sorted(value.items()) if isinstance(value, dict) else [(None, v) for v in value]
    gap = begin + "\n"
    for name, item in items:
        yield gap + "  " * (depth + 1) + (f"{json.dumps(name)}: " if name is not None else "")
        yield from _lines(item, depth + 1)
        gap = ",\n"
    yield "\n" + "  " * depth + end


def _entity(entity: Entity) -> Json:
    return {
        "container": entity.container.to_json(),
        "generated_by": entity.generated_by,
        "key": entity.key,
        "kind": entity.kind,
        "path": text_to_json(entity.path) if entity.path else None,
        "problem": entity.problem,
        "revision_of": entity.revision_of,
        "standing": entity.standing,
    }


def _activity(activity: Activity) -> Json:
    return {
        "digests": list(activity.digests),
        "foreign": _foreign(activity.foreign) if activity.foreign else None,
        "generated": [_usage(u) for u in activity.generated],
        "key": activity.key,
        "kind": activity.kind,
        "record": activity.record.to_json() if activity.record else None,
        "used": [_usage(u) for u in activity.used],
        "words": [word.to_json() for word in activity.words],
    }


def _foreign(foreign: Foreign) -> Json:
    return {
        "command": text_to_json(foreign.command),
        "created": foreign.created,
        "lacks": foreign.lacks,
        "name": text_to_json(foreign.name),
        "problems": list(foreign.problems),
    }


def _usage(usage: Usage) -> Json:
    it = usage.container
    return {
        "entity": usage.entity,
        "marks": list(it.marks),
        "mount": text_to_json(it.mount) if it.mount else None,
        "role": it.role,
    }


def _carrier(carrier: Carrier) -> Json:
    identity = carrier.identity
    declared = identity.declaration
    return {
        "changed_after_signing": carrier.changed_after_signing,
        "created": identity.created,
        "kind": carrier.kind,
        "modified": identity.modified,
        "mount": text_to_json(declared.mount) if declared else None,
        "name": text_to_json(identity.name),
        "path": text_to_json(identity.path),
        "records": [
            {
                "digest": s.digest or None,
                "error": s.error,
                "object": s.object_id,
                "place": text_to_json(s.place) if s.place else None,
                "record": s.record.to_json() if s.record else None,
                "signed": carrier.is_signed(s),
            }
            for s in carrier.records
        ],
        "role": declared.role if declared else None,
        "signatures": [
            {"covers": s.covers, "created": s.created, "group": s.group, "object": s.object_id}
            for s in carrier.signatures
        ],
        "uuid": str(identity.uuid) if identity.uuid else None,
    }
