"""Produces the record of one run.

`begin` when the container starts: it reads every container's identity and hashes what cannot
change any more, while the application runs. `finish` when it has ended: it hashes the writable
containers, decides the roles, and appends the record to every output.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from sifprov import spool
from sifprov.content import Deadline, TooLateError, Tree, image_digest, scan_folder
from sifprov.errors import FileError, SifprovError
from sifprov.identity import Identity, describe, identify
from sifprov.model.record import (
    APPLICATION,
    INPUT,
    NOT_STARTED,
    OUTPUT,
    UNKNOWN,
    Container,
    Record,
    Replay,
    Run,
)
from sifprov.model.redact import redact, redact_text, secret_name
from sifprov.model.request import Bind, CaptureEnd, CaptureRequest
from sifprov.model.timestamp import from_ns, to_ns
from sifprov.partition import scan_partition
from sifprov.records import append_record
from sifprov.runtime.argv import parse
from sifprov.runtime.mounts import find_mount
from sifprov.sif import FsType, Image, open_image
from sifprov.version import VERSION


@dataclass(frozen=True)
class Bound:
    """A data container that a run binds, as the `place`-th. `tree` is its content where that is
    already known."""

    bind: Bind
    place: int
    writable: bool
    identity: Identity
    tree: Tree | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Started:
    """A run that has begun, with what is known of its containers so far."""

    request: CaptureRequest
    application: Container
    data: tuple[Bound, ...]


@dataclass(frozen=True)
class Finished:
    """A run that was recorded: where, and its data containers as they are now."""

    written: tuple[Written, ...]
    data: tuple[Bound, ...]

    def tree_of(self, path: str) -> Tree | None:
        """Returns the content of the data container at `path`, where it could be read."""
        wanted = os.path.realpath(path)
        for bound in self.data:
            if os.path.realpath(bound.identity.path) == wanted:
                return bound.tree
        return None


@dataclass(frozen=True)
class Written:
    """One place where the record of a run now is: `spooled` when the container could not take
    it."""

    path: str
    record: Record
    digest: str | None
    spooled: str | None


def begin(
    request: CaptureRequest, deadline: Deadline, *, trees: Mapping[str, Tree] | None = None
) -> Started:
    """Reads the identity of every container of a run, and the content of the read-only ones.

    `trees` holds, by path, the content of containers that were read just now.
    """
    data = []
    for place, bind in enumerate(request.binds):
        bound = _bound(request, place, bind)
        tree = (trees or {}).get(bound.identity.path)
        if not bound.writable:
            if tree:
                bound = replace(bound, tree=tree)
            else:
                bound = _with_content(bound, deadline, live=False)
        data.append(bound)
    return Started(
        request, _application(os.path.join(request.cwd, request.image), deadline), tuple(data)
    )


def _bound(request: CaptureRequest, place: int, bind: Bind) -> Bound:
    path = os.path.join(request.cwd, bind.source)
    # The runtime's own list has the real path, and knows what it opened for writing.
    for image in request.images:
        if os.path.realpath(path) == os.path.realpath(image.path):
            path, writable = image.path, image.writable
            break
    else:
        writable = not bind.read_only
    identity = identify(path, bind.partition_id)
    # A sealed container cannot be written, however it was bound, and whatever role it declares.
    if identity.partition and identity.partition.fs == FsType.SQUASHFS:
        writable = False
    return Bound(bind, place, writable, identity)


def _application(path: str, deadline: Deadline) -> Container:
    identity = identify(path)
    digest, reason = None, identity.reason
    if identity.system:
        try:
            with open_image(path) as (file, _):
                digest = image_digest(file, identity.system, deadline)
        except TooLateError:
            reason = _too_late()
        except SifprovError as error:
            reason = str(error)
    elif reason is None:
        reason = "no system partition"
    return describe(APPLICATION, identity, digest, reason)


def _too_late() -> str:
    return "not read in the time granted"


def _with_content(bound: Bound, deadline: Deadline, *, live: bool) -> Bound:
    """Reads a data container's content: from its mount, or straight from the partition.

    `live` says that the container is mounted for writing: what the file holds is then not yet
    what was written.
    """
    identity = bound.identity
    if identity.partition is None:
        return replace(bound, reason=identity.reason or "no data partition")
    point = find_mount(identity.path, identity.partition.offset, bound.place) if live else None
    if live and point is None:
        return replace(bound, reason="it was still mounted, where its files could not be read")
    try:
        if point:
            tree = scan_folder(point, deadline)
        else:
            tree = scan_partition(identity.path, identity.partition, deadline)
    except TooLateError:
        return replace(bound, reason=_too_late())
    except (SifprovError, OSError) as error:
        return replace(bound, reason=str(error))
    return replace(bound, tree=tree, reason=None)


def finish(
    started: Started,
    end: CaptureEnd,
    deadline: Deadline,
    *,
    live: bool = False,
    replays: Replay | None = None,
    wants: Callable[[Container], bool] = lambda container: True,
) -> Finished:
    """Writes the record of a run that has ended into each of its outputs.

    `live` says that the runtime still has the containers mounted, in this process's namespace. A
    run that changed no data container is recorded nowhere; of the outputs only those that
    `wants` agrees to get the record. Raises FileError when a record could neither be written
    nor put into the spool.
    """
    # What never started may never have been mounted, and has written nothing.
    live = live and end.outcome != NOT_STARTED
    data = tuple(_after(bound, end, deadline, live=live) for bound in started.data)
    began = to_ns(started.request.started)
    roles = [_role(bound, began) for bound in data]
    if OUTPUT not in roles:
        return Finished((), data)
    containers = tuple(_data_container(b, role) for b, role in zip(data, roles, strict=True))
    record = Record(
        id=uuid4(),
        container=UUID(int=0),
        previous=None,
        recorded=from_ns(time.time_ns()),
        captured_by=started.request.captured_by,
        version=VERSION,
        run=_run(started.request, end),
        origin=None,
        containers=(started.application, *containers),
        replays=replays,
    )
    outputs = [c for c in containers if c.role == OUTPUT and wants(c)]
    written = tuple(deliver(c.path, replace(record, container=c.uuid)) for c in outputs if c.uuid)
    return Finished(written, data)


def _after(bound: Bound, end: CaptureEnd, deadline: Deadline, *, live: bool) -> Bound:
    if not bound.writable:
        return bound
    # Its header may have changed during the run: another program may have written into it.
    identity = identify(bound.identity.path, bound.bind.partition_id)
    bound = replace(bound, identity=identity)
    if end.outcome == UNKNOWN:
        return replace(bound, reason="the runtime was killed; the application may still be writing")
    return _with_content(bound, deadline, live=live)


def _role(bound: Bound, began: int) -> str:
    """The declared role, else what the run did: it is an output when anything in it changed."""
    declared = bound.identity.declaration
    if not bound.writable or bound.identity.uuid is None:
        return INPUT
    if bound.tree and bound.tree.changed_ns >= began:
        return OUTPUT
    if declared:
        return declared.role
    return INPUT if bound.tree else OUTPUT


def _data_container(bound: Bound, role: str) -> Container:
    digest = bound.tree.digest if bound.tree else None
    return replace(
        describe(role, bound.identity, digest, bound.reason),
        mount=bound.bind.destination,
        source=bound.bind.image_src or "/",
        writable=bound.writable,
        read_only_added=bound.bind.read_only_added,
    )


def _run(request: CaptureRequest, end: CaptureEnd) -> Run:
    argv, redacted = redact(request.argv or ())
    command, _ = redact(request.command)
    parsed = parse(request.argv or ())
    action = parsed.action if parsed else "instance" if "instance" in argv[:6] else "unknown"
    started = end.outcome != NOT_STARTED
    return Run(
        action=action,
        argv=argv,
        command=command,
        redacted=redacted,
        cwd=request.cwd,
        started=request.started,
        ended=end.ended,
        outcome=end.outcome,
        exit_code=end.exit_code if started else None,
        signal=end.signal if started else None,
        environment=tuple(
            (name, redact_text(value))
            for name, value in request.environment
            if not secret_name(name)
        ),
        runtime_name=request.runtime_name,
        runtime_version=request.runtime_version,
    )


def deliver(path: str, record: Record) -> Written:
    """Appends `record` to the container at `path`; into the spool when that cannot take it.

    The container must still be the one that the record is for.
    """
    try:
        stored, digest = append_to(path, record)
    except FileError as error:
        spool.save(path, record)
        return Written(path, record, None, str(error))
    return Written(path, stored, digest, None)


def append_to(path: str, record: Record) -> tuple[Record, str]:
    """Appends `record` behind the newest one of the container at `path`. Raises FileError."""

    def build(image: Image, previous: str | None) -> Record:
        uuid = image.header.uuid
        if uuid != record.container:
            raise FileError(f"{path}: this is another container now ({uuid})")
        return replace(record, previous=previous)

    return append_record(path, build, now=time.time_ns() // 1_000_000_000)
