"""RO-Crates as other people's programs see them: the validator of the profiles, and the library."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests_cache import CachedSession
from rocrate.rocrate import ROCrate
from rocrate.vocabs import RO_CRATE
from rocrate_validator import services
from rocrate_validator.models import Severity, ValidationSettings
from rocrate_validator.utils import log
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
# The library has the context of RO-Crate 1.3. These are the names that were others in 1.1, as the
# profiles' list of changes says (Workflow Run RO-Crate 0.6, Changelog).
_IN_1_1 = {
    "ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow",
    "FormalParameter": "https://bioschemas.org/FormalParameter",
    "input": "https://bioschemas.org/ComputationalWorkflow#input",
    "output": "https://bioschemas.org/ComputationalWorkflow#output",
}


class _Shelf(BaseAdapter):
    """Answers for the network, with one context and nothing else."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        assert request.url == CONTEXT, request.url
        context = {**RO_CRATE["@context"], **_IN_1_1}
        body = io.BytesIO(json.dumps({"@context": context}).encode())
        headers = {"Content-Type": "application/ld+json"}
        raw = HTTPResponse(
            body, headers, status=200, preload_content=False, request_url=request.url
        )
        return HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        pass


def shelf(folder: Path) -> Path:
    """Makes the validator's store of what it would ask the network for; returns its path."""
    place = folder / "contexts"
    with CachedSession(str(place), backend="sqlite", expire_after=-1) as session:
        session.mount("https://", _Shelf())
        for accept in ("application/ld+json, application/json",
                       "application/ld+json, application/json, */*;q=0.1"):  # fmt: skip
            session.get(CONTEXT, headers={"Accept": accept})
    return place


def issues(
    crate: Path, profile: str, place: Path, severity: Severity = Severity.REQUIRED
) -> list[str]:
    """What the validator objects to in the crate at a path, against a profile by its short name, at
    this severity and above."""
    settings = ValidationSettings(
        rocrate_uri=str(crate),
        profile_identifier=profile,
        requirement_severity=severity,
        cache_path=place,
        offline=True,
    )
    # What it says is in the result. It would print it again when Python ends.
    log.basicConfig(level=logging.CRITICAL)
    with warnings.catch_warnings():
        # The validator uses what the library for RDF calls outdated.
        warnings.simplefilter("ignore")
        result = services.validate(settings)
    return [f"{i.severity.name} {i.violatingEntity}: {i.message}" for i in result.get_issues()]


def profiles(metadata: Mapping[str, Any]) -> list[str]:
    """The profiles that a crate says it follows, by the validator's names."""
    root = next(e for e in metadata["@graph"] if e["@id"] == "./")
    return [name for at in several(root.get("conformsTo")) if (name := _NAMES.get(at["@id"]))]


def strictest(metadata: Mapping[str, Any]) -> str:
    """The one of them that holds all that the others demand: the validator checks those too."""
    found = profiles(metadata)
    order = ("provenance-run-crate-0.5", "workflow-run-crate-0.5", "process-run-crate-0.5")
    return next(name for name in order if name in found)


_NAMES = {
    f"https://w3id.org/ro/wfrun/{name}/0.5": f"{name}-run-crate-0.5"
    for name in ("process", "workflow", "provenance")
} | {"https://w3id.org/workflowhub/workflow-ro-crate/1.0": "workflow-ro-crate-1.0"}


def several(value: Any) -> list[Any]:
    """A property's values, whether one or many."""
    return value if isinstance(value, list) else [] if value is None else [value]


def read(crate: Path) -> ROCrate:
    """The crate as the library reads it."""
    return ROCrate(str(crate))


def of_type(crate: ROCrate, name: str) -> Iterator[Any]:
    """The things of a type in it."""
    for entity in crate.get_entities():
        if name in several(entity.type):
            yield entity
