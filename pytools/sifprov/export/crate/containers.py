"""Containers as they stood: files of the crate, or files that are elsewhere; and applications."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sifprov.export import attributes
from sifprov.export.attributes import name_of
from sifprov.export.crate.things import (
    BASED_ON,
    WORKFLOW_RUN,
    Properties,
    Ref,
    Things,
    moment,
    ours,
)
from sifprov.export.facts import Facts
from sifprov.export.vocabulary import NAMESPACE, by_value, is_address, named, text
from sifprov.frozen import dataclass
from sifprov.model.canonical import Json
from sifprov.model.container import Container
from sifprov.model.files import Files
from sifprov.model.graph import APPLICATION, FOLDER, Entity

# What registries call a SIF.
SIF = "application/vnd.sylabs.sif.layer.v1.sif"
_VERSIONS = (
    "org.opencontainers.image.version",
    "org.label-schema.version",
    "version",
    "Version",
    "VERSION",
)
_URLS = ("org.opencontainers.image.url", "org.label-schema.url", "org.opencontainers.image.source")
_IN_REGISTRY = re.compile(
    r"(?P<scheme>docker|oras|library|shub)://(?:(?P<registry>[\w.-]+(?:\.[\w.-]+|:\d+))/)?"
    r"(?P<name>[\w./-]+)(?::(?P<tag>[\w.-]+))?(?:@[\w:.+-]+)?",
    re.ASCII,
)
_DOCKER_HUB = "docker.io"
_MAX_ADDRESS = 512


@dataclass(frozen=True)
class InCrate:
    """A container's file in the crate: its `path` there; its `size`; its SHA-256 as hex digits,
    None for a file that is not in the crate but at hand (`path` is empty then)."""

    path: str
    size: int
    sha256: str | None


class Containers:
    """States the containers of a graph; `files` are those of them that are at hand, by key."""

    def __init__(self, things: Things, files: Mapping[str, InCrate]) -> None:
        self._things = things
        self._files = files
        self._entities: dict[str, Ref] = {}

    def add(self, entity: Entity, listed: Files | None) -> Ref:
        """Adds a container as it stood; returns what refers to it. `listed`: what the record of its
        making says of its files."""
        if entity.key not in self._entities:
            add = self._image if entity.kind == APPLICATION else self._data
            self._entities[entity.key] = add(entity, listed)
        return self._entities[entity.key]

    def of(self, entity: Entity) -> Ref:
        """Returns what refers to a container that was added, or is now."""
        return self.add(entity, None)

    def application(self, entity: Entity, it: Container, facts: Facts) -> Ref:
        """Adds the program that an application container holds, as a run's instrument."""
        labels = facts.fields("application").get("labels")
        said = labels if isinstance(labels, Mapping) else {}
        version = _first(said, _VERSIONS)
        url = _first(said, _URLS)
        name = named("software", entity.key)
        return self._things.add(
            name,
            "SoftwareApplication",
            text(it.name or entity.name) or "an application",
            {
                "softwareVersion": text(version) if version else entity.digest,
                "url": url if url and is_address(url) else None,
                **ours({"image": self.of(entity)}),
            },
        )

    def said(self, image: Ref, facts: Facts) -> None:
        """Adds what an image says of itself, and what it says that it came of."""
        told, shown = attributes.configuration(facts)
        if told:
            name = by_value("configuration", {"image": image["@id"], **told})
            kind = {"additionalType": {"@id": NAMESPACE + "Configuration"}, "about": image}
            self._things.add(name, "CreativeWork", "what the image says", {**kind, **ours(shown)})
        for source in attributes.sources(facts):
            more = _base(source.value) if source.kind == "base" else {}
            earlier = self._things.add(
                by_value(source.kind, source.value),
                "ContainerImage" if source.kind != "definition" else "CreativeWork",
                source.label or source.kind,
                {
                    "additionalType": {"@id": NAMESPACE + source.type},
                    **more,
                    **ours(source.attributes),
                },
            )
            self._things.relate(image, BASED_ON, earlier)

    def _data(self, entity: Entity, listed: Files | None) -> Ref:
        folder = entity.kind == FOLDER
        known = self._files.get(entity.key)
        return self._things.add_data(
            name_of(entity) + ("/" if folder else ""),
            "Dataset" if folder else "File",
            _label(entity),
            {
                **_common(entity, listed, known),
                "additionalType": {"@id": NAMESPACE + ("Folder" if folder else "DataContainer")},
                "encodingFormat": None if folder else SIF,
            },
            known.path if known else None,
        )

    def _image(self, entity: Entity, listed: Files | None) -> Ref:
        it, known = entity.container, self._files.get(entity.key)
        properties = {**_common(entity, listed, known), **_registry(it.path)}
        if known and known.path:
            more = {"encodingFormat": SIF}
            kinds = "File ContainerImage"
            label = _label(entity)
            path = known.path
            return self._things.add_data(
                name_of(entity), kinds, label, {**properties, **more}, path
            )
        return self._things.add(name_of(entity), "ContainerImage", _label(entity), properties)


def _label(entity: Entity) -> str:
    return text(entity.name) or (str(entity.uuid) if entity.uuid else "a container")


def _common(entity: Entity, listed: Files | None, known: InCrate | None) -> Properties:
    it = entity.container
    told = {**attributes.container(entity, listed)}
    told.pop("name", None)
    return {
        "identifier": f"urn:uuid:{it.uuid}" if it.uuid else None,
        "alternateName": text(it.name) or None,
        "dateCreated": moment(it.created),
        "dateModified": moment(it.modified),
        "contentSize": str(known.size) if known else None,
        "sha256": known.sha256 if known else None,
        **ours(told),
    }


def _registry(path: str) -> Properties:
    """Where an image comes from, as far as its address says."""
    at = _IN_REGISTRY.fullmatch(path) if len(path) <= _MAX_ADDRESS else None
    if not at:
        return {"additionalType": {"@id": WORKFLOW_RUN + "SIFImage"}}
    docker = at["scheme"] == "docker"
    return {
        "additionalType": {"@id": WORKFLOW_RUN + ("DockerImage" if docker else "SIFImage")},
        "name": at["name"],
        "registry": at["registry"] or (_DOCKER_HUB if docker else None),
        "tag": at["tag"],
    }


def _base(header: Json) -> Properties:
    """A stage of a definition file as an image: of a Docker registry, where it says so."""
    fields = header if isinstance(header, Mapping) else {}
    kind, origin = fields.get("bootstrap"), fields.get("from")
    if kind not in ("docker", "oras", "library") or not isinstance(origin, str):
        return {}
    return {**_registry(f"{kind}://{origin}")}


def _first(labels: Mapping[str, Json], names: tuple[str, ...]) -> str | None:
    values = (labels.get(name) for name in names)
    return next((v for v in values if isinstance(v, str) and v.strip()), None)
