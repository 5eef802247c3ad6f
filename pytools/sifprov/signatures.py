"""What the signature objects of a container say. Nothing here verifies a signature: that is the
runtime's, which has the keys.

A signature's message (github.com/sylabs/sif/v2, pkg/integrity) stands in it in the clear, between
the lines of an OpenPGP clear-signed text or as the payload of a DSSE envelope:

    {"version": 1, "header": …, "objects":
     [{"relativeId": 0, "descriptorDigest": …, "objectDigest": "sha256:…"}, …]}

`relativeId` counts from the lowest id of the group.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Iterable
from typing import BinaryIO

from sifprov.errors import FormatError
from sifprov.frozen import dataclass
from sifprov.groups import is_ours, signed_groups
from sifprov.model.record import Record
from sifprov.model.timestamp import from_seconds, to_ns
from sifprov.sif import DataType, Descriptor, Image, data_partition, read_object

DATA, RECORDS, OTHER = "data", "records", "other"
_CLEAR, _SIGNATURE = b"-----BEGIN PGP SIGNED MESSAGE-----", b"\n-----BEGIN PGP SIGNATURE-----"
_MAX = 16 * 1024 * 1024
_CHUNK = 1024 * 1024
_HASHES = ("sha256", "sha384", "sha512")


@dataclass(frozen=True)
class Signature:
    """A signature object: its id, the group it speaks of, what that holds (`DATA`, `RECORDS` or
    `OTHER`), and when the signature was made (UTC)."""

    object_id: int
    group: int
    covers: str
    created: str | None


def signatures(image: Image) -> tuple[Signature, ...]:
    """Returns the signatures of groups, in slot order."""
    data = data_partition(image)
    holds = {d.group: RECORDS for d in image.descriptors if is_ours(d)}
    if data:
        holds[data.group] = DATA
    return tuple(
        Signature(d.id, d.linked_group, holds.get(d.linked_group, OTHER), from_seconds(d.created))
        for d in image.select(DataType.SIGNATURE)
        if d.linked_group
    )


def changed_after_signing(image: Image, records: Iterable[tuple[int, Record]]) -> bool:
    """Whether a record tells of a run that wrote into the data partition after it was signed.

    `records` come with the id of their object.
    """
    data = data_partition(image)
    if data is None or data.group not in signed_groups(image) or not data.group:
        return False
    made = [s for s in image.select(DataType.SIGNATURE) if s.linked_group == data.group]
    # The oldest one decides: every one of them must match for the group to be valid.
    first = min(made, key=lambda s: s.created, default=None)
    if first is None:
        return False
    place = {d.id: d.offset for d in image.descriptors}
    for object_id, record in records:
        if record.run is None or record.itself() is None:
            continue
        # Whole seconds are all that SIF knows; within one, what stands behind came later.
        ended = to_ns(record.run.ended or record.recorded) // 1_000_000_000
        behind = place.get(object_id, 0) > first.offset
        if ended > first.created or (ended == first.created and behind):
            return True
    return False


def mismatch(file: BinaryIO, image: Image, group: int) -> Descriptor | None:
    """Returns a signature of `group` that cannot be valid, for its objects are not what it says.

    One whose message cannot be read is taken to be good. Reads all objects of the group.
    """
    objects = [d for d in image.descriptors if d.group == group]
    first = min((d.id for d in objects), default=0)
    for item in image.select(DataType.SIGNATURE):
        if item.linked_group != group:
            continue
        claimed = _claimed(file, item)
        if claimed is None:
            continue
        if claimed.keys() != {d.id - first for d in objects}:
            return item
        if any(_differs(file, d, claimed[d.id - first]) for d in objects):
            return item
    return None


def _claimed(file: BinaryIO, item: Descriptor) -> dict[int, str] | None:
    """Returns the digests of a signature's objects by relative id, None where it tells none."""
    try:
        data = read_object(file, item, limit=_MAX)
        if data.startswith(_CLEAR):
            message = data.partition(b"\n\n")[2].partition(_SIGNATURE)[0]
        else:
            message = base64.b64decode(json.loads(data)["payload"])
        return {
            int(o["relativeId"]): str(o["objectDigest"]) for o in json.loads(message)["objects"]
        }
    except (
        FormatError,
        ValueError,
        LookupError,
        TypeError,
        OverflowError,  # JSON has numbers that are too large for an integer: 1e999
        RecursionError,
        binascii.Error,
    ):
        return None


def _differs(file: BinaryIO, item: Descriptor, claimed: str) -> bool:
    name, _, value = claimed.partition(":")
    if name not in _HASHES:
        return False
    hasher = hashlib.new(name)
    at = item.offset
    while at < item.end:
        data = os.pread(file.fileno(), min(_CHUNK, item.end - at), at)
        if not data:
            return True
        hasher.update(data)
        at += len(data)
    return hasher.hexdigest() != value
