"""Images made to harm: whatever they say, a reader ends with a result or one kind of error, soon,
and extraction writes nowhere but below its target."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyext2fs.inodes import InodeReader
from sifprov.content import Deadline, TooLateError
from sifprov.create import create_data
from sifprov.errors import FileError, SifprovError
from sifprov.extract import extract
from sifprov.filesystem.opening import open_container, open_filesystem
from sifprov.partition import scan_partition
from sifprov.seal import seal
from sifprov.sif import FsType, Partition, find_partition, open_image

NAME = b"eight_ch"


def fill(source: Path) -> None:
    """Names of known length, so that other names fit into their place."""
    (source / "sub").mkdir(parents=True)
    (source / NAME.decode()).write_bytes(b"good")
    (source / "other_nm").symlink_to("/etc")
    (source / "sub" / "deep_fil").write_bytes(b"deep")
    (source / "big").write_bytes(os.urandom(300_000) + bytes(200_000))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same files in ext3 and in squashfs; metadata there is not compressed, so bytes of it can
    be changed."""
    top = tmp_path_factory.mktemp("hostile")
    fill(top / "source")
    create_data(str(top / "ext3.sif"), mount="/in", source=str(top / "source"))
    seal(str(top / "ext3.sif"), str(top / "gzip.sif"))
    subprocess.run(
        ["mksquashfs", top / "source", top / "plain.squashfs", "-noI", "-noD", "-noF", "-noId",
         "-no-progress", "-quiet", "-noappend", "-all-root"],
        check=True, stdout=subprocess.DEVNULL, timeout=60,
    )  # fmt: skip
    return {name: top / name for name in ("ext3.sif", "gzip.sif", "plain.squashfs")}


def partition_of(path: Path) -> Partition:
    if path.suffix == ".squashfs":
        return Partition(1, 0, path.stat().st_size, FsType.SQUASHFS)
    with open_image(str(path)) as (_, image):
        found = find_partition(image)
    assert found
    return found


def read_all(path: Path, partition: Partition) -> None:
    """Every reader there is, bounded as a user can bound it."""
    deadline = Deadline()
    deadline.start(20)
    scan_partition(str(path), partition, deadline)


def everything(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def patched(path: Path, to: Path, old: bytes, new: bytes) -> Path:
    """A copy in which every `old` in the partition is `new`."""
    part = partition_of(path)
    data = path.read_bytes()
    inside = data[part.offset : part.offset + part.size]
    assert old in inside
    assert len(old) == len(new)
    to.write_bytes(data[: part.offset] + inside.replace(old, new) + data[part.offset + part.size :])
    return to


BAD_NAMES = [b"../evil!", b"/tmp/evi", b"a/../../", b"other_nm"]


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("image", ["ext3.sif", "plain.squashfs"])
def test_a_name_that_leads_elsewhere_is_refused(
    images: dict[str, Path], tmp_path: Path, image: str, name: bytes
) -> None:
    path = patched(images[image], tmp_path / image, NAME, name)
    part = partition_of(path)
    with pytest.raises(FileError):
        read_all(path, part)
    if image == "ext3.sif":
        with pytest.raises(FileError):
            extract(str(path), str(tmp_path / "out"))
    assert everything(tmp_path) == [path]
    assert not Path("/tmp/evi").exists()


@pytest.mark.parametrize("image", ["ext3.sif", "plain.squashfs"])
def test_a_name_with_a_nul_is_refused(images: dict[str, Path], tmp_path: Path, image: str) -> None:
    path = patched(images[image], tmp_path / image, NAME, b"nul\0evil")
    with pytest.raises(FileError, match="nul"):
        read_all(path, partition_of(path))


def test_dot_names_are_refused(images: dict[str, Path], tmp_path: Path) -> None:
    # The name's length goes down with it: in ext3 and in squashfs it stands before the name.
    ext3 = patched(images["ext3.sif"], tmp_path / "ext3.sif", b"\x08\x01" + NAME,
                   b"\x02\x01.." + NAME[2:])  # fmt: skip
    with pytest.raises(FileError):
        read_all(ext3, partition_of(ext3))


def test_a_link_and_a_folder_of_one_name_are_refused(
    images: dict[str, Path], tmp_path: Path
) -> None:
    # "other_nm" leads to /etc; a folder of the same name would put its files there.
    path = patched(images["ext3.sif"], tmp_path / "ext3.sif", NAME, b"other_nm")
    with pytest.raises(FileError, match="twice"):
        extract(str(path), str(tmp_path / "out"))
    assert everything(tmp_path) == [path]


def test_a_link_is_followed_inside_the_image_only(images: dict[str, Path]) -> None:
    with open_container(str(images["ext3.sif"])) as (_, fs):
        for path in (b"/in/other_nm/passwd", b"/in/other_nm"):
            with pytest.raises(FileError, match="no such file"):
                fs.lookup(path)
        assert fs.lookup(b"/in/other_nm", follow=False).is_link
        assert fs.lookup(b"/../../in/sub/../sub/deep_fil").path == b"in/sub/deep_fil"


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "a").symlink_to("b")
    (tmp_path / "source" / "b").symlink_to("/in/a")
    create_data(str(tmp_path / "a.sif"), mount="/in", source=str(tmp_path / "source"))
    with (
        open_container(str(tmp_path / "a.sif")) as (_, fs),
        pytest.raises(FileError, match="links"),
    ):
        fs.lookup(b"/in/a/x")


