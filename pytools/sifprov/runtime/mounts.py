"""Finds where a partition of a SIF is mounted, by the kernel or by FUSE.

Source of the formats: proc(5) for mountinfo, and the kernel's ABI/testing/sysfs-block-loop.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_OCTAL = re.compile(rb"\\([0-3][0-7]{2})")
_DESCRIPTOR = re.compile(rb"/proc/self/fd/([0-9]{1,9})")


def find_mount(
    path: str,
    offset: int,
    *,
    proc: str = "/proc/self/mountinfo",
    sys: str = "/sys/dev/block",
    processes: str = "/proc",
) -> str | None:
    """Returns the mount point, in this process's namespace, of the partition at `offset` of `path`.

    A FUSE driver is found by its command line, which names the mount point and the file; it is
    given the image's first data partition. None where nothing is mounted here.
    """
    try:
        wanted = os.stat(path)
        lines = Path(proc).read_bytes().splitlines()
    except (OSError, ValueError):
        return None
    for line in reversed(lines):
        # 36 35 7:0 / /mnt rw,noatime shared:1 - ext3 /dev/loop0 rw
        fields = line.split(b" ")
        if len(fields) < 6 or fields[3] != b"/":
            continue
        point = _OCTAL.sub(lambda m: bytes([int(m.group(1), 8)]), fields[4])
        if fields[2].startswith(b"7:"):
            loop = Path(sys, fields[2].decode("ascii", "replace"), "loop")
            if _loop_is(loop, wanted, offset):
                return os.fsdecode(point)
        elif b" - fuse" in line and _fuse_is(point, wanted, processes):
            return os.fsdecode(point)
    return None


def _loop_is(loop: Path, wanted: os.stat_result, offset: int) -> bool:
    try:
        at = int((loop / "offset").read_text())
        backing = os.stat((loop / "backing_file").read_bytes().rstrip(b"\n"))
    except (OSError, ValueError):
        return False
    return at == offset and os.path.samestat(backing, wanted)


def _fuse_is(point: bytes, wanted: os.stat_result, processes: str) -> bool:
    """Whether a process that mounts at `point` (`fuse2fs … /proc/self/fd/3 POINT`) has the file."""
    for process, words in _commands(processes):
        if point not in words:
            continue
        for word in words:
            match = _DESCRIPTOR.fullmatch(word)
            place = os.path.join(process, "fd", match.group(1).decode()) if match else word
            try:
                if os.path.samestat(os.stat(place), wanted):
                    return True
            except (OSError, ValueError):
                continue
    return False


def _commands(processes: str) -> Iterator[tuple[str, list[bytes]]]:
    for name in os.listdir(processes):
        if name.isdigit():
            process = os.path.join(processes, name)
            try:
                with open(os.path.join(process, "cmdline"), "rb") as file:
                    yield process, file.read(65536).split(b"\0")
            except OSError:
                continue  # ended meanwhile
