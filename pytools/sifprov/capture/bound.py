"""The containers of a run: who they are, what is in them, what part they played."""

from __future__ import annotations

import os

from sifprov.content import Deadline, Known, TooLateError, Tree
from sifprov.digestcache import SKIPPED, DigestCache
from sifprov.errors import SifprovError
from sifprov.frozen import dataclass, replace
from sifprov.identity import Identity, describe, identify
from sifprov.imagepath import OUTSIDE, Verdict, check_mounted, check_source
from sifprov.model.record import (
    APPLICATION,
    CHANGED_OUTSIDE,
    INPUT,
    MARKS,
    NOT_STARTED,
    OUTPUT,
    PROVISIONAL,
    UNKNOWN,
    Container,
)
from sifprov.model.redact import redact_text
from sifprov.model.request import Bind, CaptureEnd, CaptureRequest
from sifprov.runtime.mounts import find_mount
from sifprov.sif import FsType
from sifprov.survivors import after_the_run, named, still_held


@dataclass(frozen=True)
class Bound:
    """A data container that a run binds, as the `place`-th. `tree` is its content where that is
    already known, `led` where its image-src leads, `held` who still writes into it after the run.
    `outside`: its content was changed before the run, by no recorded one."""

    bind: Bind
    place: int
    writable: bool
    identity: Identity
    tree: Tree | Known | None = None
    reason: str | None = None
    led: Verdict | None = None
    held: str | None = None
    outside: bool = False

    @property
    def marks(self) -> tuple[str, ...]:
        """What is special about its content, as the record says it."""
        found = {self.led.mark} if self.led else set()
        found |= {PROVISIONAL} if self.held else set()
        found |= {CHANGED_OUTSIDE} if self.outside else set()
        return tuple(mark for mark in MARKS if mark in found)


def bind_containers(request: CaptureRequest) -> list[Bound]:
    """Returns the data containers of a run, in the order of its binds."""
    # The runtime's own list has the real path, and knows what it opened for writing.
    known = {os.path.realpath(image.path): image for image in reversed(request.images)}
    found = []
    for place, bind in enumerate(request.binds):
        path = os.path.join(request.cwd, bind.source)
        image = known.get(os.path.realpath(path))
        path, writable = (image.path, image.writable) if image else (path, not bind.read_only)
        identity = identify(path, bind.partition_id)
        # A sealed container cannot be written, however it was bound, whatever role it declares.
        if identity.partition and identity.partition.fs == FsType.SQUASHFS:
            writable = False
        found.append(Bound(bind, place, writable, identity))
    return found


def application(
    path: str, deadline: Deadline, cache: DigestCache, known: str | None = None
) -> Container:
    """Returns the application at `path` as the record names it; its digest may be `known`."""
    identity = identify(path)
    digest, reason = None, identity.reason
    if identity.system and cache.skips_inputs:
        reason = SKIPPED
    elif identity.system and known:
        digest = known
    elif identity.system:
        try:
            digest = cache.image(path, identity.system, deadline)
        except TooLateError:
            reason = _too_late()
        except SifprovError as error:
            reason = str(error)
    elif reason is None:
        reason = "no system partition"
    found = describe(APPLICATION, identity, digest, reason)
    if "://" not in path:
        return found
    # A remote image, whose address may hold a password.
    return replace(found, name=redact_text(found.name), path=redact_text(found.path))


def _too_late() -> str:
    return "not read in the time granted"


def with_content(
    bound: Bound, deadline: Deadline, cache: DigestCache, *, live: bool, point: str | None = None
) -> Bound:
    """Reads a data container's content: from its mount, or straight from the partition.

    `live` says that the container is mounted for writing, at `point` where that can be seen: what
    the file holds is then not yet what was written.
    """
    identity = bound.identity
    if identity.partition is None:
        return replace(bound, reason=identity.reason or "no data partition")
    if cache.skips_inputs and not bound.writable:
        return replace(bound, reason=SKIPPED)
    if live and point is None:
        return replace(bound, reason="it was still mounted, where its files could not be read")
    try:
        tree: Tree | Known
        if bound.writable:
            tree = cache.changing(identity.path, identity.partition, deadline, mount=point)
        else:
            tree = cache.tree(identity.path, identity.partition, deadline)
    except TooLateError:
        return replace(bound, reason=_too_late())
    except (SifprovError, OSError) as error:
        return replace(bound, reason=str(error))
    return replace(bound, tree=tree, reason=None)


