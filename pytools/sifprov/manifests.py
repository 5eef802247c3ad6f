"""The files of a container as a record tells them: in the record itself, in a document beside it,
or in an ancestor's record that it names.

Everything is proved before it is believed: a list has the SHA-256 that a record gives it, and the
tree digest that stands beside that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from sifprov.carrier import Carrier
from sifprov.errors import RecordError
from sifprov.frozen import dataclass
from sifprov.model.canonical import record_digest
from sifprov.model.container import Container
from sifprov.model.files import Files, by_key, load
from sifprov.model.manifest import Manifest
from sifprov.model.record import Origin, Record

_UNTOLD = "its record lists no files"


@dataclass(frozen=True)
class Listed:
    """The files of a container, or the `reason` why they are not known."""

    manifest: Manifest | None
    reason: str | None = None


def read_manifest(carrier: Carrier, about: Container | Origin) -> Listed:
    """Returns the files of a container as the record that holds the entry `about` tells them.

    `carrier` has that record, or embeds it. Where the entry lists none itself, as of an input that
    carried records, those that it carried are asked. Raises nothing.
    """
    return manifest_reader(carrier)(about)


def manifest_reader(carrier: Carrier) -> Callable[[Container | Origin], Listed]:
    """Returns `read_manifest` of one carrier, for whoever asks for many entries."""
    find = partial(_record, {s.digest: r for s, r in carrier.good}, carrier.embedded)
    documents = by_key(carrier.embedded.values())
    return lambda about: listed(about, find, documents)


def listed(
    about: Container | Origin,
    find: Callable[[str], Record | None],
    documents: Mapping[str, bytes],
) -> Listed:
    """As `read_manifest`: `find` returns the record with a digest, `documents` are manifests as
    `by_key` returns them."""
    if about.files is None and isinstance(about, Container) and about.digest:
        try:
            about = _told_before(about, find) or about
        except RecordError as error:
            return Listed(None, str(error))
    if about.files is None:
        return Listed(None, _UNTOLD)
    if about.digest is None:
        return Listed(None, "its content is not known")
    try:
        manifest = _load(about.files, documents)
    except RecordError as error:
        return Listed(None, str(error))
    if manifest is None:
        return Listed(None, about.files.reason)
    if manifest.tree_digest != about.digest:
        return Listed(None, "the list of files is not that of the recorded content")
    return Listed(manifest)


def stated(record: Record) -> Container | Origin | None:
    """Returns what a record says of the content of the container that it speaks of."""
    return record.origin or record.itself()


def _told_before(
    about: Container, find: Callable[[str], Record | None]
) -> Container | Origin | None:
    """What the newest record that a container carried, and that tells its content, says of it; None
    where that is not the content that the run found. Raises RecordError when it is missing."""
    digest, seen = about.record, set[str]()
    # A chain of SHA-256 ends; one that is not checked is bounded all the same.
    while digest is not None and digest not in seen:
        seen.add(digest)
        record = find(digest)
        if record is None:
            raise RecordError("", f"the record {digest} is missing, which may list them")
        told = stated(record)
        if told:
            return told if told.digest == about.digest else None
        digest = record.previous
    return None


def _record(
    own: Mapping[str, Record], documents: Mapping[str, bytes], digest: str
) -> Record | None:
    if digest in own:
        return own[digest]
    data = documents.get(digest)
    if data is None or record_digest(data) != digest:
        return None
    try:
        return Record.from_bytes(data)
    except RecordError:
        return None


def _load(files: Files, documents: Mapping[str, bytes]) -> Manifest | None:
    if files.lines is not None:
        return Manifest.from_lines(files.lines)
    if files.digest is None:
        return None
    manifest = load(files.digest, documents)
    if files.count != len(manifest.entries):
        raise RecordError("files.count", f"is not {len(manifest.entries)}")
    return manifest
