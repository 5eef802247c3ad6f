"""mkfs: nothing of the source is lost, nothing beside the filesystem is touched."""

from __future__ import annotations

import os
import stat
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.ext2trees import (
    NAMES,
    OFFSET,
    build,
    guards_intact,
    odd_tree,
    tree_of_folder,
    tree_of_image,
)

from pyext2fs import Ext2fsError, NoSpace, SourceChanged, _run, mkfs
from pyext2fs._inodes import put_time
from pyext2fs.debugfs import Debugfs
from pyext2fs.fsck import fsck
from pyext2fs.nest import nest
from pyext2fs.owner import set_owner
from pyext2fs.sizing import estimate, size_for
from pyext2fs.superblock import INCOMPAT_FILETYPE, superblock

MIB = 1 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def test_an_odd_tree_comes_out_as_it_went_in(source: Path, tmp_path: Path) -> None:
    odd_tree(source)
    image = tmp_path / "image"
    size = build(source, image)
    assert tree_of_image(image) == tree_of_folder(source)
    assert fsck(image, OFFSET).code == 0
    assert guards_intact(image, size)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes devices and gives files away")
def test_devices_and_owners(source: Path, tmp_path: Path) -> None:
    os.mknod(source / "char", stat.S_IFCHR | 0o600, os.makedev(1, 300))
    os.mknod(source / "block", stat.S_IFBLK | 0o600, os.makedev(8, 1))
    (source / "theirs").touch()
    os.chown(source / "theirs", 100_000, 3_000_000_000)
    build(source, tmp_path / "image")
    assert tree_of_image(tmp_path / "image") == tree_of_folder(source)


def test_features_are_those_the_runtimes_accept(source: Path, tmp_path: Path) -> None:
    size = build(source, tmp_path / "image")
    found = superblock(tmp_path / "image", OFFSET)
    assert found.has_journal
    assert found.clean
    assert found.incompat == INCOMPAT_FILETYPE
    assert found.ro_compat & ~0x7 == 0
    assert found.inode_size == 256
    assert found.size == size


def test_the_root_gets_mode_and_times_of_the_source(source: Path, tmp_path: Path) -> None:
    source.chmod(0o711)
    os.utime(source, ns=(1_600_000_000_000_000_001, 1_600_000_000_123_456_789))
    build(source, tmp_path / "image")
    with Debugfs(tmp_path / "image", OFFSET) as fs:
        root = fs.stat(2)
    assert stat.S_IMODE(root.mode) == 0o711
    assert root.mtime_ns == 1_600_000_000_123_456_789


@pytest.mark.parametrize("ns", [0, 1, 999_999_999])
@pytest.mark.parametrize("seconds", [1 - 2**31, -1, 2**31, 2**32, 3_981_355_200, 2**34 - 2**31 - 2])
def test_times_far_away_are_kept(source: Path, tmp_path: Path, seconds: int, ns: int) -> None:
    """mke2fs alone keeps 32 bits of the seconds; ext3 has two more, up to the year 2446."""
    wanted = seconds * 10**9 + ns
    (source / "far").mkdir()
    (source / "far" / "file").touch()
    for path in (source / "far" / "file", source / "far", source):
        os.utime(path, ns=(0, wanted))
        if path.stat().st_mtime_ns != wanted:
            pytest.skip(f"the file system of {source} does not keep such a time")
    build(source, tmp_path / "image")
    with Debugfs(tmp_path / "image", OFFSET) as fs:
        times = {path: fs.stat(entry.ino).mtime_ns for path, entry in fs.walk()}
        assert fs.stat(2).mtime_ns == wanted
    assert times[b"far"] == times[b"far/file"] == wanted


def test_a_time_that_ext3_cannot_hold_is_the_last_that_it_can() -> None:
    inode = bytearray(256)
    struct.pack_into("<H", inode, 128, 32)
    for ns, seconds in ((2**34 * 10**9, 2**34 - 2**31 - 1), (-(2**31) * 10**9 - 1, -(2**31))):
        put_time(inode, "mtime", ns)
        low, (extra,) = struct.unpack_from("<i", inode, 16)[0], struct.unpack_from("<I", inode, 136)
        assert low + ((extra & 3) << 32) == seconds


