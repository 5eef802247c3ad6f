"""What a replay is to do, as data. No I/O.

A *state* is a container as it stood behind one of its records; the digest of that record is its
key. A *step* replays one recorded run, which turned states into others.
"""

from __future__ import annotations

from collections.abc import Mapping

from sifprov.content import Tree
from sifprov.frozen import dataclass
from sifprov.model.container import Container
from sifprov.model.record import Origin, Record, Run
from sifprov.runtime.find import Runtime

# By what a container was recognized: its content digest; its UUID alone, where the record has no
# digest or the content is another one now; its name alone, where it is no SIF; the user named it.
BY_DIGEST, BY_UUID, BY_NAME, GIVEN = "digest", "uuid", "name", "given"
# Where it was found.
RECORDED_PATH, BESIDE, SEARCHED, ENVIRONMENT = "recorded-path", "beside", "search", "environment"


@dataclass(frozen=True)
class Found:
    """A recorded container and the file that stands for it now.

    `by` is one of BY_… or GIVEN, `where` one of the places above (GIVEN where the user named it).
    `tree` and `digest` are its content now, as far as it was read. `changed` says in words how its
    content is not the recorded one, `moved` what is at the recorded path instead; `passed` are
    lines about files of the same name or UUID that are something else.
    """

    container: Container
    path: str
    by: str
    where: str
    tree: Tree | None = None
    digest: str | None = None
    changed: str | None = None
    moved: str | None = None
    passed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Made:
    """A recorded container in the state `state`, which an earlier step of the plan makes."""

    container: Container
    state: str


@dataclass(frozen=True)
class Room:
    """What a new container leaves for the run where no original says it: bytes, and how many files.

    It costs next to nothing: what is not written stays a hole.
    """

    free: int = 16 << 30
    files: int = 1 << 20


@dataclass(frozen=True)
class Fresh:
    """An empty container in the layout of the original (`like`, a file that is there; None where it
    is lost: then with `room`)."""

    like: str | None
    room: Room = Room()


@dataclass(frozen=True)
class Kept:
    """The content of an earlier state, all of whose files still stand unchanged in the container at
    `path`; `tree` lists them. The layout is that container's. `untold`: no record tells that state;
    it is what stands there since before the run, by the times of change."""

    path: str
    tree: Tree
    room: Room = Room()
    untold: bool = False


@dataclass(frozen=True)
class Refilled:
    """The content with which `data create --from` began, from that folder, below `mount`: it has
    that digest. The layout is as that of Fresh."""

    origin: Origin
    mount: str
    like: str | None
    room: Room = Room()


@dataclass(frozen=True)
class Copied:
    """The content of a container that was found with the wanted digest. The layout is as that of
    Fresh."""

    found: Found
    like: str | None = None
    room: Room = Room()


@dataclass(frozen=True)
class Continued:
    """A copy of the state `state`, which an earlier step of the plan makes."""

    state: str


Start = Fresh | Kept | Refilled | Copied | Continued


@dataclass(frozen=True)
class Target:
    """One output of a step: `state` is the digest of its record, `record` that record, `container`
    its entry there; `start` what the new container holds when the step begins."""

    container: Container
    state: str
    record: Record
    start: Start


@dataclass(frozen=True)
class Rebuilt:
    """A recorded input that is lost or was changed since, and is made again for one step: `record`
    tells of its making, `start` from what. `state` is a key of that step's own."""

    container: Container
    state: str
    record: Record
    start: Start

    @property
    def target(self) -> Target:
        """The same as what is to be made."""
        return Target(self.container, self.state, self.record, self.start)


@dataclass(frozen=True)
class Step:
    """One recorded run to replay. `key` is its record's id; `run` is the recorded one with the
    user's changes of arguments. The binds follow from `inputs`, `outputs` and `application` when
    their files have names. `changed`: the user changed something in it, or in what it is made from,
    so that another result is no wonder."""

    key: str
    run: Run
    runtime: Runtime
    application: Found
    inputs: tuple[Found | Made | Rebuilt, ...]
    outputs: tuple[Target, ...]
    needs: tuple[str, ...]  # keys of steps
    cwd: str
    changed: bool = False


@dataclass(frozen=True)
class Change:
    """What the user asked to be otherwise than recorded: `what` (`input /Inputs`, `application`,
    `argument 3`), `before`, `after`."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Plan:
    """All steps, each behind those that it needs; the last makes the state `wanted`.

    `original` is the container that is replayed, `wanted` the digest of its replayed record, in
    `records` (all that are at hand, by digest). `metadata` is what takes the records of the replay
    instead of its outputs; empty for nothing.
    """

    original: str
    wanted: str
    steps: tuple[Step, ...]
    records: Mapping[str, Record]
    changes: tuple[Change, ...] = ()
    notes: tuple[str, ...] = ()
    metadata: str = ""

    @property
    def record(self) -> Record:
        """The record that is replayed."""
        return self.records[self.wanted]

    @property
    def last(self) -> Step:
        """The step that makes what is compared with the original."""
        return self.steps[-1]


@dataclass(frozen=True)
class Result:
    """A state as the replay made it: `path` holds the content `tree`, and the record `record`,
    whose digest is `digest`; `place` is what carries that where it is not the container itself
    (`--metadata`). `warning` says where the record waits instead."""

    state: str
    path: str
    tree: Tree
    record: Record
    digest: str
    place: str = ""
    warning: str | None = None


@dataclass(frozen=True)
class Done:
    """A step that was carried out: its outputs in the step's order. `code` is the application's
    exit code as a shell gives it, `seconds` what the run took; `again`: an earlier replay, which
    was interrupted, had done it already."""

    key: str
    code: int
    outputs: tuple[Result, ...]
    argv: tuple[str, ...]
    seconds: float
    again: bool = False


@dataclass(frozen=True)
class Outcome:
    """All steps of a plan, carried out, in the plan's order. `into` is the new container's path, as
    the user is told; what `wanted` holds is there already, or about to be renamed to it."""

    into: str
    done: tuple[Done, ...]

    def result(self, state: str) -> Result:
        """Returns what stands for a state of the plan. Raises KeyError."""
        return {r.state: r for d in self.done for r in d.outputs}[state]
