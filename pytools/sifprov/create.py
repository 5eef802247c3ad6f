"""Makes data containers: a SIF with one partition, ext3 or squashfs, built in its final place."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from pyext2fs import Ext2fsError, ToolMissing
from sifprov.content import Deadline, Tree
from sifprov.embedded import Lineage
from sifprov.errors import FileError, MissingError, SifprovError
from sifprov.frozen import dataclass
from sifprov.fsbuild import BuildError, Content
from sifprov.model.files import describe, store
from sifprov.model.record import CREATE, INPUT, OUTPUT, Origin, Record
from sifprov.model.timestamp import from_ns
from sifprov.newfile import new_file, syncing
from sifprov.partition import scan_partition
from sifprov.records import append_record
from sifprov.roles import Declaration, check_mount
from sifprov.sidecar import beside
from sifprov.sif import (
    FsType,
    Partition,
    PartType,
    add_partition,
    begin,
    data_offset,
    pack_partition,
)
from sifprov.sif.write import DESCRIPTORS
from sifprov.version import VERSION

EXT3, SQUASHFS = "ext3", "squashfs"
# 1 January 1980: what a reproducible container gives as the present. The tools take 0 for "now".
_FIXED_TIME = 315_532_800
_MAX_TIME = 2**32 - 1
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Made:
    """A new data container: its declaration, its partition's size in bytes, its content."""

    path: str
    uuid: UUID
    declaration: Declaration
    partition: Partition
    tree: Tree


def create_data(
    path: str,
    *,
    mount: str,
    role: str | None = None,
    source: str | None = None,
    free: int = 0,
    partition_size: int | None = None,
    fs: str = EXT3,
    owner: tuple[int, int] | None = None,
    descriptors: int = DESCRIPTORS,
    block_size: int | None = None,
    inodes: int = 0,
    reproducible: bool = False,
    on_step: Callable[[str], None] = lambda text: None,
) -> Made:
    """Makes the data container `path` with the content of the folder `source` under `mount`.

    `free` bytes stay free for what a run writes; `partition_size` is the least size of an ext3
    partition, `inodes` the least number of files and folders that it has room for. The role is
    `input` when there is a source, else `output`, unless given. All files are `owner`'s (user,
    group), by default the caller's. `reproducible`: the same source, as it is named here, gives the
    same bytes. Refuses to overwrite; leaves nothing behind when it fails. Raises FileError,
    MissingError.
    """
    declaration = Declaration(role or (INPUT if source else OUTPUT), check_mount(mount))
    if source is not None and not os.path.isdir(source):
        raise FileError(f"{source}: no such folder")
    if fs == SQUASHFS and (free or source is None):
        raise SifprovError(
            f"{path}: a sealed container cannot be filled later",
            hint="name its content with --from, without --free, or make an ext3 container",
        )
    content = Content(
        mount=declaration.mount,
        source=source,
        owner=owner or (os.getuid(), os.getgid()),
        timestamp=_fixed_time() if reproducible else None,
        free=free,
        least=partition_size or 0,
        block_size=block_size,
        inodes=inodes,
    )
    try:
        with new_file(path) as temporary:
            name = declaration.to_name()
            uuid, partition = make_data(temporary, name, content, fs, descriptors, on_step)
            on_step("reading it back")
            with syncing(temporary):
                tree = scan_partition(temporary, partition, Deadline())
            if source is not None:
                _add_origin(temporary, uuid, source, tree, content.timestamp, mount)
    except ToolMissing as error:
        raise MissingError(str(error)) from error
    except (Ext2fsError, BuildError) as error:
        raise FileError(f"{path}: {error}") from error
    return Made(path, uuid, declaration, partition, tree)


def make_data(
    path: str,
    name: bytes,
    content: Content,
    fs: str,
    descriptors: int,
    on_step: Callable[[str], None],
) -> tuple[UUID, Partition]:
    """Makes a data container of the empty file at `path`; `name` is its partition's, which declares
    what it is for. Raises Ext2fsError, BuildError, MissingError."""
    offset = data_offset(descriptors)
    # Imported here: each costs only whom it serves.
    if fs == SQUASHFS:
        from sifprov.fsbuild.squashfs import build_squashfs

        kind, size = FsType.SQUASHFS, build_squashfs(path, offset, content, on_step)
    else:
        from sifprov.fsbuild.ext3 import build_ext3

        kind, size = FsType.EXT3, build_ext3(path, offset, content, on_step)
    uuid, now = uuid4(), content.timestamp
    if now is None:
        now = time.time_ns() // 10**9
    else:
        on_step("naming it by its content")
        uuid = _uuid_of(path, offset, name)
    begin(path, uuid=uuid, now=now, descriptors=descriptors)
    item = add_partition(
        path,
        name=name,
        size=size,
        extra=pack_partition(kind, PartType.DATA, b"00\0"),
        now=now,
        owner=content.owner,
    )
    return uuid, Partition(item.id, item.offset, item.size, kind)


def _uuid_of(path: str, offset: int, name: bytes) -> UUID:
    """Returns the identity that the partition's bytes and the declaration give a container."""
    hasher = hashlib.sha256(name + b"\0")
    with open(path, "rb", buffering=0) as file:
        file.seek(offset)
        while data := file.read(_CHUNK):
            hasher.update(data)
    return uuid5(NAMESPACE_URL, f"sifprov:container:{hasher.hexdigest()}")


def _add_origin(
    path: str, uuid: UUID, source: str, tree: Tree, fixed: int | None, mount: str
) -> None:
    """Appends the origin record. A reproducible one names the source as the user did, and nothing
    of what runs have written there."""
    given = None
    if fixed is None and os.path.lexists(beside(source)):
        from sifprov.capture.given import folder_given  # only whom it serves pays for it

        given = folder_given(source, tree, mount)
    now = time.time_ns() if fixed is None else fixed * 10**9
    files, manifest = describe(tree)
    own = (store(manifest).to_bytes(),) if manifest else ()
    record = Record(
        id=uuid4() if fixed is None else uuid5(uuid, "origin"),
        container=uuid,
        previous=None,
        recorded=from_ns(now),
        captured_by=CREATE,
        version=VERSION,
        run=None,
        origin=Origin(os.path.abspath(source) if fixed is None else source, tree.digest, files),
        containers=(given[0],) if given else (),
        replays=None,
    )
    lineage = (given[1] if given else Lineage({})).beside(own)
    append_record(path, lambda image, previous: record, now=now // 10**9, lineage=lineage)


def _fixed_time() -> int:
    """Returns the present of a reproducible container, in seconds since 1970."""
    text = os.environ.get("SOURCE_DATE_EPOCH", str(_FIXED_TIME))
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _MAX_TIME:
        raise SifprovError(
            f"SOURCE_DATE_EPOCH is {text!r}",
            hint=f"set it to seconds since 1970, from 1 to {_MAX_TIME}",
        )
    return int(text)
