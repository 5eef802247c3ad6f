"""On what kind of file system a path is.

By proc(5), mountinfo: `36 35 8:1 / /mnt rw,noatime shared:1 - ext4 /dev/sda1 rw`.
"""

from __future__ import annotations

import os

# Those of a local disk, whose ctime the kernel keeps: nobody can set it, and every write to a file,
# also one through a mapping, changes it.
_WITH_CTIME = frozenset(
    (b"ext2", b"ext3", b"ext4", b"xfs", b"btrfs", b"zfs", b"f2fs", b"bcachefs", b"overlay")
)
# How far back a ctime lies that a further write is sure to change: in the same tick of the clock it
# would not, and fuse2fs counts in seconds.
RACY_NS = 2_000_000_000
# Locks work there too. A write through a mapping changes no ctime on tmpfs.
_LOCAL = _WITH_CTIME | {b"tmpfs"}


def is_local(path: str) -> bool:
    """Whether locks at `path` are the kernel's own, and no other machine writes there."""
    return kind_of(path) in _LOCAL


def has_ctime(path: str) -> bool:
    """Whether a file at `path` cannot change without its ctime."""
    return kind_of(path) in _WITH_CTIME


def changed_since(path: str, since_ns: int) -> bool:
    """Whether a file has a ctime of then or later (ns since 1970); true where that is not known.
    An ext3 image that is mounted for writing gets one: its superblock is written at once."""
    try:
        return os.stat(path).st_ctime_ns >= since_ns
    except OSError:
        return True


def kind_of(path: str, *, proc: str = "/proc/self/mountinfo") -> bytes:
    """Returns the type of the file system that holds `path`; empty where that is not known."""
    try:
        real = os.fsencode(os.path.realpath(path))
        device = os.stat(real).st_dev
        with open(proc, "rb") as file:
            lines = file.read().split(b"\n")
    except OSError:
        return b""
    wanted = f"{os.major(device)}:{os.minor(device)}".encode("ascii")
    # btrfs gives its files other device numbers than its mount: there the deepest mount point
    # counts.
    best, kind = -1, b""
    for line in lines:
        fields, _, source = line.partition(b" - ")
        parts = fields.split(b" ")
        if len(parts) < 5 or not source:
            continue
        if parts[2] == wanted:
            return source.split(b" ")[0]
        point = _plain(parts[4])
        inside = real == point or real.startswith(point.rstrip(b"/") + b"/")
        # The later of two mounts at one place hides the other.
        if inside and len(point) >= best:
            best, kind = len(point), source.split(b" ")[0]
    return kind if kind == b"btrfs" else b""


def _plain(point: bytes) -> bytes:
    for code, byte in ((b"\\040", b" "), (b"\\011", b"\t"), (b"\\012", b"\n"), (b"\\134", b"\\")):
        point = point.replace(code, byte)
    return point
