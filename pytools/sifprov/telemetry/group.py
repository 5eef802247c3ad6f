"""The container's own control group of version 2: what the kernel counted of all its processes.

A group that the container shares, such as that of a batch job, would count others too, and us.
Sources: cgroups(7), the kernel's admin-guide/cgroup-v2.rst. plugin/cgroup.go asks the same at the
end.
"""

from __future__ import annotations

import os
from contextlib import suppress

ROOT = "/sys/fs/cgroup"


def own_group(pid: int, *, proc: str = "/proc", root: str = ROOT) -> str | None:
    """Returns the folder of the group that counts process `pid` and not us, None for none."""
    theirs, ours = (_path(f"{proc}/{who}/cgroup") for who in (str(pid), "self"))
    # Out of our own namespace, the kernel writes "/../…".
    if not theirs or theirs == "/" or ".." in theirs.split("/"):
        return None
    if f"{ours}/".startswith(f"{theirs}/"):
        return None
    # Beside the first version the second has a folder of its own.
    beside = os.path.join(root, "unified")
    folder = (beside if os.path.isdir(beside) else root) + theirs
    return folder if os.path.exists(f"{folder}/cpu.stat") else None


def _path(file: str) -> str:
    with suppress(OSError):
        for line in _read(file).split(b"\n"):
            if line.startswith(b"0::"):
                return os.fsdecode(line[3:])
    return ""


def read_group(folder: str) -> dict[str, int]:
    """Returns what the group's files tell, by column: those that there are."""
    found: dict[str, int] = {}
    with suppress(OSError, ValueError, LookupError):
        words = dict(line.split() for line in _read(f"{folder}/cpu.stat").splitlines())
        found["user_us"] = int(words[b"user_usec"])
        found["system_us"] = int(words[b"system_usec"])
    for name, column in (("memory.current", "memory_bytes"), ("pids.current", "processes")):
        with suppress(OSError, ValueError):
            found[column] = int(_read(f"{folder}/{name}"))
    with suppress(OSError, ValueError):
        # 8:0 rbytes=90112 wbytes=0 rios=4 … a line for each device
        pairs = [w.split(b"=", 1) for w in _read(f"{folder}/io.stat").split() if b"=" in w]
        for key, column in ((b"rbytes", "storage_read_bytes"), (b"wbytes", "storage_write_bytes")):
            found[column] = sum(int(value) for name, value in pairs if name == key)
    return found


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.read()
