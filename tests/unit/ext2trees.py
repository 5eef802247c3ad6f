"""Folders on disk and the same folders inside an ext3 filesystem, in one comparable form."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
from pathlib import Path
from typing import NamedTuple

from hypothesis import strategies as st

from pyext2fs.debugfs import Debugfs
from pyext2fs.mkfs import mkfs
from pyext2fs.sizing import estimate, size_for

OFFSET = 32768
BEFORE = b"before" * 1000
BEHIND = b"behind" * 1000


class Item(NamedTuple):
    mode: int
    uid: int
    gid: int
    mtime: int  # nanoseconds
    value: object  # (size, SHA-256), target, device number, or None
    links: int


Tree = dict[bytes, Item]


# Any name of a file but ext3's own at the root.
NAMES = st.binary(min_size=1, max_size=40).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..", b"lost+found")
)


def odd_tree(top: Path) -> None:
    """Everything that a folder can hold and an ordinary user can make."""
    for name in (b"new\nline", b"quo\"te'", b"\xff\xfe", b" blank ", b"-dash", b"back\\slash"):
        (top / os.fsdecode(name)).write_bytes(b"content of " + name)
    (top / ("n" * 255)).touch()
    (top / "debugfs:  ").touch()
    for length in (1, 59, 60, 61, 300, 1023):
        (top / f"link{length}").symlink_to("t" * length)
    os.symlink(b'odd\n\xff"target', os.fsencode(top / "link-odd"))
    (top / "sub" / "empty").mkdir(parents=True)
    (top / "sub" / "deep" / "er").mkdir(parents=True)
    os.link(top / "-dash", top / "sub" / "hard")
    os.link(top / "link300", top / "sub" / "hard-link", follow_symlinks=False)
    (top / "sub").chmod(0o2751)
    (top / "set-id").touch()
    (top / "set-id").chmod(0o6755)
    os.mkfifo(top / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        # The address of a socket is short: name the folder by its descriptor.
        folder = os.open(top, os.O_RDONLY)
        sock.bind(f"/proc/self/fd/{folder}/socket")
        os.close(folder)
    with (top / "sparse").open("wb") as file:
        file.truncate(5 << 20)
        file.seek(3 << 20)
        file.write(b"island")
    os.utime(top / "sub" / "deep", ns=(10**18, 10**18))


def build(
    source: Path, image: Path, *, levels: int = 0, free: int = 0, block_size: int = 1024
) -> int:
    """Make `image` hold `source` at OFFSET, between guard bytes; the filesystem's size."""
    sizing = estimate(source, levels=levels, block_size=block_size)
    size = size_for(sizing, free)
    with image.open("wb") as file:
        file.write(BEFORE)
        file.seek(OFFSET + size)
        file.write(BEHIND)
    mkfs(
        image, size=size, offset=OFFSET, inodes=sizing.inodes, source=source, block_size=block_size
    )
    return size


def guards_intact(image: Path, size: int) -> bool:
    with image.open("rb") as file:
        head = file.read(OFFSET)
        file.seek(OFFSET + size)
        return head == BEFORE + bytes(OFFSET - len(BEFORE)) and file.read() == BEHIND


def _links(mode: int, count: int) -> int:
    """A folder's count depends on the filesystem; mke2fs copies symbolic links one by one."""
    return 0 if stat.S_ISDIR(mode) or stat.S_ISLNK(mode) else count


def tree_of_folder(source: Path) -> Tree:
    tree: Tree = {}
    top = os.fsencode(source)
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            info = os.lstat(path)
            value: object = None
            if stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    value = (info.st_size, hashlib.sha256(file.read()).hexdigest())
            elif stat.S_ISLNK(info.st_mode):
                value = os.readlink(path)
            elif stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode):
                value = info.st_rdev
            tree[os.path.relpath(path, top)] = Item(
                info.st_mode,
                info.st_uid,
                info.st_gid,
                info.st_mtime_ns,
                value,
                _links(info.st_mode, info.st_nlink),
            )
    return tree


def tree_of_image(image: Path, offset: int = OFFSET, *, lost_found: bool = False) -> Tree:
    tree: Tree = {}
    with Debugfs(image, offset) as fs:
        for path, entry in fs.walk():
            if path == b"lost+found" and not lost_found:
                continue
            info = fs.stat(entry.ino)
            assert (info.mode, info.uid, info.gid) == (entry.mode, entry.uid, entry.gid)
            value: object = None
            if stat.S_ISREG(info.mode):
                digest = hashlib.sha256()
                for piece in fs.read(entry.ino):
                    digest.update(piece)
                value = (info.size, digest.hexdigest())
            elif stat.S_ISLNK(info.mode):
                value = fs.readlink(entry.ino)
            elif stat.S_ISCHR(info.mode) or stat.S_ISBLK(info.mode):
                value = info.rdev
            tree[path] = Item(
                info.mode,
                info.uid,
                info.gid,
                info.mtime_ns,
                value,
                _links(info.mode, info.links),
            )
    return tree


def below(tree: Tree, mount: bytes) -> Tree:
    prefix = mount.strip(b"/") + b"/"
    return {
        path.removeprefix(prefix): item for path, item in tree.items() if path.startswith(prefix)
    }
