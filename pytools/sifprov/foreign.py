"""Records of the prototype (see model/foreign.py) in a container: found and read, never written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from sifprov.errors import FormatError, RecordError
from sifprov.frozen import dataclass, replace
from sifprov.model.canonical import loads, record_digest
from sifprov.model.container import APPLICATION, INPUT, Container
from sifprov.model.foreign import Foreign
from sifprov.sif import DataType, Image, read_object

# As the prototype names its objects: that of a container that no run made, and that of an output.
_NAMES = (b"metadata\0", b"metadata.json\0")
# Names and UUIDs of thousands of inputs.
MAX_DOCUMENT = 1024 * 1024


@dataclass(frozen=True)
class StoredForeign:
    """A document of the prototype as it stands in the object `object_id`; `digest` is the SHA-256
    of its bytes (`sha256:HEX`)."""

    object_id: int
    digest: str
    foreign: Foreign


def read_foreign(file: BinaryIO, image: Image) -> tuple[StoredForeign, ...]:
    """Returns the prototype's documents in a container, in the order in which they stand there,
    with what in them contradicts the container's header."""
    found = []
    for item in sorted(image.select(DataType.JSON), key=lambda d: d.offset):
        if not item.name.startswith(_NAMES):
            continue
        try:
            data = read_object(file, item, limit=MAX_DOCUMENT)
            foreign = Foreign.from_json(loads(data))
        except (FormatError, RecordError):
            continue  # a record of ours, or something else that goes by this name
        problems = (*foreign.problems, *_contradictions(foreign, image))
        stored = StoredForeign(item.id, record_digest(data), replace(foreign, problems=problems))
        found.append(stored)
    return tuple(found)


def named_in(foreign: Foreign, path: str) -> Iterator[Container]:
    """Yields the containers that a document names, which stands in the container at `path`: each
    may be found beside it. Their names are those of the files without `.sif`."""
    folder = os.path.dirname(os.path.abspath(path))
    applications = [foreign.application] if foreign.application else []
    for role, several in ((APPLICATION, applications), (INPUT, foreign.inputs)):
        for named in several:
            name = os.path.basename(named.name) + ".sif"
            yield Container(
                role=role, name=name, path=os.path.join(folder, name), uuid=named.uuid,
                created=None, modified=None, mount=None, source=None, writable=False,
                read_only_added=False, digest=None, reason=None, record=None,
            )  # fmt: skip


def _contradictions(foreign: Foreign, image: Image) -> list[str]:
    """What a document says of its own container that the header does not: it may have been copied
    from another, and the prototype has given the application's UUID for the output's."""
    own = image.header.uuid
    claims = {"UUID": foreign.uuid}
    if foreign.output:
        claims["OutputContainer.UUID"] = foreign.output.uuid
    found = []
    for field, uuid in claims.items():
        if uuid and uuid != own:
            application = foreign.application and foreign.application.uuid == uuid
            whose = "the application's" if application else "another container's"
            found.append(f"{field}: is {whose}, not that of this container")
    return found
