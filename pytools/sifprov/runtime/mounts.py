"""Finds where a partition of a SIF is mounted, by the kernel or by FUSE.

Source of the formats: proc(5) for mountinfo, and the kernel's ABI/testing/sysfs-block-loop.
"""

from __future__ import annotations

import os
import re

_OCTAL = rb"\\([0-3][0-7]{2})"


def plain(name: bytes) -> bytes:
    """Returns a name out of a mount table without the kernel's escapes, as in `a\\040b`."""
    return re.sub(_OCTAL, lambda m: bytes([int(m[1], 8)]), name) if b"\\" in name else name


def find_mount(
    path: str,
    offset: int,
    place: int | None = None,
    *,
    proc: str = "/proc/self/mountinfo",
    sys: str = "/sys/dev/block",
) -> str | None:
    """Returns the mount point, in this process's namespace, of the partition at `offset` of `path`.

    A kernel mount is found by its loop device. One by FUSE does not tell its file, and the driver
    may hold capabilities that hide its open files from us: it is known by its mount point
    `SESSION/data-images/PLACE`, for the runtimes number the images bound by a run in their order.
    None where nothing is mounted here.
    """
    try:
        wanted = os.stat(path)
        # Not splitlines: the kernel escapes a newline in a name, but no carriage return.
        lines = _read(proc).split(b"\n")
    except (OSError, ValueError):
        return None
    for line in reversed(lines):
        # 36 35 7:0 / /mnt rw,noatime shared:1 - ext3 /dev/loop0 rw
        fields, _, source = line.partition(b" - ")
        number, root, point = (fields.split(b" ") + [b""] * 5)[2:5]
        if root != b"/":
            continue
        if number.startswith(b"7:") and number[2:].isdigit():
            loop = os.path.join(sys, number.decode("ascii"), "loop")
            here = _loop_is(loop, wanted, offset)
        else:
            end = f"/session/data-images/{place}".encode("ascii")
            here = source.startswith(b"fuse") and place is not None and point.endswith(end)
        if here:
            return os.fsdecode(plain(point))
    return None


def _loop_is(loop: str, wanted: os.stat_result, offset: int) -> bool:
    try:
        at = int(_read(f"{loop}/offset"))
        backing = os.stat(_read(f"{loop}/backing_file").rstrip(b"\n"))
    except (OSError, ValueError):
        return False
    return at == offset and os.path.samestat(backing, wanted)


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
