"""`pyext2fs.folders` finds in every folder what debugfs finds there, and refuses what is none."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.ext2trees import NAMES, OFFSET, build, odd_tree, tree_of_folder, tree_of_image

from pyext2fs import CorruptFilesystem, Ext2fsError, _run, debugfs
from pyext2fs.debugfs import Debugfs
from pyext2fs.inodes import ROOT, InodeReader
from sifprov.content import Deadline, scan_folder
from sifprov.errors import FileError
from sifprov.partition import scan_partition
from sifprov.sif import FsType, Partition

INDEXED = 0x1000


@contextmanager
def reader(image: Path, writable: bool = False) -> Iterator[InodeReader]:
    fd = os.open(image, os.O_RDWR if writable else os.O_RDONLY)
    try:
        yield InodeReader(fd, OFFSET)
    finally:
        os.close(fd)


def by_debugfs(image: Path) -> dict[int, dict[bytes, int]]:
    """Every folder, by its inode, as debugfs lists it."""
    found: dict[int, dict[bytes, int]] = {}
    waiting = [ROOT]
    with Debugfs(image, OFFSET) as fs:
        while waiting:
            ino = waiting.pop()
            entries = fs.listdir(ino)
            found[ino] = {e.name: e.ino for e in entries}
            waiting += [e.ino for e in entries if e.is_dir]
    return found


def agree(image: Path) -> dict[int, dict[bytes, int]]:
    """Holds both readers against each other; returns what they agree on."""
    want = by_debugfs(image)
    with reader(image) as inodes:
        for ino, names in want.items():
            found = inodes.listdir(inodes.stat(ino))
            assert found == names
            assert list(found) == list(names)
    return want


def e2fsck(image: Path, *options: str) -> None:
    """Rebuilds folders (`-D`); exit code 1 says that something was changed."""
    with _run.opened(image, writable=True) as fd:
        _run.run("e2fsck", ["-fy", *options, _run.device_at(fd, OFFSET)], fd, ok=(0, 1))


@pytest.mark.parametrize("block_size", [1024, 4096])
def test_it_agrees_with_debugfs_on_odd_names(tmp_path: Path, block_size: int) -> None:
    source = tmp_path / "source"
    source.mkdir()
    odd_tree(source)
    build(source, tmp_path / "image", block_size=block_size)
    folders = agree(tmp_path / "image")
    assert len(folders) == 6
    assert max(len(name) for names in folders.values() for name in names) == 255


@pytest.mark.parametrize("block_size", [1024, 4096])
def test_a_folder_of_6_000_names_with_an_index_and_with_holes_in_its_blocks(
    tmp_path: Path, block_size: int
) -> None:
    source, image = tmp_path / "source", tmp_path / "image"
    (source / "many").mkdir(parents=True)
    for n in range(6_000):
        (source / "many" / f"{'x' * (n % 90)}{n}").touch()
    build(source, image, block_size=block_size)
    with reader(image) as inodes:
        many = inodes.listdir(inodes.stat(ROOT))[b"many"]
        assert not inodes.stat(many).flags & INDEXED
    assert len(agree(image)[many]) == 6_000
    e2fsck(image, "-D")
    with reader(image) as inodes:
        assert inodes.stat(many).flags & INDEXED
    assert len(agree(image)[many]) == 6_000
    # What is removed leaves unused entries, and entries that grew over them.
    with Debugfs(image, OFFSET, writable=True) as fs:
        names = [f"{'x' * (n % 90)}{n}" for n in range(0, 6_000, 37)]
        fs.run(*(f"unlink <{many}>/{name}" for name in names))
    assert len(agree(image)[many]) == 6_000 - len(names)


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(names=st.sets(NAMES, max_size=60))
def test_any_names(names: set[bytes], tmp_path_factory: pytest.TempPathFactory) -> None:
    top = tmp_path_factory.mktemp("names")
    (top / "source").mkdir()
    for name in names:
        (top / "source" / os.fsdecode(name)).touch()
    build(top / "source", top / "image")
    assert set(agree(top / "image")[ROOT]) == names | {b"lost+found"}
    shutil.rmtree(top)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    odd_tree(source)
    build(source, tmp_path / "image")
    return tmp_path / "image"


def scan(image: Path) -> str:
    part = Partition(1, OFFSET, image.stat().st_size - OFFSET, FsType.EXT3)
    return scan_partition(str(image), part, Deadline()).digest


def test_no_program_is_started_for_plain_ext3(
    image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("debugfs was started")

    monkeypatch.setattr(debugfs, "Session", refuse)
    monkeypatch.setattr(_run, "find_tool", refuse)
    assert scan(image) == scan_folder(str(tmp_path / "source"), Deadline()).digest


def test_what_is_not_plain_ext3_is_read_through_debugfs(image: Path, tmp_path: Path) -> None:
    want = scan(image)
    # meta_bg, which the runtimes take: with one group its table stands where it stood.
    with image.open("r+b") as file:
        file.seek(OFFSET + 1024 + 96)
        (incompat,) = struct.unpack("<I", file.read(4))
        file.seek(-4, os.SEEK_CUR)
        file.write(struct.pack("<I", incompat | 0x10))
    with reader_fails(image):
        pass
    assert scan(image) == want
    assert tree_of_image(image) == tree_of_folder(tmp_path / "source")


@contextmanager
def reader_fails(image: Path) -> Iterator[None]:
    with pytest.raises(Ext2fsError, match="not a plain"), reader(image):
        pass
    yield


def first_block(inodes: InodeReader) -> tuple[int, bytearray]:
    """The root's first block: its number and its bytes."""
    at = inodes.stat(ROOT).extents[0][1]
    return at, inodes.read_block(at)


