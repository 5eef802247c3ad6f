"""What is not the same between two recorded runs, topic by topic."""

from __future__ import annotations

import os

from sifprov.carrier import Carrier, elsewhere, read_carrier
from sifprov.errors import NoRecordError
from sifprov.frozen import dataclass
from sifprov.model.annotation import Annotation
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
    path, wanted = _split(reference)
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


def _split(reference: str) -> tuple[str, str]:
    """Takes `PATH@ID` apart; a name that holds an @ counts as it is where it is there."""
    path, at, wanted = reference.rpartition("@")
    if at and not os.path.lexists(reference) and os.path.lexists(path):
        return path, wanted.lower()
    return reference, ""


def _words(carrier: Carrier, record: Record, digest: str) -> tuple[Annotation, ...]:
    later = [r for _, r in carrier.good if r.annotates and r.annotates.record == digest]
    return tuple(r.annotation for r in (record, *later) if r.annotation)


def diff_runs(first: Recorded, second: Recorded) -> Diff:
    """Compares two runs."""
    a, b = first.record, second.record
    x, y = first.run, second.run
    return Diff(
        first,
        second,
        (
            compare_containers("application", a.with_role(APPLICATION), b.with_role(APPLICATION)),
            compare_containers("inputs", a.with_role(INPUT), b.with_role(INPUT)),
            command_line(x, y),
            environment(x, y),
            platform(x, y),
            outcome(x, y),
            compare_containers("results", a.with_role(OUTPUT), b.with_role(OUTPUT)),
            resources(x, y),
            circumstances(a, b, first.words, second.words),
        ),
    )
