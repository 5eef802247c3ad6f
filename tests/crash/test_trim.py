"""A container that `--out` made, trimmed to its content: killed anywhere it has all its files and
records, before or after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sifprov.create import create_data
from sifprov.errors import FileError, SifprovError
from sifprov.grow import grow, trim
from tests.crash.killing import kill_at_step
from tests.crash.test_grow import MIB, content
from tests.unit.sifs import NOW, add, add_object, run_record

CALL = "from sifprov.grow import trim; trim(path, now=now, on_step=on_step)"
STEPS = 9


@pytest.fixture
def roomy(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "empty").mkdir(parents=True)
    (source / "big").write_bytes(bytes(range(256)) * 8000)
    path = tmp_path / "c.sif"
    made = create_data(str(path), mount="/Out", source=str(source), free=48 * MIB)
    add(path, run_record(made.uuid))
    add_object(path, b"somebody's", name=b"odd\xff")
    add(path, run_record(made.uuid))
    return path


def test_it_is_as_small_as_its_content(roomy: Path) -> None:
    before = content(roomy)
    steps: list[str] = []
    done = trim(str(roomy), now=NOW, on_step=steps.append)
    assert len(steps) == STEPS
    assert (done.before, done.after) == (before[2], content(roomy)[2])
    assert content(roomy)[:2] == before[:2]
    assert roomy.stat().st_size < 4 * MIB
    assert b"somebody's" in roomy.read_bytes()
    # A second time there is nothing to gain, and then it grows again.
    assert trim(str(roomy), now=NOW).after == done.after
    grow(str(roomy), 32 * MIB, now=NOW)
    assert content(roomy) == (*before[:2], 32 * MIB)
    assert {p.name for p in roomy.parent.iterdir()} == {"c.sif", "source"}


@pytest.mark.parametrize("step", range(STEPS))
def test_a_kill_at_each_step(roomy: Path, step: int) -> None:
    before = content(roomy)
    kill_at_step(CALL, roomy, step)
    after = content(roomy)
    assert after[:2] == before[:2]
    # The rename stands between the last step and the one before it.
    assert (after[2] < before[2]) == (step == STEPS - 1)
    trim(str(roomy), now=NOW)
    assert content(roomy)[:2] == before[:2]
    assert {p.name for p in roomy.parent.iterdir()} == {"c.sif", "source"}


def test_a_container_in_use_stays_as_it_is(roomy: Path) -> None:
    before = roomy.read_bytes()
    hold = "import sys; f = open(sys.argv[1], 'rb'); print('open', flush=True); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", hold, roomy], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout and holder.stdout.readline() == b"open\n"
        with pytest.raises(FileError, match="is using it"):
            trim(str(roomy), now=NOW)
    finally:
        holder.communicate(b"\n", timeout=30)
    assert roomy.read_bytes() == before


def test_a_sealed_container_cannot_be_trimmed(roomy: Path, tmp_path: Path) -> None:
    create_data(
        str(tmp_path / "s.sif"), mount="/Out", source=str(tmp_path / "source"), fs="squashfs"
    )
    with pytest.raises(SifprovError, match="sealed"):
        trim(str(tmp_path / "s.sif"), now=NOW)
