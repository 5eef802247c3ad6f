"""The record trail as a graph, in PROV's words: entities are containers as they stood at one time,
activities the runs and makings that turned some into others. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from uuid import UUID

from sifprov.frozen import dataclass
from sifprov.model.foreign import Foreign
from sifprov.model.record import ORIGIN, RUN, Container, Record, Run

DATA, APPLICATION, FOLDER = "data", "application", "folder"
# Where the records come from that tell of an entity.
FOUND, EMBEDDED, MISSING = "found", "embedded", "missing"
FOREIGN_RUN, FOREIGN_MAKING = "foreign-run", "foreign-making"


@dataclass(frozen=True)
class Entity:
    """A container as it stood behind one record, or as a run found it.

    `key` (of `entity_key`) is unique in its graph and the same for the same records. `container` is
    the fullest description that a record gives of it, with `record` as the entity's: the digest of
    the newest record that it carried then. `generated_by` is the key of the activity that made it
    so, `revision_of` that of the same container before; None where no record at hand says so.

    `standing`: FOUND, the container is at `path` and carries that record; EMBEDDED, records at hand
    tell of it and it is not found itself; MISSING, it carried a record that is not at hand either.
    `problem` says what does not fit, such as a found container whose records are other ones.
    """

    key: str
    kind: str
    container: Container
    record: str | None
    generated_by: str | None
    revision_of: str | None
    standing: str
    path: str | None = None
    problem: str | None = None

    @property
    def uuid(self) -> UUID | None:
        """The container's UUID."""
        return self.container.uuid

    @property
    def name(self) -> str:
        """The container's file name."""
        return self.container.name

    @property
    def digest(self) -> str | None:
        """The content digest; None where it was not read."""
        return self.container.digest


def entity_key(container: Container, activity: str = "") -> str:
    """Returns the key of a container that carried the record, else had the content, that is named.

    Where neither is known, two runs that name it cannot be taken to mean the same: `activity`, the
    key of the one that does, tells them apart. A key is made of ASCII letters, digits, `-:#`.
    """
    path = container.path.encode("utf-8", "surrogateescape")
    who = str(container.uuid or "path-" + hashlib.sha256(path).hexdigest()[:32])
    return f"{who}#{container.record or container.digest or 'in:' + activity}"


@dataclass(frozen=True)
class Usage:
    """An entity that an activity used or generated, and how the record names it: role, mount point,
    marks."""

    entity: str
    container: Container


@dataclass(frozen=True)
class Activity:
    """A run, or the making of a data container (`kind` tells).

    `key` is the record's id. A run with several outputs has a record in each: `record` is one of
    them, `digests` are the record digests of those at hand. `used` holds the application first,
    then the inputs in the record's order; `words` the annotations that came later, and of a replay
    its verdict, oldest first.

    What another program recorded has no `record`, but `foreign`; `digests` has the SHA-256 of that
    program's document, of which `key` is the hex. Just one of the two is set.
    """

    key: str
    record: Record | None
    digests: tuple[str, ...]
    used: tuple[Usage, ...]
    generated: tuple[Usage, ...]
    words: tuple[Record, ...] = ()
    foreign: Foreign | None = None

    @property
    def run(self) -> Run | None:
        """How the application was run; None for a making, and for what another program recorded."""
        return self.record.run if self.record else None

    @property
    def kind(self) -> str:
        """RUN, ORIGIN, FOREIGN_RUN or FOREIGN_MAKING."""
        if self.foreign:
            return FOREIGN_RUN if self.foreign.is_run else FOREIGN_MAKING
        return RUN if self.run else ORIGIN


@dataclass(frozen=True)
class Graph:
    """What `targets` (keys of entities, newest first) came from. `problems` tell what was
    left out, such as a loop in hostile records; `words` are annotations and verdicts that are about
    records which are not at hand.

    `activities` come oldest first: each behind all whose entities it used, as far as those are
    known.
    """

    targets: tuple[str, ...]
    entities: Mapping[str, Entity]
    activities: Mapping[str, Activity]
    problems: tuple[str, ...] = ()
    words: tuple[Record, ...] = ()
