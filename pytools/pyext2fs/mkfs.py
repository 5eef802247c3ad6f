"""Make an ext3 filesystem that the container runtimes accept, inside a larger file.

SingularityCE and Apptainer mount ext3 with a journal, of the incompatible features only filetype
(recover, meta_bg), of the read-only-compatible ones only sparse_super, large_file and btree_dir.
"""

from __future__ import annotations

import os
import stat
import struct

from pyext2fs._inodes import ROOT, Inodes, copy_mtime_to_atime, put_time
from pyext2fs._run import Ext2fsError, NoSpace, SourceChanged, device, fake_time, opened, run
from pyext2fs.debugfs import Debugfs
from pyext2fs.sizing import INODE_SIZE, RESERVED_INODES, inode_option, journal_size, new_inode, walk

_FEATURES = "none,has_journal,filetype,sparse_super,large_file,dir_index,ext_attr"


def mkfs(
    path: str | bytes | os.PathLike[str],
    *,
    size: int,
    inodes: int,
    free: int = 0,
    offset: int = 0,
    block_size: int = 1024,
    source: str | bytes | os.PathLike[str] | None = None,
    owner: tuple[int, int] | None = None,
    root_mode: int | None = None,
    uuid: str | None = None,
    hash_seed: str | None = None,
    timestamp: int | None = None,
    timeout: float | None = None,
) -> None:
    """Make an ext3 filesystem of `size` bytes at `offset` of the existing file `path`.

    Bytes outside of it are left alone; the file grows, sparsely, where it is too short. `inodes`
    counts files and folders; the reserved ones come on top. `free` says how many of the bytes are
    to be written later, for which the journal is made. `source`: a folder whose content
    is copied to the root, which gets the folder's mode and times; mtimes keep their nanoseconds,
    symbolic links of several names become one link for each. `owner` is the root's owner
    (see `set_owner` for the rest). `root_mode` overrides the root's mode.

    With `uuid`, `hash_seed` and `timestamp` (seconds since 1970) the bytes depend on the input
    alone: every ctime becomes `timestamp`, every atime the file's mtime.

    Raises NoSpace where the content does not fit, SourceChanged where it changed meanwhile,
    Ext2fsError with mke2fs's own words for everything else (a file that cannot be read, a name
    or link target too long).
    """
    if size % block_size or size < 2048 * block_size or offset % 512:
        raise ValueError("size: at least 2048 whole blocks; offset: whole sectors")
    extended = ["nodiscard"]
    extended.append("root_owner={}:{}".format(*(owner or (0, 0))))
    if offset:
        extended.append(f"offset={offset}")
    if hash_seed:
        extended.append(f"hash_seed={hash_seed}")
    argv = ["-q", "-F", "-t", "ext3", "-O", _FEATURES, "-b", str(block_size), "-I", str(INODE_SIZE)]
    argv += ["-N", str(inode_option(inodes + RESERVED_INODES, size, block_size)), "-m", "0"]
    argv += ["-J", f"size={journal_size(block_size, free) >> 20}"]
    if uuid:
        argv += ["-U", uuid]
    with opened(path, writable=True) as fd:
        if os.fstat(fd).st_size < offset + size:
            os.ftruncate(fd, offset + size)
        # Zeros that are there already need not be written: an empty filesystem takes no room.
        if _is_hole(fd, offset, size):
            extended.append("assume_storage_prezeroed=1")
        argv += ["-E", ",".join(extended)]
        before = fingerprint(source) if source is not None else (b"", 0)
        if source is not None:
            argv += ["-d", os.path.abspath(os.fsdecode(source))]
        run(
            "mke2fs",
            [*argv, device(fd), f"{size >> 10}k"],
            fd,
            timeout=timeout,
            env=fake_time(timestamp),
        )
        table = Inodes(fd, offset)
        if source is not None:
            _check_copy(table, source, before)
            _keep_times(path, table, source)
        _finish_root(table, source, root_mode)
        if timestamp is not None:
            _settle_times(table, timestamp)


def _check_copy(
    table: Inodes, source: str | bytes | os.PathLike[str], before: tuple[bytes, int]
) -> None:
    if fingerprint(source) != before:
        raise SourceChanged(f"{os.fsdecode(source)}: changed while it was being copied")
    superblock = table.superblock
    copied = superblock.inodes_count - superblock.free_inodes - RESERVED_INODES
    if copied != before[1]:
        raise Ext2fsError(f"mke2fs copied {copied} files and folders of {before[1]}")


def _is_hole(fd: int, offset: int, size: int) -> bool:
    try:
        return os.lseek(fd, offset, os.SEEK_DATA) >= offset + size
    except OSError:  # ENXIO: no data any more; whatever cannot tell has data everywhere
        return True


def _keep_times(
    path: str | bytes | os.PathLike[str], table: Inodes, source: str | bytes | os.PathLike[str]
) -> None:
    """mke2fs copies only the seconds of times, and of these 32 bits."""
    top = os.fsencode(source)
    times = {
        name[len(top) + 1 :]: info.st_mtime_ns
        for name, info, _names in walk(top)
        if info.st_mtime_ns % 10**9 or not -(2**31) <= info.st_mtime_ns // 10**9 < 2**31
    }
    if not times:
        return
    with Debugfs(path, table.offset) as fs:
        for name, entry in fs.walk():
            if name in times:
                inode = table.read(entry.ino)
                put_time(inode, "mtime", times[name])
                table.write(entry.ino, inode)


def _finish_root(
    table: Inodes, source: str | bytes | os.PathLike[str] | None, mode: int | None
) -> None:
    """mke2fs copies neither the mode nor the times of the source folder itself."""
    if not table.superblock.has_journal:
        raise NoSpace("mke2fs found no room for a journal")
    root = table.read(ROOT)
    if source is not None:
        info = os.stat(source)
        if mode is None:
            mode = stat.S_IMODE(info.st_mode)
        for field, ns in (("mtime", info.st_mtime_ns), ("atime", info.st_atime_ns)):
            put_time(root, field, ns)
    if mode is not None:
        struct.pack_into("<H", root, 0, stat.S_IFDIR | stat.S_IMODE(mode))
    table.write(ROOT, root)


def _settle_times(table: Inodes, timestamp: int) -> None:
    """Leave no time that differs from copy to copy of the same files."""
    for ino in table.used():
        inode = table.read(ino)
        copy_mtime_to_atime(inode)
        put_time(inode, "ctime", timestamp * 10**9)
        table.write(ino, inode)


def fingerprint(source: str | bytes | os.PathLike[str]) -> tuple[bytes, int]:
    """What changes when anything below the folder changes; and its number of new inodes."""
    import hashlib

    digest = hashlib.blake2b()
    seen: set[tuple[int, int]] = set()
    count = -2  # neither the root nor a lost+found of its own takes a new inode
    top = os.fsencode(source)
    count += not stat.S_ISDIR(_mode(top + b"/lost+found"))
    for path, info, _names in walk(top):
        fields = (info.st_dev, info.st_ino, info.st_mode, info.st_size)
        digest.update(path + b"\0%r%r%r" % (fields, info.st_mtime_ns, info.st_ctime_ns))
        count += new_inode(info, seen)
    return digest.digest(), count


def _mode(path: bytes) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0
