"""A capture request says when a container's file was changed last before the run."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from sifprov.capture.bound import bind_container
from sifprov.errors import RecordError
from sifprov.model.request import Bind, CaptureRequest, dump_request, parse_request
from sifprov.model.timestamp import from_ns, to_ns

TOLD = "2026-11-21T13:59:00.123456789Z"


def request(path: Path, started_ns: int, changed: str | None) -> CaptureRequest:
    bind = Bind(str(path), "/Outputs", None, None, False, False, changed)
    return CaptureRequest(
        captured_by="plugin", version="1", runtime_name="apptainer", runtime_version="1",
        argv=None, command=(), cwd="/", started=from_ns(started_ns), environment=(), image="/a.sif",
        binds=(bind,), images=(), timeout=1,
    )  # fmt: skip


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "out.sif").write_bytes(b"no SIF")
    return tmp_path / "out.sif"


@pytest.mark.parametrize("changed", [TOLD, None])
def test_it_comes_back(file: Path, changed: str | None) -> None:
    one = request(file, time.time_ns(), changed)
    assert parse_request(dump_request(one)) == one


def test_what_is_no_time_is_refused(file: Path) -> None:
    line = dump_request(request(file, 0, TOLD)).replace(TOLD.encode(), b"yesterday")
    with pytest.raises(RecordError, match="changed"):
        parse_request(line)


def test_what_was_told_counts_else_what_lies_before_the_start(file: Path) -> None:
    here = os.stat(file).st_ctime_ns
    for started, told, before in (
        (here + 1, TOLD, to_ns(TOLD)), (here + 1, None, here), (here, None, None),
    ):  # fmt: skip
        one = request(file, started, told)
        assert bind_container(one, 0, one.binds[0]).before_ns == before
    gone = replace(request(file, here + 1, None).binds[0], source="/nowhere/x.sif")
    assert bind_container(request(file, here + 1, None), 0, gone).before_ns is None