def put(form: str, at: int, *values: int) -> Callable[[bytearray], None]:
    return lambda raw: struct.pack_into(form, raw, at, *values)


# `.` takes 12 bytes and `..` 12 more, so the first name stands at 24.
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(put("<H", 28, 0), id="an entry without length"),
        pytest.param(put("<H", 28, 8), id="an entry shorter than its head"),
        pytest.param(put("<H", 28, 13), id="an entry that ends between words"),
        pytest.param(put("<H", 28, 2048), id="an entry beyond its block"),
        pytest.param(put("<H", 28, 0xFFFF), id="the longest entry"),
        pytest.param(put("<B", 30, 255), id="a name beyond its entry"),
        pytest.param(put("<B", 30, 0), id="an empty name"),
        pytest.param(put("<BB", 32, 47, 47), id="a name with a slash"),
        pytest.param(put("<B", 33, 0), id="a name with a NUL"),
        pytest.param(put("<I", 24, 0xFFFFFFFF), id="an inode that is none"),
        pytest.param(put("<I", 24, 8), id="the journal as a file"),
        pytest.param(put("<I", 24, ROOT), id="the root below itself"),
        pytest.param(put("<BBB", 30, 1, 2, 46), id="the folder itself once more"),
    ],
)
def test_a_block_that_breaks_the_rules_is_refused(
    image: Path, change: Callable[[bytearray], None]
) -> None:
    with reader(image, writable=True) as inodes:
        at, raw = first_block(inodes)
        change(raw)
        inodes.write_block(at, raw)
        with pytest.raises(CorruptFilesystem):
            inodes.listdir(inodes.stat(ROOT))
    with pytest.raises(FileError, match=str(image)):
        scan(image)


@pytest.mark.parametrize("size", [0, 1, 1023, 1 << 20, 1 << 31])
def test_a_folder_whose_size_is_none_is_refused(image: Path, size: int) -> None:
    with reader(image, writable=True) as inodes:
        raw = inodes.read(ROOT)
        struct.pack_into("<I", raw, 4, size)
        inodes.write(ROOT, raw)
        with pytest.raises(CorruptFilesystem):
            inodes.listdir(inodes.stat(ROOT))


def test_a_block_that_stands_in_a_folder_twice_is_refused(image: Path) -> None:
    with reader(image, writable=True) as inodes:
        raw = inodes.read(ROOT)
        (block,) = struct.unpack_from("<I", raw, 40)
        struct.pack_into("<I", raw, 4, 2048)
        struct.pack_into("<II", raw, 40, block, block)
        inodes.write(ROOT, raw)
        with pytest.raises(CorruptFilesystem):
            inodes.listdir(inodes.stat(ROOT))
