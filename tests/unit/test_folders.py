"""Plain folders as outputs, and what is said of content when a record is made late."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from sifprov import capture
from sifprov.content import Deadline, scan_folder
from sifprov.errors import FileError
from sifprov.frozen import replace
from sifprov.model.record import FOLDER, NOT_STARTED, WRAPPER, Record
from sifprov.model.request import LOST, Bind, BoundImage, CaptureEnd, CaptureRequest, Folder
from sifprov.model.timestamp import from_ns
from sifprov.placement import read_place
from sifprov.sidecar import beside, read_sidecar


def now() -> str:
    return from_ns(time.time_ns())


@pytest.fixture
def request_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CaptureRequest:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SIFPROV_METADATA", raising=False)
    results = tmp_path / "results"
    results.mkdir()
    (results / "a").write_text("x")
    return CaptureRequest(
        captured_by=WRAPPER, version="0", runtime_name="apptainer", runtime_version="1",
        argv=("apptainer", "exec", "app.sif", "true"), command=("true",), cwd=str(tmp_path),
        started=now(), environment=(), image="app.sif", binds=(), images=(), timeout=0,
        folders=(Folder("results", "/Outputs"),),
    )  # fmt: skip


def finish(request: CaptureRequest, end: CaptureEnd, *, late: bool = False) -> Record:
    started = capture.begin(request, Deadline())
    (written,) = capture.finish(started, end, Deadline(), late=late).written
    assert written.spooled is None
    return written.record


def test_a_folder_is_recorded_beside_it(request_: CaptureRequest, tmp_path: Path) -> None:
    end = CaptureEnd(now(), "exited", 3, None)
    record = finish(request_, end)
    output = record.itself()
    assert output and output.marks == (FOLDER,)
    assert (output.path, output.mount) == (str(tmp_path / "results"), "/Outputs")
    assert output.digest == scan_folder(output.path, Deadline()).digest
    assert [s.record for s in read_sidecar(beside(output.path))] == [record]
    again = finish(replace(request_, started=now()), end)
    assert again.container == record.container and again.previous


@pytest.mark.parametrize("late", [False, True])
def test_what_was_changed_since_is_not_the_runs(request_: CaptureRequest, late: bool) -> None:
    end = CaptureEnd(now(), "exited", 0, None)
    time.sleep(0.02)  # more than the kernel's clock for files is behind
    Path(request_.cwd, "results", "b").touch()
    output = finish(request_, end, late=late).itself()
    assert output
    if late:
        assert output.digest is None and "changed after the run" in (output.reason or "")
    else:
        assert output.digest


def test_a_folder_of_a_run_that_was_killed(request_: CaptureRequest) -> None:
    output = finish(request_, LOST).itself()
    assert output and output.digest is None and "killed" in (output.reason or "")


def test_a_folder_that_is_gone(request_: CaptureRequest, tmp_path: Path) -> None:
    os.rename(tmp_path / "results", tmp_path / "elsewhere")
    output = finish(request_, CaptureEnd(now(), "exited", 0, None)).itself()
    assert output and output.digest is None and "No such file" in (output.reason or "")


def test_a_late_record_is_made_once(request_: CaptureRequest, tmp_path: Path) -> None:
    end = CaptureEnd(now(), "exited", 0, None)
    first = finish(request_, end)
    assert finish(request_, end, late=True).id == first.id
    assert len(read_sidecar(beside(str(tmp_path / "results")))) == 1


def test_records_of_a_folder_may_go_elsewhere(request_: CaptureRequest, tmp_path: Path) -> None:
    from sifprov.placement import named

    meta = str(tmp_path / "m.sif")
    record = finish(replace(request_, metadata=meta), CaptureEnd(now(), "exited", 0, None))
    assert [s.record for s in read_place(named(meta))] == [record]
    assert not os.path.exists(beside(str(tmp_path / "results")))


def test_a_container_that_was_gone_before_it_was_read(
    request_: CaptureRequest, tmp_path: Path
) -> None:
    """Nothing is recorded then, and nothing thrown away: whoever asked keeps the request."""
    bind = Bind("out.sif", "/Outputs", "/Outputs", None, False, False)
    image = BoundImage(str(tmp_path / "out.sif"), True)
    request = replace(request_, binds=(bind,), images=(image,), folders=())
    started = capture.begin(request, Deadline())
    with pytest.raises(FileError, match="moved or deleted before it could be read"):
        capture.finish(started, CaptureEnd(now(), "exited", 0, None), Deadline())
    never = CaptureEnd(now(), NOT_STARTED, None, None)
    assert capture.finish(started, never, Deadline()).written == ()
