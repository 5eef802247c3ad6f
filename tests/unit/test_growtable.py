"""A larger descriptor table: everything stays as it is, and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.crash.killing import kill_at_step
from tests.crash.test_grow import container as container
from tests.crash.test_grow import content
from tests.unit.sifs import NOW, add, add_object, make_sif, renumber, run_record
from tests.unit.test_grow import objects, sign

from sifprov.cli import main
from sifprov.create import create_data
from sifprov.errors import FileError, SifprovError
from sifprov.growtable import grow_table
from sifprov.sif import DataType, Image, open_image
from sifprov.sif.format import DESCRIPTOR_SIZE, GROUP_MASK, MAX_DESCRIPTORS, PAGE


def table(path: Path) -> Image:
    with open_image(str(path)) as (_, image):
        return image


def fill_with_signed(path: Path) -> None:
    """Fills the table of a container with records that signatures cover."""
    while len(table(path).free_slots()) > 1:
        add(path, run_record())
    group = max(d.group for d in table(path).descriptors)
    sign(path, group)


def test_a_table_full_of_signed_records_takes_more(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=6)
    fill_with_signed(path)
    with pytest.raises(FileError) as error:
        add(path, run_record())
    assert "data grow --records 100" in (error.value.hint or "")
    before, old = objects(path), table(path)
    done = grow_table(str(path), 100, now=NOW + 5)
    assert (done.before, done.after, done.used) == (6, 106, 6)
    image = table(path)
    more = image.header.dataoff - old.header.dataoff
    assert more % PAGE == 0 and image.header.dataoff >= 4096 + 106 * DESCRIPTOR_SIZE
    assert (image.header.dtotal, image.header.dfree) == (106, 100)
    assert image.header.descrlen == 106 * DESCRIPTOR_SIZE
    assert image.header.datalen == old.header.datalen and image.header.modified == NOW + 5
    for (was, data), (now, same) in zip(before, objects(path), strict=True):
        assert data == same
        assert was.pack()[:17] == now.pack()[:17] and was.pack()[25:] == now.pack()[25:]
        assert now.offset == was.offset + more
    for _ in range(300):
        add(path, run_record())
    assert [o for o in objects(path) if o[0].id <= 6][1:] == [
        o for o in objects(path) if o[0].group == 2 or o[0].link == GROUP_MASK | 2
    ]
    assert {p.name for p in tmp_path.iterdir()} == {"x.sif"}


def test_a_container_with_files_is_the_same(container: Path) -> None:
    sign(container, 1)
    container.chmod(0o640)
    before = content(container)
    grow_table(str(container), 1000, now=NOW)
    assert content(container) == before
    assert container.stat().st_mode & 0o777 == 0o640
    assert len(table(container).free_slots()) == 1000


def test_a_gap_behind_the_table_is_used_first(tmp_path: Path) -> None:
    """12 descriptors leave 1,172 bytes of the page free: room for two more."""
    path = make_sif(tmp_path / "x.sif", descriptors=12)
    old = table(path)
    grow_table(str(path), 13, now=NOW)
    assert table(path).header.dtotal == 14
    assert table(path).header.dataoff == old.header.dataoff
    assert objects(path)[0][1] == b"P" * 5000


def test_a_sealed_container_and_foreign_numbers(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(b"x" * 9000)
    path = tmp_path / "s.sif"
    create_data(str(path), mount="/I", source=str(tmp_path / "d"), fs="squashfs")
    renumber(path, (7, 3))
    before = objects(path)
    grow_table(str(path), 500, now=NOW)
    assert [(d.id, data) for d, data in objects(path)] == [(d.id, data) for d, data in before]


def refused(path: Path, text: str, records: int = 100, error: type[Exception] = FileError) -> None:
    before, names = path.read_bytes(), set(path.parent.iterdir())
    with pytest.raises(error, match=text):
        grow_table(str(path), records, now=NOW)
    assert path.read_bytes() == before
    assert set(path.parent.iterdir()) == names


def test_what_it_refuses(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=6)
    refused(path, "room for 5 objects more already", 5, SifprovError)
    refused(path, "no table", MAX_DESCRIPTORS, SifprovError)
    os.link(path, tmp_path / "y.sif")
    refused(path, "2 names")
    (tmp_path / "y.sif").unlink()
    argv = [sys.executable, "-c", "import sys; f = open(sys.argv[1]); print(flush=True); input()"]
    with subprocess.Popen([*argv, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        refused(path, rf"process {holder.pid}")
        holder.communicate(b"\n", timeout=30)
    grow_table(str(path), 100, now=NOW)


def test_what_changes_meanwhile_is_not_lost(container: Path) -> None:
    def step(text: str) -> None:
        if text.startswith("keeping"):
            os.utime(container, ns=(1, 1))

    with pytest.raises(FileError, match="meanwhile"):
        grow_table(str(container), 100, now=NOW, on_step=step)


def test_a_copy_that_is_not_the_same_is_not_taken(
    container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def spoiled(fd: int, data: bytes, at: int) -> int:
        if len(data) > 100_000:
            data = bytes(data[:-1]) + b"!"
        return real(fd, data, at)

    (container.parent / "big").write_bytes(os.urandom(200_000))
    from sifprov import sparse

    monkeypatch.setattr(sparse, "_PIECE", 1 << 20)
    monkeypatch.setattr(sparse, "_ZEROS", bytes(1 << 20))
    monkeypatch.setattr(os, "pwrite", spoiled)
    refused(container, "not what it should be", 100)


CALL = "from sifprov.growtable import grow_table; grow_table(path, 500, now=now, on_step=on_step)"
STEPS = 5


def test_a_kill_at_each_step(container: Path) -> None:
    before = content(container)
    slots = table(container).header.dtotal
    for step in range(STEPS):
        kill_at_step(CALL, container, step)
        assert content(container) == before
        larger = table(container).header.dtotal
        # The rename stands between the last two steps.
        assert larger == (slots if step < STEPS - 1 else len(objects(container)) + 500)


def test_the_verb(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=6)
    run = CliRunner().invoke
    done = run(main, ["data", "grow", str(path), "--records", "9", "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == {
        "objects": 1, "path": str(path), "slots": 10, "slots_before": 6,
    }  # fmt: skip
    done = run(main, ["data", "grow", str(path), "--records", "19"])
    assert done.stdout.endswith("room for 20 objects instead of 10: 19 more fit into it\n")
    for more in ([], ["--to", "9M", "--records", "5"]):
        done = run(main, ["data", "grow", str(path), *more])
        assert done.exit_code == 2 and "one of --to and --records" in done.output
    assert not table(path).select(DataType.SIGNATURE)
    add_object(path, b"x")
