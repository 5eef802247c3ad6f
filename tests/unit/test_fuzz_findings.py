"""What fuzzing found and no small seed can show."""

from __future__ import annotations

import struct
import subprocess
import time
import tracemalloc
import zlib
from pathlib import Path

import pytest

from sifprov.filesystem import CorruptImageError
from sifprov.filesystem.squashfs import Squashfs
from sifprov.model.redact import redact
from sifprov.sif import FsType, Partition

LISTING = 64 << 20
NONE = 2**64 - 1


@pytest.mark.parametrize("secret", ["x" * 300, "x" * 200 + "@" + "y" * 100, "ya29." + "aB3/" * 400])
def test_no_password_in_a_url_is_too_long_to_be_hidden(secret: str) -> None:
    assert redact([f"https://user:{secret}@host/"])[0] == ("https://user:[redacted]@host/",)


def metadata(data: bytes) -> bytes:
    """A compressed block of metadata."""
    packed = zlib.compress(data, 9)
    return struct.pack("<H", len(packed)) + packed


def bomb() -> bytes:
    """A squashfs whose root claims 64 MiB of names, all `a`: half a megabyte, compressed."""
    run = struct.pack("<III", 255, 0, 1) + struct.pack("<HhHHc", 0, 0, 2, 0, b"a") * 256
    stream = run * (LISTING // len(run))
    block = 8192
    folders = b"".join(metadata(stream[n : n + block]) for n in range(0, len(stream), block))
    head = struct.pack("<HHHHII", 8, 0o755, 0, 0, 0, 1)
    inode = metadata(head + struct.pack("<IIIIHHI", 2, len(stream) + 3, 0, 1, 0, 0, 2**32 - 1))
    inodes_at = 96
    folders_at = inodes_at + len(inode)
    id_at = folders_at + len(folders)
    one_id = metadata(bytes(4))
    ids_at = id_at + len(one_id)
    superblock = struct.pack(
        "<IIIIIHHHHHHQQQQQQQQ", 0x73717368, 1, 0, 4096, 0, 1, 12, 0, 1, 4, 0, 0, ids_at + 8,
        ids_at, NONE, inodes_at, folders_at, NONE, NONE,
    )  # fmt: skip
    return superblock + inode + folders + one_id + struct.pack("<Q", id_at)


def test_names_without_end_cost_no_memory(tmp_path: Path) -> None:
    """Half a megabyte of image once took 600 MiB and nine seconds."""
    image = tmp_path / "image"
    data = bomb()
    image.write_bytes(data)
    assert len(data) < 1 << 20
    tracemalloc.start()
    begin = time.process_time()
    try:
        with (
            Squashfs(str(image), Partition(1, 0, len(data), FsType.SQUASHFS)) as fs,
            pytest.raises(CorruptImageError, match="b'a' twice"),
        ):
            list(fs.walk())
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert time.process_time() - begin < 2


def test_links_that_go_back_and_forth_cost_no_time(tmp_path: Path) -> None:
    """Each step once read the whole folder: minutes for a file of some kilobytes."""
    tree = tmp_path / "tree"
    (tree / "d").mkdir(parents=True)
    for number in range(1000):
        (tree / f"file{number}").touch()
    for number in range(30):
        target = f"link{number + 1}" if number < 29 else "file7"
        (tree / f"link{number}").symlink_to("d/../" * 600 + target)
    image = tmp_path / "image"
    subprocess.run(["mksquashfs", tree, image, "-quiet", "-no-progress"], check=True)
    begin = time.process_time()
    with Squashfs(str(image), Partition(1, 0, image.stat().st_size, FsType.SQUASHFS)) as fs:
        assert fs.lookup(b"link0").path == b"file7"
    assert time.process_time() - begin < 5
