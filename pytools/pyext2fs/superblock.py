"""The superblock: what a filesystem says about itself.

It stands 1024 bytes behind the start of the filesystem, 1024 bytes long, little endian:

    0   inodes   4 blocks   12 free blocks   16 free inodes   20 first data block
    24  log2(block size / 1024)   32 blocks per group   40 inodes per group
    44  mounted at   48 written at   56 magic ef53   58 state   76 revision   84 first inode
    88  inode size   92 compat   96 incompat   100 ro_compat   104 UUID   254 descriptor size
    336 blocks, high half   344 free blocks, high half

(linux/fs/ext4/ext4.h, struct ext4_super_block)
"""

from __future__ import annotations

import os
import struct

from pyext2fs._named import NamedTuple
from pyext2fs._run import CorruptFilesystem, opened

COMPAT_HAS_JOURNAL = 0x4
COMPAT_DIR_INDEX = 0x20
INCOMPAT_FILETYPE = 0x2
INCOMPAT_RECOVER = 0x4
INCOMPAT_64BIT = 0x80
RO_COMPAT_EXT3 = 0x7  # sparse_super, large_file, btree_dir: what ext3 may have
_SIZE = 1024


class Superblock(NamedTuple):
    """Sizes in bytes, counts in blocks or inodes, times in seconds since 1970."""

    block_size: int
    blocks_count: int
    free_blocks: int
    first_data_block: int
    blocks_per_group: int
    inodes_count: int
    free_inodes: int
    inodes_per_group: int
    inode_size: int
    first_inode: int
    state: int
    compat: int
    incompat: int
    ro_compat: int
    descriptor_size: int
    mounted_at: int
    written_at: int
    uuid: bytes

    @property
    def size(self) -> int:
        return self.blocks_count * self.block_size

    @property
    def groups(self) -> int:
        return -(-(self.blocks_count - self.first_data_block) // self.blocks_per_group)

    @property
    def clean(self) -> bool:
        """Unmounted cleanly and without known errors."""
        return self.state & 3 == 1 and not self.needs_recovery

    @property
    def needs_recovery(self) -> bool:
        """The journal holds changes that the filesystem itself does not show yet."""
        return bool(self.incompat & INCOMPAT_RECOVER)

    @property
    def has_journal(self) -> bool:
        return bool(self.compat & COMPAT_HAS_JOURNAL)

    @property
    def plain_ext3(self) -> bool:
        """Nothing but block maps and linear or indexed folders; nothing waits in a journal."""
        return (
            self.incompat & ~INCOMPAT_FILETYPE == 0
            and self.ro_compat & ~RO_COMPAT_EXT3 == 0
            and self.descriptor_size == 32
        )


def superblock(path: str | bytes | os.PathLike[str], offset: int = 0) -> Superblock:
    """Read and check the superblock of the filesystem at `offset` in the file `path`."""
    with opened(path) as fd:
        return read_superblock(fd, offset)


def read_superblock(fd: int, offset: int) -> Superblock:
    raw = os.pread(fd, _SIZE, offset + 1024)
    if len(raw) < _SIZE or raw[56:58] != b"\x53\xef":
        raise CorruptFilesystem(f"no ext2, ext3 or ext4 filesystem at byte {offset}")
    (inodes, blocks, _reserved, free_blocks, free_inodes, first_block, log_size) = (
        struct.unpack_from("<7I", raw, 0)
    )
    blocks_per_group, _clusters, inodes_per_group, mounted_at, written_at = struct.unpack_from(
        "<5I", raw, 32
    )
    (revision,) = struct.unpack_from("<I", raw, 76)
    first_inode, inode_size = (struct.unpack_from("<IH", raw, 84)) if revision else (11, 128)
    compat, incompat, ro_compat = struct.unpack_from("<3I", raw, 92) if revision else (0, 0, 0)
    descriptor_size = 32
    if incompat & INCOMPAT_64BIT:
        (descriptor_size,) = struct.unpack_from("<H", raw, 254)
        blocks |= struct.unpack_from("<I", raw, 0x150)[0] << 32
        free_blocks |= struct.unpack_from("<I", raw, 0x158)[0] << 32
    if log_size > 6:
        raise CorruptFilesystem(f"superblock: block size 1024 << {log_size}")
    block_size = 1024 << log_size
    if inode_size & (inode_size - 1) or not 128 <= inode_size <= block_size:
        raise CorruptFilesystem(f"superblock: inode size {inode_size}")
    if not 0 < blocks_per_group <= 8 * block_size or not 0 < inodes_per_group <= 8 * block_size:
        raise CorruptFilesystem("superblock: blocks or inodes per group")
    if first_block != (1 if block_size == 1024 else 0) or blocks <= first_block:
        raise CorruptFilesystem("superblock: number of blocks")
    found = Superblock(
        block_size=block_size,
        blocks_count=blocks,
        free_blocks=free_blocks,
        first_data_block=first_block,
        blocks_per_group=blocks_per_group,
        inodes_count=inodes,
        free_inodes=free_inodes,
        inodes_per_group=inodes_per_group,
        inode_size=inode_size,
        first_inode=first_inode,
        state=struct.unpack_from("<H", raw, 58)[0],
        compat=compat,
        incompat=incompat,
        ro_compat=ro_compat,
        descriptor_size=descriptor_size,
        mounted_at=mounted_at,
        written_at=written_at,
        uuid=raw[104:120],
    )
    if inodes != found.groups * inodes_per_group:
        raise CorruptFilesystem(f"superblock: {inodes} inodes in {found.groups} groups")
    return found