def test_a_folder_that_holds_itself_ends(images: dict[str, Path], tmp_path: Path) -> None:
    # ext3: the entry of "sub" gets the inode of the folder that it stands in.
    path, part = images["ext3.sif"], partition_of(images["ext3.sif"])
    with open_container(str(path)) as (_, fs):
        parent, sub = fs.lookup(b"/in").ino, fs.lookup(b"/in/sub").ino
    data = path.read_bytes()
    at = data.index(b"\x03\x02sub", part.offset) - 6
    assert struct.unpack_from("<I", data, at) == (sub,)
    bad = tmp_path / "loop.sif"
    bad.write_bytes(data[:at] + struct.pack("<I", parent) + data[at + 4 :])
    with pytest.raises(FileError, match="two places"):
        extract(str(bad), str(tmp_path / "out"))
    assert everything(tmp_path) == [bad]


def test_a_squashfs_folder_that_holds_itself_ends(images: dict[str, Path], tmp_path: Path) -> None:
    path = images["plain.squashfs"]
    data = path.read_bytes()
    (root,) = struct.unpack_from("<Q", data, 32)
    # An entry: the inode's byte, number, type, length - 1, name.
    at = data.index(b"\x02\0sub") - 6
    assert root >> 16 == 0, "the root stands in the first block, as the entries' run says"
    bad = tmp_path / "loop.squashfs"
    bad.write_bytes(data[:at] + struct.pack("<H", root & 0xFFFF) + data[at + 2 :])
    with pytest.raises(FileError, match="two places"):
        read_all(bad, partition_of(bad))


def claims(path: Path, to: Path, size: int) -> Path:
    """A copy in which the file of 4 bytes in ext3 claims `size`, all holes but the first block."""
    part = partition_of(path)
    with open_container(str(path)) as (_, fs):
        ino = fs.lookup(b"/in/eight_ch").ino
    shutil.copy(path, to)
    with to.open("r+b") as file:
        inodes = InodeReader(file.fileno(), part.offset)
        raw = inodes.read(ino)
        struct.pack_into("<I", raw, 4, size & 0xFFFFFFFF)
        struct.pack_into("<I", raw, 108, size >> 32)
        inodes.write(ino, raw)
    return to


@pytest.mark.parametrize("size", [1 << 33, 1 << 62])
def test_a_file_that_claims_too_much_is_refused_at_once(
    images: dict[str, Path], tmp_path: Path, size: int
) -> None:
    path = claims(images["ext3.sif"], tmp_path / "ext3.sif", size)
    began = time.monotonic()
    with pytest.raises(FileError, match=r"more than 1\.0 GiB"):
        extract(str(path), str(tmp_path / "out"))
    if size > 1 << 40:  # more than ext3 can map, whatever the user allows
        with pytest.raises(FileError, match="claims"):
            extract(str(path), str(tmp_path / "out"), max_size=1 << 63)
    assert time.monotonic() - began < 20
    assert everything(tmp_path) == [path]


def test_a_block_that_grows_beyond_its_size_is_refused(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "text").write_bytes(b"text " * 26000)
    path = tmp_path / "b.squashfs"
    subprocess.run(
        ["mksquashfs", tmp_path / "source", path, "-b", "128K", "-no-progress", "-quiet"],
        stdout=subprocess.DEVNULL, timeout=60, check=True,
    )  # fmt: skip
    read_all(path, partition_of(path))
    data = bytearray(path.read_bytes())
    # The same image with blocks of 64 KiB: its one block now holds twice what it may.
    struct.pack_into("<I", data, 12, 1 << 16)
    struct.pack_into("<H", data, 22, 16)
    path.write_bytes(data)
    with pytest.raises(FileError):
        read_all(path, partition_of(path))


MUTATIONS = st.lists(
    st.tuples(st.integers(0, 2**32), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6
)


def mutate(path: Path, to: Path, changes: list[tuple[int, bytes]], spots: list[int]) -> Path:
    part = partition_of(path)
    data = bytearray(path.read_bytes())
    for place, new in changes:
        at = part.offset + spots[place % len(spots)]
        data[at : at + len(new)] = new[: part.offset + part.size - at]
    to.write_bytes(data)
    return to


def used(path: Path) -> list[int]:
    """The places of a partition that hold more than zeros, metadata far more often than data."""
    part = partition_of(path)
    data = path.read_bytes()[part.offset : part.offset + part.size]
    return [n for n in range(len(data)) if data[n] and (n % 97 == 0 or not 400_000 > n > 60_000)]


SPOTS: dict[Path, list[int]] = {}


@pytest.mark.parametrize("image", ["ext3.sif", "gzip.sif", "plain.squashfs"])
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(changes=MUTATIONS)
def test_any_damage_ends_well(
    images: dict[str, Path],
    image: str,
    changes: list[tuple[int, bytes]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    path = images[image]
    spots = SPOTS.setdefault(path, used(path))
    top = tmp_path_factory.mktemp("mutated")
    bad = mutate(path, top / image, changes, spots)
    part = partition_of(path)
    began = time.monotonic()
    ends(lambda: read_all(bad, part))
    if image.endswith(".sif"):
        (top / "below").mkdir()
        ends(lambda: extract(str(bad), str(top / "below" / "out"), max_size=1 << 24))
        assert {p.name for p in top.iterdir()} == {image, "below"}
        assert {p.name for p in (top / "below").iterdir()} <= {"out"}
    else:
        ends(lambda: walk(bad, part))
    assert time.monotonic() - began < 60
    shutil.rmtree(top)


def walk(path: Path, partition: Partition) -> None:
    with open_filesystem(str(path), partition) as fs:
        for node in fs.walk():
            if node.is_link:
                fs.readlink(node)


def ends(job: Callable[[], object]) -> None:
    """The job succeeds, or raises what it may."""
    with suppress(SifprovError, TooLateError):
        job()
