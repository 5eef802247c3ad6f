"""The two halves of a capture: when the container starts, and when it has ended."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Mapping
from functools import partial
from uuid import UUID, uuid4

from sifprov.capture.bound import (
    Bound,
    after,
    application,
    bind_containers,
    data_container,
    role_of,
    warning,
    with_content,
)
from sifprov.capture.deliver import Written, deliver
from sifprov.capture.facts import early
from sifprov.capture.files import Lists, without_others
from sifprov.capture.folders import folder_outputs
from sifprov.capture.late import application_as_it_was, as_it_was
from sifprov.capture.lineage import Source, carried, completed, lineage_of
from sifprov.capture.run import describe_run, word_problems, words_of
from sifprov.changes import changed_outside
from sifprov.content import LARGE, Deadline, Tree
from sifprov.digestcache import DigestCache
from sifprov.embedded import Lineage
from sifprov.errors import FileError
from sifprov.filestore import new_documents
from sifprov.frozen import dataclass, replace
from sifprov.model.environment import asks_for_telemetry
from sifprov.model.fact import Fact
from sifprov.model.record import NOT_STARTED, OUTPUT, UNKNOWN, Container, Record, Replay
from sifprov.model.request import CaptureEnd, CaptureRequest
from sifprov.model.timestamp import from_ns, to_ns
from sifprov.parallel import run_all
from sifprov.placement import Place, metadata_of, place_for
from sifprov.settings import Settings, load_or_default
from sifprov.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sifprov.telemetry.sampler import Sampler


@dataclass(frozen=True)
class Started:
    """A run that has begun, with what is known of its containers so far. `lineage` is what its
    outputs embed, `also` further records for which that is collected, `id` what its records will be
    called."""

    request: CaptureRequest
    application: Container
    data: tuple[Bound, ...]
    settings: Settings
    cache: DigestCache
    facts: tuple[Fact, ...] = ()
    lineage: Lineage = Lineage({})
    also: tuple[Source, ...] = ()
    id: UUID | None = None


@dataclass(frozen=True)
class Finished:
    """A run that was recorded: where, and its data containers as they are now. `warnings` are
    for the user to read at once."""

    written: tuple[Written, ...]
    data: tuple[Bound, ...]
    warnings: tuple[str, ...] = ()

    def tree_of(self, path: str) -> Tree | None:
        """Returns the content of the data container at `path`, where it could be read."""
        wanted = os.path.realpath(path)
        for bound in self.data:
            if os.path.realpath(bound.identity.path) == wanted:
                return bound.tree if isinstance(bound.tree, Tree) else None
        return None


def begin(
    request: CaptureRequest,
    deadline: Deadline,
    *,
    trees: Mapping[str, Tree] | None = None,
    settings: Settings | None = None,
    ahead: bool = False,
    also: tuple[Source, ...] = (),
    image: str | None = None,
) -> Started:
    """Reads the identity of every container of a run, the content of the read-only ones, and what
    they carry of their ancestors.

    `trees` holds, by path, the content of containers that were read just now, `image` the digest of
    the application, if that was; `settings` are by default the user's. `ahead`: what is to be
    written is read too, while the application runs. `also` are records that the run's record will
    name beside those of its containers.
    """
    settings = settings or load_or_default()
    metadata, began = metadata_of(request, settings), to_ns(request.started)
    cache = DigestCache(settings)
    # First of all: what the run itself writes soon hides older changes of the inode tables.
    bounds = [
        replace(b, outside=changed_outside(b.identity, None, began, metadata)) if b.writable else b
        for b in bind_containers(request)
    ]
    path = os.path.join(request.cwd, request.image)

    def read(bound: Bound) -> Bound:
        tree = (trees or {}).get(bound.identity.path)
        if bound.writable:
            return bound
        bound = (
            replace(bound, tree=tree) if tree else with_content(bound, deadline, cache, live=False)
        )
        # What is read long after the run, by a flush, may have been changed since.
        as_then = bound.tree if bound.tree and bound.tree.changed_ns < began else None
        digest = as_then.digest if as_then else None
        outside = changed_outside(bound.identity, digest, began, metadata)
        return replace(bound, outside=outside)

    jobs: list[Callable[[], Bound | Container | Lineage]] = [
        partial(lineage_of, bounds, metadata, also, deadline),
        partial(application, path, deadline, cache, image),
        *(partial(read, bound) for bound in bounds),
    ]
    # Side by side where there is much to read: threads get in each other's way else.
    size = sum(map(_size, (path, *(b.identity.path for b in bounds if not b.writable))))
    results = run_all(jobs, threads=None if size >= LARGE else 1)
    (lineage,) = (r for r in results if isinstance(r, Lineage))
    (app,) = (r for r in results if isinstance(r, Container))
    data = [r for r in results if isinstance(r, Bound)]
    cache.save()
    for bound in data:
        partition = bound.identity.partition
        if ahead and bound.writable and partition:
            cache.ahead(bound.identity.path, partition, deadline, began)
    facts = early(request, host=settings.host)
    ident = request.id or uuid4()
    return Started(request, app, tuple(data), settings, cache, facts, lineage, also, ident)


def finish(
    started: Started,
    end: CaptureEnd,
    deadline: Deadline,
    *,
    live: bool = False,
    replays: Callable[[UUID], Replay | None] = lambda uuid: None,
    late: bool = False,
    sampler: Sampler | None = None,
) -> Finished:
    """Writes the record of a run that has ended into each of its outputs.

    `live` says that the runtime still has the containers mounted, in this process's namespace. A
    run that changed no data container is recorded nowhere, nor one that the runtime refused.
    `replays` tells of an output which record this one replays.
    `sampler` has measured what the run used, where that was wanted.
    `late`: the record is made long after the run, which may have been recorded already; content
    that changed since is not taken for the run's. A record that cannot be written raises nothing:
    `written` says so. Raises FileError for an output that is gone and was never read.
    """
    request, app = started.request, started.application
    names = request.names(end) if request.names else {}
    began = to_ns(request.started)
    if end.refused:
        return Finished((), started.data)
    data = tuple(after(bound, end, deadline, started.cache, live=live) for bound in started.data)
    _check_there(data, end)
    if late:
        data = tuple(as_it_was(bound, request, end) for bound in data)
        app = application_as_it_was(app, request)
    roles = [role_of(bound, began) for bound in data]
    metadata = metadata_of(request, started.settings)
    lists = Lists()
    folders = folder_outputs(request, end, metadata, deadline, lists, late=late)
    if OUTPUT not in roles and not folders:
        return Finished((), data)
    bound = (carried(data_container(b, r), metadata) for b, r in zip(data, roles, strict=True))
    containers = tuple(lists.add(c, b.tree) for c, b in zip(bound, data, strict=True)) + folders
    record = Record(
        id=started.id or uuid4(),
        container=UUID(int=0),
        previous=None,
        recorded=from_ns(time.time_ns()),
        captured_by=request.captured_by,
        version=VERSION,
        run=describe_run(_renamed(request, names), end, started.facts, started.settings),
        origin=None,
        containers=tuple(named(c, names) for c in (app, *containers)),
        replays=None,
        annotation=words_of(request),
    )
    kept = request.log() if request.log else b""
    all_of_it = (app, *containers)
    lineage = completed(started.lineage, all_of_it, metadata, started.also, deadline)

    def write(output: Container, uuid: UUID) -> Written:
        place = place_for(output, metadata)
        those = without_others(record.containers, uuid)
        its = replace(record, container=uuid, containers=those, replays=replays(uuid))
        return deliver(
            place,
            _with_beside(its, place, kept, asks_for_telemetry(request.variables), sampler),
            lineage=lineage.beside(new_documents(place, its, lists.manifests)),
            once=late,
            near=os.path.dirname(output.path),
        )

    # A container that is bound twice, which the runtime refuses, gets one record all the same.
    outputs = {c.uuid: c for c in containers if c.role == OUTPUT}
    written = tuple(write(output, uuid) for uuid, output in outputs.items() if uuid)
    # When the runtime was killed there may be nobody to read them.
    told = data if end.outcome != UNKNOWN else ()
    warnings = [text for b in told if (text := warning(b))]
    return Finished(written, data, (*warnings, *word_problems(request)))


def _size(path: str) -> int:
    """How large a file is; a folder, or what is not there, counts as large."""
    try:
        status = os.stat(path)
    except OSError:
        return LARGE
    return status.st_size if stat.S_ISREG(status.st_mode) else LARGE


def named(container: Container, names: Mapping[str, str]) -> Container:
    """Returns a container as it will be called, where its path is one of `names`."""
    path = names.get(container.path)
    return replace(container, path=path, name=os.path.basename(path)) if path else container


def _renamed(request: CaptureRequest, names: Mapping[str, str]) -> CaptureRequest:
    return replace(
        request,
        binds=tuple(replace(b, source=names.get(b.source, b.source)) for b in request.binds),
    )


def _with_beside(
    record: Record, place: Place, log: bytes, asked: bool, sampler: Sampler | None
) -> Record:
    """Keeps output and telemetry where the record will be, and names them there."""
    if record.run is None or not (log or asked or sampler):
        return record
    # Only who wants it pays for it.
    from sifprov.capture import log as logs
    from sifprov.capture import telemetry

    made = [logs.store(place, record.container, log)] if log else []
    if asked or sampler:
        made.append(telemetry.store(place, record.container, sampler))
    found = {f.name: f for f in (*record.run.facts, *made)}
    facts = tuple(found[name] for name in sorted(found))
    return replace(record, run=replace(record.run, facts=facts))


def _check_there(data: tuple[Bound, ...], end: CaptureEnd) -> None:
    """Raises FileError for a container that was gone before anybody could read who it is: the
    request is then kept, for one that only was moved."""
    for bound in data:
        path = bound.identity.path
        known = bound.identity.uuid is not None or end.outcome == NOT_STARTED
        if bound.writable and not known and not os.path.lexists(path):
            raise FileError(
                f"{path}: was moved or deleted before it could be read",
                hint="say where it is now with --search DIR",
            )
