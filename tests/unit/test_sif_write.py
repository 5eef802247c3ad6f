"""Making SIF files and appending to them: which bytes change, and which must not."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.sifs import (
    NOW,
    OUT,
    add,
    add_object,
    descriptor,
    make_sif,
    run_record,
    sif_bytes,
)

from sifprov.errors import FileError
from sifprov.records import OBJECT_NAME, append_record, read_records
from sifprov.sif import DataType, FsType, Image, NewObject, PartType, append, load, open_image
from sifprov.sif.format import DESCRIPTOR_SIZE, GROUP_MASK, HEADER_SIZE, PAGE, text_of
from sifprov.sif.image import data_partition, find_partition, read_object
from sifprov.sif.write import F_OFD_SETLK, _flock, locked


def table(path: Path) -> Image:
    with open_image(str(path)) as (_, image):
        return image


def test_a_new_container(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=84)
    image = table(path)
    (item,) = image.descriptors
    assert image.header.uuid == OUT
    assert (image.header.created, image.header.modified) == (NOW, NOW)
    assert (image.header.dtotal, image.header.dfree) == (84, 83)
    assert (item.id, item.group, item.size, item.offset) == (1, 1, 5000, image.header.dataoff)
    assert item.offset % PAGE == 0
    assert image.header.datalen == item.size
    assert image.size == item.end
    assert item.partition == (FsType.EXT3, PartType.DATA)
    assert not image.is_application
    assert data_partition(image) == item
    found = find_partition(image)
    assert found is not None and (found.offset, found.size) == (item.offset, 5000)
    assert find_partition(image, 1) == found
    assert find_partition(image, 2) is None


def test_a_name_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        NewObject(DataType.JSON, b"x" * 128, b"x", group=0)
    with pytest.raises(ValueError, match="does not fit"):
        NewObject(DataType.JSON, b"a\0b", b"x", group=0)
    with pytest.raises(ValueError, match="empty"):
        NewObject(DataType.JSON, b"a", b"", group=0)


def test_an_append_changes_nothing_else(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    with path.open("r+b") as file:  # a launch script and an architecture of somebody else
        file.write(b"#!/bin/mine\n\0".ljust(32, b"\xaa"))
        file.seek(45)
        file.write(b"02\0")
    add_object(path, b"first")
    before, old = path.read_bytes(), table(path)
    item = add_object(path, b"second", group=3, link=1)
    after = path.read_bytes()
    slot = old.header.descroff + item.slot * DESCRIPTOR_SIZE
    ours = {*range(72, HEADER_SIZE), *range(slot, slot + DESCRIPTOR_SIZE)}
    changed = {i for i in range(len(before)) if before[i] != after[i]}
    assert changed <= ours
    assert changed & set(range(slot, slot + DESCRIPTOR_SIZE))
    assert after[: len(before)][80:HEADER_SIZE] != before[80:HEADER_SIZE]
    assert item.offset >= len(before)
    assert after[len(before) :] == bytes(item.offset - len(before)) + b"second"


def test_the_new_object_is_there(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    item = add_object(path, b"content", name=b"name", group=3, link=GROUP_MASK | 1)
    image = table(path)
    assert image.descriptors[1] == item
    assert (item.slot, item.id, item.group, item.linked_group) == (1, 2, 3, 1)
    assert (item.uid, item.gid, item.created, item.modified) == (
        os.getuid(), os.getgid(), NOW, NOW,
    )  # fmt: skip
    assert text_of(item.name) == "name"
    assert image.header.dfree == 6
    assert image.header.dataoff + image.header.datalen == item.end
    with path.open("rb") as file:
        assert read_object(file, item) == b"content"


@pytest.mark.parametrize("size", [1, 4095, 4096, 4097, 5000])
def test_behind_a_partition_stands_a_page_of_its_own(tmp_path: Path, size: int) -> None:
    path = make_sif(tmp_path / "x.sif", partition=size)
    end = table(path).descriptors[0].end
    first = add_object(path, b"a")
    second = add_object(path, b"b")
    assert first.offset % PAGE == 0 and first.offset >= end
    assert first.padded == first.size + first.offset - end
    assert second.offset == first.offset + 8  # behind an object, no page is wasted


def test_a_freed_slot_is_used_again_but_no_id_twice(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"
    path.write_bytes(sif_bytes(descriptor(0, id=2, offset=8192, size=10)))
    assert add_object(path, b"a").id == 3  # slot 1 would give the id 2 again
    assert add_object(path, b"b").id == 4
    with pytest.raises(FileError, match="descriptors"):
        add_object(path, b"c")
    assert {d.id for d in table(path).descriptors} == {2, 3, 4}


def test_a_full_table_is_an_error_and_changes_nothing(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=2)
    add(path, run_record())
    before = path.read_bytes()
    with pytest.raises(FileError, match="all 2 descriptors are in use") as error:
        add(path, run_record())
    assert str(path) in str(error.value)
    assert path.read_bytes() == before


def test_an_object_behind_the_end_that_the_header_tells(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    with path.open("r+b") as file:  # a writer that was cut off before the counters
        file.seek(120)
        file.write(bytes(8))
    end = table(path).descriptors[0].end
    assert add_object(path, b"a").offset >= end


def test_bytes_behind_everything_are_overwritten_only_where_needed(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", partition=4096)
    with path.open("ab") as file:
        file.write(b"z" * 10_000)
    item = add_object(path, b"data")
    assert path.read_bytes()[item.end :] == b"z" * (10_000 - 4)


# Groups.


def groups(path: Path) -> list[int]:
    return [d.group for d in table(path).descriptors]


def test_records_share_a_group_of_their_own(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    for _ in range(3):
        add(path, run_record())
    assert groups(path) == [1, 2, 2, 2]


def test_records_do_not_join_the_group_of_others(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    add_object(path, b"x", group=5)
    # Somebody put another object beside a record.
    add(path, run_record())
    add_object(path, b"x", group=6)
    add(path, run_record())
    assert groups(path) == [1, 5, 6, 6, 7]


def test_records_never_join_a_signed_group(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=12)
    add(path, run_record())
    add_object(path, b"sig", datatype=DataType.SIGNATURE, link=GROUP_MASK | 2)
    add(path, run_record())
    add(path, run_record())
    assert groups(path) == [1, 2, 0, 3, 3]
    # An old signature names one object; its group is closed as well.
    add_object(path, b"sig", datatype=DataType.SIGNATURE, link=5)
    add(path, run_record())
    assert groups(path)[-1] == 4


def test_a_signed_group_without_objects_is_closed(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    add_object(path, b"sig", datatype=DataType.SIGNATURE, link=GROUP_MASK | 2)
    add(path, run_record())
    assert groups(path)[-1] == 3


def test_group_numbers_do_not_overflow(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    add_object(path, b"x", group=0x0FFFFFFF)
    add(path, run_record())
    assert groups(path) == [1, 0x0FFFFFFF, 2]


# Paths.


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    path.symlink_to("/dev/null")


def missing(path: Path) -> None:
    pass


def empty(path: Path) -> None:
    path.touch()


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("kind", [fifo, folder, device, missing, empty, dangling])
def test_what_is_no_sif(tmp_path: Path, kind: Callable[[Path], None], write: bool) -> None:
    path = tmp_path / "x.sif"
    kind(path)
    with pytest.raises(FileError) as error, open_image(str(path), write=write):
        pass
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_path_that_no_file_can_have() -> None:
    with pytest.raises(FileError), open_image("a\0b"):
        pass


def test_a_text_file_gets_a_hint(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello" * 100)
    with pytest.raises(FileError) as error, open_image(str(tmp_path / "x")):
        pass
    assert error.value.hint is not None and "data create" in error.value.hint


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    path.chmod(0o600)
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from sifprov.sif import open_image\n"
        "from sifprov.errors import FileError; os.setgid(65534); os.setuid(65534)\n"
        "try:\n  open_image(sys.argv[1]).__enter__()\nexcept FileError as e: print(e)"
    )
    for part in (tmp_path, *list(tmp_path.parents)[:3]):
        if part.stat().st_uid == os.getuid() and part != Path("/tmp"):
            part.chmod(part.stat().st_mode | 0o111)
    library = str(Path(__file__).parents[2] / "pytools")
    argv = [sys.executable, "-c", code, str(path), library]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"{path}: Permission denied\n", done.stderr


def test_an_object_that_is_larger_than_the_limit(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    item = add_object(path, b"x" * 100)
    with path.open("rb") as file, pytest.raises(Exception, match="100 bytes are more than 99"):
        read_object(file, item, limit=99)


def test_an_object_that_the_file_no_longer_holds(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    item = add_object(path, b"x" * 100)
    os.truncate(path, item.end - 1)
    with path.open("rb") as file, pytest.raises(Exception, match="the file ends inside it"):
        read_object(file, item)


# The lock.


def test_another_writer_is_waited_for_and_then_named(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    with (
        path.open("r+b") as one,
        path.open("r+b") as two,
        locked(one, "one"),
        pytest.raises(FileError, match="another program has been writing"),
    ):
        locked(two, "two", timeout=0.05).__enter__()
    with path.open("r+b") as two, locked(two, "two", timeout=0.05):
        pass


def test_the_lock_leaves_the_partition_to_the_runtimes(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    with path.open("r+b") as one, path.open("r+b") as two, locked(one, "one"):
        start = table(path).descriptors[0].offset
        request = bytearray(_flock(fcntl.F_WRLCK))
        request[8:24] = start.to_bytes(8, "little") + (5000).to_bytes(8, "little")
        fcntl.fcntl(two, F_OFD_SETLK, bytes(request))


def test_an_error_lets_the_lock_go(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")

    def fails(*_: object) -> NewObject:
        raise FileError("no")

    with pytest.raises(FileError, match="no"):
        append(str(path), fails, now=NOW)
    add_object(path, b"x")


APPENDER = """
import sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4
from tests.unit.sifs import add, run_record
for _ in range(4):
    print(add(Path(sys.argv[1]), replace(run_record(), id=uuid4())))
"""


def test_many_writers_at_once_make_one_chain(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=200)
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-c", APPENDER, str(path)]
    running = [
        subprocess.Popen(argv, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(16)
    ]
    reported: list[str] = []
    for process in running:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        reported += out.split()
    with open_image(str(path)) as (file, image):
        stored = read_records(file, image)
        assert image.header.dfree == 200 - 65
    assert len(set(reported)) == 64
    assert sorted(s.digest for s in stored) == sorted(reported)
    records = [s.record for s in stored if s.record]
    assert len({r.id for r in records}) == 64
    assert [r.previous for r in records] == [None, *(s.digest for s in stored[:-1])]


def test_the_record_says_what_is_stored(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    record, digest = append_record(
        str(path), lambda image, last: replace(run_record(image.header.uuid), previous=last),
        now=NOW,
    )  # fmt: skip
    with path.open("rb") as file:
        (stored,) = read_records(file, load(file))
    assert (stored.record, stored.digest, stored.group) == (record, digest, 2)
    assert text_of(table(path).descriptors[1].name) == OBJECT_NAME
