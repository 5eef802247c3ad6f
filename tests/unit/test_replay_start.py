"""What a replayed output begins with: which way is chosen, and what then stands in the file."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.verified import Site, make_site, tree_of

from pyext2fs.debugfs import Debugfs
from pyext2fs.fsck import fsck
from pyext2fs.superblock import superblock
from sifprov.carrier import read_carrier
from sifprov.create import create_data
from sifprov.errors import FileError
from sifprov.filesystem.opening import open_container
from sifprov.frozen import replace
from sifprov.grow import trim
from sifprov.identity import identify
from sifprov.listing import Tree
from sifprov.manifests import manifest_reader
from sifprov.model.container import OUTPUT, Container
from sifprov.model.record import Record
from sifprov.model.timestamp import from_ns
from sifprov.replay import fill, origin, start
from sifprov.replay.find import Finder
from sifprov.replay.layout import Layout
from sifprov.replay.older import unchanged_since
from sifprov.replay.steps import Continued, Copied, Fresh, Kept, Refilled, Room, Start, Target
from sifprov.seal import seal
from sifprov.sif import FsType, Partition, open_image
from sifprov.verify import verify


class Past(Site):
    """A container that was made from a folder and then used by a run that added to it."""

    @property
    def new(self) -> Path:
        return self.folder / "parts" / "new.sif.part"

    def records(self) -> list[Record]:
        """What the output carries, oldest first."""
        return [record for _, record in read_carrier(str(self.out)).good]

    def entry(self) -> Container:
        """The output as the last run's record names it."""
        it = self.records()[-1].itself()
        assert it
        return replace(it, path=str(self.out), source="/Outputs", mount="/Outputs")

    def choose(self, *search: str, from_origin: bool = False) -> Start | None:
        read = manifest_reader(read_carrier(str(self.out)))
        return start.choose(
            self.entry(),
            self.records()[-2],
            Finder(str(self.out), [str(self.folder / s) for s in search], environ={"HOME": "/"}),
            lambda about: read(about).manifest,
            from_origin=from_origin,
        )

    def build(self, chosen: Start, made: dict[str, str] | None = None) -> Path:
        self.new.parent.mkdir(exist_ok=True)
        record = self.records()[-1]
        target = Target(self.entry(), "sha256:" + "0" * 64, record, chosen)
        start.build(chosen, target, str(self.new), made or {})
        assert os.listdir(self.new.parent) == [self.new.name]
        assert fsck(str(self.new), partition_of(self.new).offset, "check").code == 0
        return self.new


def partition_of(path: Path) -> Partition:
    found = identify(str(path)).partition
    assert found
    return found


def put(path: Path, name: str, data: bytes, scratch: Path) -> None:
    """Writes a file into a container's folder /Outputs."""
    scratch.write_bytes(data)
    change(path, "cd /Outputs", f"write {scratch} {name}")
    scratch.unlink()


def change(path: Path, *commands: str) -> None:
    with Debugfs(str(path), partition_of(path).offset, writable=True) as fs:
        fs.run(*commands)


def state(path: Path) -> dict[bytes, tuple[object, ...]]:
    """All that is to be kept of the files in a container."""
    found = {e.path: e for e in tree_of(path).entries}
    with open_container(str(path)) as (_, fs):
        return {
            n.path: (found[n.path].line(), n.mode, n.mtime_ns, n.links if n.is_file else None)
            for n in fs.walk()
        }


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def past(tmp_path: Path) -> Past:
    made = make_site(tmp_path, files=3, descriptors=20)
    past = Past(made.folder)
    put(past.out, "result", b"of the run\n", tmp_path / "scratch")
    past.run()
    return past


def test_an_earlier_state_that_still_stands_is_copied_out_of_the_original(past: Past) -> None:
    before = {p: s for p, s in state(past.out).items() if p != b"Outputs/result"}
    original = sha256(past.out)
    chosen = past.choose()
    assert isinstance(chosen, Kept) and chosen.path == str(past.out)
    new = past.build(chosen)
    # The folder into which the run wrote has another time since.
    assert state(new) == before
    assert sha256(past.out) == original
    old, its = identify(str(past.out)), identify(str(new))
    assert old.uuid != its.uuid and its.declaration == old.declaration
    # It was nearly full.
    assert its.partition and old.partition
    assert old.partition.size < its.partition.size < 3 * old.partition.size
    found = superblock(new, its.partition.offset)
    assert found.free_blocks * found.block_size >= old.partition.size
    (record,) = [record for _, record in read_carrier(str(new)).good]
    assert record.origin and record.origin.digest == chosen.tree.digest
    (source,) = record.containers
    assert (source.uuid, source.path, source.record) == (
        old.uuid, str(past.out), past.records()[-1].previous
    )  # fmt: skip
    report = verify(str(new))
    assert report.verdict != "broken", [c.text for c in report.checks]


