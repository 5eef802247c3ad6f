"""Check and mend a filesystem with e2fsck."""

from __future__ import annotations

import os
from typing import NamedTuple

from pyext2fs._run import Ext2fsError, device, device_at, opened, run

_MODES = {"check": "-fn", "preen": "-fp", "fix": "-fy"}
# Exit code bits of e2fsck(8).
_CORRECTED, _REBOOT, _LEFT = 1, 2, 4


class FsckResult(NamedTuple):
    """`clean`: the filesystem is consistent now. `corrected`: it was not before."""

    clean: bool
    corrected: bool
    code: int
    output: str


def fsck(
    path: str | bytes | os.PathLike[str],
    offset: int = 0,
    mode: str = "check",
    *,
    timeout: float | None = None,
) -> FsckResult:
    """Run e2fsck: "check" changes nothing, "preen" mends what is safe, "fix" answers yes to all.

    A broken filesystem is a result, not an error; Ext2fsError means that e2fsck could not work on
    it at all, as on a file that holds no filesystem.
    """
    if mode not in _MODES:
        raise ValueError(f"mode {mode!r}: one of {', '.join(_MODES)}")
    with opened(path, writable=mode != "check") as fd:
        argv = [_MODES[mode], device_at(fd, offset)]
        code, stdout, stderr = run("e2fsck", argv, fd, ok=range(256), timeout=timeout)
        output = (stdout + stderr).replace(device(fd), os.fsdecode(path))
    if code & ~(_CORRECTED | _REBOOT | _LEFT):
        raise Ext2fsError(f"e2fsck failed ({code}): {output.strip()}", argv, code, stderr)
    return FsckResult(not code & _LEFT, bool(code & _CORRECTED), code, output)
