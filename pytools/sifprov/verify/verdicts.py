"""The verdicts of replays against the records that they name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sifprov.errors import RecordError
from sifprov.manifests import stated
from sifprov.model.container import PROVISIONAL
from sifprov.model.record import Record, Replay
from sifprov.model.verdict import Verdict
from sifprov.verify.check import Check, Findings


def check_verdicts(
    own: Iterable[Record], records: Mapping[str, Record], documents: Mapping[str, bytes]
) -> Check | None:
    """Checks the verdicts among a container's `own` records; None where there is none. `records`
    and `documents`, by digest, are where those that they name may be."""
    found, count = Findings("verdict"), 0
    for record in own:
        if record.verdict and record.replays:
            count += 1
            _check(record, record.verdict, record.replays, _Known(records, documents), found)
    return found.check(f"{count} as the records say that they name") if count else None


class _Known:
    """The records at hand."""

    def __init__(self, records: Mapping[str, Record], documents: Mapping[str, bytes]) -> None:
        self._records, self._documents = records, documents

    def get(self, digest: str) -> Record | None:
        if digest in self._records or digest not in self._documents:
            return self._records.get(digest)
        try:
            return Record.from_bytes(self._documents[digest])
        except RecordError:
            return None


def _check(
    record: Record, verdict: Verdict, replays: Replay, known: _Known, found: Findings
) -> None:
    who = f"verdict {record.id}"
    run, replayed = known.get(verdict.run.record), known.get(replays.record)
    if run is None:
        found.missing(f"{who}: the record of the replay, {verdict.run.record}, is not at hand")
    elif run.run is None or run.id != verdict.run.id or run.container != record.container:
        found.broken(f"{who}: {verdict.run.record} is not the record of the replay")
    elif run.replays != replays:
        found.broken(f"{who}: that run replayed another record than {replays.record}")
    elif _told(run) not in (None, verdict.content):
        found.broken(f"{who}: it says that {verdict.content} came out, the record {_told(run)}")
    if replayed is None:
        found.missing(f"{who}: the replayed record, {replays.record}, is not at hand")
    elif replayed.run is None or replayed.id != replays.id:
        found.broken(f"{who}: {replays.record} is not the record of a run with the id {replays.id}")
    elif _told(replayed) not in (None, verdict.original):
        found.good(f"{who}: the original held {verdict.original} then, and not what is recorded")


def _told(record: Record) -> str | None:
    """The content that a record tells for good."""
    about = stated(record)
    it = record.itself()
    return None if about is None or (it and PROVISIONAL in it.marks) else about.digest
