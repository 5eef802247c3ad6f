"""The layout of a container: what a new one has in common with the one whose place it takes."""

from __future__ import annotations

import os
import stat
from contextlib import suppress

from pyext2fs import Ext2fsError
from pyext2fs.sizing import RESERVED_INODES
from pyext2fs.superblock import read_superblock
from sifprov.errors import FileError, SifprovError
from sifprov.filesystem.opening import open_filesystem
from sifprov.frozen import dataclass
from sifprov.identity import identify
from sifprov.model.container import OUTPUT, Container
from sifprov.replay.steps import Room
from sifprov.roles import MAX_MOUNT, Declaration, parse_declaration
from sifprov.sif import FsType, data_partition, find_partition, open_image
from sifprov.sif.write import DESCRIPTORS

# A file system of which less than one part of so many is free may have been trimmed since the run,
# which then had more room.
_FULL = 16
_BLOCKS = (1024, 2048, 4096)
_MODE = 0o755


@dataclass(frozen=True)
class Layout:
    """`name` is the partition's, which declares what it is for; `descriptors` for how many objects
    the table has room. Sizes in bytes: the partition has at least `size`, and `free` of it free;
    `inodes` are its files and folders."""

    name: bytes
    descriptors: int
    size: int
    free: int
    inodes: int
    block_size: int | None


def mounts(container: Container, like: str | None) -> tuple[str, ...]:
    """Returns the folders of the container in which its files may stand, the likeliest first."""
    return _plain(_declared_mount(like), container.source, container.mount)


def layout(container: Container, like: str | None, room: Room) -> Layout:
    """Returns the layout of the container `like`; without one, what `container` needs, with `room`.

    Raises FileError.
    """
    if like is None:
        name = _name_for(next(iter(_plain(container.source)), None))
        return Layout(name, DESCRIPTORS, 0, room.free, room.files, None)
    with open_image(like) as (file, image):
        partition, item = find_partition(image), data_partition(image)
        if partition is None or item is None:
            raise FileError(f"{like}: no data partition")
        declared = parse_declaration(item.name)
        # Whatever it was declared to be: it is written to.
        name = _name_for(declared.mount) if declared else item.name.split(b"\0", 1)[0]
        slots = image.header.dtotal
        if partition.fs != FsType.EXT3:
            return Layout(name, slots, 0, room.free, room.files, None)
        try:
            found = read_superblock(file.fileno(), partition.offset)
        except Ext2fsError as error:
            raise FileError(f"{like}: {error}") from error
    blocks, inodes = found.blocks_count // _FULL, found.inodes_count // _FULL
    full = found.free_blocks < blocks or found.free_inodes < inodes
    return Layout(
        name,
        slots,
        partition.size,
        partition.size if full else 0,
        found.inodes_count * (2 if full else 1) - RESERVED_INODES,
        found.block_size if found.block_size in _BLOCKS else None,
    )


def make_folders(top: str, container: Container, like: str | None) -> None:
    """Makes in the empty folder `top` the folders that an empty container has: the declared one and
    the one that the run binds, and gives them and `top` the modes that they have in `like`. Raises
    OSError."""
    made: dict[bytes, None] = {b"": None}
    for mount in _plain(_declared_mount(like), container.source):
        parts = [os.fsencode(p) for p in mount.split("/") if p]
        for path in (b"/".join(parts[: n + 1]) for n in range(len(parts))):
            if path not in made:
                os.mkdir(os.path.join(os.fsencode(top), path))
            made[path] = None
    modes = _modes(like, list(made)) if like else {}
    for path in made:
        os.chmod(os.path.join(os.fsencode(top), path), modes.get(path, _MODE))


def _modes(like: str, paths: list[bytes]) -> dict[bytes, int]:
    """The modes of those folders that a container has; whatever they are, ours can be entered."""
    found: dict[bytes, int] = {}
    partition = identify(like).partition
    with suppress(SifprovError, OSError):
        if partition:
            with open_filesystem(like, partition) as fs:
                for path in paths:
                    node = fs.lookup(path, follow=False)
                    if node.is_dir:
                        found[path] = stat.S_IMODE(node.mode) & 0o1777 | 0o700
    return found


def _declared_mount(like: str | None) -> str | None:
    declared = identify(like).declaration if like else None
    return declared.mount if declared else None


def _name_for(mount: str | None) -> bytes:
    return Declaration(OUTPUT, mount).to_name() if mount else b"data"


def _plain(*mounts: str | None) -> tuple[str, ...]:
    """Those of the folders that a new container may have, in their plain form; the root is none."""
    plain = ("/" + "/".join(p for p in m.split("/") if p) for m in mounts if m)
    return tuple(dict.fromkeys(m for m in plain if m != "/" and _is_usable(m)))


def _is_usable(mount: str) -> bool:
    parts = mount.strip("/").split("/")
    return (
        len(os.fsencode(mount)) <= MAX_MOUNT
        and not any(p in (".", "..") or "\0" in p for p in parts)
        and parts[0] != "lost+found"
    )
