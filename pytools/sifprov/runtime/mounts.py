"""Finds where the kernel has mounted a partition of a SIF.

Source of the formats: proc(5) for mountinfo, and the kernel's ABI/testing/sysfs-block-loop.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")


def find_mount(
    path: str, offset: int, *, proc: str = "/proc/self/mountinfo", sys: str = "/sys/dev/block"
) -> str | None:
    """Returns the mount point, in this process's namespace, of the partition at `offset` of `path`.

    None where the kernel has not mounted it here (it may be mounted by FUSE, or not at all).
    """
    try:
        wanted = os.stat(path)
        lines = Path(proc).read_bytes().splitlines()
    except OSError:
        return None
    for line in reversed(lines):
        # 36 35 7:0 / /mnt rw,noatime - ext3 /dev/loop0 rw
        fields = line.split(b" ")
        if len(fields) < 6 or not fields[2].startswith(b"7:") or fields[3] != b"/":
            continue
        loop = Path(sys, fields[2].decode("ascii", "replace"), "loop")
        try:
            at = int((loop / "offset").read_text())
            backing = os.stat((loop / "backing_file").read_bytes().rstrip(b"\n"))
        except (OSError, ValueError):
            continue
        if at == offset and (backing.st_dev, backing.st_ino) == (wanted.st_dev, wanted.st_ino):
            point = _OCTAL.sub(lambda m: bytes([int(m.group(1), 8)]), fields[4])
            return os.fsdecode(point)
    return None
