"""Extraction from ext3 and squashfs: everything arrives as it was, and nothing anywhere else."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.ext2trees import NAMES, odd_tree

from sifprov import extract as job
from sifprov.content import Deadline, scan_folder
from sifprov.create import create_data
from sifprov.errors import FileError, SifprovError
from sifprov.extract import extract
from sifprov.partition import scan_partition
from sifprov.seal import seal
from sifprov.sif import find_partition, open_image


class Item(NamedTuple):
    """One entry of a folder on disk, as far as extraction keeps it."""

    mode: int
    mtime: int
    value: bytes
    same_as: bytes  # the first path of the same inode


def folder(top: Path, *, seconds: bool = False) -> dict[bytes, Item]:
    """Everything below `top`, without what is never made; set-id bits are dropped."""
    found: dict[bytes, Item] = {}
    first: dict[int, bytes] = {}
    for at, folders, files in sorted(os.walk(os.fsencode(top))):
        for name in sorted(folders + files):
            path = os.path.join(at, name)
            relative = os.path.relpath(path, os.fsencode(top))
            info = os.lstat(path)
            value = b""
            if stat.S_ISREG(info.st_mode):
                with open(path, "rb") as file:
                    value = file.read()
                same = first.setdefault(info.st_ino, relative)
            elif stat.S_ISLNK(info.st_mode):
                value, same = os.readlink(path), relative
            elif stat.S_ISDIR(info.st_mode):
                same = relative
            else:
                continue
            time = info.st_mtime_ns // (10**9 if seconds else 1)
            kept = stat.S_IFMT(info.st_mode) | info.st_mode & 0o1777
            found[relative] = Item(kept, time, value, same)
    return found


def test_all_that_a_folder_can_hold(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    odd_tree(source)
    (source / "unreadable").mkdir()
    (source / "unreadable" / "x").write_bytes(b"x")
    (source / "unreadable").chmod(0o500)
    create_data(str(tmp_path / "a.sif"), mount="/Inputs", source=str(source))
    done = extract(str(tmp_path / "a.sif"), str(tmp_path / "out"))
    assert sorted(done.skipped) == [b"Inputs/fifo", b"Inputs/socket"]
    assert folder(tmp_path / "out" / "Inputs") == folder(source)
    sparse = os.stat(tmp_path / "out" / "Inputs" / "sparse")
    assert sparse.st_size == 5 << 20
    assert sparse.st_blocks * 512 < 1 << 20
    assert not os.stat(tmp_path / "out" / "Inputs" / "set-id").st_mode & 0o6000
    assert os.stat(tmp_path / "out" / "Inputs" / "-dash").st_uid == os.getuid()


def test_a_sealed_container_gives_the_same(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    odd_tree(source)
    (source / "socket").unlink()
    create_data(str(tmp_path / "a.sif"), mount="/Inputs", source=str(source))
    seal(str(tmp_path / "a.sif"), str(tmp_path / "b.sif"))
    extract(str(tmp_path / "b.sif"), str(tmp_path / "out"), subtree=b"/Inputs")
    assert folder(tmp_path / "out", seconds=True) == folder(source, seconds=True)


TARGETS = st.binary(min_size=1, max_size=90).map(lambda target: target.replace(b"\0", b"0"))
TREES = st.recursive(
    st.one_of(
        st.binary(max_size=3000),
        st.binary(max_size=10).map(lambda b: b * 9000),
        st.tuples(st.just("link"), TARGETS),
        st.tuples(st.just("hard"), st.integers(0, 5)),
    ),
    lambda inner: st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)  # fmt: skip
MODES = st.integers(0, 0o777).map(lambda mode: mode | 0o400)


def make(top: Path, tree: object, modes: st.DataObject, files: list[bytes]) -> None:
    """Makes a drawn tree on the disk."""
    assert isinstance(tree, dict)
    for name, value in tree.items():
        path = os.path.join(os.fsencode(top), name)
        if isinstance(value, dict):
            os.mkdir(path)
            make(Path(os.fsdecode(path)), value, modes, files)
            os.chmod(path, modes.draw(MODES) | 0o700)
        elif isinstance(value, bytes):
            Path(os.fsdecode(path)).write_bytes(value)
            files.append(path)
            os.chmod(path, modes.draw(MODES))
        elif value[0] == "link":
            os.symlink(value[1], path)
        elif files:
            os.link(files[value[1] % len(files)], path)
        else:
            continue
        # To 2033: from 2038 on mke2fs 1.47.0 loses bits.
        time = modes.draw(st.integers(0, 2 * 10**18))
        os.utime(path, ns=(time, time), follow_symlinks=False)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(tree=st.dictionaries(NAMES, TREES, max_size=6), data=st.data())
def test_any_tree_comes_back(
    tree: dict[bytes, object], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    top = tmp_path_factory.mktemp("tree")
    source = top / "source"
    source.mkdir()
    make(source, tree, data, [])
    made = create_data(str(top / "a.sif"), mount="/in/puts", source=str(source))
    extract(str(top / "a.sif"), str(top / "out"), subtree=b"/in/puts")
    assert folder(top / "out", seconds=True) == folder(source, seconds=True)
    sealed = seal(str(top / "a.sif"), str(top / "b.sif"))
    assert sealed.tree.digest == made.tree.digest
    extract(str(top / "b.sif"), str(top / "out2"), subtree=b"/in/puts")
    assert folder(top / "out2", seconds=True) == folder(source, seconds=True)


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A small container: /Inputs/a, /Inputs/sub/b, /Inputs/link."""
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "a").write_bytes(b"a" * 5000)
    (source / "sub" / "b").write_bytes(b"bb")
    (source / "link").symlink_to("../Inputs/sub/b")
    create_data(str(tmp_path / "a.sif"), mount="/Inputs", source=str(source))
    return tmp_path / "a.sif"


