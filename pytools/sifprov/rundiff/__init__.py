"""What is not the same between two recorded runs, topic by topic."""

from __future__ import annotations

from sifprov.carrier import Carrier, elsewhere, read_carrier, split_reference
from sifprov.errors import NoRecordError
from sifprov.frozen import dataclass
from sifprov.listing import Tree
from sifprov.manifests import manifest_reader
from sifprov.model.annotation import Annotation
from sifprov.model.container import Container
from sifprov.model.record import APPLICATION, INPUT, OUTPUT, Record, Run
from sifprov.model.timestamp import to_ns
from sifprov.rundiff.change import DIFFERS, SAME, SHOWN, UNKNOWN, Change, Topic
from sifprov.rundiff.containers import compare_containers
from sifprov.rundiff.runs import (
    circumstances,
    command_line,
    environment,
    outcome,
    platform,
    resources,
)

__all__ = [
    "DIFFERS", "SAME", "SHOWN", "UNKNOWN", "Change", "Diff", "Recorded", "Topic", "diff_runs",
    "read_run",
]  # fmt: skip


@dataclass(frozen=True)
class Recorded:
    """A recorded run, and what carries its record, at `path` as it was named. `words` are the
    user's, then and later."""

    path: str
    carrier: Carrier
    record: Record
    run: Run
    digest: str
    words: tuple[Annotation, ...]


@dataclass(frozen=True)
class Diff:
    """Two runs, and the topics of their comparison in a fixed order."""

    first: Recorded
    second: Recorded
    topics: tuple[Topic, ...]

    @property
    def same(self) -> bool:
        """Whether all that counts is known to be the same."""
        return all(topic.verdict in (SAME, SHOWN) for topic in self.topics)


def read_run(reference: str, metadata: str = "", *, before: int = 0) -> Recorded:
    """Returns the run that `PATH@ID` names, whose record's id begins so, or of `PATH` the newest
    one, or the one `before` it. Raises FileError, NoRecordError.

    `metadata` names a place that holds records of many.
    """
    path, wanted = split_reference(reference)
    carrier = read_carrier(path, elsewhere(metadata))
    runs = [
        Recorded(
            path, carrier, record, record.run, stored.digest, _words(carrier, record, stored.digest)
        )
        for stored, record in carrier.good
        if record.run and str(record.id).startswith(wanted)
    ]
    runs.sort(key=lambda found: to_ns(found.run.started))
    if len(runs) <= before:
        what = "no recorded run" if not runs else "only one recorded run"
        with_id = f" whose id begins with {wanted}" if wanted else ""
        raise NoRecordError(
            f"{path}: {what}{with_id}", hint="'sifprov trail' shows the records and their ids"
        )
    return runs[-1 - before]


def _words(carrier: Carrier, record: Record, digest: str) -> tuple[Annotation, ...]:
    later = [r for _, r in carrier.good if r.annotates and r.annotates.record == digest]
    return tuple(r.annotation for r in (record, *later) if r.annotation)


def diff_runs(first: Recorded, second: Recorded) -> Diff:
    """Compares two runs."""
    a, b = first.record, second.record
    x, y = first.run, second.run

    def containers(name: str, role: str) -> Topic:
        return compare_containers(name, a.with_role(role), b.with_role(role), trees)

    read_left, read_right = manifest_reader(first.carrier), manifest_reader(second.carrier)

    def trees(one: Container, other: Container) -> tuple[Tree, Tree] | None:
        left, right = read_left(one).manifest, read_right(other).manifest
        return (left.tree, right.tree) if left and right else None

    return Diff(
        first,
        second,
        (
            containers("application", APPLICATION),
            containers("inputs", INPUT),
            command_line(x, y),
            environment(x, y),
            platform(x, y),
            outcome(x, y),
            containers("results", OUTPUT),
            resources(x, y),
            circumstances(a, b, first.words, second.words),
        ),
    )
