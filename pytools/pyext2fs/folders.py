"""The names in a folder of a plain ext3 filesystem, read straight from its blocks.

Each block is full of entries, little endian (linux/fs/ext4/ext4.h, struct ext4_dir_entry_2):

    0 inode u32   4 length of the entry u16   6 length of the name u8   7 type u8   8 name

An entry of inode 0 is unused. An indexed folder is read in the same way: its index stands in
what looks like unused entries.
"""

from __future__ import annotations

import struct

from pyext2fs._inodes import Inodes
from pyext2fs._run import CorruptFilesystem
from pyext2fs._types import Stat

MAX_NAMES = 5_000_000
_HEAD = struct.Struct("<IHB")
_CHUNK = 1 << 20
# Of blocks of 64 KiB, where the whole block's length does not fit into its field.
_WHOLE_BLOCK = (0, 0xFFFF)


def read_folder(inodes: Inodes, folder: Stat) -> dict[bytes, int]:
    """The names of `folder`, without `.` and `..`, and their inodes, in the folder's own order.

    Raises CorruptFilesystem for what the kernel or e2fsck would complain about.
    """
    found: dict[bytes, int] = {}
    size = inodes.superblock.block_size
    done = 0
    for first, begin, count in folder.extents:
        # Blocks behind the folder's end are none of it; a folder has no holes.
        count = min(count, folder.size // size - first)
        if count > 0 and first * size != done:
            raise CorruptFilesystem(f"folder <{folder.ino}>: a part of it is missing")
        for at in range(begin * size, (begin + max(count, 0)) * size, _CHUNK):
            raw = inodes.pread(min(_CHUNK, (begin + count) * size - at), at)
            for block in range(0, len(raw), size):
                _read_block(inodes, folder.ino, raw[block : block + size], found, done == 0)
                done += size
    if not done or done != folder.size:
        raise CorruptFilesystem(f"folder <{folder.ino}>: a part of it is missing")
    return found


def _read_block(
    inodes: Inodes, folder: int, raw: bytes, found: dict[bytes, int], first: bool
) -> None:
    at, number, end = 0, 0, len(raw)
    lowest, highest = inodes.superblock.first_inode, inodes.superblock.inodes_count
    while at < end:
        # The shortest entry takes 12 bytes, so that its head is never cut.
        ino, length, named = _HEAD.unpack_from(raw, at)
        if end == 1 << 16 and length in _WHOLE_BLOCK:
            length = end
        if length < 12 or length % 4 or length < 8 + named or at + length > end:
            raise CorruptFilesystem(f"folder <{folder}>: an entry of {length} bytes")
        name = raw[at + 8 : at + 8 + named]
        at += length
        number += 1
        if not ino or (first and number <= 2 and name == b"." * number):
            continue  # unused; the folder itself and its parent, in this order
        if name in (b"", b".", b"..") or name in found or b"/" in name or b"\0" in name:
            raise CorruptFilesystem(
                f"folder <{folder}>: the name {name!r} is none, or stands twice"
            )
        if not lowest <= ino <= highest or len(found) >= MAX_NAMES:
            raise CorruptFilesystem(f"folder <{folder}>: inode {ino} of {name!r} cannot be")
        found[name] = ino
