"""nest: everything moves below the new folders, and e2fsck finds nothing to say."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.ext2trees import (
    NAMES,
    OFFSET,
    below,
    build,
    guards_intact,
    odd_tree,
    tree_of_folder,
    tree_of_image,
)

from pyext2fs import Ext2fsError, NoSpace, _run
from pyext2fs.debugfs import Debugfs
from pyext2fs.fsck import fsck
from pyext2fs.mkfs import mkfs
from pyext2fs.nest import nest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def check(source: Path, image: Path, mount: bytes, *, own_lost_found: bool = False) -> None:
    parts = mount.strip(b"/").split(b"/")
    size = build(source, image, levels=len(parts))
    expected = tree_of_folder(source)
    nest(image, OFFSET, mount, own_lost_found=own_lost_found)
    tree = tree_of_image(image)
    assert below(tree, mount) == expected
    assert len(tree) == len(expected) + len(parts)
    assert guards_intact(image, size)
    assert fsck(image, OFFSET).code == 0


def test_an_empty_source(source: Path, tmp_path: Path) -> None:
    check(source, tmp_path / "image", b"/Inputs")


def test_an_odd_tree_three_levels_down(source: Path, tmp_path: Path) -> None:
    odd_tree(source)
    check(source, tmp_path / "image", b"/data/new\nline/\xff")


@pytest.mark.parametrize("count", [60, 4000])
def test_many_entries_at_the_root(source: Path, tmp_path: Path, count: int) -> None:
    for n in range(count):
        if n % 10:
            (source / f"file{n}").touch()
        else:
            (source / f"folder{n}").mkdir()
    check(source, tmp_path / "image", b"/Inputs")


def test_a_child_of_the_same_name(source: Path, tmp_path: Path) -> None:
    (source / "Inputs" / "Inputs").mkdir(parents=True)
    check(source, tmp_path / "image", b"/Inputs")


def test_a_lost_found_of_its_own(source: Path, tmp_path: Path) -> None:
    (source / "lost+found" / "sub").mkdir(parents=True)
    (source / "lost+found" / "kept").write_text("kept")
    (source / "other").mkdir()
    check(source, tmp_path / "image", b"/data/in", own_lost_found=True)


def test_no_inode_left(source: Path, tmp_path: Path) -> None:
    for n in range(5):
        (source / str(n)).touch()
    (tmp_path / "image").touch()
    mkfs(tmp_path / "image", size=4 << 20, inodes=5, source=source)  # 5 and 11: two times 8
    with pytest.raises(NoSpace):
        nest(tmp_path / "image", 0, b"/Inputs")


def test_the_new_folder_is_as_the_source_was(source: Path, tmp_path: Path) -> None:
    source.chmod(0o2750)
    os.utime(source, ns=(10**18 + 1, 10**18 + 2))
    build(source, tmp_path / "image", levels=2)
    nest(tmp_path / "image", OFFSET, b"/a/b")
    with Debugfs(tmp_path / "image", OFFSET) as fs:
        inodes = {path: fs.stat(entry.ino) for path, entry in fs.walk()}
        assert stat.S_IMODE(fs.stat(2).mode) == 0o755
        assert stat.S_IMODE(inodes[b"a"].mode) == 0o755
        assert stat.S_IMODE(inodes[b"a/b"].mode) == 0o2750
        assert inodes[b"a/b"].mtime_ns == 10**18 + 2
        assert inodes[b"lost+found"].links == 2
        assert fs.stat(2).links == 4


@pytest.mark.parametrize(
    "mount", [b"", b"/", b"relative", b"/..", b"/a/./b", b"/lost+found", b"/" + b"x" * 256, b"/\0"]
)
def test_a_mount_that_cannot_be(mount: bytes, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not"):
        nest(tmp_path / "image", 0, mount)


def test_ext4_is_refused_and_left_alone(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(bytes(8 << 20))
    subprocess.run(
        [_run.find_tool("mke2fs"), "-q", "-F", "-t", "ext4", image], check=True, timeout=60
    )
    before = image.read_bytes()
    with pytest.raises(Ext2fsError, match="plain ext3"):
        nest(image, 0, b"/Inputs")
    assert image.read_bytes() == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount")
def test_the_kernel_agrees(source: Path, tmp_path: Path) -> None:
    odd_tree(source)
    image, mounted = tmp_path / "image", tmp_path / "mounted"
    mounted.mkdir()
    build(source, image, levels=1)
    nest(image, OFFSET, b"/Inputs")
    done = subprocess.run(
        ["mount", "-t", "ext3", "-o", f"loop,ro,noload,offset={OFFSET}", image, mounted],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"this machine mounts no ext3 image: {done.stderr.strip()}")
    try:
        seen = tree_of_folder(mounted / "Inputs")
        assert sorted(path.name for path in mounted.iterdir()) == ["Inputs", "lost+found"]
        assert (mounted / "Inputs" / "..").stat().st_ino == 2
    finally:
        subprocess.run(["umount", mounted], check=True, timeout=60)
    assert seen == tree_of_folder(source)


@settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(NAMES, st.booleans(), max_size=30), NAMES)
def test_any_names(
    tmp_path_factory: pytest.TempPathFactory, names: dict[bytes, bool], mount: bytes
) -> None:
    top = tmp_path_factory.mktemp("nest")
    (top / "source").mkdir()
    for name, folder in names.items():
        path = top / "source" / os.fsdecode(name)
        if folder:
            path.mkdir()
        else:
            path.touch()
    check(top / "source", top / "image", b"/" + mount)
    (top / "image").unlink()
