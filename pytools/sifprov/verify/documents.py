"""What stands beside the records: printed output, embedded lineage, lists of files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from typing import BinaryIO

from sifprov.beside import digest_in
from sifprov.embedded import lineage_objects, links, named_lists, read_lineage
from sifprov.errors import FormatError, RecordError
from sifprov.groups import is_log, is_telemetry
from sifprov.manifests import stated
from sifprov.model.canonical import record_digest
from sifprov.model.files import by_key, key_of, load
from sifprov.model.log import Log
from sifprov.model.record import Record
from sifprov.model.telemetry import Telemetry
from sifprov.sif import Descriptor, Image, read_object
from sifprov.terminal import counted
from sifprov.verify.check import Check, Findings, Verdict
from sifprov.verify.reading import check_packed


def check_beside(
    file: BinaryIO, image: Image, records: Collection[Record], found: Findings
) -> None:
    """Whether each log, and each telemetry, that a record names is there, and is one."""
    _check_kind("log", is_log, _check_log, file, image, records, found)
    _check_kind("telemetry", is_telemetry, _check_telemetry, file, image, records, found)


def _check_kind(
    name: str,
    wanted: Callable[[Descriptor], bool],
    check: Callable[[bytes, str, Findings], None],
    file: BinaryIO,
    image: Image,
    records: Collection[Record],
    found: Findings,
) -> None:
    there: dict[str, int] = {}
    for item in filter(wanted, image.descriptors):
        where = f"object {item.id}, a {name}"
        try:
            data = read_object(file, item)
            check(data, where, found)
        except (FormatError, RecordError) as error:
            found.broken(f"{where}: {error}")
            continue
        there[record_digest(data)] = item.id
    named = set()
    for record in records:
        digest = digest_in(record, name)
        if digest and digest not in there:
            found.missing(f"the {name} {digest} of record {record.id}")
        named.add(digest)
    for digest, number in there.items():
        if digest not in named:
            found.good(
                f"object {number} is a {name} that no record names: a crash may have left it"
            )


def _check_log(data: bytes, where: str, found: Findings) -> None:
    if Log.from_bytes(data).to_bytes() != data:
        found.broken(f"{where}: its bytes are not in the canonical form")


def _check_telemetry(data: bytes, where: str, found: Findings) -> None:
    Telemetry.from_bytes(data)
    # What another library has compressed may have other bytes.
    check_packed(data, where, found)


def check_lineage_objects(file: BinaryIO, image: Image, found: Findings) -> None:
    """The form of each object of lineage; whether it can be unpacked is told by who reads it."""
    for item in lineage_objects(image):
        try:
            data = read_lineage(file, item)
            if data:
                check_packed(data, f"object {item.id}", found)
        except (FormatError, RecordError) as error:
            found.broken(f"object {item.id}: {error}")


def check_lineage(
    embedded: Mapping[str, bytes],
    documents: Mapping[str, bytes],
    records: Mapping[str, Record],
    own: Iterable[Record],
    found: Findings,
) -> Check:
    """What is `embedded` against what the records name.

    `records` are all that can be reached by digests from the container's `own` ones, `documents`
    all that are embedded here or in a container that was found.
    """
    lists = by_key(documents.values())
    wanted = dict(_lists(records.values()))
    for digest, record in _lists(own):
        if digest not in lists:
            found.missing(f"the list of files {digest}, which record {record.id} names")
    for digest, record in wanted.items():
        try:
            if digest in lists:
                load(digest, lists)
        except RecordError as error:
            found.broken(f"the list of files {digest}, which record {record.id} names: {error}")
    for digest, name in _unknown(records):
        found.missing(f"the record {digest}, which {name} carried, is neither embedded nor found")
    replayed, their_lists = _replayed(embedded, records.values())
    named = records.keys() | replayed
    _check_unnamed(embedded, named, wanted.keys() | their_lists, lists, found)
    count = sum(1 for d in embedded if d in records)
    text = f"{counted(count, 'record')} of ancestors embedded" if count else "none is embedded"
    return found.check(f"{text}, {counted(len(wanted), 'list')} of files" if wanted else text)


def _check_unnamed(
    embedded: Mapping[str, bytes],
    records: Set[str],
    wanted: Set[str],
    lists: Mapping[str, bytes],
    found: Findings,
) -> None:
    bases = {key[1] for d in wanted if d in lists and (key := key_of(lists[d]))}
    lost = bool(found.texts(Verdict.MISSING))
    for digest, data in embedded.items():
        key = key_of(data)
        if digest in records or (key and (key[0] in wanted or key[0] in bases)):
            continue
        if lost:
            found.broken(f"{digest} is embedded and named by no record: it was changed")
        else:
            # What a record names is written before it, so a crash may leave it alone.
            found.good(f"{digest} is embedded and named by no record")


def _replayed(
    embedded: Mapping[str, bytes], records: Iterable[Record]
) -> tuple[set[str], set[str]]:
    """The digests of what was replayed and of all that led there, and of the lists of files that
    they name: they are embedded, and no part of the trail."""
    found: set[str] = set()
    lists: set[str] = set()
    todo = [record.replays.record for record in records if record.replays]
    while todo:
        digest = todo.pop()
        if digest in embedded and digest not in found:
            found.add(digest)
            todo.extend(links(embedded[digest]))
            lists.update(named_lists(embedded[digest]))
    return found, lists


def _lists(records: Iterable[Record]) -> Iterator[tuple[str, Record]]:
    """The digests of the lists of files that records name, each with one of them."""
    for record in records:
        for about in (stated(record), *record.containers):
            if about and about.files and about.files.digest:
                yield about.files.digest, record


def _unknown(records: Mapping[str, Record]) -> Iterator[tuple[str, str]]:
    """The digests of records that are not at hand, each with the container that carried it."""
    seen = set()
    for record in records.values():
        named = [(c.record, c.name) for c in record.containers]
        for digest, name in (*named, (record.previous, "the same container")):
            if digest and digest not in records and digest not in seen:
                seen.add(digest)
                yield digest, name