@pytest.mark.parametrize(
    "commands",
    [
        ["rm 01.txt"],
        ["rm 01.txt", "symlink 01.txt 02.txt"],
        ["set_inode_field 01.txt mode 0100600"],
        ["mkdir x", "rm sub/large", "rmdir sub"],
    ],
)
def test_what_was_changed_or_removed_since_is_not_kept(past: Past, commands: list[str]) -> None:
    change(past.out, "cd /Outputs", *commands)
    shutil.rmtree(past.folder / "start")
    assert past.choose() is None


def test_one_changed_byte_is_enough(past: Past) -> None:
    scratch = past.folder / "scratch"
    change(past.out, "cd /Outputs", "rm 01.txt")
    put(past.out, "01.txt", b"start 1\n" * 39 + b"start 2\n", scratch)
    assert isinstance(past.choose(), Refilled)
    change(past.out, "cd /Outputs", "rm 01.txt")
    put(past.out, "01.txt", b"start 1\n" * 40, scratch)
    change(past.out, "cd /Outputs", "set_inode_field 01.txt mode 0100644")
    assert isinstance(past.choose(), Kept)


def test_a_copy_of_before_is_taken_when_the_original_does_not_have_it(tmp_path: Path) -> None:
    past = Past(make_site(tmp_path, files=3, descriptors=20).folder)
    archive = tmp_path / "archive"
    archive.mkdir()
    shutil.copy(past.out, archive / "before.sif")
    before = state(past.out)
    put(past.out, "result", b"of the run\n", tmp_path / "scratch")
    change(past.out, "cd /Outputs", "rm 01.txt")
    past.run()
    shutil.rmtree(tmp_path / "start")
    assert past.choose() is None
    chosen = past.choose("archive")
    assert isinstance(chosen, Copied) and chosen.found.path == str(archive / "before.sif")
    new = past.build(chosen)
    assert state(new) == before
    assert identify(str(new)).uuid not in (identify(str(past.out)).uuid, chosen.found.container)
    assert [record.origin is not None for _, record in read_carrier(str(new)).good] == [True]
    # It may be sealed: the new one is writable, with the original's room.
    seal(str(archive / "before.sif"), str(archive / "sealed.sif"))
    (archive / "before.sif").unlink()
    chosen = past.choose("archive")
    assert isinstance(chosen, Copied) and chosen.found.path == str(archive / "sealed.sif")
    new.unlink()
    new = past.build(chosen)
    # A squashfs has whole seconds.
    assert {p: s[:2] for p, s in state(new).items()} == {p: s[:2] for p, s in before.items()}
    assert partition_of(new).fs == FsType.EXT3
    assert partition_of(new).size >= partition_of(past.out).size


def test_a_whole_partition_with_room_is_copied_as_it_is(tmp_path: Path) -> None:
    past = Past(make_site(tmp_path, files=3, descriptors=20).folder)
    past.out.unlink()
    folder = str(tmp_path / "start")
    create_data(
        str(past.out), mount="/Outputs", source=folder, role=OUTPUT, free=50 << 20, owner=(7, 8)
    )
    shutil.copy(past.out, tmp_path / "before.sif")
    put(past.out, "result", b"of the run\n", tmp_path / "scratch")
    past.run()
    chosen = past.choose(from_origin=True)
    assert isinstance(chosen, Copied)
    new = past.build(chosen)
    assert state(new) == state(tmp_path / "before.sif")
    one, other = partition_of(tmp_path / "before.sif"), partition_of(new)
    assert one.size == other.size
    ids = [superblock(p, partition_of(p).offset).uuid for p in (tmp_path / "before.sif", new)]
    assert ids[0] == ids[1]
    with open_container(str(new)) as (_, fs):
        assert {(n.uid, n.gid) for n in fs.walk()} == {(os.getuid(), os.getgid())}
    assert new.stat().st_blocks * 512 < 2 << 20
    same = Layout(b"", 20, one.size, 0, 0, None)
    assert fill._has_layout(str(past.out), partition_of(past.out), same)
    for less in (
        replace(same, size=one.size + 1), replace(same, free=1), replace(same, inodes=1 << 20)
    ):  # fmt: skip
        assert not fill._has_layout(str(past.out), partition_of(past.out), less)
    # Where the copy lacks the original's room, only its files are taken.
    trim(str(tmp_path / "before.sif"), now=1_800_000_000)
    chosen = past.choose(from_origin=True)
    assert isinstance(chosen, Copied)
    new.unlink()
    assert partition_of(past.build(chosen)).size == partition_of(past.out).size


