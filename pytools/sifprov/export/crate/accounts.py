"""Records and what they say beyond a run; users, recorders and where runs were made."""

from __future__ import annotations

from sifprov.export import attributes
from sifprov.export.crate.things import Ref, Things, Value, moment, ours
from sifprov.export.facts import Facts
from sifprov.export.vocabulary import NAMESPACE, by_digest, by_value, text
from sifprov.model.canonical import Json, record_digest
from sifprov.model.graph import Activity
from sifprov.model.record import ANNOTATION, ORIGIN, RUN, VERDICT, Record, Replay, Run

_KINDS = {RUN: "a run", ORIGIN: "a making", ANNOTATION: "words", VERDICT: "a verdict"}


def recorder(things: Things, record: Record) -> Ref:
    """Adds the program that wrote a record."""
    value: Json = {"kind": record.captured_by, "version": record.version}
    return things.add(
        by_value("recorder", value),
        "SoftwareApplication",
        f"sifprov {text(record.captured_by)}",
        {
            "softwareVersion": text(record.version),
            **ours({"captured_by": text(record.captured_by), "version": text(record.version)}),
        },
    )


def user(things: Things, facts: Facts) -> Ref | None:
    """Adds the user of a run, by name and number; None where that is not known."""
    fields = facts.fields("user")
    if not fields:
        return None
    value: Json = {"host": facts.fields("platform").get("host"), "user": {**fields}}
    name = facts.word("user", "name")
    label = text(name) if name else "a user"
    return things.add(by_value("user", value), "Person", label, ours(facts.attributes("user")))


def surroundings(things: Things, run: Run, facts: Facts) -> dict[str, Value]:
    """Adds the runtime, and the machine where that is known; returns how a run refers to them."""
    value = attributes.environment(run, facts)
    shown = {name: text(word) for name, word in value.items() if isinstance(word, str)}
    name = by_value("environment", value)
    runtime = things.add(
        name,
        "SoftwareApplication",
        text(run.runtime_name),
        {"softwareVersion": text(run.runtime_version), **ours(shown)},
    )
    fields = facts.fields("platform")
    if not fields:
        return {"runtime": runtime}
    machine = things.add(
        by_value("partition", {"environment": name, "platform": {**fields}}),
        "Thing",
        text(facts.word("platform", "cpu") or "") or "a machine",
        {
            "additionalType": {"@id": NAMESPACE + "EnvironmentPartition"},
            **ours(facts.attributes("platform", "architecture")),
        },
    )
    return {"runtime": runtime, "machine": machine}


class Records:
    """States records, and what they name and is not at hand by the digest alone."""

    def __init__(self, things: Things) -> None:
        self._things = things
        self._named: dict[str, str | None] = {}

    def add_all(self, activity: Activity, action: Ref) -> None:
        """Adds the records of a run or making, and the words about it that came later."""
        own = activity.digests[0] if activity.digests else None
        if activity.record:
            digest = record_digest(activity.record.to_bytes())
            own = digest if digest in activity.digests else own
        for digest in activity.digests:
            if activity.record and digest == own:
                self.add(digest, activity.record, action)
            else:
                self._bare(digest, "ForeignRecord" if activity.foreign else "Record", None, action)
        for word in activity.words:
            self.add(record_digest(word.to_bytes()), word, action)

    def add(self, digest: str, record: Record, action: Ref | None = None) -> None:
        """Adds a record; `action` is the run or making that it is about."""
        earlier = [self.of(r) for r in (record.about, record.replays) if r]
        if record.previous:
            earlier.append(self._refer(record.previous, None))
        self._things.add(
            by_digest("record", digest),
            "CreativeWork",
            f"record of {_KINDS[record.kind]}",
            {
                "additionalType": {"@id": NAMESPACE + "Record"},
                "about": action,
                "creator": recorder(self._things, record),
                "dateCreated": moment(record.recorded),
                "isBasedOn": earlier,
                **ours(attributes.account(record, digest)),
            },
        )

    def add_loose(self, word: Record) -> None:
        """Adds words about a record that is not at hand."""
        self.add(record_digest(word.to_bytes()), word)

    def of(self, named: Replay) -> Ref:
        """Returns what refers to a record that another one names."""
        return self._refer(named.record, str(named.id))

    def finish(self) -> None:
        """Adds what was named and is not at hand."""
        for digest, id_ in self._named.items():
            self._bare(digest, "Record", id_, None)

    def _refer(self, digest: str, id_: str | None) -> Ref:
        self._named[digest] = self._named.get(digest) or id_
        return {"@id": NAMESPACE + by_digest("record", digest)}

    def _bare(self, digest: str, kind: str, id_: str | None, action: Ref | None) -> None:
        self._things.add(
            by_digest("record", digest),
            "CreativeWork",
            "a record by its digest",
            {
                "additionalType": {"@id": NAMESPACE + kind},
                "about": action,
                **ours({"digest": digest, "id": id_}),
            },
        )


def words(things: Things, activity: Activity) -> list[Ref]:
    """Adds the user's tags and metrics of a run, a value each; returns what refers to them."""
    records = ((activity.record,) if activity.record else ()) + activity.words
    refs = []
    for record in records:
        said = record.annotation
        digest = record_digest(record.to_bytes())
        for kind, pairs in (("tag", said.tags), ("metric", said.metrics)) if said else ():
            for name, value in pairs:
                own: Json = {"name": name, "record": digest}
                told = {"name": text(name), "value": text(value)}
                more = {"additionalType": {"@id": NAMESPACE + kind.capitalize()}}
                refs.append(
                    things.add(by_value(kind, own), "PropertyValue", None, {**told, **more})
                )
    return refs
