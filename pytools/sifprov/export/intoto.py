"""Who made a container of what, as an in-toto statement with SLSA provenance. See docs/export.md.

Sources: in-toto Attestation Framework, Statement v1 and ResourceDescriptor; SLSA, Provenance v1.
Texts stand as they are; those that are no UTF-8 as in records, `{"base64": …}`.
"""

from __future__ import annotations

from sifprov.errors import MissingError
from sifprov.export.facts import Facts
from sifprov.export.vocabulary import NAMESPACE, named
from sifprov.model.canonical import Json, record_digest, text_to_json
from sifprov.model.container import APPLICATION, INPUT, OUTPUT, Container
from sifprov.model.fact import facts_to_json
from sifprov.model.graph import entity_key
from sifprov.model.record import Record, Run

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
RUN_TYPE, MAKING_TYPE = f"{NAMESPACE}run-v1", f"{NAMESPACE}making-v1"
FILE = "sha256"
RECORD = "metadata.json"


def statement(record: Record, name: str, file_sha256: str | None = None) -> dict[str, Json]:
    """Returns the statement that a record makes about its container, as it left it; with
    `file_sha256` (hex digits), about the bytes of its file too. `name` is the file's, where the
    record does not tell it.

    Raises MissingError where neither digest is known.
    """
    it = record.itself()
    digests = content_digest(told_digest(record))
    if file_sha256:
        digests[FILE] = file_sha256
    if not digests:
        reason = it.reason if it else None
        raise MissingError(
            f"{name}: its record tells no content digest: {reason or 'it was not read'}",
            hint="--file-digest speaks of the file's bytes instead",
        )
    subject: dict[str, Json] = {"digest": {**digests}, "name": _name(it.name if it else name)}
    return {
        "_type": STATEMENT,
        "predicate": predicate(record),
        "predicateType": PREDICATE,
        "subject": [subject],
    }


def told_digest(record: Record) -> str | None:
    """Returns the content digest that a record tells of its container."""
    it = record.itself()
    return record.origin.digest if record.origin else it.digest if it else None


def content_digest(digest: str | None) -> dict[str, str]:
    """Returns a content digest as a set of digests; by a name of ours, since it is none of a file's
    bytes."""
    scheme, _, value = (digest or "").partition(":")
    return {f"sifprov-{scheme}": value} if value else {}


def predicate(record: Record) -> dict[str, Json]:
    """Returns the provenance: nothing but what the record says."""
    run = record.run
    versions: dict[str, Json] = {"sifprov": record.version}
    metadata: dict[str, Json] = {"finishedOn": record.recorded, "invocationId": str(record.id)}
    if run:
        versions[run.runtime_name] = run.runtime_version
        metadata["startedOn"] = run.started
        metadata["finishedOn"] = run.ended
    recorder = NAMESPACE + named("recorder", record.captured_by)
    return {
        "buildDefinition": {
            "buildType": RUN_TYPE if run else MAKING_TYPE,
            "externalParameters": _asked(record),
            "internalParameters": _circumstances(run) if run else {},
            "resolvedDependencies": _dependencies(record),
        },
        "runDetails": {
            "builder": {"id": recorder, "version": versions},
            "byproducts": _byproducts(record),
            "metadata": {name: value for name, value in metadata.items() if value},
        },
    }


def _asked(record: Record) -> dict[str, Json]:
    """What the user asked for."""
    run, origin = record.run, record.origin
    if run:
        return {
            "action": run.action,
            "argv": [text_to_json(word) for word in run.argv],
            "command": [text_to_json(word) for word in run.command],
            "cwd": text_to_json(run.cwd),
            "environment": {name: text_to_json(value) for name, value in run.environment},
            "redacted": list(run.redacted),
        }
    return {"source": text_to_json(origin.source)} if origin else {}


def _circumstances(run: Run) -> dict[str, Json]:
    return {
        "facts": facts_to_json(run.facts),
        "runtime": {"name": run.runtime_name, "version": run.runtime_version},
    }


def _dependencies(record: Record) -> list[Json]:
    """The application, the inputs or the source, and the records that this one goes on behind."""
    found: list[Json] = [
        _descriptor(it, record) for role in (APPLICATION, INPUT) for it in record.with_role(role)
    ]
    if record.origin:
        files: dict[str, Json] = {}
        if record.origin.files:
            files["files"] = record.origin.files.to_json()
        found.append(
            {
                "annotations": {"role": "source", **files},
                "digest": {**content_digest(record.origin.digest)},
                "name": _name(record.origin.source),
            }
        )
    if record.previous:
        found.append(_document(record.previous, {"role": "previous record"}))
    if record.replays:
        told: dict[str, Json] = {"id": str(record.replays.id), "role": "replayed record"}
        found.append(_document(record.replays.record, told))
    return found


def _byproducts(record: Record) -> list[Json]:
    """The record, with what it says of the end; what was written, and printed."""
    run = record.run
    told: dict[str, Json] = {
        "container": str(record.container),
        "recorded": record.recorded,
        "role": "record",
    }
    if run:
        told |= {"exitCode": run.exit_code, "outcome": run.outcome, "signal": run.signal}
    if record.annotation:
        told["annotation"] = record.annotation.to_json()
    found: list[Json] = [_document(record_digest(record.to_bytes()), told)]
    found += [_descriptor(it, record) for it in record.with_role(OUTPUT)]
    log = Facts(run.facts if run else ()).fields("log").get("digest")
    if isinstance(log, str) and log.startswith("sha256:"):
        found.append({"annotations": {"role": "log"}, "digest": _sha256(log), "name": "log"})
    return found


def _descriptor(it: Container, record: Record) -> dict[str, Json]:
    """A container, with all that the record says of it as annotations."""
    told: dict[str, Json] = it.to_json()  # type: ignore[assignment]
    own = {n: v for n, v in told.items() if v is not None and n not in ("digest", "name", "uuid")}
    key = entity_key(it, str(record.id))
    return {
        "annotations": own,
        "digest": {**content_digest(it.digest)},
        "name": _name(it.name),
        "uri": f"urn:uuid:{it.uuid}" if it.uuid else NAMESPACE + named("container", key),
    }


def _document(digest: str, told: dict[str, Json]) -> dict[str, Json]:
    """A record by its digest."""
    return {
        "annotations": {name: value for name, value in told.items() if value is not None},
        "digest": _sha256(digest),
        "mediaType": "application/json",
        "name": RECORD,
    }


def _sha256(digest: str) -> dict[str, Json]:
    return {FILE: digest.partition(":")[2]}


def _name(name: str) -> str:
    """A name as a text that every reader takes: bytes that are no UTF-8 stand as `\\xNN`."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
