"""Move what stands at the root of a fresh filesystem below new folders, without copying a byte.

`mke2fs -d` can only put a folder's content at the root. To have it below /NAME, the root folder
itself becomes /NAME, and a new folder becomes the root:

    inode 2 (root): ., .., lost+found, a, b        inode 2: ., .., lost+found, NAME
    inode N (new):  ., ..                    ->    inode N: ., .., a, b

So the two inodes swap their contents, and what says "2" inside the moved folder says "N": its own
`.`, and the `..` of each folder in it. debugfs makes N; the rest is a few blocks.

A folder's block holds entries: inode (4 bytes), length of the entry (2), length of the name (1),
type (1), name, padding to 4 bytes. The last one reaches to the end of the block; `.` and `..` come
first.
(Linux, Documentation/filesystems/ext4/directory.rst)
"""

from __future__ import annotations

import itertools
import os
import stat
import struct

from pyext2fs._inodes import ROOT, Inodes, owner, put_owner
from pyext2fs._run import CorruptFilesystem, Ext2fsError, opened
from pyext2fs.debugfs import Debugfs
from pyext2fs.fsck import fsck

_INDEXED = 0x1000
_FOLDER = 2  # type of entry
_TIMES = (slice(8, 20), slice(128, 152))  # atime, ctime, mtime; extra size to crtime extra


def nest(
    path: str | bytes | os.PathLike[str],
    offset: int,
    mount: bytes,
    *,
    own_lost_found: bool = False,
    timestamp: int | None = None,
) -> None:
    """Move the root's content to `mount` (b"/data/in"), in a filesystem that `mkfs` just made.

    The innermost folder keeps the root's mode and times; the others get mode 0755. ext3's own
    lost+found stays at the root, unless `own_lost_found` says that the content has one: it moves
    along, and the root gets a new one. `timestamp` as for `mkfs`. e2fsck has the last word; on an
    error the filesystem is not to be used.
    """
    names = [name for name in mount.split(b"/") if name]
    if not mount.startswith(b"/") or not names or b"\0" in mount:
        raise ValueError(f"not an absolute path below the root: {mount!r}")
    if any(name in (b".", b"..") or len(name) > 255 for name in names) or names[0] == b"lost+found":
        raise ValueError(f"not usable as a folder: {mount!r}")
    with opened(path) as fd:
        root = Inodes(fd, offset).read(ROOT)
        if struct.unpack_from("<I", root, 32)[0] & _INDEXED:
            raise Ext2fsError("the root is an indexed folder: not a fresh filesystem")
    for name in reversed(names):
        _down(path, offset, name, own_lost_found, timestamp)
        own_lost_found = False
    result = fsck(path, offset, "check")
    if result.code:
        raise Ext2fsError(f"e2fsck is not content: {result.output.strip()}", (), result.code)


def _down(
    path: str | bytes | os.PathLike[str],
    offset: int,
    name: bytes,
    move_lost_found: bool,
    timestamp: int | None,
) -> None:
    folders, old_lost_found, made = _new_folders(
        path, offset, 2 if move_lost_found else 1, timestamp
    )
    folder, lost_found = made[0], made[1] if move_lost_found else old_lost_found
    with opened(path, writable=True) as fd:
        inodes = Inodes(fd, offset)
        content, fresh = inodes.read(ROOT), inodes.read(folder)
        moved_block, root_block = _first_block(content), _first_block(fresh)
        # The folders were made in lost+found, which counts them as its own.
        _add_links(inodes, old_lost_found, -len(made))

        block = inodes.read_block(moved_block)
        _set_parent_entry(block, 0, b".", ROOT, folder)
        if not move_lost_found:
            _drop(block, b"lost+found")
            _put_links(content, _links(content) - 1)
        inodes.write_block(moved_block, block)
        for child in folders:
            if child != old_lost_found or move_lost_found:
                _set_parent(inodes, child, ROOT, folder)
        if move_lost_found:
            _set_parent(inodes, lost_found, old_lost_found, ROOT)
            _like(inodes, lost_found, content)

        entries = [(ROOT, b"."), (ROOT, b".."), (lost_found, b"lost+found"), (folder, name)]
        inodes.write_block(root_block, _folder_block(entries, inodes.superblock.block_size))
        struct.pack_into("<H", fresh, 0, stat.S_IFDIR | 0o755)
        put_owner(fresh, *owner(content))
        for part in _TIMES:
            fresh[part] = content[part]
        _put_links(fresh, 4)
        inodes.write(folder, content)
        inodes.write(ROOT, fresh)


