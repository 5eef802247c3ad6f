"""Which records are one activity, and the order of activities. No I/O."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping

from sifprov.frozen import replace
from sifprov.model.container import OUTPUT
from sifprov.model.record import Record
from sifprov.model.timestamp import to_ns

_OF_ONE_RECORD = ("lineage", "log", "telemetry")


def states(records: Mapping[str, Record]) -> dict[str, str | None]:
    """Returns, for each record of words alone, the one before it that tells of content: what
    carries the words is in the state that that one left. None where no record at hand does."""
    found: dict[str, str | None] = {}
    for digest in records:
        passed = []
        at: str | None = digest
        while at is not None and at in records and at not in found and records[at].about:
            passed.append(at)
            at = records[at].previous
        end = found.get(at, at) if at is not None else None
        found.update(dict.fromkeys(passed, end))
    return found


def grouped(records: Mapping[str, Record], *, apart: bool = False) -> dict[str, list[str]]:
    """Returns the digests of the records of each run and making, by its key: the record's id.

    A run has a record in each output, alike but for that. Others of the same id, which only a
    hostile writer makes, get a key of their own, as do all with `apart`.
    """
    groups: dict[str, list[str]] = {}
    for digest, record in records.items():
        if record.about:
            continue
        key = str(record.id)
        if key in groups and (apart or not _alike(record, records[groups[key][0]])):
            key = f"{key}-{digest.rpartition(':')[2]}"
        groups.setdefault(key, []).append(digest)
    for digests in groups.values():
        if len(digests) > 1:
            place = {c.uuid: n for n, c in enumerate(records[digests[0]].containers)}
            digests.sort(key=lambda d: (place.get(records[d].container, len(place)), d))
    return groups


def _alike(one: Record, other: Record) -> bool:
    return _shared(one) == _shared(other)


def _shared(record: Record) -> tuple[object, ...]:
    """What all records of a run have in common. Each lists the files of its own container alone,
    and says what happened to what was to stand beside it."""
    run = record.run
    facts = tuple(f for f in run.facts if f.name not in _OF_ONE_RECORD) if run else ()
    containers = tuple(
        replace(c, files=None) if c.role == OUTPUT and c.files else c for c in record.containers
    )
    return run and replace(run, facts=facts), record.origin, containers


def in_order(
    groups: Mapping[str, list[str]],
    records: Mapping[str, Record],
    needs: Callable[[str], Iterable[str]],
) -> list[str] | None:
    """Returns the keys, each behind those of the records that its own ones need, else by time; None
    where they lead in a circle."""
    of = {digest: key for key, digests in groups.items() for digest in digests}
    after: dict[str, list[str]] = {}
    open_needs = dict.fromkeys(groups, 0)
    for key, digests in groups.items():
        for before in {of[needed] for digest in digests for needed in needs(digest)}:
            after.setdefault(before, []).append(key)
            open_needs[key] += 1
    ready = [(_when(records[groups[k][0]]), k) for k, count in open_needs.items() if not count]
    heapq.heapify(ready)
    result = []
    while ready:
        key = heapq.heappop(ready)[1]
        result.append(key)
        for later in after.get(key, ()):
            open_needs[later] -= 1
            if not open_needs[later]:
                heapq.heappush(ready, (_when(records[groups[later][0]]), later))
    return result if len(result) == len(groups) else None


def _when(record: Record) -> int:
    return to_ns(record.run.started if record.run else record.recorded)