def _led(bound: Bound, point: str | None) -> Verdict:
    """Where the image-src of a run that has ended led.

    To know it then is enough: the application sees only what is below that folder, and cannot
    change the way there; unless that leads back to the container's own root, which is no lie.
    """
    if point:
        return check_mounted(point, bound.bind.image_src)
    return check_source(bound.identity.path, bound.identity.partition, bound.bind.image_src)


def _held(bound: Bound, point: str | None, *, live: bool) -> str | None:
    """Who still writes into the container, although the command of the run has ended."""
    path, partition = bound.identity.path, bound.identity.partition
    if partition is None or (live and point is None):
        return None
    if point is None:
        return still_held(path, partition.offset)
    device = os.stat(point).st_dev
    there = after_the_run(device)
    if there:
        return named(there)
    # Another run's, which the kernel does not know to be on the same file.
    return still_held(path, partition.offset, apart=device)


def after(
    bound: Bound, end: CaptureEnd, deadline: Deadline, cache: DigestCache, *, live: bool
) -> Bound:
    """Returns a container as it is after the run: where image-src led, and what was written."""
    partition = bound.identity.partition
    offset = partition.offset if partition else 0
    point = find_mount(bound.identity.path, offset, bound.place) if live else None
    if end.outcome == NOT_STARTED:
        # It may never have been mounted. Where it is, the partition alone cannot be read.
        live = point is not None
    bound = replace(bound, led=_led(bound, point))
    if not bound.writable:
        return bound
    # Its header may have changed during the run: another program may have written into it.
    identity = identify(bound.identity.path, bound.bind.partition_id)
    if identity.uuid != bound.identity.uuid:
        # The run wrote into what was there at the start: the record is for that one.
        return replace(bound, reason="it was moved, deleted or replaced during the run")
    bound = replace(bound, identity=identity)
    if end.outcome == UNKNOWN:
        return replace(
            bound,
            reason="the runtime was killed; the application may still be writing",
            held="the application",
        )
    held = _held(bound, point, live=live) if end.outcome != NOT_STARTED else None
    bound = replace(with_content(bound, deadline, cache, live=live, point=point), held=held)
    if held and bound.tree is None:
        bound = replace(bound, reason=f"{held} could still write into it, and kept it from us")
    return bound


def role_of(bound: Bound, began: int) -> str:
    """The declared role, else what the run did: it is an output when anything in it changed."""
    declared = bound.identity.declaration
    # What is no data container gets no record, whatever it is bound for.
    if not bound.writable or bound.identity.uuid is None or bound.identity.partition is None:
        return INPUT
    if bound.tree and bound.tree.changed_ns >= began:
        return OUTPUT
    if declared:
        return declared.role
    return INPUT if bound.tree else OUTPUT


def data_container(bound: Bound, role: str) -> Container:
    """Returns the container as the record is to name it."""
    digest, reason = (bound.tree.digest, None) if bound.tree else (None, bound.reason)
    if bound.led and bound.led.kind == OUTSIDE:
        # Its content is not what the application saw in its place.
        digest, reason = None, f"not what the application saw: {bound.led.reason}"
    elif bound.held and digest:
        reason = f"{bound.held} could still write into it when this was read"
    return replace(
        describe(role, bound.identity, digest),
        reason=reason,
        mount=bound.bind.destination,
        source=bound.bind.image_src or "/",
        writable=bound.writable,
        read_only_added=bound.bind.read_only_added,
        marks=bound.marks,
    )


def warning(bound: Bound) -> str | None:
    """Returns what the user must know at once of a container that a run has written."""
    if not bound.held:
        return None
    return (
        f"{bound.identity.path}: {bound.held} can still write into it, so what was recorded is "
        "provisional; end it before another run, or files will be lost"
    )