def left(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_one_file_or_one_folder(container: Path, tmp_path: Path) -> None:
    extract(str(container), str(tmp_path / "one"), subtree=b"/Inputs/link")
    assert (tmp_path / "one" / "b").read_bytes() == b"bb"
    extract(str(container), str(tmp_path / "sub"), subtree=b"Inputs/sub/")
    assert left(tmp_path / "sub") == ["b"]


def test_an_empty_folder_is_filled_and_nothing_else_replaced(
    container: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    extract(str(container), str(tmp_path / "empty"))
    assert left(tmp_path / "empty") == ["Inputs"]
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "to").symlink_to("empty2")
    (tmp_path / "empty2").mkdir()
    before = left(tmp_path)
    for name in ("empty", "file", "to", "no/such/folder"):
        with pytest.raises(FileError):
            extract(str(container), str(tmp_path / name))
    assert left(tmp_path) == before
    assert (tmp_path / "file").read_bytes() == b"kept"


@pytest.mark.parametrize("limit", [{"max_files": 3}, {"max_size": 5001}])
def test_a_limit_leaves_nothing(container: Path, tmp_path: Path, limit: dict[str, int]) -> None:
    before = left(tmp_path)
    with pytest.raises(FileError, match="more than") as caught:
        extract(str(container), str(tmp_path / "out"), **limit)  # type: ignore[arg-type]
    assert caught.value.hint
    assert left(tmp_path) == before
    extract(str(container), str(tmp_path / "out"), max_files=5, max_size=5002)


def test_an_interruption_leaves_nothing(
    container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = left(tmp_path)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(job._Copy, "_make_link", interrupted)
    with pytest.raises(KeyboardInterrupt):
        extract(str(container), str(tmp_path / "out"))
    assert left(tmp_path) == before


@pytest.mark.skipif(os.getuid() != 0, reason="making a device needs root")
def test_no_device_is_made(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    os.mknod(source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(source / "disk", stat.S_IFBLK | 0o666, os.makedev(7, 300))
    create_data(str(tmp_path / "a.sif"), mount="/in", source=str(source))
    seal(str(tmp_path / "a.sif"), str(tmp_path / "b.sif"))
    want = scan_folder(str(source), Deadline())
    for name in ("a.sif", "b.sif"):
        with open_image(str(tmp_path / name)) as (_, image):
            partition = find_partition(image)
        assert partition
        tree = scan_partition(str(tmp_path / name), partition, Deadline())
        assert [e.value for e in tree.entries[1:]] == [e.value for e in want.entries]
        done = extract(str(tmp_path / name), str(tmp_path / f"out-{name}"))
        assert done.skipped == [b"in/disk", b"in/null"]
        assert left(tmp_path / f"out-{name}" / "in") == []


def test_an_error_names_what_is_missing(container: Path, tmp_path: Path) -> None:
    with pytest.raises(SifprovError, match="/Inputs/none: no such file"):
        extract(str(container), str(tmp_path / "out"), subtree=b"/Inputs/none")
