"""Checks a statement about a container: who signed it, that it speaks of what the container is now,
and that it says nothing but what the container's records say."""

from __future__ import annotations

import os
from collections.abc import Mapping

from sifprov.carrier import Carrier
from sifprov.content import TooLateError
from sifprov.digestcache import DigestCache
from sifprov.errors import FileError, MissingError, RecordError, SifprovError
from sifprov.export.dsse import PAYLOAD_TYPE, Envelope, read_file, signer
from sifprov.export.intoto import FILE, PREDICATE, STATEMENT, content_digest, statement
from sifprov.export.made import made
from sifprov.export.subject import sha256_now
from sifprov.lineage import build
from sifprov.model.canonical import Json, dumps, loads
from sifprov.placement import CONTAINER
from sifprov.trail import Trail
from sifprov.verify.check import Check, Findings
from sifprov.verify.content import TOO_LATE, read_tree, unreadable

_OURS = "sifprov-"


def check_attestation(
    trail: Trail, path: str, public_key: str | None, cache: DigestCache | None
) -> Check:
    """Checks the statement or signed envelope in the file at `path` against a container, its
    content read as far as `cache` cannot prove it. `public_key` is a PEM file.

    Raises FileError for a file that is neither, MissingError without the library that verifies.
    """
    found = Findings("attestation")
    payload, who = _opened(path, public_key, found)
    try:
        value = loads(payload)
        told = value if isinstance(value, dict) else {}
    except RecordError as error:
        raise FileError(f"{path}: its payload is {error}") from error
    if told.get("_type") != STATEMENT or told.get("predicateType") != PREDICATE:
        found.broken(f"is no statement of type {STATEMENT} with provenance of type {PREDICATE}")
        return found.check("")
    digests = _subject(told)
    _compare_subject(trail.start, digests, cache, found)
    _compare_records(trail, told, digests, found)
    by = f"signed by the key {who[:16]}…" if who else "not signed"
    return found.check(f"{by}; speaks of what is here, and says what its record says")


def _opened(path: str, public_key: str | None, found: Findings) -> tuple[bytes, str | None]:
    """The statement's bytes, and the key that signed them."""
    data = read_file(path)
    try:
        value = loads(data)
        if not isinstance(value, dict):
            raise RecordError("", "not an object")
        if "payload" not in value:
            if public_key:
                found.broken("it is not signed")
            else:
                found.left_out("it is not signed: whoever wrote it may be anybody")
            return data, None
        envelope = Envelope.from_bytes(data)
    except RecordError as error:
        raise FileError(
            f"{path}: neither a statement nor a signed one: {error}",
            hint="'sifprov export --format in-toto' writes one",
        ) from error
    if envelope.type != PAYLOAD_TYPE:
        found.broken(f"what is signed has the type {envelope.type}, not {PAYLOAD_TYPE}")
    if public_key is None:
        found.missing("its signature is not checked: give the key with --public-key")
        return envelope.payload, None
    who = signer(envelope, public_key)
    if who is None:
        found.broken(f"no signature on it is valid and by the key in {public_key}")
    return envelope.payload, who


def _subject(told: Mapping[str, Json]) -> Mapping[str, Json]:
    """The digests of the first subject: we write one."""
    subjects = told.get("subject")
    first = subjects[0] if isinstance(subjects, list) and subjects else None
    digests = first.get("digest") if isinstance(first, Mapping) else None
    return digests if isinstance(digests, Mapping) else {}


def _compare_subject(
    start: Carrier, digests: Mapping[str, Json], cache: DigestCache | None, found: Findings
) -> None:
    known = False
    for name, value in digests.items():
        if name == FILE:
            known = True
            _compare_file(start, value, found)
        elif name.startswith(_OURS):
            known = True
            _compare_content(start, name, value, cache, found)
        else:
            found.left_out(f"its digest {name} is none that is known here")
    if not known:
        found.broken("it names no digest of what it speaks of")


def _compare_file(start: Carrier, claimed: Json, found: Findings) -> None:
    path = start.identity.path
    if start.kind != CONTAINER or not os.path.isfile(path):
        found.missing("it speaks of a file's bytes, and here is none")
        return
    now = sha256_now(path)
    if now == claimed:
        found.good(f"the file has the SHA-256 {now}")
    else:
        found.broken(
            f"the file's SHA-256 is {now}, and it says {claimed}: the file was written to since"
        )


def _compare_content(
    start: Carrier, name: str, claimed: Json, cache: DigestCache | None, found: Findings
) -> None:
    if start.of_many:
        found.missing("here are records of others alone: name the container itself")
        return
    busy = unreadable(start)
    if busy:
        found.missing(f"the content was not read: {busy}")
        return
    try:
        now = read_tree(start, cache).digest
    except TooLateError:
        found.missing(f"the content was {TOO_LATE}")
    except MissingError as error:
        found.missing(f"the content was not read: {error}")
    except (SifprovError, OSError) as error:
        found.broken(f"the content cannot be read: {error}")
    else:
        if content_digest(now).get(name) == claimed:
            found.good(f"the content is {now}")
        else:
            found.broken(
                f"the content is {now} now, and it speaks of {name.removeprefix(_OURS)}:{claimed}"
            )


def _compare_records(
    trail: Trail, told: Mapping[str, Json], digests: Mapping[str, Json], found: Findings
) -> None:
    """Makes the statement again from the record that it names, and compares."""
    id_ = _invocation(told)
    try:
        it = made(build(trail), trail.start.identity.path, id_ or "-", trail.records)
    except SifprovError:
        found.broken(f"no record here has the id that it names: {id_}")
        return
    if str(it.record.id) != id_:
        found.broken(f"no record here has the id that it names: {id_}")
        return
    of_file = digests.get(FILE)
    wanted = statement(it.record, it.entity.name, of_file if isinstance(of_file, str) else None)
    for name in ("buildDefinition", "runDetails"):
        if _part(told, name) != _part(wanted, name):
            found.broken(f"its {name} is not what the record {id_} says")
    if set(told) != set(wanted) or not _same_keys(told, wanted, "predicate"):
        found.broken("it says more or less than its record")
    subjects = told.get("subject")
    if not isinstance(subjects, list) or len(subjects) != 1:
        found.broken("it speaks of more than one thing")
    if dict(digests) != dict(_subject(wanted)):
        found.broken(f"what it speaks of is not what the record {id_} left")


def _same_keys(one: Mapping[str, Json], other: Mapping[str, Json], name: str) -> bool:
    first, second = one.get(name), other.get(name)
    return isinstance(first, Mapping) and isinstance(second, Mapping) and set(first) == set(second)


def _part(told: Mapping[str, Json], name: str) -> bytes:
    """A part of the predicate, in the one form that it has."""
    predicate = told.get("predicate")
    part = predicate.get(name) if isinstance(predicate, Mapping) else None
    try:
        return dumps(part)
    except ValueError:
        return b""


def _invocation(told: Mapping[str, Json]) -> str | None:
    value: Json = told
    for name in ("predicate", "runDetails", "metadata", "invocationId"):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value if isinstance(value, str) else None