def _new_folders(
    path: str | bytes | os.PathLike[str], offset: int, count: int, timestamp: int | None
) -> tuple[list[int], int, list[int]]:
    """The folders at the root; the lost+found among them; `count` new ones without a name."""
    with Debugfs(path, offset, writable=True, timestamp=timestamp) as fs:
        root = [entry for entry in fs.listdir(ROOT) if entry.is_dir]
        lost_found = [entry.ino for entry in root if entry.name == b"lost+found"]
        if not lost_found:
            raise Ext2fsError("no lost+found at the root: not a fresh filesystem")
        # Made in lost+found, which has blocks to spare.
        taken = {entry.name for entry in fs.listdir(lost_found[0])}
        free = (name for n in itertools.count() if (name := f"nest{n}").encode() not in taken)
        names = list(itertools.islice(free, count))
        fs.run(f"cd <{lost_found[0]}>", *(f"mkdir {name}" for name in names))
        made = {entry.name: entry.ino for entry in fs.listdir(lost_found[0])}
        fs.run(*(f"unlink {name}" for name in names))
    return [entry.ino for entry in root], lost_found[0], [made[name.encode()] for name in names]


def _first_block(inode: bytes | bytearray) -> int:
    return int(struct.unpack_from("<I", inode, 40)[0])


def _links(inode: bytes | bytearray) -> int:
    return int(struct.unpack_from("<H", inode, 26)[0])


def _put_links(inode: bytearray, count: int) -> None:
    struct.pack_into("<H", inode, 26, count)


def _add_links(inodes: Inodes, ino: int, count: int) -> None:
    inode = inodes.read(ino)
    _put_links(inode, _links(inode) + count)
    inodes.write(ino, inode)


def _like(inodes: Inodes, ino: int, model: bytes | bytearray) -> None:
    """Owner and times of `model`, so that they do not depend on when this ran."""
    inode = inodes.read(ino)
    put_owner(inode, *owner(model))
    for part in _TIMES:
        inode[part] = model[part]
    inodes.write(ino, inode)


def _set_parent(inodes: Inodes, ino: int, old: int, new: int) -> None:
    number = _first_block(inodes.read(ino))
    block = inodes.read_block(number)
    _set_parent_entry(block, 12, b"..", old, new)
    inodes.write_block(number, block)


def _set_parent_entry(block: bytearray, at: int, name: bytes, old: int, new: int) -> None:
    """Change the inode of the entry `.` or `..`, which must be where it always is."""
    ino, _length, name_length = struct.unpack_from("<IHB", block, at)
    if ino != old or block[at + 8 : at + 8 + name_length] != name:
        raise CorruptFilesystem(f"a folder whose {name.decode()} is not where it belongs")
    struct.pack_into("<I", block, at, new)


def _drop(block: bytearray, name: bytes) -> None:
    """Remove an entry: the one before it takes over its bytes."""
    previous, at = 0, 0
    while at < len(block):
        _ino, length, name_length = struct.unpack_from("<IHB", block, at)
        if length < 8 or length % 4 or at + length > len(block):
            raise CorruptFilesystem("a folder whose entries do not fit its block")
        if at and block[at + 8 : at + 8 + name_length] == name:
            before = struct.unpack_from("<H", block, previous + 4)[0]
            struct.pack_into("<H", block, previous + 4, before + length)
            return
        previous, at = at, at + length
    raise CorruptFilesystem(f"no {name.decode()} in the folder's first block")


def _folder_block(entries: list[tuple[int, bytes]], size: int) -> bytes:
    block = bytearray(size)
    at = 0
    for n, (ino, name) in enumerate(entries):
        length = 8 + (len(name) + 3) // 4 * 4 if n < len(entries) - 1 else size - at
        struct.pack_into("<IHBB", block, at, ino, length, len(name), _FOLDER)
        block[at + 8 : at + 8 + len(name)] = name
        at += length
    return bytes(block)
