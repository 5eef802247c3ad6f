"""The containers of a run: who they are, what is in them, what part they played."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from sifprov.content import Deadline, TooLateError, Tree, image_digest, scan_folder
from sifprov.errors import SifprovError
from sifprov.identity import Identity, describe, identify
from sifprov.imagepath import OUTSIDE, Verdict, check_mounted, check_source
from sifprov.model.record import APPLICATION, INPUT, MARKS, OUTPUT, UNKNOWN, Container
from sifprov.model.request import Bind, CaptureEnd, CaptureRequest
from sifprov.partition import scan_partition
from sifprov.runtime.mounts import find_mount
from sifprov.sif import FsType, open_image


@dataclass(frozen=True)
class Bound:
    """A data container that a run binds, as the `place`-th. `tree` is its content where that is
    already known, `led` where its image-src leads."""

    bind: Bind
    place: int
    writable: bool
    identity: Identity
    tree: Tree | None = None
    reason: str | None = None
    led: Verdict | None = None


def bind_container(request: CaptureRequest, place: int, bind: Bind) -> Bound:
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


def application(path: str, deadline: Deadline) -> Container:
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


def with_content(bound: Bound, deadline: Deadline, *, live: bool) -> Bound:
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


def _led(bound: Bound, *, live: bool) -> Verdict:
    """Where the image-src of a run that has ended led.

    To know it then is enough: the application sees only what is below that folder, and cannot
    change the way there; unless that leads back to the container's own root, which is no lie.
    """
    identity, wanted = bound.identity, bound.bind.image_src
    if live and identity.partition:
        point = find_mount(identity.path, identity.partition.offset, bound.place)
        if point:
            return check_mounted(point, wanted)
    return check_source(identity.path, identity.partition, wanted)


def after(bound: Bound, end: CaptureEnd, deadline: Deadline, *, live: bool) -> Bound:
    bound = replace(bound, led=_led(bound, live=live))
    if not bound.writable:
        return bound
    # Its header may have changed during the run: another program may have written into it.
    identity = identify(bound.identity.path, bound.bind.partition_id)
    if identity.uuid != bound.identity.uuid:
        # The run wrote into what was there at the start: the record is for that one.
        return replace(bound, reason="it was moved, deleted or replaced during the run")
    bound = replace(bound, identity=identity)
    if end.outcome == UNKNOWN:
        return replace(bound, reason="the runtime was killed; the application may still be writing")
    return with_content(bound, deadline, live=live)


def role_of(bound: Bound, began: int) -> str:
    """The declared role, else what the run did: it is an output when anything in it changed."""
    declared = bound.identity.declaration
    if not bound.writable or bound.identity.uuid is None:
        return INPUT
    if bound.tree and bound.tree.changed_ns >= began:
        return OUTPUT
    if declared:
        return declared.role
    return INPUT if bound.tree else OUTPUT


def data_container(bound: Bound, role: str) -> Container:
    marks = {bound.led.mark} if bound.led else set()
    digest, reason = (bound.tree.digest, None) if bound.tree else (None, bound.reason)
    if bound.led and bound.led.kind == OUTSIDE:
        # Its content is not what the application saw in its place.
        digest, reason = None, f"not what the application saw: {bound.led.reason}"
    return replace(
        describe(role, bound.identity, digest, reason),
        mount=bound.bind.destination,
        source=bound.bind.image_src or "/",
        writable=bound.writable,
        read_only_added=bound.bind.read_only_added,
        marks=tuple(mark for mark in MARKS if mark in marks),
    )
