"""The files of a container as one of its records tells them, without reading its content."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from sifprov.carrier import Carrier, elsewhere, embedded_elsewhere, read_carrier
from sifprov.errors import FileError, NoRecordError, RecordError, SifprovError
from sifprov.frozen import dataclass, replace
from sifprov.listing import Entry
from sifprov.manifests import read_manifest, stated
from sifprov.model.canonical import Json, text_to_json
from sifprov.model.files import key_of
from sifprov.model.manifest import Manifest
from sifprov.model.record import Record

SCHEMA = "sifprov.data-files/1"
_SHOW = "'sifprov trail --json' shows the ids of all records"


@dataclass(frozen=True)
class RecordedFiles:
    """What a record lists of the container that it speaks of."""

    record: Record
    digest: str
    manifest: Manifest

    def below(self, path: bytes, *, recursive: bool) -> list[Entry]:
        """Returns what stands in a folder, or what the path itself is. Raises FileError where the
        list does not have it."""
        wanted = b"/".join(part for part in path.split(b"/") if part not in (b"", b"."))
        prefix = wanted + b"/" if wanted else b""
        found = [
            e
            for e in self.manifest.entries
            if e.path.startswith(prefix) and (recursive or b"/" not in e.path[len(prefix) :])
        ]
        it = next((e for e in self.manifest.entries if e.path == wanted), None)
        if wanted and it is None:
            raise FileError(f"/{wanted.decode('utf-8', 'surrogateescape')}: not in the list")
        return [it] if it and it.kind != "d" else found

    def to_json(self, entries: list[Entry]) -> Json:
        """Returns the JSON document that `sifprov data ls --record --json` prints."""
        return {
            "container": str(self.record.container),
            "digest": self.manifest.tree_digest,
            "entries": [_entry_json(e) for e in entries],
            "id": str(self.record.id),
            "record": self.digest,
            "recorded": self.record.recorded,
            "schema": SCHEMA,
        }


def recorded_files(path: str, which: str, metadata: str = "") -> RecordedFiles:
    """Returns the files of the container that a record speaks of: of the one that the carrier at
    `path` holds or embeds and whose id or record digest begins with `which`.

    `metadata` names a place that holds records of many. Raises NoRecordError, FileError, and
    SifprovError where several begin so.
    """
    carrier = read_carrier(path, elsewhere(metadata))
    more = embedded_elsewhere(metadata).documents
    carrier = replace(carrier, embedded={**more, **carrier.embedded})
    wanted = which.lower()
    found = {
        digest: record
        for digest, record in _records(carrier)
        if str(record.id).startswith(wanted)
        or digest.removeprefix("sha256:").startswith(wanted.removeprefix("sha256:"))
    }
    if not found:
        raise NoRecordError(f"{path}: no record {which}", hint=_SHOW)
    if len(found) > 1:
        raise SifprovError(
            f"{path}: {len(found)} records begin with {which}",
            hint="name more of its id, or its record digest",
        )
    ((digest, record),) = found.items()
    about = stated(record)
    listed = read_manifest(carrier, about) if about else None
    if listed is None or listed.manifest is None:
        reason = listed.reason if listed else "it only speaks of another record"
        raise NoRecordError(f"{path}: record {record.id} lists no files: {reason}")
    return RecordedFiles(record, digest, listed.manifest)


def _records(carrier: Carrier) -> Iterator[tuple[str, Record]]:
    yield from ((stored.digest, record) for stored, record in carrier.good)
    for digest, data in carrier.embedded.items():
        with suppress(RecordError):
            if key_of(data) is None:
                yield digest, Record.from_bytes(data)


def _entry_json(entry: Entry) -> Json:
    return {
        "mode": None if entry.mode is None else f"{entry.mode:04o}",
        "path": text_to_json("/" + entry.path.decode("utf-8", "surrogateescape")),
        "size": entry.size,
        "type": entry.kind,
        "value": None if entry.value == "-" else entry.value,
    }
