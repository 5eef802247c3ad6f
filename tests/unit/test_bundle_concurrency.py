"""64 processes append to one container at once, across many bundlings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.unit.sifs import make_sif

from sifprov.groups import is_bundle
from sifprov.records import read_records
from sifprov.sif import open_image

# Forks, since starting 64 times takes longer than all that they do.
APPENDER = """
import os, sys
from dataclasses import replace
from pathlib import Path
from uuid import uuid4
from tests.unit.sifs import add, run_record
path, processes, each = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
for _ in range(processes):
    if os.fork() == 0:
        for _ in range(each):
            digest = add(path, replace(run_record(), id=uuid4()))
            os.write(1, f"{digest}\\n".encode())
        os._exit(0)
failed = [1 for _ in range(processes) if os.wait()[1]]
sys.exit(len(failed))
"""
PROCESSES, EACH = 64, 5


def test_64_processes_make_one_chain(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif", descriptors=20)
    root = Path(__file__).parents[2]
    argv = [sys.executable, "-c", APPENDER, str(path), str(PROCESSES), str(EACH)]
    running = subprocess.Popen(
        argv,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    seen = 0
    try:
        # A reader that takes no lock sees a whole chain at any time.
        while running.poll() is None:
            seen = max(seen, _check_chain(path))
    finally:
        try:
            out, err = running.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            out, err = running.communicate()
    assert running.returncode == 0, err
    reported = out.split()
    assert len(set(reported)) == PROCESSES * EACH
    assert _check_chain(path, reported) == PROCESSES * EACH
    assert seen > 0
    with open_image(str(path)) as (_, image):
        assert any(map(is_bundle, image.descriptors))
        assert image.header.dfree == 20 - len(image.descriptors)


def _check_chain(path: Path, reported: list[str] | None = None) -> int:
    with open_image(str(path)) as (file, image):
        stored = read_records(file, image)
    assert [s.error for s in stored if s.error] == []
    records = [s.record for s in stored if s.record]
    assert [r.previous for r in records] == [None, *(s.digest for s in stored[:-1])][: len(stored)]
    if reported is not None:
        assert sorted(s.digest for s in stored) == sorted(reported)
    return len(stored)
