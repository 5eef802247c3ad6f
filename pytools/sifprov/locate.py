"""Finds the containers that a record names, wherever they are now."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from sifprov.content import Deadline, Tree, image_digest
from sifprov.errors import MissingError, SifprovError
from sifprov.frozen import dataclass
from sifprov.identity import Identity, identify
from sifprov.model.record import APPLICATION, INPUT, Container
from sifprov.partition import scan_partition
from sifprov.records import read_records
from sifprov.sif import open_image


@dataclass(frozen=True)
class Found:
    """A recorded container and the file that it is now. `changed` says how its content differs."""

    container: Container
    path: str
    tree: Tree | None
    digest: str | None
    changed: str | None


def digest_now(identity: Identity, role: str) -> tuple[Tree | None, str]:
    """Returns a container's content digest as it is now (with its tree, of data). Raises
    SifprovError."""
    if role == APPLICATION:
        with open_image(identity.path) as (file, _):
            return None, image_digest(file, identity.system, Deadline())
    if identity.partition is None:
        raise SifprovError(f"{identity.path}: {identity.reason or 'no data partition'}")
    tree = scan_partition(identity.path, identity.partition, Deadline())
    return tree, tree.digest


def locate(container: Container, folders: Iterable[str]) -> Found:
    """Finds one container: its UUID and its digest must be the recorded ones.

    Looks at the recorded path, then through `folders`; a container of the recorded name, or one
    that was sealed from the recorded one, counts too when its content has the recorded digest. One
    with the right UUID and another content is returned as `changed`. Raises MissingError.
    """
    folders = tuple(folders)
    changed: Found | None = None
    for path in dict.fromkeys([container.path, *_candidates(folders)]):
        identity = identify(path)
        same_name = identity.name == container.name
        if identity.uuid is None and not (
            same_name and container.uuid is None and os.path.exists(path)
        ):
            continue
        if identity.uuid != container.uuid and not (
            container.digest and (same_name or _is_sealed_copy(identity, container))
        ):
            continue
        found = _check(container, identity)
        if found.changed is None:
            return found
        if identity.uuid == container.uuid:
            changed = changed or found
    if changed:
        return changed
    where = ", ".join(dict.fromkeys([os.path.dirname(container.path), *folders]))
    raise MissingError(
        f"{container.role} container {container.name} ({container.uuid}) is not found in {where}",
        hint="say where it is with --search DIR",
    )


def _is_sealed_copy(identity: Identity, container: Container) -> bool:
    """Whether the container says that it was sealed from the recorded one (docs/formats.md, Sealed
    containers), itself or over several steps. Only a reason to look at its content."""
    if container.uuid is None or identity.partition is None:
        return False
    try:
        with open_image(identity.path) as (file, image):
            records = [s.record for s in read_records(file, image) if s.record]
    except SifprovError:
        return False
    sealed = {identity.uuid}
    for record in reversed(records):
        if record.origin and record.container in sealed:
            sealed |= {c.uuid for c in record.with_role(INPUT)}
    return container.uuid in sealed


def _candidates(folders: Iterable[str]) -> Iterator[str]:
    """Yields the regular files of the folders, themselves and not what is below, by name."""
    for folder in folders:
        try:
            with os.scandir(folder) as entries:
                yield from sorted(e.path for e in entries if e.is_file())
        except OSError as error:
            raise MissingError(f"{folder}: {error.strerror}") from error


def _check(container: Container, identity: Identity) -> Found:
    if container.digest is None:
        return Found(container, identity.path, None, None, None)
    tree, digest = digest_now(identity, container.role)
    changed = None
    if digest != container.digest:
        changed = f"{identity.path}: its content is {digest}, not the recorded {container.digest}"
    return Found(container, identity.path, tree, digest, changed)
