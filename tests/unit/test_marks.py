"""What a record says is special about a container: marks, from the start of a run to its end."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from tests.unit.test_changes import debugfs

from sifprov import capture
from sifprov.capture import bound, session
from sifprov.content import Deadline
from sifprov.create import create_data
from sifprov.digestcache import DigestCache
from sifprov.model.record import EXITED, FOLDER, MARKS, PLUGIN, UNKNOWN, Container, Record
from sifprov.model.request import Bind, BoundImage, CaptureEnd, CaptureRequest
from sifprov.model.timestamp import from_ns
from sifprov.render.standing import mark_lines
from sifprov.trail import read_carrier

# Behind what debugfs does here, however long after the import of this file.
STARTED = time.time_ns() + 24 * 3600 * 10**9
END = CaptureEnd(from_ns(STARTED + 10**9), EXITED, 0, None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "real").mkdir(parents=True)
    (tmp_path / "data" / "real" / "file").write_text("1\n")
    (tmp_path / "data" / "near").symlink_to("real")
    (tmp_path / "data" / "away").symlink_to("/etc")
    for name, role in (("in.sif", "input"), ("out.sif", "output")):
        create_data(
            str(tmp_path / name),
            mount="/in",
            source=str(tmp_path / "data"),
            role=role,
            free=1 << 20,
        )
    return tmp_path


def record(
    folder: Path, *, source: str = "/in", end: CaptureEnd = END, started: int = STARTED
) -> tuple[capture.Finished, Record]:
    """Records a run that only reads; returns what the output says then."""
    inputs, output = str(folder / "in.sif"), str(folder / "out.sif")
    request = CaptureRequest(
        captured_by=PLUGIN,
        version="0.1.0",
        runtime_name="singularity-ce",
        runtime_version="4.3.3",
        argv=None,
        command=(),
        cwd=str(folder),
        started=from_ns(started),
        environment=(),
        image=str(folder / "none.sif"),
        binds=(
            Bind(inputs, "/Inputs", source, None, True, False),
            Bind(output, "/Outputs", "/in", None, False, False),
        ),
        images=(BoundImage(inputs, False), BoundImage(output, True)),
        timeout=60,
    )
    begun = capture.begin(request, Deadline())
    finished = capture.finish(begun, end, Deadline())
    (written,) = finished.written
    assert written.digest
    newest = read_carrier(output).good[-1][1]
    assert Record.from_bytes(newest.to_bytes()) == newest
    return finished, newest


def entry(found: Record, name: str) -> Container:
    return next(c for c in found.containers if c.name == name)


def test_where_nothing_is_special_there_is_no_mark(folder: Path) -> None:
    finished, found = record(folder)
    assert {c.marks for c in found.containers} == {()}
    assert finished.warnings == ()


@pytest.mark.parametrize(("name", "other"), [("in.sif", "out.sif"), ("out.sif", "in.sif")])
def test_a_change_before_the_run_is_marked_where_it_was(
    folder: Path, name: str, other: str
) -> None:
    debugfs(folder / name, "rm in/real/file")
    _, found = record(folder)
    assert entry(found, name).marks == ("changed-outside",)
    assert entry(found, other).marks == ()
    assert "by no recorded run" in " ".join(mark_lines(entry(found, name)))


def test_image_src(folder: Path) -> None:
    _, found = record(folder, source="/in/near")
    it = entry(found, "in.sif")
    assert it.marks == ("image-src-link",)
    assert it.digest
    _, found = record(folder, source="/in/away")
    it = entry(found, "in.sif")
    assert it.marks == ("image-src-outside",)
    assert it.digest is None
    assert it.reason == (
        "not what the application saw: /in/away is a symbolic link to /etc, a path of the host"
    )
    assert "files of the host" in " ".join(mark_lines(it))


def test_a_process_that_still_writes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bound, "still_held", lambda path, offset: "process 7 (sh)")
    finished, found = record(folder)
    it = entry(found, "out.sif")
    assert it.marks == ("provisional",)
    assert it.digest
    assert it.reason == "process 7 (sh) could still write into it when this was read"
    (warned,) = finished.warnings
    assert str(folder / "out.sif") in warned
    assert entry(found, "in.sif").marks == ()

    # What it writes until the next run is known to be a recorded run's.
    monkeypatch.undo()
    debugfs(folder / "out.sif", "mkdir in/late")
    _, found = record(folder, started=STARTED + 60 * 10**9)
    assert entry(found, "out.sif").marks == ()


def test_after_a_killed_runtime_the_next_reader_looks_again(folder: Path) -> None:
    lost = replace_end(outcome=UNKNOWN)
    finished, found = record(folder, end=lost)
    it = entry(found, "out.sif")
    assert (it.marks, it.digest) == (("provisional",), None)
    assert "killed" in (it.reason or "")
    assert finished.warnings == ()


def replace_end(**changes: str) -> CaptureEnd:
    fields = {**END.__dict__, **changes, "ended": None, "exit_code": None}
    return CaptureEnd(**fields)


def test_every_mark_has_its_words() -> None:
    base = Container(
        "input", "a", "/a", UUID(int=1), None, None, None, None, False, False, None, "why", None
    )
    for mark in set(MARKS) - {FOLDER}:
        (line,) = mark_lines(replace(base, marks=(mark,)))
        assert line.startswith("! ")


def test_what_changed_after_the_run_is_no_change_before_it(folder: Path) -> None:
    # As a flush sees it, long after the run.
    debugfs(folder / "in.sif", "mkdir in/sub")
    _, found = record(folder, started=time.time_ns())
    assert entry(found, "in.sif").marks == ()


def test_a_change_is_seen_before_the_run_hides_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deleted file's inode may be the first that the run takes, while a large application is
    read."""
    output = folder / "out.sif"
    record(folder)
    clean = output.read_bytes()
    debugfs(output, "rm in/real/file")
    read = bound.application

    def meanwhile(
        path: str, deadline: Deadline, cache: DigestCache, known: str | None
    ) -> Container:
        output.write_bytes(clean)
        return read(path, deadline, cache, known)

    monkeypatch.setattr(session, "application", meanwhile)
    _, later = record(folder, started=STARTED + 10**12)
    assert entry(later, "out.sif").marks == ("changed-outside",)
