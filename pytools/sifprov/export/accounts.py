"""The records themselves, and the user's words in them."""

from __future__ import annotations

from sifprov.export import attributes
from sifprov.export.agents import recorder
from sifprov.export.relations import attribute, derive, influence
from sifprov.export.statements import Statements
from sifprov.export.vocabulary import by_digest, by_value, text
from sifprov.model.canonical import record_digest
from sifprov.model.graph import Activity
from sifprov.model.record import Record


def add_records(s: Statements, activity: Activity, name: str) -> None:
    """States the records of an activity, and the words about it that came later."""
    own = activity.digests[0] if activity.digests else None
    if (
        activity.record
        and (digest := record_digest(activity.record.to_bytes())) in activity.digests
    ):
        own = digest
    for digest in activity.digests:
        if activity.record and digest == own:
            _record(s, digest, activity.record)
        else:
            kind = "ForeignRecord" if activity.foreign else "Record"
            s.entity(by_digest("record", digest), kind, None, {"digest": digest})
        influence(s, by_digest("record", digest), name)
    for word in activity.words:
        add_words(s, word)


def add_words(s: Statements, record: Record) -> None:
    """States a record that holds nothing but words about another."""
    _record(s, record_digest(record.to_bytes()), record)


def add_named_records(s: Statements, records: list[Record]) -> None:
    """States what records name and is not at hand, by the digest alone."""
    for record in records:
        for named in (record.replays, record.about):
            if named:
                told = {"digest": named.record, "id": str(named.id)}
                s.entity(by_digest("record", named.record), "Record", None, told)
        if record.previous:
            name = by_digest("record", record.previous)
            s.entity(name, "Record", None, {"digest": record.previous})


def _record(s: Statements, digest: str, record: Record) -> None:
    name = by_digest("record", digest)
    if s.knows(name):
        return
    words = record.annotation
    s.entity(name, "Record", None, attributes.account(record, digest))
    attribute(s, name, recorder(s, record))
    if record.previous:
        derive(s, name, by_digest("record", record.previous))
    if record.about:
        derive(s, name, by_digest("record", record.about.record))
    if record.verdict and record.replays:
        derive(s, name, by_digest("record", record.replays.record))
    for metric, value in words.metrics if words else ():
        number = by_value("metric", {"record": digest, "name": metric})
        label = text(metric)
        s.entity(
            number, "Metric", label, {"name": label, "text": value, "prov:value": float(value)}
        )
        derive(s, number, name)
