"""Finds what stands beside the record of a run, as an object of its own that a fact names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO

from sifprov.carrier import elsewhere, read_carrier
from sifprov.errors import FormatError, NoRecordError, SifprovError
from sifprov.model.canonical import Json, record_digest
from sifprov.model.record import Record
from sifprov.model.timestamp import to_ns
from sifprov.sif import Descriptor, Image, open_image, read_object


def digest_in(record: Record, name: str) -> str | None:
    """Returns the digest that the fact `name` of a run tells, None for none."""
    found = _named(record, name)
    return found if isinstance(found, str) else None


def newest_with(
    path: str, name: str, record: str | None, metadata: str, *, none: str, hint: str
) -> tuple[Record, str, str]:
    """Returns the run whose id begins with `record`, by default the newest one of the container at
    `path`, whose fact `name` names an object; where that stands, and its digest.

    `metadata` names a place that holds records of many. Raises FileError, and NoRecordError, which
    says why there is none, else `none`.
    """
    carrier = read_carrier(path, elsewhere(metadata))
    runs = [
        (to_ns(r.run.started), s.place or path, r, _named(r, name))
        for s, r in carrier.good
        if r.run and str(r.id).startswith((record or "").lower())
    ]
    kept = [found for found in runs if isinstance(found[3], str)]
    if not kept:
        why = next((v for *_, v in reversed(runs) if isinstance(v, SifprovError)), None)
        raise NoRecordError(f"{path}: {why or none}", hint=hint)
    _, place, about, digest = max(kept, key=lambda found: found[0])
    return about, place, str(digest)


def _named(record: Record, name: str) -> str | SifprovError | None:
    """The digest, or why there is none, or None for a run that was not to have one."""
    facts = record.run.facts if record.run else ()
    fact = next((f for f in facts if f.name == name), None)
    if fact is None:
        return None
    value: Json = fact.value.get("digest") if isinstance(fact.value, Mapping) else None
    return value if isinstance(value, str) else SifprovError(f"no {name}: {fact.reason}")


def load_object(path: str, digest: str, wanted: Callable[[Descriptor], bool]) -> bytes | None:
    """Returns the bytes with this digest: what an object says of itself is not believed. None where
    no object has them. Raises FileError."""
    with open_image(path) as (file, image):
        return find_object(file, image, digest, wanted)


def find_object(
    file: BinaryIO, image: Image, digest: str, wanted: Callable[[Descriptor], bool]
) -> bytes | None:
    """As `load_object`, in a file that is open."""
    for item in filter(wanted, image.descriptors):
        try:
            data = read_object(file, item)
        except FormatError:
            continue
        if record_digest(data) == digest:
            return data
    return None
