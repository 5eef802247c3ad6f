"""What records say, as names and plain values: the same in every export that has room for it.
docs/prov.md and docs/export.md tell what each is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sifprov.export.facts import Facts, plain
from sifprov.export.vocabulary import Attributes, json_text, named, text, texts
from sifprov.frozen import dataclass
from sifprov.model.annotation import Annotation
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.container import Container
from sifprov.model.files import Files
from sifprov.model.foreign import Foreign
from sifprov.model.graph import APPLICATION, DATA, FOLDER, Entity, Graph
from sifprov.model.record import Record, Run
from sifprov.model.timestamp import to_ns
from sifprov.model.verdict import Verdict

# A label is for people. What ran stands in the start command, whole.
MAX_LABEL = 200
_KINDS = {DATA: "data", APPLICATION: "image", FOLDER: "folder"}


def name_of(entity: Entity) -> str:
    """Returns the name of a container as it stood."""
    return named(_KINDS[entity.kind], entity.key)


def lists_of_files(graph: Graph) -> dict[str, Files | None]:
    """Returns what the record of its making says of a container's files, by the key of what was
    made."""
    return {
        usage.entity: origin.files if origin else usage.container.files
        for activity in graph.activities.values()
        for origin in [activity.record.origin if activity.record else None]
        for usage in activity.generated
    }


def container(entity: Entity, listed: Files | None) -> Attributes:
    """Returns what is known of a container as it stood. `listed`: what the record of its making
    says of its files."""
    it = entity.container
    elsewhere = entity.path if entity.path != it.path else None
    return {
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
    }


def files(listed: Files | None) -> Attributes:
    """Returns what a record says of the files."""
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
    """Returns how a run had a container."""
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


def execution(record: Record | None, run: Run, facts: Facts) -> Attributes:
    """Returns what is known of a run, but for what stands elsewhere (`Facts.ELSEWHERE`)."""
    return {
        "id": str(record.id) if record else None,
        "action": text(run.action),
        "started": run.started,
        "ended": run.ended,
        "outcome": run.outcome,
        "exit_code": run.exit_code,
        "signal": run.signal,
        **facts.attributes("batch"),
        "elapsed_us": elapsed_us(run, facts),
        **facts.attributes("resources"),
        **facts.attributes("workflow"),
        **facts.attributes("application", *IMAGE_FIELDS),
        "command_started": _flag(facts.value("started")),
        **dict(facts.rest()),
        **facts.origins(),
    }


def foreign(it: Foreign) -> Attributes:
    """Returns what another program's document tells of a run or making."""
    return {"recorded_by": "another program", "note": it.lacks}


def start_command(run: Run) -> dict[str, str | None]:
    """Returns the command line with its folder and variables."""
    return {
        "argv": texts(run.argv),
        "command": texts(run.command),
        "cwd": text(run.cwd),
        "environment": json_text({n: text_to_json(v) for n, v in run.environment}),
        "redacted": json_text([*run.redacted]) if run.redacted else None,
    }


def elapsed_us(run: Run, facts: Facts) -> int | None:
    """Returns how long a run took: as it was measured, else by its times."""
    measured = facts.fields("resources").get("wall_us")
    if isinstance(measured, int) and not isinstance(measured, bool):
        return measured
    if run.ended is None:
        return None
    return max(to_ns(run.ended) - to_ns(run.started), 0) // 1000


def environment(run: Run, facts: Facts) -> dict[str, Json]:
    """Returns what a run's environment is: it has no identity beyond this."""
    return {
        "architecture": facts.word("platform", "architecture"),
        "cluster": facts.word("batch", "cluster"),
        "runtime": run.runtime_name,
        "runtime_version": run.runtime_version,
        "scheduler": facts.word("batch", "system"),
    }


# The fields of the fact `application` that stand with the image.
IMAGE_FIELDS = (
    "labels", "entry_point", "environment", "bases", "definition_digest", "source_digest",
)  # fmt: skip


@dataclass(frozen=True)
class Source:
    """What an image says that it came of: `kind` for a name, `type` for its type, and either the
    `header` of a stage of its definition file or a digest."""

    kind: str
    type: str
    value: Json
    label: str | None
    attributes: Attributes


def configuration(facts: Facts) -> tuple[dict[str, Json], Attributes]:
    """Returns what an image says of itself, as it was read and as attributes; nothing of both where
    it says nothing."""
    fields = facts.fields("application")
    told = {n: fields[n] for n in ("labels", "entry_point", "environment") if fields.get(n)}
    return told, {
        "labels": json_text(told["labels"]) if "labels" in told else None,
        "entry_point": plain(told.get("entry_point")),
        "image_environment": json_text(told["environment"]) if "environment" in told else None,
    }


def sources(facts: Facts) -> Iterator[Source]:
    """Yields what an image says that it came of."""
    fields = facts.fields("application")
    bases = fields.get("bases") or []
    for base in bases if isinstance(bases, list) else [bases]:
        origin = base.get("from") if isinstance(base, Mapping) else None
        label = text(origin) if isinstance(origin, str) else None
        yield Source("base", "BaseImage", base, label, {"header": json_text(base)})
    for field, kind, type_ in (
        ("definition_digest", "definition", "ConfigFile"),
        ("source_digest", "original", "OriginalImage"),
    ):
        if (digest := fields.get(field)) is not None:
            yield Source(kind, type_, digest, None, {"digest": plain(digest)})


def account(record: Record, digest: str) -> Attributes:
    """Returns what a record says of itself, and the words in it."""
    return {
        "digest": digest,
        "id": str(record.id),
        "container": str(record.container),
        "recorded": record.recorded,
        **(_words(record.annotation) if record.annotation else {}),
        **(_verdict(record.verdict) if record.verdict else {}),
    }


def _verdict(verdict: Verdict) -> Attributes:
    document = verdict.to_json()
    lists = ("changes", "files", "steps")
    return {
        "verdict": verdict.result,
        "verdict_original": verdict.original,
        "verdict_content": verdict.content,
        "verdict_counts": json_text(document["counts"]),
        "verdict_tolerance": verdict.tolerance,
        **{f"verdict_{n}": json_text(document[n]) for n in lists if document[n]},
    }


def _words(words: Annotation) -> Attributes:
    tags = {name: text_to_json(value) for name, value in words.tags}
    return {
        "notes": texts(words.notes) if words.notes else None,
        "tags": json_text(tags) if tags else None,
    }


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None
