"""Writers of one container wait for each other."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.sifs import NOW, add_object, make_sif, run_record

from sifprov.errors import FileError
from sifprov.records import OBJECT_NAME, append_record, read_records
from sifprov.sif import NewObject, append, load, open_image
from sifprov.sif.format import text_of
from sifprov.sif.write import F_OFD_SETLK, _flock, locked


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
    with open_image(str(path)) as (_, image):
        start = image.descriptors[0].offset
    with path.open("r+b") as one, path.open("r+b") as two, locked(one, "one"):
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
        image = load(file)
        (stored,) = read_records(file, image)
    assert (stored.record, stored.digest, stored.group) == (record, digest, 2)
    assert text_of(image.descriptors[1].name) == OBJECT_NAME
