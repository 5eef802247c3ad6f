"""What debugfs prints, taken apart: `ls -p` and `stat` of one inode.

Names, link targets and attributes come from the image and may hold any byte, so each pattern
relies only on what stands before the first of them or behind the last.
"""

from __future__ import annotations

import os
import re
import stat as _stat

from pyext2fs._run import CorruptFilesystem
from pyext2fs._types import FAST_LINK, NOT_BLOCK_MAPPED, TYPES, Entry, Stat

_ENTRY = re.compile(rb"/(\d+)/([0-7]+)/(-?\d+)/(-?\d+)/([^/]*)/(\d*)/\n")
_HEAD = re.compile(
    rb"Inode: (?P<ino>\d+) +Type: (?P<type>[^\n]*?) *"
    rb"Mode: +(?P<mode>[0-7]+) +Flags: 0x(?P<flags>[0-9a-f]+)\n"
    rb"Generation: [^\n]*\n"
    rb"User: +(?P<uid>-?\d+) +Group: +(?P<gid>-?\d+)[^\n]*? Size: (?P<size>\d+)\n"
    rb"File ACL: [^\n]*\n"
    rb"Links: (?P<links>\d+) [^\n]*\n"
    rb"(?:Fragment: [^\n]*\n)?"
    rb" *ctime: (?P<ctime>[^\n]*)\n *atime: (?P<atime>[^\n]*)\n *mtime: (?P<mtime>[^\n]*)\n"
    rb"(?: *crtime: [^\n]*\n)?(?: *dtime: (?P<dtime>[^\n]*)\n)?"
)
_TIME = re.compile(rb"0x([0-9a-f]+)(?::\(?([0-9a-f]+))?")
_DEVICE = re.compile(rb"evice major/minor number: (\d+):(\d+) \(hex [^\n]*\)\n\Z")
_RUN = re.compile(rb"\((?:([DT]?IND)|(\d+)(?:-(\d+))?)\):(\d+)(?:-(\d+))?(?:, *|\n)")
_TOTAL = re.compile(rb"(?:TOTAL: \d+\n)?\n*\Z")


def parse_entries(ino: int, output: bytes) -> list[Entry]:
    """The lines /INODE/MODE/UID/GID/NAME/SIZE/ of the folder `ino`."""
    entries: list[Entry] = []
    seen: set[bytes] = set()
    at, line = 0, 0
    end = len(output) - (output.endswith(b"\n\n") or output == b"\n")
    while at < end:
        match = _ENTRY.match(output, at, end)
        if not match:
            raise CorruptFilesystem(f"folder <{ino}>: a name that debugfs cannot show")
        at, line = match.end(), line + 1
        number, mode, uid, gid, name, size = match.groups()
        if number == b"0" or (line <= 2 and name == b"." * line):
            continue  # an unused entry; itself and its parent, in this order
        if name in (b"", b".", b"..") or name in seen:
            raise CorruptFilesystem(f"folder <{ino}>: the name {name!r} is empty or stands twice")
        seen.add(name)
        entries.append(
            Entry(int(number), int(mode, 8), _unsigned(uid), _unsigned(gid), name, int(size or 0))
        )
    return entries


def parse_stat(ino: int, output: bytes, blocks_count: int) -> Stat:
    """What `stat` says about `ino`, in a filesystem of `blocks_count` blocks."""
    match = _HEAD.match(output)
    if not match or int(match["ino"]) != ino:
        raise CorruptFilesystem(f"inode <{ino}>: {output[:60]!r}")
    if match["type"] not in TYPES:
        raise CorruptFilesystem(f"inode <{ino}>: no type of file")
    mode = TYPES[match["type"]] | int(match["mode"], 8) & 0o7777
    size, flags = int(match["size"]), int(match["flags"], 16)
    rdev, target = 0, None
    extents: tuple[tuple[int, int, int], ...] = ()
    if _stat.S_ISCHR(mode) or _stat.S_ISBLK(mode):
        device = _DEVICE.search(output)
        rdev = os.makedev(int(device[1]), int(device[2])) if device else 0
    elif _stat.S_ISLNK(mode) and 0 < size < FAST_LINK:
        # Taken from the end: what stands before it may be made to look alike.
        target = output[-size - 2 : -2]
        if not output.endswith(b'Fast link dest: "' + target + b'"\n') or b"\0" in target:
            raise CorruptFilesystem(f"symbolic link <{ino}>: not {size} bytes")
    elif flags & NOT_BLOCK_MAPPED:
        raise CorruptFilesystem(f"inode <{ino}>: not mapped by blocks, so not ext3")
    else:
        extents = _extents(ino, output, blocks_count)
    return Stat(
        ino=ino,
        mode=mode,
        uid=_unsigned(match["uid"]),
        gid=_unsigned(match["gid"]),
        size=size,
        links=int(match["links"]),
        flags=flags,
        atime_ns=_time(match["atime"]),
        mtime_ns=_time(match["mtime"]),
        ctime_ns=_time(match["ctime"]),
        dtime=_time(match["dtime"]) // 10**9 if match["dtime"] else 0,
        rdev=rdev,
        extents=extents,
        target=target,
    )


def _extents(ino: int, output: bytes, blocks_count: int) -> tuple[tuple[int, int, int], ...]:
    """The block list at the end of what `stat` prints, checked against the image."""
    # Only digits follow the last BLOCKS, so nothing inside the image can forge it.
    at = output.rfind(b"BLOCKS:\n") + 8
    if at < 8:
        raise CorruptFilesystem(f"inode <{ino}>: no list of blocks")
    extents: list[tuple[int, int, int]] = []
    total, next_block = 0, 0
    while match := _RUN.match(output, at):
        at = match.end()
        kind, first, last, start, stop = match.groups()
        begin, count = int(start), int(stop or start) - int(start) + 1
        total += count
        if kind is None:
            if int(first) < next_block or int(last or first) - int(first) + 1 != count:
                raise CorruptFilesystem(f"inode <{ino}>: blocks out of order")
            next_block = int(first) + count
            extents.append((int(first), begin, count))
        if count < 1 or begin + count > blocks_count:
            raise CorruptFilesystem(f"inode <{ino}>: a block outside the filesystem")
    if not _TOTAL.match(output, at) or total > blocks_count:
        raise CorruptFilesystem(f"inode <{ino}>: a list of blocks that cannot be")
    return tuple(extents)


def _unsigned(number: bytes) -> int:
    return int(number) & 0xFFFFFFFF


def _time(text: bytes) -> int:
    """Nanoseconds from `0xSECONDS:EXTRA`; EXTRA is nanoseconds << 2 | bits 32 and 33 of seconds."""
    match = _TIME.match(text)
    if not match:
        raise CorruptFilesystem("a time that debugfs cannot show")
    seconds, extra = int(match[1], 16), int(match[2] or b"0", 16)
    seconds = (seconds ^ 2**31) - 2**31 + ((extra & 3) << 32)
    return seconds * 10**9 + (extra >> 2)
