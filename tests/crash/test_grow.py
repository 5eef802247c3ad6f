"""A growing that is killed anywhere leaves a container that opens and has all its files and
records."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyext2fs.fsck import fsck
from sifprov.content import Deadline
from sifprov.create import create_data
from sifprov.grow import grow
from sifprov.model.record import Record
from sifprov.partition import scan_partition
from sifprov.records import read_records
from sifprov.sif import find_partition, open_image
from tests.crash.killing import kill_at_step
from tests.unit.sifs import NOW, add, run_record

MIB = 1 << 20
CALL = "from sifprov.grow import grow; grow(path, 9 << 20, now=now, on_step=on_step)"
PLAIN = "import sys; from sifprov.grow import grow; grow(sys.argv[1], 9 << 20, now=1_790_000_000)"


@pytest.fixture
def container(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "sub" / "empty").mkdir(parents=True)
    (source / "big").write_bytes(bytes(range(256)) * 8000)
    (source / "sub" / "new\nline").write_text("x")
    path = tmp_path / "c.sif"
    made = create_data(str(path), mount="/Inputs", source=str(source))
    add(path, run_record(made.uuid))
    add(path, run_record(made.uuid))
    return path


def content(path: Path) -> tuple[str, list[Record | None], int]:
    """Tree digest, records, size of the partition; the file system must be sound."""
    with open_image(str(path)) as (file, image):
        partition = find_partition(image)
        assert partition is not None
        records = [s.record for s in read_records(file, image)]
    assert fsck(path, partition.offset).code == 0
    tree = scan_partition(str(path), partition, Deadline())
    return tree.digest, records, partition.size


def steps_of(path: Path) -> list[str]:
    copy = path.with_name("steps.sif")
    copy.write_bytes(path.read_bytes())
    steps: list[str] = []
    grow(str(copy), 9 * MIB, now=NOW, on_step=steps.append)
    return steps


STEPS = 9


def test_there_are_as_many_steps_as_are_killed(container: Path) -> None:
    assert len(steps_of(container)) == STEPS


@pytest.mark.parametrize("step", range(STEPS))
def test_a_kill_at_each_step(container: Path, step: int) -> None:
    before = content(container)
    kill_at_step(CALL, container, step)
    after = content(container)
    assert after[:2] == before[:2]
    # The rename stands between the last step and the one before it.
    assert after[2] == (9 * MIB if step == STEPS - 1 else before[2])
    # What is left behind hinders nobody.
    grow(str(container), 16 * MIB, now=NOW)
    assert content(container) == (*before[:2], 16 * MIB)
    assert {p.name for p in container.parent.iterdir()} == {"c.sif", "source"}


@pytest.mark.parametrize("part", [n / 10 for n in range(1, 10)])
def test_a_kill_at_any_time(container: Path, part: float) -> None:
    before = content(container)
    copy = container.with_name("timed.sif")
    copy.write_bytes(container.read_bytes())
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", PLAIN, copy], timeout=120, check=True)
    took = time.monotonic() - began
    process = subprocess.Popen([sys.executable, "-c", PLAIN, container])
    time.sleep(took * part)
    process.kill()
    process.wait(timeout=60)
    after = content(container)
    assert after[:2] == before[:2]
    assert after[2] in (before[2], 9 * MIB)
