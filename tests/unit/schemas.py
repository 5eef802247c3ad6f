"""The JSON Schemas of sif_layouts/schemas, with their references to each other resolved."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[2] / "sif_layouts" / "schemas"


@cache
def schemas() -> dict[str, Any]:
    """All schemas by the name that documents give in their field `schema`."""
    found = [json.loads(p.read_bytes()) for p in sorted(FOLDER.glob("*.json"))]
    return {s["$id"]: s for s in found}


@cache
def validator(name: str) -> Any:
    """The validator of the documents called `name`."""
    resources = [(n, Resource.from_contents(s)) for n, s in schemas().items()]
    registry: Registry[Any] = Registry().with_resources(resources)
    Draft202012Validator.check_schema(schemas()[name])
    return Draft202012Validator(schemas()[name], registry=registry)


def problems(name: str, document: object) -> list[str]:
    """What is wrong with a document; nothing when it is valid."""
    return [f"{e.json_path}: {e.message}" for e in validator(name).iter_errors(document)]
