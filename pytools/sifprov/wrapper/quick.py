"""The little that must be known of a data container before a run starts, read at little cost.

It knows the common case only: what it cannot tell, `sifprov.identity` and `sifprov.imagepath` can,
but their imports alone take as long as everything else before the start. The plugin's roles.go
reads the same.
"""

from __future__ import annotations

import os
import stat
import struct

from sifprov.frozen import NamedTuple

# Where things stand in a SIF file: sif/format.py draws it.
_HEAD = 32768
_HEADER, _DESCRIPTOR = 128, 585
_MAGIC = slice(32, 42)
_PARTITION, _DATA = 0x4004, 3
EXT3, SQUASHFS = 2, 1
_MAX_MOUNT = 100
# ext3 features that do not change where folders stand (filetype).
_PLAIN = 0x2
_DIRECT_BLOCKS = 12


class Quick(NamedTuple):
    """The data partition of a container; role and mount point are empty where none is declared."""

    role: str
    mount: str
    fs: int
    offset: int


def look(path: str, partition_id: str = "") -> Quick | None:
    """Returns what the container at `path` declares, None where it is no SIF with a data
    partition that stands early in its table."""
    try:
        # O_NONBLOCK: a FIFO given as an image must not stop the run here.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return _find(os.pread(descriptor, _HEAD, 0), partition_id)
    except (OSError, struct.error):
        return None
    finally:
        os.close(descriptor)


def _find(head: bytes, wanted: str) -> Quick | None:
    if head[_MAGIC] != b"SIF_MAGIC\0":
        return None
    _, total, table = struct.unpack_from("<qqq", head, 80)
    at = table
    while total > 0 and _HEADER <= at <= len(head) - _DESCRIPTOR:
        kind, used, number = struct.unpack_from("<IBI", head, at)
        fs, part = struct.unpack_from("<II", head, at + 201)
        if used and kind == _PARTITION and part == _DATA and wanted in ("", str(number)):
            (offset,) = struct.unpack_from("<q", head, at + 17)
            name = head[at + 73 : at + 201].partition(b"\0")[0]
            return Quick(*_declared(name), fs, offset)
        at += _DESCRIPTOR
        total -= 1
    return None


def _declared(name: bytes) -> tuple[str, str]:
    prefix, role, mount = [*name.split(b":", 2), b"", b""][:3]
    good = prefix == b"sifprov" and role in (b"input", b"output")
    if not good or not mount.startswith(b"/") or len(mount) > _MAX_MOUNT:
        return "", ""
    return role.decode(), os.fsdecode(mount)


def is_plain_folder(path: str, offset: int, folder: str) -> bool:
    """Whether `folder` of the ext3 partition at `offset` is surely one, reached through folders
    alone. False: it must be looked at closely."""
    try:
        with open(path, "rb", buffering=0) as file:
            return _walk(file.fileno(), offset, os.fsencode(folder).split(b"/"))
    except (OSError, struct.error, ZeroDivisionError):
        return False


def _walk(file: int, offset: int, parts: list[bytes]) -> bool:
    head = os.pread(file, 1024, offset + 1024)
    first, log_size = struct.unpack_from("<II", head, 20)
    (per_group,) = struct.unpack_from("<I", head, 40)
    magic = struct.unpack_from("<H", head, 56)[0]
    inode_size = struct.unpack_from("<H", head, 88)[0]
    features = struct.unpack_from("<I", head, 96)[0]
    if magic != 0xEF53 or features & ~_PLAIN or log_size > 6:
        return False
    block = 1024 << log_size

    def inode(number: int) -> bytes:
        group, index = divmod(number - 1, per_group)
        entry = os.pread(file, 32, offset + (first + 1) * block + group * 32)
        (table,) = struct.unpack_from("<I", entry, 8)
        return os.pread(file, 128, offset + table * block + index * inode_size)

    node = inode(2)
    for part in parts:
        if part in (b"", b"."):
            continue
        # `..` and everything that is not there go to the thorough reader.
        number = 0 if part == b".." else _child(file, offset, block, node, part)
        if not number:
            return False
        node = inode(number)
        if not stat.S_ISDIR(struct.unpack_from("<H", node)[0]):
            return False
    return True


def _child(file: int, offset: int, block: int, node: bytes, name: bytes) -> int:
    (size,) = struct.unpack_from("<I", node, 4)
    for number in struct.unpack_from(f"<{_DIRECT_BLOCKS}I", node, 40)[: size // block]:
        data = os.pread(file, block, offset + number * block) if number else b""
        at = 0
        while at + 8 <= len(data):
            inode, length, name_length = struct.unpack_from("<IHB", data, at)
            if length < 8:
                return 0
            if inode and data[at + 8 : at + 8 + name_length] == name:
                return int(inode)
            at += length
    return 0
