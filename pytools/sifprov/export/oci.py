"""A container's origin as annotations of an OCI artifact. See docs/export.md.

Source: OCI Image Format Specification 1.1, Annotations. The file has the form that `oras push
--annotation-file` reads: an object by what is annotated, `$manifest` or the name of a file.

Our own keys begin with `sifprov.`: the specification recommends a reversed domain, and none is ours
for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sifprov.export.facts import Facts
from sifprov.export.made import Made
from sifprov.export.vocabulary import json_text, text, texts
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.container import Container
from sifprov.model.graph import Usage
from sifprov.model.record import Record
from sifprov.terminal import command

STANDARD = "org.opencontainers.image."
OURS = "sifprov."
MANIFEST = "$manifest"
# Tags of the user that have a name in the specification.
TAGS = ("documentation", "licenses", "source", "url", "vendor", "version")
# A registry takes manifests of 4 MiB; what is longer is named, and left out.
MAX_VALUE = 64 * 1024
_MAX_DESCRIPTION = 400


def document(made: Made, licence: str = "") -> dict[str, Json]:
    """Returns the annotations of a container, and of the file as the artifact's only layer."""
    name = text(made.entity.name)
    found: dict[str, Json] = {MANIFEST: {**annotations_of(made, licence)}}
    # No file of an artifact can be told apart from the section of this name.
    if name and not name.startswith("$"):
        found[name] = {f"{STANDARD}title": name}
    return found


def annotations_of(made: Made, licence: str = "") -> dict[str, str]:
    """Returns the annotations of a container as it stood. Nothing in them depends on the clock."""
    given = {**_standard(made, licence), **_ours(made)}
    found = {key: value for key, value in given.items() if value}
    long = sorted(key for key, value in found.items() if len(value.encode()) > MAX_VALUE)
    for key in long:
        del found[key]
    if long:
        found[f"{OURS}left-out"] = json_text([*long])
    return found


def _standard(made: Made, licence: str) -> dict[str, str | None]:
    record, run = made.record, made.record.run
    facts = Facts(run.facts if run else ())
    words = _tags(made)
    own = {
        "title": made.entity.name,
        "created": (run.ended if run else None) or record.recorded,
        "authors": facts.word("user", "name"),
        "description": _description(made),
        "revision": made.entity.record,
        **_base(facts),
        **{name: words[name] for name in TAGS if name in words},
    }
    if licence:
        own["licenses"] = licence
    return {f"{STANDARD}{name}": text(value) if value else None for name, value in own.items()}


def _description(made: Made) -> str:
    run, origin = made.record.run, made.record.origin
    if run:
        return f"made by: {command(run.typed)}"[:_MAX_DESCRIPTION]
    return f"made from: {origin.source}"[:_MAX_DESCRIPTION] if origin else ""


def _base(facts: Facts) -> dict[str, str | None]:
    """The OCI image that the application came of, where the application says so."""
    digest = facts.word("application", "source_digest")
    bases = facts.fields("application").get("bases")
    last = bases[-1] if isinstance(bases, list) and bases else None
    name = last.get("from") if isinstance(last, Mapping) else None
    return {"base.digest": digest, "base.name": name if isinstance(name, str) else None}


def _tags(made: Made) -> dict[str, str]:
    """The tags of the run, those that came later last."""
    records: Iterable[Record] = (made.record, *made.activity.words)
    return {n: v for r in records if r.annotation for n, v in r.annotation.tags}


def _ours(made: Made) -> dict[str, str | None]:
    record, entity, it = made.record, made.entity, made.container
    later = made.activity.words
    numbers = {n: v for r in (record, *later) if r.annotation for n, v in r.annotation.metrics}
    notes = [n for r in (record, *later) if r.annotation for n in r.annotation.notes]
    tags: dict[str, Json] = {n: text_to_json(v) for n, v in _tags(made).items()}
    verdicts = [r.verdict.result for r in later if r.verdict]
    own: dict[str, str | None] = {
        "container.uuid": str(record.container),
        "container.digest": entity.digest,
        "container.created": it.created,
        "container.modified": it.modified,
        "container.mount": it.mount and text(it.mount),
        "container.marks": ",".join(it.marks),
        "record.id": str(record.id),
        "record.digest": entity.record,
        "record.previous": record.previous,
        "record.recorded": record.recorded,
        "record.by": f"{text(record.captured_by)} {text(record.version)}",
        "inputs": _containers(made, made.inputs) if made.inputs else None,
        "replays": record.replays.record if record.replays else None,
        "verdicts": ",".join(map(text, verdicts)),
        "notes": texts(notes) if notes else None,
        "tags": json_text(tags) if tags else None,
        "metrics": json_text({**numbers}) if numbers else None,
        **_run(made),
    }
    if record.origin:
        own["origin.source"] = text(record.origin.source)
        own["origin.digest"] = record.origin.digest
    return {f"{OURS}{name}": value for name, value in own.items()}


def _run(made: Made) -> dict[str, str | None]:
    run = made.record.run
    if run is None:
        return {}
    facts = Facts(run.facts)
    workflow = facts.fields("workflow")
    used = made.application
    return {
        "application": _containers(made, [used]) if used else None,
        "run.argv": texts(run.argv),
        "run.command": texts(run.command),
        "run.cwd": text(run.cwd),
        "run.started": run.started,
        "run.ended": run.ended,
        "run.outcome": text(run.outcome),
        "run.exit-code": None if run.exit_code is None else str(run.exit_code),
        "run.signal": None if run.signal is None else str(run.signal),
        "run.runtime": f"{text(run.runtime_name)} {text(run.runtime_version)}",
        "run.job": facts.word("batch", "job") and text(facts.word("batch", "job") or ""),
        "workflow": json_text({**workflow}) if workflow else None,
    }


def _containers(made: Made, used: Iterable[Usage]) -> str:
    """Containers of a run as JSON: what tells each from all others."""
    return json_text([_told(made.entity_of(u).digest, u.container) for u in used])


def _told(digest: str | None, it: Container) -> dict[str, Json]:
    told: dict[str, Json] = {
        "digest": it.digest or digest,
        "mount": it.mount and text_to_json(it.mount),
        "name": text_to_json(it.name),
        "record": it.record,
        "uuid": str(it.uuid) if it.uuid else None,
    }
    return {name: value for name, value in told.items() if value is not None}
