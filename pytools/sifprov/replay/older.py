"""What stood in a container before a run, although no record tells it.

Somebody may have put files into an output before anything was recorded. ext3 keeps a time of change
that no program can set: what has one from before the run was there, as it is now.
"""

from __future__ import annotations

from sifprov.errors import SifprovError
from sifprov.filesystem.opening import open_filesystem
from sifprov.identity import identify
from sifprov.sif import FsType

# FUSE counts in seconds, and the kernel's clock for files lags behind by milliseconds.
_MARGIN_NS = 2 * 10**9


def unchanged_since(path: str, began_ns: int) -> set[bytes]:
    """Returns the paths of all but folders in the container at `path` that were last changed before
    that time (ns since 1970); none where that cannot be told. Reads no content."""
    partition = identify(path).partition
    # A squashfs keeps no such time.
    if partition is None or partition.fs != FsType.EXT3:
        return set()
    latest = began_ns - _MARGIN_NS
    try:
        with open_filesystem(path, partition) as fs:
            return {n.path for n in fs.walk() if not n.is_dir and n.ctime_ns < latest}
    except SifprovError:
        return set()