def test_the_folder_it_was_made_from(past: Past) -> None:
    change(past.out, "cd /Outputs", "rm 01.txt")
    chosen = past.choose()
    assert isinstance(chosen, Refilled) and chosen.mount == "/Outputs"
    new = past.build(chosen)
    assert tree_of(new).digest == chosen.origin.digest
    (record,) = [record for _, record in read_carrier(str(new)).good]
    assert record.origin and record.origin.source == chosen.origin.source
    assert partition_of(new).size >= partition_of(past.out).size
    # Another content by now.
    (past.folder / "start/more").touch()
    assert past.choose() is None
    (past.folder / "start/more").unlink()
    (past.folder / "start/01.txt").write_bytes(b"start 2\n" * 40)
    assert past.choose() is None
    shutil.rmtree(past.folder / "start")
    assert past.choose() is None


def test_from_the_origins_the_folder_comes_first(past: Past) -> None:
    assert isinstance(past.choose(from_origin=True), Refilled)
    shutil.rmtree(past.folder / "start")
    assert isinstance(past.choose(from_origin=True), Kept)


def test_a_recorded_folder_is_not_read_unless_its_names_and_sizes_fit(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(past.out, "cd /Outputs", "rm 01.txt")
    monkeypatch.setattr(origin, "scan_folder", lambda *_: pytest.fail("the content was read"))
    made = past.records()[0].origin
    assert made
    read = manifest_reader(read_carrier(str(past.out)))(made).manifest
    assert read
    for source in ("/", "/proc", str(past.folder), "/dev/null", "relative", "", "\0", "/nothing"):
        assert origin.mount_of(replace(made, source=source), ["/Outputs"], read.entries) is None
    (past.folder / "start/02.txt").unlink()
    assert origin.mount_of(made, ["/Outputs"], read.entries) is None
    (past.folder / "start/02.txt").write_bytes(b"longer" * 400)
    assert origin.mount_of(made, ["/Outputs"], read.entries) is None


@pytest.mark.parametrize("source", ["/Outputs", "/Outputs/deep/er", "/elsewhere", "/", None])
def test_an_empty_container_has_the_layout_of_the_original(
    tmp_path: Path, source: str | None
) -> None:
    past = Past(make_site(tmp_path, files=1).folder)
    past.out.unlink()
    create_data(str(past.out), mount="/Outputs", free=40 << 20, descriptors=20, block_size=4096)
    change(past.out, "set_inode_field Outputs mode 041777")
    past.run()
    entry = replace(past.entry(), source=source)
    finder = Finder(str(past.out), environ={"HOME": "/"})
    chosen = start.choose(entry, None, finder, lambda about: None)
    assert chosen == Fresh(str(past.out))
    new = tmp_path / "new.part"
    fill.fresh(str(new), entry, chosen, lambda text: None)
    folders = {e.path: e.mode for e in tree_of(new).entries}
    wanted = ["Outputs", "Outputs/deep", "Outputs/deep/er"] if source and "deep" in source else []
    wanted += ["Outputs", *(["elsewhere"] if source == "/elsewhere" else [])]
    assert folders == {p.encode(): 0o1777 if p == "Outputs" else 0o755 for p in wanted}
    assert read_carrier(str(new)).records == ()
    with open_image(str(past.out)) as (_, one), open_image(str(new)) as (_, other):
        assert one.header.dtotal == other.header.dtotal == 20
        assert one.descriptors[0].name == other.descriptors[0].name
        assert one.descriptors[0].size == other.descriptors[0].size
    before, after = (superblock(p, partition_of(p).offset) for p in (past.out, new))
    assert (before.block_size, before.blocks_count) == (after.block_size, after.blocks_count)
    assert 0 <= after.inodes_count - before.inodes_count <= 64
    assert new.stat().st_blocks * 512 < 6 << 20


def test_room_for_many_small_files(tmp_path: Path) -> None:
    """Inodes are not to be the limit, whatever the original is: there, sealed, trimmed or lost."""
    past = Past(make_site(tmp_path, files=1).folder)
    many = tmp_path / "many"
    many.mkdir()
    for number in range(600):
        (many / str(number)).touch()
    past.out.unlink()
    create_data(str(past.out), mount="/Outputs", source=str(many), role=OUTPUT, free=16 << 20)
    past.run()
    entry = past.entry()
    sealed, trimmed = tmp_path / "sealed.sif", tmp_path / "trimmed.sif"
    seal(str(past.out), str(sealed))
    shutil.copy(past.out, trimmed)
    trim(str(trimmed), now=1_800_000_000)
    for like in (str(past.out), str(sealed), str(trimmed), None):
        new = tmp_path / "new.part"
        fill.fresh(str(new), entry, Fresh(like, Room(20 << 20, 2000)), lambda text: None)
        found = superblock(new, partition_of(new).offset)
        assert found.free_inodes > 600, like
        least = 4 if like == str(trimmed) else 14
        assert found.free_blocks * found.block_size > least << 20, like
        assert new.stat().st_blocks * 512 < 6 << 20, like
        declared = identify(str(new)).declaration
        assert declared and (declared.role, declared.mount) == (OUTPUT, "/Outputs")
        new.unlink()


def test_the_room_follows_from_what_was_recorded(past: Past) -> None:
    lists = manifest_reader(read_carrier(str(past.out)))
    finder = Finder(str(past.folder / "other/x.sif"), environ={"HOME": "/"})
    lost = replace(past.entry(), path="/nowhere")
    chosen = start.choose(lost, None, finder, lambda about: lists(about).manifest)
    assert chosen == Fresh(None, Room(256 << 20, 16384))
    assert start.choose(lost, None, finder, lambda about: None) == Fresh(None, Room())


def test_what_no_record_tells_and_was_there_before_the_run(tmp_path: Path) -> None:
    past = Past(make_site(tmp_path, files=1).folder)
    past.out.unlink()
    create_data(str(past.out), mount="/Outputs", free=1 << 20)
    change(past.out, "cd /Outputs", "mkdir sub")
    before = time.time_ns() - 3600 * 10**9
    for name in ("sub/by-hand", "settings", "sub/of-the-run"):
        (tmp_path / "scratch").write_text(name)
        folder, _, last = f"/Outputs/{name}".rpartition("/")
        change(past.out, f"cd {folder}", f"write {tmp_path / 'scratch'} {last}")
        if name != "sub/of-the-run":
            change(past.out, f"cd {folder}", f"set_inode_field {last} ctime @{before // 10**9}")
    past.run()
    finder = Finder(str(past.out), environ={"HOME": "/"})
    # Times are not exact to the second.
    for began, kept in ((before + 10**9, []), (before + 3 * 10**9, ["settings", "sub/by-hand"])):
        chosen = start.choose(past.entry(), None, finder, lambda about: None, began=from_ns(began))
        if not kept:
            assert chosen == Fresh(str(past.out))
            continue
        assert isinstance(chosen, Kept) and chosen.untold
        new = past.build(chosen)
        paths = [e.path.decode().removeprefix("Outputs/") for e in tree_of(new).entries]
        assert [p for p in paths if p not in ("Outputs", "sub")] == kept
    # A squashfs tells no such times.
    seal(str(past.out), str(tmp_path / "sealed.sif"))
    assert unchanged_since(str(tmp_path / "sealed.sif"), 2**62) == set()
    assert unchanged_since(str(past.app), 2**62) == unchanged_since("/nothing", 2**62) == set()


def test_odd_files_are_kept_as_they_are(tmp_path: Path) -> None:
    source = tmp_path / "odd"
    (source / "a" / ("deep" * 10)).mkdir(parents=True)
    for name in (b"new\nline", b"\xff\xfe", b" blank "):
        (source / os.fsdecode(name)).write_bytes(name)
    os.link(source / "new\nline", source / "a/hard")
    (source / "to").symlink_to("/etc/passwd")
    os.mkfifo(source / "fifo")
    folder = os.open(source, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(f"/proc/self/fd/{folder}/socket")
    os.close(folder)
    with open(source / "sparse", "wb") as file:
        file.truncate(100 << 20)
        file.seek(70 << 20)
        file.write(b"island")
    os.chmod(source / "a", 0o2750)  # noqa: S103
    os.utime(source / "a", ns=(10**18 + 7, 10**18 + 7))
    past = Past(make_site(tmp_path, files=1).folder)
    past.out.unlink()
    create_data(str(past.out), mount="/Outputs", source=str(source), role=OUTPUT, free=1 << 20)
    before = state(past.out)
    put(past.out, "result", b"of the run\n", tmp_path / "scratch")
    past.run()
    chosen = past.choose()
    assert isinstance(chosen, Kept)
    new = past.build(chosen)
    after = state(new)
    # Neither set-user-id nor set-group-id is made anew.
    before[b"Outputs/a"] = (*before[b"Outputs/a"][:1], 0o40750, *before[b"Outputs/a"][2:])
    del before[b"Outputs"], after[b"Outputs"]
    assert after == before
    assert new.stat().st_blocks * 512 < 4 << 20


@pytest.mark.parametrize("seed", range(4))
def test_any_tree_is_the_earlier_state_again(tmp_path: Path, seed: int) -> None:
    """Whatever stands there and whatever a run adds to it."""
    chance = random.Random(seed)  # noqa: S311
    source = tmp_path / "random"
    source.mkdir()
    folders = [source]
    for number in range(chance.randrange(1, 40)):
        at = chance.choice(folders) / f"{chance.choice('abc')}{number}"
        if chance.random() < 0.3:
            at.mkdir()
            folders.append(at)
        elif chance.random() < 0.2:
            at.symlink_to(chance.choice(["x", "..", "/", "a" * 200]))
        else:
            at.write_bytes(chance.randbytes(chance.choice([0, 1, 1023, 1024, 70_000])))
            at.chmod(chance.choice([0o644, 0o755, 0o400, 0o600]))
            os.utime(at, ns=(0, chance.randrange(4 * 10**18)))
    past = Past(make_site(tmp_path, files=1).folder)
    past.out.unlink()
    create_data(str(past.out), mount="/Outputs", source=str(source), role=OUTPUT, free=1 << 20)
    before = state(past.out)
    for number in range(chance.randrange(1, 4)):
        data = chance.randbytes(chance.randrange(3000))
        put(past.out, f"added{number}", data, tmp_path / "scratch")
    past.run()
    chosen = past.choose()
    assert isinstance(chosen, Kept)
    after = state(past.build(chosen))
    del before[b"Outputs"], after[b"Outputs"]
    assert after == before


def test_a_finished_state_goes_on_as_the_same_container(past: Past) -> None:
    new = past.build(Continued("state"), {"state": str(past.out)})
    assert new.read_bytes() == past.out.read_bytes()
    assert new.stat().st_blocks <= past.out.stat().st_blocks + 64
    with open(past.folder / "large", "wb") as file:
        file.truncate((200 << 20) + 77)
        file.seek(130 << 20)
        file.write(b"island")
    new.unlink()
    said: list[str] = []
    fill.continued(str(new), str(past.folder / "large"), said.append)
    assert new.stat().st_size == (200 << 20) + 77
    assert new.stat().st_blocks * 512 < 1 << 20
    with open(new, "rb") as copy:
        copy.seek(130 << 20)
        assert copy.read(6) == b"island"


def ways(past: Past) -> dict[str, Start]:
    found = past.choose()
    refilled = past.choose(from_origin=True)
    assert isinstance(found, Kept) and isinstance(refilled, Refilled)
    copied = Finder(str(past.out), environ={"HOME": "/"}).given(
        past.entry(), str(past.input), role=OUTPUT
    )
    return {
        "kept": found,
        "refilled": refilled,
        "copied": Copied(copied, None),
        "fresh": Fresh(str(past.out)),
        "continued": Continued("state"),
    }


WAYS = ["kept", "refilled", "copied", "fresh", "continued"]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_there_is_never_written_to(past: Past, way: str) -> None:
    chosen = ways(past)[way]
    past.new.parent.mkdir()
    past.new.write_text("somebody's")
    with pytest.raises(FileError, match=r"new\.sif\.part"):
        past.build(chosen, {"state": str(past.out)})
    assert past.new.read_text() == "somebody's"
    assert os.listdir(past.new.parent) == [past.new.name]


@pytest.mark.parametrize(
    ("way", "error"),
    [
        *((way, KeyboardInterrupt()) for way in WAYS),
        ("kept", OSError(errno.ENOSPC, "No space left")),
        ("continued", OSError(errno.ENOSPC, "No space left")),
    ],
)
def test_nothing_is_left_of_what_fails(
    past: Past, way: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*args: object, **named: object) -> None:
        raise error

    chosen = ways(past)[way]
    monkeypatch.setattr("sifprov.create.begin", fails)
    monkeypatch.setattr(fill, "begin", fails)
    monkeypatch.setattr(fill, "copy_range", fails)
    wanted: type[BaseException] = FileError if isinstance(error, OSError) else KeyboardInterrupt
    before = sha256(past.out), sha256(past.input)
    with pytest.raises(wanted):
        past.build(chosen, {"state": str(past.out)})
    assert os.listdir(past.new.parent) == []
    assert (sha256(past.out), sha256(past.input)) == before


@pytest.mark.parametrize("way", ["kept", "copied", "refilled"])
def test_what_changes_between_plan_and_build_is_noticed(past: Past, way: str) -> None:
    chosen = ways(past)[way]
    scratch = past.folder / "scratch"
    for path, folder in ((past.out, "Outputs"), (past.input, "Inputs")):
        change(path, f"cd /{folder}", "rm 01.txt")
        scratch.write_bytes(b"other")
        change(path, f"cd /{folder}", f"write {scratch} 01.txt")
    (past.folder / "start/01.txt").write_text("other")
    with pytest.raises(FileError, match="changed since it was looked at"):
        past.build(chosen)
    assert os.listdir(past.new.parent) == []


@pytest.mark.parametrize(
    "source",
    ["/../../etc", "/a/../../b", "..", "/lost+found/x", "/" + "x" * 300, "/a\0b", "/" + "d/" * 90],
)
def test_hostile_folders_of_a_record(tmp_path: Path, source: str) -> None:
    past = Past(make_site(tmp_path, files=1, descriptors=20).folder)
    past.run()
    hostile = replace(past.entry(), source=source, mount=source)
    for like, folders in ((None, set()), (str(past.out), {b"Outputs"})):
        new = tmp_path / "new.part"
        fill.fresh(str(new), hostile, Fresh(like, Room(1 << 20, 100)), lambda text: None)
        assert {e.path for e in tree_of(new).entries} == folders
        new.unlink()


def test_a_folder_of_the_run_that_is_a_file_or_a_link_in_the_original(tmp_path: Path) -> None:
    past = Past(make_site(tmp_path, files=1, descriptors=20).folder)
    change(past.out, "cd /Outputs", "symlink out /etc")
    past.run()
    new = tmp_path / "new.part"
    for source in ("/Outputs/out", "/Outputs/00.txt/x"):
        entry = replace(past.entry(), source=source)
        fill.fresh(str(new), entry, Fresh(str(past.out)), lambda text: None)
        assert source[1:].encode() in {e.path for e in tree_of(new).entries}
        new.unlink()


def test_what_holds_a_device_is_not_copied_by_way_of_a_folder(past: Past) -> None:
    tree: Tree = tree_of(past.out)
    assert start._can_be_copied(tree.entries)
    device = replace(tree.entries[0], path=b"Outputs/dev", kind="c", value="1:3")
    assert not start._can_be_copied([*tree.entries, device])


def test_who_cannot_read_a_file_does_not_copy_it(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = tree_of(past.out).entries
    closed: list[Callable[[], bool]] = [
        lambda n=n, mode=mode: start._can_be_copied(  # type: ignore[misc]
            [*entries[:n], replace(entries[n], mode=mode), *entries[n + 1 :]]
        )
        for n, mode in ((0, 0o311), (1, 0o222), (0, 0o444))
    ]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert all(each() for each in closed)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not any(each() for each in closed)
    assert start._can_be_copied(entries)
