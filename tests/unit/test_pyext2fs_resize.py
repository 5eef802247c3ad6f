"""resize: content and consistency survive, the file has the filesystem's length."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.unit.ext2trees import OFFSET, odd_tree, tree_of_folder, tree_of_image

from pyext2fs import NoSpace
from pyext2fs.fsck import fsck
from pyext2fs.mkfs import mkfs
from pyext2fs.resize import resize, shrink_inside
from pyext2fs.sizing import estimate, size_for

MIB = 1 << 20


@pytest.fixture
def image(tmp_path: Path) -> Path:
    (tmp_path / "source").mkdir()
    odd_tree(tmp_path / "source")
    (tmp_path / "image?offset=7").touch()
    mkfs(tmp_path / "image?offset=7", size=12 * MIB, inodes=60, source=tmp_path / "source")
    return tmp_path / "image?offset=7"


@pytest.mark.parametrize("blocks", [4096, 12288, 30000, None])
def test_resize(image: Path, blocks: int | None) -> None:
    found = resize(image, blocks)
    assert blocks is None or found.blocks_count == blocks
    assert image.stat().st_size == found.size
    assert tree_of_image(image, 0) == tree_of_folder(image.parent / "source")
    assert fsck(image).code == 0
    assert found.has_journal


def test_the_least_size_is_little_more_than_the_journal(image: Path) -> None:
    assert resize(image).size < 1.2 * MIB


def test_too_small(image: Path) -> None:
    with pytest.raises(NoSpace, match="resize2fs failed"):
        resize(image, 500)
    assert tree_of_image(image, 0) == tree_of_folder(image.parent / "source")
    assert fsck(image).code == 0


def test_shrink_inside_makes_what_mke2fs_cannot(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    odd_tree(source)
    image = tmp_path / "image"
    sizing = estimate(source)
    made, wanted = size_for(sizing, 100_000), size_for(sizing, 100_000, shrunk=True)
    assert wanted < made
    image.write_bytes(b"x" * OFFSET)
    mkfs(image, size=made, offset=OFFSET, inodes=sizing.inodes, source=source)
    found = shrink_inside(image, OFFSET, wanted // 1024)
    assert found.size == wanted == image.stat().st_size - OFFSET
    assert found.has_journal and found.free_blocks * 1024 >= 100_000
    assert fsck(image, OFFSET).code == 0
    assert tree_of_image(image) == tree_of_folder(source)
    assert image.read_bytes()[:OFFSET] == b"x" * OFFSET


def test_shrink_inside_leaves_what_does_not_fit(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.touch()
    mkfs(image, size=3 << 20, offset=OFFSET, inodes=16)
    before = image.read_bytes()
    with pytest.raises(NoSpace):
        shrink_inside(image, OFFSET, 600)
    assert image.read_bytes() == before
