"""A run that the runtime refused is told from one that failed, by what was mounted for writing."""

from __future__ import annotations

import json
import resource
import time
from pathlib import Path

import pytest
from tests.unit.schemas import problems

from sifprov.create import create_data
from sifprov.model.request import parse_end
from sifprov.wrapper.line import Prepared, prepare, take_out
from sifprov.wrapper.main import _surely
from sifprov.wrapper.recorder import Run, end_line
from sifprov.wrapper.starts import Verdict
from sifprov.wrapper.supervise import Ended

UNKNOWN = Verdict(None, "the runtime itself may have ended so, with 255")


def prepared(folder: Path, *options: str) -> Prepared:
    binds = [f"{folder}/output.sif:/Outputs:image-src=/Outputs,rw", *options]
    words = [word for bind in binds for word in ("-B", bind)]
    made = prepare(take_out(["/runtime", "exec", *words, "app.sif", "x"]), {}, add_ro=True)
    assert made
    return made


def surely(run: Run, verdict: Verdict) -> Verdict:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    ended = _surely(Ended(255 << 8, time.time_ns(), usage, verdict), run)
    line = end_line(ended)
    assert problems("sifprov.capture-request/1", json.loads(line)) == []
    assert parse_end(line).refused is ended.started.refused
    return ended.started


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """One that begins when its container was made."""
    create_data(str(tmp_path / "output.sif"), mount="/Outputs", role="output")
    time.sleep(0.05)  # the clock of files is coarser
    return Run(prepared(tmp_path), time.time_ns(), str(tmp_path))


def test_what_nobody_mounted_shows_that_nothing_ran(run: Run) -> None:
    assert surely(run, UNKNOWN).refused
    assert surely(run, Verdict(False, "process events")).refused


def test_what_was_mounted_shows_nothing(run: Run) -> None:
    time.sleep(0.05)
    Path(run.cwd, "output.sif").touch()
    assert surely(run, UNKNOWN) == UNKNOWN
    failed = Verdict(False, "process events")
    assert surely(run, failed) == failed


def test_what_is_known_stays(run: Run) -> None:
    for verdict in (Verdict(True, "exit code"), UNKNOWN._replace(alone=True)):
        assert surely(run, verdict) == verdict


def test_containers_that_nobody_can_write_prove_nothing(run: Run, tmp_path: Path) -> None:
    sealed = tmp_path / "sealed.sif"
    (tmp_path / "data").mkdir()
    create_data(str(sealed), source=str(tmp_path / "data"), mount="/Inputs", fs="squashfs")
    line = take_out(["/runtime", "exec", "-B", f"{sealed}:/In:image-src=/Inputs", "app.sif", "x"])
    only = prepare(line, {}, add_ro=False)
    assert only
    assert surely(run._replace(prepared=only), UNKNOWN) == UNKNOWN
