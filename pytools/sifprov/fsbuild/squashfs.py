"""The squashfs partition of a new, sealed container, made by mksquashfs in place.

mksquashfs puts a folder's content at the root. To have it below the mount point, an empty folder is
appended to the finished file system, once for each component: the old root becomes a folder of
the new one (`-root-becomes`). Only tables are written again, no data.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable

from pyext2fs.mkfs import fingerprint
from sifprov.errors import MissingError
from sifprov.fsbuild import BuildError, Content
from sifprov.sif.format import PAGE, align

_QUIET = ("-no-progress", "-quiet", "-no-recovery")
_MAX_TIME = 2**32 - 1


def build_squashfs(path: str, offset: int, content: Content, on_step: Callable[[str], None]) -> int:
    """Makes the file system at `offset` of the file, which is emptied; returns its size in bytes.

    Raises BuildError, MissingError, Ext2fsError (for a folder that cannot be read).
    """
    if content.source is None:
        raise ValueError("a sealed file system cannot be filled later")
    on_step("measuring the content")
    source = os.path.abspath(content.source)
    before = fingerprint(source)
    on_step("building the file system")
    _mksquashfs(path, offset, content, source, "-noappend", "-exit-on-error")
    if fingerprint(source) != before:
        raise BuildError(f"{source}: changed while it was being copied")
    with tempfile.TemporaryDirectory(prefix="sifprov-") as empty:
        for name in reversed(content.folders):
            _mksquashfs(path, offset, content, empty, "-root-becomes", name, "-root-mode", "755")
    size = align(os.stat(path).st_size - offset, PAGE)
    os.truncate(path, offset + size)
    return size


def _mksquashfs(path: str, offset: int, content: Content, folder: str, *options: str) -> None:
    program = shutil.which("mksquashfs", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    if program is None:
        raise MissingError("mksquashfs is not installed", hint="install squashfs-tools")
    uid, gid = content.owner
    # The folders above the mount point have the time of the content.
    top = min(max(os.stat(content.source or folder).st_mtime_ns // 10**9, 0), _MAX_TIME)
    argv = [program, folder, os.path.abspath(path), "-offset", str(offset), *_QUIET, *options]
    argv += ["-force-uid", str(uid), "-force-gid", str(gid), "-root-time", str(top)]
    if content.timestamp is not None:
        argv += ["-mkfs-time", str(content.timestamp)]
    # It takes SOURCE_DATE_EPOCH for an option of its own, and refuses both.
    environment = {**os.environ, "LC_ALL": "C"}
    environment.pop("SOURCE_DATE_EPOCH", None)
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, check=False, env=environment
        )
    except OSError as error:
        raise MissingError(f"{program}: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        said = "; ".join(line for line in lines if line.strip()) or "it says nothing"
        raise BuildError(f"mksquashfs failed ({done.returncode}): {said[-1000:]}")
