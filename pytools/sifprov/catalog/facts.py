"""What the facts of a run tell of image, person and machine, as rows.

Each is a tuple of its columns' values in the order of the `…_COLUMNS`; the first is the
fingerprint, by which the same is known as the same. Facts are untrusted JSON: what has not its
form counts as not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from sifprov.catalog.texts import (
    fingerprint,
    list_text,
    long,
    maybe_short,
    number,
    object_text,
    short,
    small,
)
from sifprov.model.canonical import Json
from sifprov.model.run import Run

Row = tuple[Any, ...]

PERSON_COLUMNS = ("fingerprint", "name", "uid")
ENVIRONMENT_COLUMNS = (
    "fingerprint", "architecture", "runtime", "runtime_version", "scheduler", "cluster",
)  # fmt: skip
PARTITION_COLUMNS = (
    "fingerprint", "host", "queue", "kernel", "cpu", "cpus", "memory_bytes", "gpus",
)  # fmt: skip
CONFIGURATION_COLUMNS = (
    "fingerprint", "entry_points", "labels", "environment", "networks", "command",
)  # fmt: skip
# Of an image, what its own labels and definition file tell.
IMAGE_COLUMNS = (
    "architecture", "driver", "creator", "description", "base_image", "original_image",
    "config_file",
)  # fmt: skip

_LABEL = "org.label-schema."
_OCI = "org.opencontainers.image."
_DEFINITION = _LABEL + "usage.singularity.deffile."
# The labels that tell a field, the first that is there.
_LABELS = {
    "architecture": (_LABEL + "build-arch",),
    "driver": (_DEFINITION + "bootstrap",),
    "creator": (_OCI + "authors", "maintainer", "Maintainer", "MAINTAINER", "author", "Author"),
    "description": (_OCI + "description", _LABEL + "description", "description", "Description"),
    "base_image": (_OCI + "base.name", _DEFINITION + "from"),
}
# How a definition file names its base, by what builds from it.
_BASE = ("from", "library", "osversion", "mirrorurl")


class Told(NamedTuple):
    """The rows that the facts of one run come to; None for what no fact tells."""

    person: Row | None
    environment: Row
    partition: Row
    image: Row | None
    configuration: Row | None
    scheduler: str | None
    job: tuple[str | None, str | None, str | None]
    usage: tuple[int | None, int | None, int | None]
    workflow: tuple[str, str, str | None, str | None] | None
    binds: str | None
    isolation: str | None


def of_run(run: Run) -> Told:
    """Returns what the facts of a run tell."""
    facts: dict[str, Json] = {fact.name: fact.value for fact in run.facts}
    batch = _object(facts.get("batch"))
    platform = _object(facts.get("platform"))
    scheduler = _word(batch, "system")
    environment = _row(
        _word(platform, "architecture"),
        short(run.runtime_name),
        short(run.runtime_version),
        scheduler,
        _word(batch, "cluster"),
    )
    gpus = platform.get("gpus")
    partition = _row(
        _word(platform, "host") or _word(batch, "node"),
        _word(batch, "partition"),
        _word(platform, "kernel"),
        _word(platform, "cpu"),
        small(platform.get("cpus")),
        number(platform.get("memory_bytes")),
        list_text(gpus) if isinstance(gpus, list) and gpus else None,
        of=environment[0],
    )
    application = _object(facts.get("application"))
    resources = _object(facts.get("resources"))
    times = (number(resources.get("user_us")), number(resources.get("system_us")))
    cpu = sum(t for t in times if t is not None) if any(t is not None for t in times) else None
    return Told(
        _person(_object(facts.get("user"))),
        environment,
        partition,
        _image(application) if application else None,
        _configuration(application) if application else None,
        scheduler,
        (_word(batch, "job"), _word(batch, "array_job"), _word(batch, "task")),
        (number(resources.get("wall_us")), number(cpu), _peak(resources)),
        _workflow(_object(facts.get("workflow"))),
        _binds(facts.get("binds")),
        _isolation(_object(facts.get("isolation"))),
    )


@lru_cache(maxsize=4096)
def _row(*values: object, of: object = None) -> Row:
    """The row of these values; of those that were seen lately the same tuple."""
    return (fingerprint(of, *values), *values)


def _person(user: Mapping[str, Json]) -> Row | None:
    name, uid = _word(user, "name"), number(user.get("uid"))
    return _row(name, uid) if name or uid is not None else None


def _peak(resources: Mapping[str, Json]) -> int | None:
    return number(resources.get("peak_memory_bytes"))


def _image(application: Mapping[str, Json]) -> Row:
    labels = _object(application.get("labels"))
    bases = application.get("bases")
    last = _object(bases[-1]) if isinstance(bases, list) and bases else {}
    found = {
        field: next((t for name in names if (t := _word(labels, name))), None)
        for field, names in _LABELS.items()
    }
    description = found["description"]
    base = next((t for name in _BASE if (t := _word(last, name))), None)
    return (
        found["architecture"],
        _word(last, "bootstrap") or found["driver"],
        found["creator"],
        long(description) if description else None,
        base or found["base_image"],
        _word(application, "source_digest"),
        _word(application, "definition_digest"),
    )


def _configuration(application: Mapping[str, Json]) -> Row | None:
    script = application.get("entry_point")
    labels = _object(application.get("labels"))
    variables = _object(application.get("environment"))
    texts = (
        list_text([script]) if isinstance(script, str) else None,
        object_text(labels) if labels else None,
        object_text(variables) if variables else None,
        None,
        None,
    )
    return _row(*texts) if any(texts) else None


def _workflow(fact: Mapping[str, Json]) -> tuple[str, str, str | None, str | None] | None:
    name, uuid = _word(fact, "name"), _word(fact, "id")
    if not name or not uuid:
        return None
    return name, uuid, _word(fact, "activity"), _word(fact, "composition")


def _binds(value: Json) -> str | None:
    """As the runtime's option takes them; what is not the host's nor a container's is left out."""
    if not isinstance(value, list):
        return None
    found: list[Json] = []
    for each in map(_object, value):
        source, place, image = (each.get(n) for n in ("source", "destination", "image"))
        if not isinstance(source, str) or not isinstance(place, str):
            continue
        text = f"{image}:{place}:image-src={source}" if image else f"{source}:{place}"
        ro = ("," if image else ":") + "ro" if each.get("read_only") else ""
        found.append(text + ro)
    return list_text(found)


def _isolation(value: Mapping[str, Json]) -> str | None:
    """What is so, of all that may be; the names of variables stand in the record alone."""
    kept = {n: v for n, v in value.items() if v and n != "environment"}
    return object_text(kept) if value else None


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _word(value: Mapping[str, Json], name: str) -> str | None:
    found = value.get(name)
    return maybe_short(found) if isinstance(found, str) and found else None
