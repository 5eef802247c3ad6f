"""grow: the same container, larger; and what it refuses."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from tests.crash.test_grow import container as container
from tests.crash.test_grow import content
from tests.unit.ext2trees import tree_of_image
from tests.unit.sifs import NOW, add, add_object, run_record

from pyext2fs.fsck import fsck
from sifprov import grow as module
from sifprov.create import create_data
from sifprov.errors import FileError, SifprovError
from sifprov.grow import grow
from sifprov.sif import DataType, Descriptor, append, open_image
from sifprov.sif.format import GROUP_MASK
from sifprov.sif.write import NewObject, locked
from sifprov.sparse import allocated, copy_range

MIB = 1 << 20


def objects(path: Path) -> list[tuple[Descriptor, bytes]]:
    with open_image(str(path)) as (file, image):
        return [(d, os.pread(file.fileno(), d.size, d.offset)) for d in image.descriptors]


def sign(path: Path, group: int) -> None:
    new = NewObject(DataType.SIGNATURE, b"sig", b"x", group=0, link=group | GROUP_MASK)
    append(str(path), lambda file, image: new, now=NOW)


def test_everything_but_the_size_stays(container: Path) -> None:
    add_object(container, b"some", name=b"odd\xff")
    container.chmod(0o640)
    os.setxattr(container, "user.note", b"kept")
    before, old = objects(container), content(container)
    with open_image(str(container)) as (_, image):
        header = image.header
    done = grow(str(container), 20 * MIB + 1, now=NOW)
    assert done.after == 20 * MIB + 4096 and done.before == old[2]
    assert content(container)[:2] == old[:2]
    with open_image(str(container)) as (_, image):
        assert (image.header.uuid, image.header.created) == (header.uuid, header.created)
        assert image.header.modified == NOW
        assert image.header.datalen == header.datalen + done.after - done.before
    for (was, data), (now, same) in zip(before, objects(container), strict=True):
        assert (was.id, was.group, was.link, was.name, was.extra, was.created, was.padded) == (
            now.id, now.group, now.link, now.name, now.extra, now.created,
            now.padded if now.id != 1 else now.padded - done.after + done.before,
        )  # fmt: skip
        assert now.id == 1 or data == same
    status = container.stat()
    assert status.st_mode & 0o777 == 0o640 and os.getxattr(container, "user.note") == b"kept"
    assert done.free_bytes > 15 * MIB
    # What was not there before takes hardly any room, and nothing is left beside it.
    assert status.st_blocks * 512 < 6 * MIB
    assert {p.name for p in container.parent.iterdir()} == {"c.sif", "source"}
    add(container, run_record(header.uuid))
    assert len(content(container)[1]) == len(old[1]) + 1


def test_times_and_links_survive(container: Path) -> None:
    with open_image(str(container)) as (_, image):
        offset = image.descriptors[0].offset
    before = tree_of_image(container, offset)
    grow(str(container), 30 * MIB, now=NOW)
    assert tree_of_image(container, offset) == before


def test_wrong_counts_are_mended(container: Path) -> None:
    with open_image(str(container), write=True) as (file, image):
        offset = image.descriptors[0].offset
        # Free blocks and inodes of the first group.
        os.pwrite(file.fileno(), struct.pack("<2H", 7, 3), offset + 2048 + 12)
    assert fsck(container, offset).code != 0
    grow(str(container), 9 * MIB, now=NOW)
    content(container)


def refused(path: Path, text: str, size: int = 9 * MIB, error: type[Exception] = FileError) -> None:
    before, names = path.read_bytes(), set(path.parent.iterdir())
    with pytest.raises(error, match=text):
        grow(str(path), size, now=NOW)
    assert path.read_bytes() == before
    assert set(path.parent.iterdir()) == names


def test_smaller_sizes_and_other_files(container: Path, tmp_path: Path) -> None:
    refused(container, "already", size=1 << 20, error=SifprovError)
    refused(container, "16T", size=1 << 60, error=SifprovError)
    sealed = tmp_path / "s.sif"
    create_data(str(sealed), mount="/I", source=str(tmp_path / "source"), fs="squashfs")
    refused(sealed, "sealed")
    (tmp_path / "no.sif").write_bytes(b"no")
    refused(tmp_path / "no.sif", "header")


def test_hard_links_are_refused_and_symbolic_ones_followed(container: Path) -> None:
    other = container.with_name("other.sif")
    os.link(container, other)
    refused(container, "2 names")
    other.unlink()
    other.symlink_to(container.name)
    assert grow(str(other), 9 * MIB, now=NOW).after == 9 * MIB
    assert other.is_symlink() and container.stat().st_size > 9 * MIB


@pytest.mark.parametrize("how", ["open", "mapped"])
def test_a_process_that_holds_it(container: Path, how: str) -> None:
    script = {
        "open": "f = open(sys.argv[1])",
        "mapped": "f = open(sys.argv[1]); m = mmap.mmap(f.fileno(), 0, prot=1); f.close()",
    }[how]
    argv = [sys.executable, "-c", f"import sys, mmap; {script}; print(flush=True); input()"]
    with subprocess.Popen(
        [*argv, container], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        refused(container, rf"process {holder.pid} \(python")
        holder.communicate(b"\n", timeout=30)
    grow(str(container), 9 * MIB, now=NOW)


@pytest.mark.parametrize("kind", [fcntl.F_RDLCK, fcntl.F_WRLCK])
def test_a_lock_of_the_runtime(container: Path, kind: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Of another user, whose files nobody sees.
    monkeypatch.setattr(module, "refuse_users", lambda path: None)
    with open_image(str(container)) as (_, image):
        item = image.descriptors[0]
    script = (
        "import fcntl, sys\nf = open(sys.argv[1], 'r+b')\n"
        f"fcntl.lockf(f, {1 if kind == fcntl.F_RDLCK else 2} | 4, {item.size}, {item.offset})\n"
        "print(flush=True)\ninput()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, container], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        refused(container, "a run is using it")
        holder.communicate(b"\n", timeout=30)


def test_signatures_break_only_when_told(container: Path) -> None:
    sign(container, 2)
    grow(str(container), 5 * MIB, now=NOW)  # the records': they do not change
    sign(container, 1)
    refused(container, "signature of group 1", error=SifprovError)
    before = content(container)
    done = grow(str(container), 9 * MIB, now=NOW, break_signatures=True)
    assert done.broken == (1,)
    assert content(container)[:2] == before[:2]
    with open_image(str(container)) as (_, image):
        assert len(image.select(DataType.SIGNATURE)) == 2


def test_an_append_that_waits_is_not_lost(container: Path) -> None:
    """It gets an error, so its record goes to the spool; not into a file without a name."""
    told: list[str] = []

    def late() -> None:
        try:
            with open(container, "r+b", buffering=0) as file:
                opened.set()
                with locked(file, str(container)):
                    told.append("voided" if file.read(8) == bytes(8) else "lost")
        except FileError as error:
            told.append(str(error))

    opened = threading.Event()
    thread = threading.Thread(target=late)

    def step(text: str) -> None:
        if text.startswith("checking"):
            thread.start()
            opened.wait(10)

    grow(str(container), 9 * MIB, now=NOW, on_step=step)
    thread.join()
    assert told == ["voided"]


def test_what_changes_meanwhile_is_not_lost(container: Path) -> None:
    def step(text: str) -> None:
        if text.startswith("keeping"):
            os.utime(container, ns=(1, 1))

    with pytest.raises(FileError, match="meanwhile"):
        grow(str(container), 9 * MIB, now=NOW, on_step=step)


def test_a_full_disk_is_told_before(container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.statvfs(container)

    def full(path: str) -> os.statvfs_result:
        return os.statvfs_result((*real[:4], 1, *real[5:]))

    monkeypatch.setattr(os, "statvfs", full)
    refused(container, r"needs .* MiB beside it")


def test_holes_stay_holes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with one.open("wb") as file:
        file.truncate(64 * MIB)
        file.seek(20 * MIB + 5)
        file.write(b"island" + bytes(3 * MIB))
    two.touch()
    with one.open("rb") as source, two.open("r+b") as target:
        copy_range(source.fileno(), 1 * MIB, 63 * MIB, target.fileno(), 4096)
        assert allocated(source.fileno(), 0, 64 * MIB) >= 3 * MIB
        assert allocated(target.fileno(), 0, 64 * MIB) <= 128 * 1024
    assert two.read_bytes() == bytes(4096) + one.read_bytes()[MIB:]
    os.truncate(one, 20 * MIB)
    with one.open("rb") as source, two.open("r+b") as target, pytest.raises(EOFError):
        copy_range(source.fileno(), 20 * MIB, 1, target.fileno(), 0)
