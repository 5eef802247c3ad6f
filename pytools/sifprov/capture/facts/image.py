"""What the application container says of itself: its labels, and the definition file that it was
built from. All of it is untrusted text, and bounded."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from sifprov.capture.facts.deffile import entry_point, environment
from sifprov.capture.facts.text import bounded, read_text
from sifprov.errors import SifprovError
from sifprov.model.canonical import Json, loads
from sifprov.model.fact import Fact
from sifprov.model.redact import redact_text, secret_name
from sifprov.model.request import CaptureRequest
from sifprov.sha import sha256
from sifprov.sif import DataType, Image, open_image, read_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_MAX_OBJECT = 1024 * 1024
_MAX_LABELS = 256
_MAX_BASES = 16
# Of the header of a definition file; what else may stand there configures a tool.
_FIELDS = {
    "bootstrap", "from", "stage", "library", "registry", "namespace", "mirrorurl", "osversion",
    "include", "fingerprints",
}  # fmt: skip
_DIGEST = r"@(sha(?:256:[0-9a-f]{64}|512:[0-9a-f]{128}))(?![0-9a-f])"


def application(request: CaptureRequest) -> Fact:
    """Returns the fact `application`."""
    if "://" in os.path.basename(os.path.dirname(request.image)) or "://" in request.image:
        return Fact("application", None, reason="a remote image, which only the runtime has")
    path = os.path.join(request.cwd, request.image)
    if os.path.isdir(path):
        inside = os.path.join(path, ".singularity.d")
        labels = _labels_of(read_text(os.path.join(inside, "labels.json"), _MAX_OBJECT), bare=True)
        definition = read_text(os.path.join(inside, "Singularity"), _MAX_OBJECT)
        return _fact(labels, definition, None, "sandbox")
    try:
        with open_image(path) as (file, image):
            labels, definition = _labels(file, image), _definition(file, image)
            return _fact(labels, definition, _oci_digest(file, image), "objects of the container")
    except SifprovError as error:
        return Fact("application", None, reason=str(error))


def _fact(labels: Mapping[str, str], definition: str, digest: str | None, source: str) -> Fact:
    value: dict[str, Json] = {
        "labels": {n: bounded(redact_text(t)) for n, t in labels.items() if not secret_name(n)}
    }
    if definition:
        found = bases(definition)
        value["bases"] = [{n: bounded(redact_text(t)) for n, t in b.items()} for b in found]
        if script := entry_point(definition):
            value["entry_point"] = bounded(redact_text(script))
        if variables := environment(definition):
            value["environment"] = {n: bounded(redact_text(t)) for n, t in variables.items()}
        raw = definition.encode("utf-8", "surrogateescape")
        value["definition_digest"] = "sha256:" + sha256(raw).hexdigest()
        origin = found[-1].get("from", "") if found else ""
        named = re.search(_DIGEST, origin) if "@sha" in origin else None
        digest = digest or (named.group(1) if named else None)
    digest = digest or labels.get("org.opencontainers.image.base.digest")
    if digest:
        value["source_digest"] = bounded(digest)
    return Fact("application", value, source=source)


def bases(definition: str) -> list[dict[str, str]]:
    """Returns the header fields of each stage of a definition file: what it was built from."""
    found: list[dict[str, str]] = []
    in_header = False
    for line in definition.splitlines():
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        # A stage begins wherever a line says so, as both runtimes take a file apart.
        if name == "bootstrap" and colon:
            if len(found) == _MAX_BASES:
                break
            found.append({})
            in_header = True
        elif line.lstrip().startswith("%"):
            in_header = False
        if in_header and colon and name in _FIELDS:
            found[-1].setdefault(name, value.partition(" #")[0].strip())
    return found


def _definition(file: BinaryIO, image: Image) -> str:
    for item in image.select(DataType.DEFFILE):
        if item.size <= _MAX_OBJECT:
            data = read_object(file, item, limit=_MAX_OBJECT)
            return data.decode("utf-8", "surrogateescape")
    return ""


def _labels(file: BinaryIO, image: Image) -> Mapping[str, str]:
    """The labels stand in a JSON object that the runtime writes for `inspect`."""
    for item in image.select(DataType.JSON):
        if item.size <= _MAX_OBJECT:
            data = read_object(file, item, limit=_MAX_OBJECT)
            found = _labels_of(data.decode("utf-8", "replace"), bare=False)
            if found:
                return found
    for item in image.select(DataType.LABELS):
        if item.size <= _MAX_OBJECT:
            data = read_object(file, item, limit=_MAX_OBJECT)
            return _labels_of(data.decode("utf-8", "replace"), bare=True)
    return {}


def _labels_of(text: str, *, bare: bool) -> Mapping[str, str]:
    """Reads `{"data": {"attributes": {"labels": {…}}}}`, or the innermost object alone."""
    try:
        value: Json = loads(text.encode("utf-8", "surrogateescape"))
    except SifprovError:
        return {}
    for name in () if bare else ("data", "attributes", "labels"):
        value = value.get(name) if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping):
        return {}
    texts = {n: v for n, v in value.items() if isinstance(v, str) and len(n) <= 256}
    return {name: texts[name] for name in sorted(texts)[:_MAX_LABELS]}


def _oci_digest(file: BinaryIO, image: Image) -> str | None:
    """The digest of the manifest that an OCI-SIF's index names."""
    for item in image.select(DataType.OCI_ROOT_INDEX):
        if item.size > _MAX_OBJECT:
            continue
        try:
            index = loads(read_object(file, item, limit=_MAX_OBJECT))
        except SifprovError:
            continue
        manifests = index.get("manifests") if isinstance(index, Mapping) else None
        first = manifests[0] if isinstance(manifests, list) and manifests else None
        digest = first.get("digest") if isinstance(first, Mapping) else None
        if isinstance(digest, str):
            return digest
    return None
