"""Which objects are our records, in which group the next one goes, and what signatures cover.

All by the descriptor table alone. A signature covers a whole group, or, made by an old runtime, one
object; either way its group is closed: one object more or less in it would break the signature.
"""

from __future__ import annotations

from sifprov.sif import DataType, Descriptor, Image
from sifprov.sif.format import GROUP_MASK

OBJECT_NAME = "metadata.json"
BUNDLE_NAME = "metadata.bundle.json"
LOG_NAME = "metadata.log.json"
TELEMETRY_NAME = "metadata.telemetry.json"
LINEAGE_NAME = "metadata.lineage.json"
MAX_GROUP = ~GROUP_MASK & 0xFFFFFFFF


# Every append asks this of every descriptor, so names are compared as they stand there.
_BUNDLE = BUNDLE_NAME.encode("ascii") + b"\0"
_OURS = (OBJECT_NAME.encode("ascii") + b"\0", _BUNDLE)
_LOG = LOG_NAME.encode("ascii") + b"\0"
_TELEMETRY = TELEMETRY_NAME.encode("ascii") + b"\0"
_LINEAGE = LINEAGE_NAME.encode("ascii") + b"\0"
# What may stand in a group of records.
_GROUP = (*_OURS, _LOG, _TELEMETRY, _LINEAGE)


def is_bundle(item: Descriptor) -> bool:
    """Whether an object goes by a bundle's name."""
    return item.name.startswith(_BUNDLE) and item.datatype == DataType.JSON


def is_ours(item: Descriptor) -> bool:
    """Whether an object goes by the name of a record or a bundle; its content has the last word."""
    return item.name.startswith(_OURS) and item.datatype == DataType.JSON


def is_log(item: Descriptor) -> bool:
    """Whether an object goes by the name of an application's output, which a record names."""
    return item.name.startswith(_LOG) and item.datatype == DataType.JSON


def is_telemetry(item: Descriptor) -> bool:
    """Whether an object goes by the name of what a run used over time, which a record names."""
    return item.name.startswith(_TELEMETRY) and item.datatype == DataType.JSON


def is_lineage(item: Descriptor) -> bool:
    """Whether an object goes by the name of what the ancestors' records said (embedded.py)."""
    return item.name.startswith(_LINEAGE) and item.datatype == DataType.JSON


def stands_with_records(item: Descriptor) -> bool:
    """Whether an object goes by any of our names, so that it may stand in a group of records."""
    return item.name.startswith(_GROUP) and item.datatype == DataType.JSON


def by_offset(image: Image) -> list[Descriptor]:
    """Returns the objects that go by our names in the order in which they were written."""
    return sorted(filter(is_ours, image.descriptors), key=lambda d: d.offset)


def signed_groups(image: Image) -> set[int]:
    """Returns the groups that a signature speaks of, 0 where it is an object without a group."""
    signatures = image.select(DataType.SIGNATURE)
    linked = {s.link for s in signatures}
    return {g for s in signatures if (g := s.linked_group) is not None} | {
        d.group for d in image.descriptors if d.id in linked
    }


def open_group(image: Image) -> int:
    """Returns the group of the next record: one of our objects only, and never one that is
    signed."""
    signed = signed_groups(image)
    ours = {d.group for d in image.descriptors if stands_with_records(d)}
    for group in sorted(ours - signed - {0}, reverse=True):
        if all(stands_with_records(d) for d in image.descriptors if d.group == group):
            return group
    # A signature may speak of a group whose last object was deleted.
    taken = {d.group for d in image.descriptors} | signed
    highest = max(taken, default=0)
    if highest < MAX_GROUP:
        return highest + 1
    return next(g for g in range(1, MAX_GROUP) if g not in taken)