def test_extended_attributes_are_kept(source: Path, tmp_path: Path) -> None:
    (source / "small").touch()
    (source / "large").touch()
    try:
        os.setxattr(source / "small", "user.note", b"hello")
        os.setxattr(source / "large", "user.note", b"x" * 500)
    except OSError as e:
        pytest.skip(f"no extended attributes in {source}: {e}")
    build(source, tmp_path / "image")
    with Debugfs(tmp_path / "image", OFFSET) as fs:
        inodes = {path: entry.ino for path, entry in fs.walk()}
    for name, size in ((b"small", 5), (b"large", 500)):
        shown = subprocess.run(
            [
                _run.find_tool("debugfs"),
                "-R",
                f"ea_list <{inodes[name]}>",
                f"{tmp_path}/image?offset={OFFSET}",
            ],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        assert f"user.note ({size})" in shown


def test_a_file_beyond_2_gib(source: Path, tmp_path: Path) -> None:
    with open(source / "big", "wb") as file:
        file.truncate(3 << 30)
        file.seek((2 << 30) + 5)
        file.write(b"far out")
    size = build(source, tmp_path / "image")
    assert size < 4 * MIB
    with Debugfs(tmp_path / "image", OFFSET) as fs:
        info = fs.stat(next(e.ino for p, e in fs.walk() if p == b"big"))
        assert info.size == 3 << 30
        at = 0
        for piece in fs.content(info):
            where = piece.find(b"far out")
            if where >= 0:
                assert at + where == (2 << 30) + 5
            at += len(piece)
        assert at == 3 << 30


def test_the_cost_above_the_payload(source: Path, tmp_path: Path) -> None:
    payload = 12_071 << 10
    (source / "data").write_bytes(os.urandom(payload))
    assert build(source, tmp_path / "image", levels=1) - payload < 1.2 * MIB


@pytest.mark.parametrize("block_size", [1024, 4096])
@pytest.mark.parametrize("count", [0, 1, 300, 3000])
def test_the_estimate_suffices(source: Path, tmp_path: Path, count: int, block_size: int) -> None:
    for n in range(count):
        (source / f"{n}{'x' * (n % 200)}").write_bytes(b"y" * (n * 7 % 5000))
    free = 2 * MIB
    build(source, tmp_path / "image", levels=2, free=free, block_size=block_size)
    found = superblock(tmp_path / "image", OFFSET)
    assert found.free_blocks * block_size >= free
    assert found.free_inodes >= 2


def test_sizes_around_the_borders_of_groups(tmp_path: Path, source: Path) -> None:
    for blocks in range(8193 - 12, 8193 + 200, 7):
        size = size_for(estimate(source), (blocks - 1200) * 1024)
        with (tmp_path / "image").open("wb"):
            pass
        mkfs.mkfs(tmp_path / "image", size=size, inodes=3)
        found = superblock(tmp_path / "image")
        assert found.size == size
        assert found.free_blocks * 1024 >= (blocks - 1200) * 1024


def test_no_space_for_data_or_for_inodes(source: Path, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.touch()
    (source / "data").write_bytes(os.urandom(3 * MIB))
    with pytest.raises(NoSpace) as caught:
        mkfs.mkfs(image, size=3 * MIB, inodes=10, source=source)
    assert caught.value.returncode == 1
    assert caught.value.argv[0].endswith("mke2fs")
    (source / "data").unlink()
    for n in range(200):
        (source / str(n)).touch()
    with pytest.raises(NoSpace):
        mkfs.mkfs(image, size=4 * MIB, inodes=20, source=source)


def test_a_link_target_larger_than_a_block(source: Path, tmp_path: Path) -> None:
    os.symlink("t" * 1500, source / "link")
    with pytest.raises(Ext2fsError, match="link"):
        build(source, tmp_path / "image")
    build(source, tmp_path / "image", block_size=4096)
    assert tree_of_image(tmp_path / "image") == tree_of_folder(source)


def test_a_source_that_changes_meanwhile(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "file").write_text("before")

    def run_and_change(*args: object, **kwargs: object) -> object:
        result = _run.run(*args, **kwargs)  # type: ignore[arg-type]
        (source / "file").write_text("behind")
        return result

    monkeypatch.setattr("pyext2fs.mkfs.run", run_and_change)
    with pytest.raises(SourceChanged):
        build(source, tmp_path / "image")


def test_a_source_that_cannot_be_read(source: Path, tmp_path: Path) -> None:
    with pytest.raises(Ext2fsError, match="nowhere"):
        build(source / "nowhere", tmp_path / "image")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become an ordinary user")
@pytest.mark.parametrize("folder", [False, True])
def test_a_file_that_may_not_be_read(folder: bool) -> None:
    """Runs as nobody, to whom permissions apply."""
    script = f"""
import hashlib, os, subprocess, sys, tempfile
from pathlib import Path
from pyext2fs import Ext2fsError
from pyext2fs.mkfs import mkfs
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
with tempfile.TemporaryDirectory() as top:
    source = Path(top, "source"); source.mkdir()
    Path(source, "good").write_text("good")
    secret = Path(source, "secret")
    secret.mkdir() if {folder} else secret.write_text("x")
    secret.chmod(0)
    Path(top, "image").touch()
    try:
        mkfs(Path(top, "image"), size=4 << 20, inodes=10, source=source)
    except Ext2fsError as e:
        print("refused:", e)
    finally:
        secret.chmod(0o700)
"""
    pytools = Path(mkfs.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(pytools), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "secret" in done.stdout, done.stderr
    assert "refused:" in done.stdout
    assert "ermission denied" in done.stdout


def test_same_input_same_bytes(source: Path, tmp_path: Path) -> None:
    """Also after the source was read, and in another second."""
    odd_tree(source)
    images = []
    for name in ("one", "two"):
        image = tmp_path / name
        image.touch()
        mkfs.mkfs(
            image,
            size=4 * MIB,
            inodes=60,
            source=source,
            uuid="11111111-2222-3333-4444-555555555555",
            hash_seed="66666666-7777-8888-9999-aaaaaaaaaaaa",
            timestamp=1_700_000_000,
        )
        nest(image, 0, b"/data/in", timestamp=1_700_000_000)
        set_owner(image, 0, 1000, 1000)
        images.append(image.read_bytes())
        for path in source.iterdir():
            os.utime(path, ns=(1, path.lstat().st_mtime_ns), follow_symlinks=False)
        time.sleep(1.1)
    assert images[0] == images[1]


@pytest.mark.parametrize("ids", [(1000, 1000), (100_000, 4_000_000_000), (0, 65536)])
def test_set_owner(source: Path, tmp_path: Path, ids: tuple[int, int]) -> None:
    odd_tree(source)
    image = tmp_path / "image"
    size = build(source, image)
    before = tree_of_image(image, lost_found=True)
    set_owner(image, OFFSET, *ids)
    after = tree_of_image(image, lost_found=True)
    assert after == {path: item._replace(uid=ids[0], gid=ids[1]) for path, item in before.items()}
    with Debugfs(image, OFFSET) as fs:
        assert (fs.stat(2).uid, fs.stat(2).gid) == ids
    assert fsck(image, OFFSET).code == 0
    assert set_owner(image, OFFSET, *ids) == 0
    assert guards_intact(image, size)


def test_set_owner_refuses_what_is_no_plain_ext3(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(8 * MIB))
    subprocess.run(
        [_run.find_tool("mke2fs"), "-q", "-F", "-t", "ext4", image], check=True, timeout=60
    )
    with pytest.raises(Ext2fsError, match="plain ext3"):
        set_owner(image, 0, 1, 1)


TREES = st.recursive(
    st.binary(max_size=3000)
    | st.binary(min_size=1, max_size=200).map(
        lambda target: "l" + target.replace(b"\0", b"0").decode("latin-1")
    ),
    lambda children: st.dictionaries(NAMES, children, max_size=6),
    max_leaves=25,
)


def write_tree(top: bytes, tree: object) -> None:
    if isinstance(tree, bytes):
        with open(top, "wb") as file:
            file.write(tree)
    elif isinstance(tree, str):
        os.symlink(tree[1:].encode("latin-1"), top)
    elif isinstance(tree, dict):
        os.mkdir(top)
        for name, child in tree.items():
            write_tree(top + b"/" + name, child)


@settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(NAMES, TREES, max_size=8))
def test_any_tree_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, tree: dict[bytes, object]
) -> None:
    top = tmp_path_factory.mktemp("any")
    write_tree(os.fsencode(top / "source"), tree)
    build(top / "source", top / "image")
    assert tree_of_image(top / "image") == tree_of_folder(top / "source")
    (top / "image").unlink()
