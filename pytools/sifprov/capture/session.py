"""The two halves of a capture: when the container starts, and when it has ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from sifprov.capture.bound import (
    Bound,
    after,
    application,
    bind_container,
    data_container,
    role_of,
    with_content,
)
from sifprov.capture.deliver import Written, deliver
from sifprov.capture.run import describe_run
from sifprov.content import Deadline, Tree
from sifprov.model.record import NOT_STARTED, OUTPUT, Container, Record, Replay
from sifprov.model.request import CaptureEnd, CaptureRequest
from sifprov.model.timestamp import from_ns, to_ns
from sifprov.version import VERSION


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


def begin(
    request: CaptureRequest, deadline: Deadline, *, trees: Mapping[str, Tree] | None = None
) -> Started:
    """Reads the identity of every container of a run, and the content of the read-only ones.

    `trees` holds, by path, the content of containers that were read just now.
    """
    data = []
    for place, bind in enumerate(request.binds):
        bound = bind_container(request, place, bind)
        tree = (trees or {}).get(bound.identity.path)
        if not bound.writable:
            known = replace(bound, tree=tree)
            bound = known if tree else with_content(bound, deadline, live=False)
        data.append(bound)
    return Started(
        request, application(os.path.join(request.cwd, request.image), deadline), tuple(data)
    )


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
    data = tuple(after(bound, end, deadline, live=live) for bound in started.data)
    began = to_ns(started.request.started)
    roles = [role_of(bound, began) for bound in data]
    if OUTPUT not in roles:
        return Finished((), data)
    containers = tuple(data_container(b, role) for b, role in zip(data, roles, strict=True))
    record = Record(
        id=uuid4(),
        container=UUID(int=0),
        previous=None,
        recorded=from_ns(time.time_ns()),
        captured_by=started.request.captured_by,
        version=VERSION,
        run=describe_run(started.request, end),
        origin=None,
        containers=(started.application, *containers),
        replays=replays,
    )
    outputs = [c for c in containers if c.role == OUTPUT and wants(c)]
    written = tuple(deliver(c.path, replace(record, container=c.uuid)) for c in outputs if c.uuid)
    return Finished(written, data)
