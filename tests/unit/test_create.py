"""create: what a new container costs, keeps and refuses, in both file systems."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.unit.ext2trees import below, odd_tree, tree_of_folder, tree_of_image

from pyext2fs._inodes import Inodes
from pyext2fs.fsck import fsck
from pyext2fs.mkfs import mkfs
from pyext2fs.sizing import size_for
from pyext2fs.superblock import superblock
from sifprov.cli import main
from sifprov.content import Deadline, Tree, scan_folder
from sifprov.create import Made, create_data
from sifprov.errors import SifprovError
from sifprov.filesystem.opening import open_container
from sifprov.fsbuild import ext3
from sifprov.records import read_records
from sifprov.sif import open_image

KIB = 1024
MIB = 1 << 20
FORMATS = ["ext3", "squashfs"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    odd_tree(folder)
    return folder


def make(path: Path, source: Path | None, **options: object) -> Made:
    return create_data(
        str(path), mount="/data/in", source=str(source) if source else None, **options  # type: ignore[arg-type]
    )  # fmt: skip


def below_mount(tree: Tree) -> dict[bytes, bytes]:
    return {
        e.path.removeprefix(b"data/in/"): e.line().replace(b"data/in/", b"", 1)
        for e in tree.entries
        if e.path.startswith(b"data/in/")
    }


@pytest.mark.parametrize("fs", FORMATS)
def test_the_tree_is_the_folders(source: Path, tmp_path: Path, fs: str) -> None:
    made = make(tmp_path / "x.sif", source, fs=fs)
    folder = {e.path: e.line() for e in scan_folder(str(source), Deadline()).entries}
    assert below_mount(made.tree) == folder
    with open_image(made.path) as (file, image):
        (stored,) = read_records(file, image)
    assert stored.record is not None and stored.record.origin is not None
    assert stored.record.origin.digest == made.tree.digest


def test_both_file_systems_have_the_same_digest(source: Path, tmp_path: Path) -> None:
    digests = {make(tmp_path / f"{fs}.sif", source, fs=fs).tree.digest for fs in FORMATS}
    assert len(digests) == 1


def test_ext3_keeps_owners_modes_nanoseconds_and_links(source: Path, tmp_path: Path) -> None:
    made = make(tmp_path / "x.sif", source)
    kept = below(tree_of_image(Path(made.path), made.partition.offset), b"/data/in")
    assert kept == tree_of_folder(source)
    assert any(item.mtime % 10**9 for item in kept.values())


@pytest.mark.parametrize("fs", FORMATS)
def test_squashfs_and_ext3_keep_modes_seconds_and_owners(
    source: Path, tmp_path: Path, fs: str
) -> None:
    make(tmp_path / "x.sif", source, fs=fs, owner=(12345, 4_000_000_000))
    with open_container(str(tmp_path / "x.sif")) as (_, opened):
        nodes = [opened.root, *opened.walk()]
        for node in nodes:
            assert (node.uid, node.gid) == (12345, 4_000_000_000)
            place = source / os.fsdecode(node.path.removeprefix(b"data/in").lstrip(b"/"))
            if node.path.startswith(b"data/in"):
                status = place.lstat()
                assert node.mode == status.st_mode
                assert node.mtime_ns // 10**9 == status.st_mtime_ns // 10**9
            else:
                assert node.mode & 0o777 == 0o755
                assert node.mtime_ns // 10**9 == source.stat().st_mtime_ns // 10**9
        hard = {n.path: n.ino for n in nodes}
        assert hard[b"data/in/-dash"] == hard[b"data/in/sub/hard"]


@pytest.mark.parametrize("kib", [0, 1, 100, 900, 2264, 12_071])
def test_ext3_costs_at_most_1229_kib(tmp_path: Path, kib: int) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    for number, start in enumerate(range(0, kib, 700)):
        (folder / f"{number}.csv").write_bytes(os.urandom(min(700, kib - start) * KIB))
    made = make(tmp_path / "x.sif", folder)
    status = Path(made.path).stat()
    assert status.st_size - kib * KIB <= 1.2 * MIB
    # The journal takes no room before it is used.
    assert status.st_blocks * 512 - kib * KIB <= 0.25 * MIB
    assert fsck(made.path, made.partition.offset).code == 0
    assert superblock(made.path, made.partition.offset).has_journal


@pytest.mark.parametrize("kib", [1, 2264, 12_071])
def test_squashfs_costs_at_most_64_kib_more_than_mksquashfs(tmp_path: Path, kib: int) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    text = b"".join(b"%d,%d\n" % (n, n * n % 997) for n in range(kib * 120))[: kib * KIB]
    (folder / "table.csv").write_bytes(text)
    plain = tmp_path / "plain.squashfs"
    subprocess.run(["mksquashfs", folder, plain, "-quiet", "-no-progress"], check=True)
    made = make(tmp_path / "x.sif", folder, fs="squashfs")
    assert Path(made.path).stat().st_size - plain.stat().st_size <= 64 * KIB


@pytest.mark.parametrize("free", [0, 1, 500 * KIB, 2 * MIB, 30 * MIB])
def test_what_is_to_be_free_is_free(source: Path, tmp_path: Path, free: int) -> None:
    made = make(tmp_path / "x.sif", source, free=free)
    found = superblock(made.path, made.partition.offset)
    assert found.free_blocks * found.block_size >= free
    assert found.free_inodes >= 16


@pytest.mark.parametrize(
    ("free", "files", "block"),
    [(48 * MIB, 0, 1024), (64 * MIB, 0, 4096), (64 * MIB, 4000, 1024), (260 * MIB, 4000, 4096)],
)
def test_blocks_are_large_where_that_costs_little(
    tmp_path: Path, free: int, files: int, block: int
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    for number in range(files):
        (folder / str(number)).write_bytes(b"x")
    made = make(tmp_path / "x.sif", folder if files else None, free=free)
    assert superblock(made.path, made.partition.offset).block_size == block


def journal_of(made: Made) -> int:
    with open(made.path, "rb") as file:
        inode = Inodes(file.fileno(), made.partition.offset).read(8)
    return int.from_bytes(inode[4:8], "little")


@pytest.mark.parametrize(
    ("free", "journal"), [(1 * MIB, 1), (48 * MIB, 1), (64 * MIB, 4), (1 << 30, 32), (9 << 30, 128)]
)
def test_the_journal_grows_with_what_a_run_may_write(
    tmp_path: Path, free: int, journal: int
) -> None:
    made = make(tmp_path / "x.sif", None, free=free)
    assert journal_of(made) == journal * MIB
    found = superblock(made.path, made.partition.offset)
    assert found.free_blocks * found.block_size >= free


def test_the_journal_is_small_where_nothing_is_to_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    with (folder / "data").open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, 400 * MIB)
    assert journal_of(make(tmp_path / "x.sif", folder)) == 4 * MIB
    # The rest of a partition may be written, and nothing else.
    larger = make(tmp_path / "y.sif", folder, partition_size=720 * MIB)
    assert 8 * MIB <= journal_of(larger) <= 10 * MIB


def test_empty_space_takes_no_room(tmp_path: Path) -> None:
    made = make(tmp_path / "x.sif", None, free=3 << 30)
    status = Path(made.path).stat()
    assert status.st_size > 3 << 30 and status.st_blocks * 512 < 1 * MIB
    assert superblock(made.path, made.partition.offset).block_size == 4096
    assert fsck(made.path, made.partition.offset).code == 0


def test_a_wrong_guess_grows(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source / "more").write_bytes(os.urandom(4 * MIB))
    tried = []

    def counted(*args: object, **options: object) -> None:
        tried.append(options["size"])
        mkfs(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ext3, "mkfs", counted)
    monkeypatch.setattr(ext3, "size_for", lambda *a, **k: size_for(*a, **k) * 2 // 3)
    made = make(tmp_path / "x.sif", source)
    assert len(tried) > 1
    assert below_mount(made.tree)[b"more"].startswith(b"f %d " % (4 * MIB))
    monkeypatch.setattr(ext3, "size_for", lambda *a, **k: 2 * MIB + 4096)
    (source / "most").write_bytes(os.urandom(20 * MIB))
    with pytest.raises(SifprovError):
        make(tmp_path / "y.sif", source)
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("fs", FORMATS)
def test_reproducible_means_the_same_bytes(source: Path, tmp_path: Path, fs: str) -> None:
    one = make(tmp_path / "1.sif", source, fs=fs, reproducible=True)
    # Another inode and time of change for each file, another order of the names on the disk.
    aside = tmp_path / "aside"
    source.rename(aside)
    source.mkdir()
    for path in sorted(aside.iterdir(), reverse=True):
        subprocess.run(["cp", "-a", "--", path, source], check=True)
    shutil.copystat(aside, source)
    os.link(source / "-dash", source / "x")
    (source / "sub" / "hard").unlink()
    (source / "x").rename(source / "sub" / "hard")
    for folder in (".", "sub"):
        shutil.copystat(aside / folder, source / folder)
    time.sleep(1.1)
    two = make(tmp_path / "2.sif", source, fs=fs, reproducible=True)
    assert Path(one.path).read_bytes() == Path(two.path).read_bytes()
    (source / "-dash").write_bytes(b"other")
    others = [
        make(tmp_path / "3.sif", source, fs=fs, reproducible=True),
        make(tmp_path / "4.sif", source, fs=fs, reproducible=True, role="output"),
        make(tmp_path / "5.sif", source, fs=fs),
    ]
    assert len({one.uuid, *(o.uuid for o in others)}) == 4


def test_reproducible_takes_its_time_from_the_environment(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for fs in FORMATS:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        made = make(tmp_path / f"{fs}.sif", source, fs=fs, reproducible=True)
        with open_image(made.path) as (_, image):
            assert image.header.created == image.header.modified == 1_700_000_000
    for wrong in ("0", "-1", "x", "4294967296", "1.5", ""):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", wrong)
        with pytest.raises(SifprovError, match="SOURCE_DATE_EPOCH"):
            make(tmp_path / "no.sif", source, reproducible=True)


def test_a_sealed_container_needs_its_content(source: Path, tmp_path: Path) -> None:
    for folder, free in ((None, 0), (source, 1)):
        with pytest.raises(SifprovError, match="cannot be filled later"):
            make(tmp_path / "x.sif", folder, free=free, fs="squashfs")
    assert not list(tmp_path.glob("*.sif")) and not list(tmp_path.glob(".*"))


def run(*argv: str | Path) -> Result:
    return CliRunner().invoke(main, ["data", "create", *map(str, argv)])


@pytest.mark.parametrize("owner", ["me", "1", "1:", ":1", "1:2:3", "-1:1", "4294967295:0", "1:1\n"])
def test_owners_that_are_none(tmp_path: Path, owner: str) -> None:
    done = run(tmp_path / "x.sif", "--mount", "/d", "--owner", owner)
    assert isinstance(done.exception, SifprovError) and "is no owner" in str(done.exception)


def test_a_mount_point_must_be_given(tmp_path: Path) -> None:
    assert run(tmp_path / "x.sif").exit_code == 2
