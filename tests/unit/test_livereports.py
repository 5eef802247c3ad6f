"""The queue of reports: what a capture leaves there, what is read back, and what is not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.livequeue import RUN, end, own_home, start
from tests.unit.schemas import problems
from tests.unit.sifs import run_record
from tests.unit.test_facts import request

from sifprov import helper, livereports
from sifprov.capture import live
from sifprov.capture.deliver import Written
from sifprov.capture.session import Finished
from sifprov.errors import FileError, RecordError
from sifprov.frozen import replace
from sifprov.livereports import Waiting, count, done, dropped, leave, waiting
from sifprov.model.record import EXITED, NOT_STARTED
from sifprov.model.report import MAX_REPORT, REFUSED, UNCHANGED, Report
from sifprov.model.request import CaptureEnd, CaptureRequest, dump_request, parse_request
from sifprov.settings import Settings
from sifprov.wrapper.atomic import Late, names

ENDED = CaptureEnd("2026-11-21T14:00:02Z", EXITED, 7, None)


@pytest.fixture(autouse=True)
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_home(tmp_path / "home", monkeypatch)


def good() -> list[Report]:
    return [w.report for w in waiting() if isinstance(w, Waiting)]


@pytest.mark.parametrize("report", [start(), end()], ids=["start", "end"])
def test_a_report_comes_back(report: Report) -> None:
    assert problems("sifprov.report/1", json.loads(report.to_bytes())) == []
    assert Report.from_bytes(report.to_bytes()) == report


def test_the_report_of_the_end_takes_the_place_of_the_first(queue: Path) -> None:
    assert leave(start())
    assert queue.stat().st_mode & 0o777 == 0o700
    assert [p.name for p in queue.iterdir()] == [f"{RUN}.start.json"]
    assert (queue / f"{RUN}.start.json").stat().st_mode & 0o777 == 0o600
    assert leave(end())
    assert [p.name for p in queue.iterdir()] == [f"{RUN}.end.json"]
    assert good() == [end()]
    for item in waiting():
        assert isinstance(item, Waiting)
        done(item)
    assert count() == 0


def test_a_report_that_was_written_anew_is_not_deleted() -> None:
    leave(start())
    (item,) = waiting()
    assert isinstance(item, Waiting)
    time.sleep(0.02)
    leave(start(told="2026-05-28T20:41:17Z"))
    done(item)
    assert [r.told for r in good()] == ["2026-05-28T20:41:17Z"]


def test_what_holds_no_report_is_put_aside_and_told_once(queue: Path, tmp_path: Path) -> None:
    leave(start())
    (tmp_path / "secret").write_bytes(end(UUID(int=4)).to_bytes())
    (queue / f"{UUID(int=1)}.end.json").write_bytes(b"{")
    (queue / f"{UUID(int=2)}.end.json").write_bytes(end(UUID(int=3)).to_bytes())
    (queue / f"{UUID(int=4)}.end.json").symlink_to(tmp_path / "secret")
    os.mkfifo(queue / f"{UUID(int=5)}.end.json")
    (queue / f"{UUID(int=6)}.end.json").write_bytes(b" " * (MAX_REPORT + 1))
    (queue / f"{UUID(int=7)}.end.json").write_bytes(b"")  # a machine crashed
    (queue / f"{UUID(int=8)}.end.json").mkdir()
    said = [str(item) for item in waiting() if isinstance(item, FileError)]
    assert len(said) == 6
    assert any("named unlike what it holds" in text for text in said)
    assert good() == [start()]
    assert [item for item in waiting() if isinstance(item, FileError)] == []
    assert not (queue / f"{UUID(int=7)}.end.json").exists()


def test_another_users_folder_is_left_alone(queue: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leave(start())
    queue.chmod(0o777)
    assert list(waiting()) == []
    assert not leave(end())
    queue.chmod(0o700)
    uid = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: uid + 1)
    assert list(waiting()) == []
    # Nor is a file of somebody else's in our own folder.
    monkeypatch.setattr(livereports, "check_own", lambda where: None)
    (found,) = waiting()
    assert "no file of yours" in str(found)


def test_a_queue_that_nobody_reads_stays_small(
    queue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(livereports, "MAX_FILES", 8)
    monkeypatch.setattr(livereports, "_LEFT", 6)
    leave(start(UUID(int=99)))
    for number in range(1, 30):
        leave(start(UUID(int=number)))
        leave(end(UUID(int=number)))
        os.utime(queue / f"{UUID(int=number)}.end.json", (number, number))
        assert count() <= 8
    # What goes on is kept, and of what ended the newest.
    left = {r.id.int for r in good()}
    assert 99 in left and 29 in left and 1 not in left
    assert dropped() + count() == 30
    assert dropped() == 0


def test_a_long_report_is_cut_to_what_names_the_run() -> None:
    words = ("x" * 2000,) * 100
    run = replace(start().run, argv=words, command=words, redacted=(2, 99))
    report = Report.from_bytes(start(run=run).to_bytes())
    assert report.cut and report.id == RUN
    assert report.run.command[0] == "x" * 256 + "…" and report.run.redacted == (2,)
    longer = replace(run, environment=(("LANG", "é" * MAX_REPORT),))
    assert Report.from_bytes(start(run=longer).to_bytes()).run.environment == ()
    endless = replace(run, cwd="/" + "x" * MAX_REPORT)
    assert not leave(start(run=endless))


@given(st.binary(max_size=40), st.integers(0, 3000))
def test_no_bytes_but_a_report_or_one_error(noise: bytes, at: int) -> None:
    data = end().to_bytes()
    for broken in (noise, data[:at] + noise + data[at + len(noise) :]):
        try:
            Report.from_bytes(broken)
        except RecordError:
            continue


def reported(how: CaptureRequest) -> Report:
    live.Reporter(how, Settings(), os.getpid()).ended(ENDED, None, None)
    (report,) = good()
    return report


def test_secrets_are_hidden_as_in_records() -> None:
    argv = ("singularity", "exec", "--env", "DB_TOKEN=canary", "app.sif", "x", "--password=canary")
    variables = (("SINGULARITYENV_API_TOKEN", "canary"), ("LANG", "https://u:canary@h/"))
    report = reported(
        request(
            argv=argv, command=argv[5:], environment=variables, id=RUN, live=True,
            image="docker://me:canary@host/x",
        )
    )  # fmt: skip
    assert b"canary" not in report.to_bytes()
    assert report.run.redacted == (3, 6)


def test_a_report_tells_where_the_run_is(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = (("SLURM_JOB_ID", "7"), ("SLURM_ARRAY_JOB_ID", "6"), ("SLURM_ARRAY_TASK_ID", "1"))
    report = reported(request(id=RUN, live=True, variables=variables))
    facts = {fact.name: fact.value for fact in report.run.facts}
    assert facts["batch"] == {"system": "slurm", "job": "7", "array_job": "6", "task": "1"}
    assert report.where.host == os.uname().nodename
    us = livereports.process(os.getpid())
    assert us and report.where.runtime == report.where.recorder == us
    assert (report.became, report.run.exit_code) == (UNCHANGED, 7)
    assert [c.role for c in report.containers] == ["application", *["input"] * 3]


def test_a_disk_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    hangs = threading.Event()
    monkeypatch.setattr(livereports, "leave", lambda report: hangs.wait(30))
    began = time.monotonic()
    reporter = live.Reporter(request(id=RUN, live=True), Settings(), None)
    assert time.monotonic() - began < 5
    reporter.ended(ENDED, Finished((), ()), None)
    assert time.monotonic() - began < live.PATIENCE + 10
    hangs.set()


def test_a_run_that_goes_on_says_so_again(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(live, "PULSE", 0.02)
    monkeypatch.setattr(livereports, "leave", lambda report: told.append(report.told))
    reporter = live.Reporter(request(id=RUN, live=True), Settings(), None)
    until = time.monotonic() + 10
    while len(told) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    reporter.ended(ENDED, None, None)
    assert len(told) >= 4 and sorted(set(told)) == told


def test_a_run_that_the_runtime_gave_up_has_not_started() -> None:
    reporter = live.Reporter(request(id=RUN, live=True), Settings(), None)
    reporter.ended(None, None, None)
    (report,) = good()
    assert (report.became, report.run.outcome) == (REFUSED, NOT_STARTED)


def test_a_result_that_is_about_to_get_its_name_is_told_by_it() -> None:
    late = Late("out.sif", "/x/.out.sif.part", "/x/out.sif", "/x/out.failed.sif")
    how = request(id=RUN, live=True, names=partial(names, [late]))
    written = Written(late.part, run_record(), "sha256:" + "1" * 64, None)
    live.Reporter(how, Settings(), None).ended(ENDED, Finished((written,), ()), None)
    (report,) = good()
    assert [kept.place for kept in report.records] == [late.failed]


def test_whatever_fails_no_word_is_said(
    queue: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    queue.parent.mkdir(parents=True)
    queue.write_text("no folder")
    live.Reporter(request(id=RUN, live=True), Settings(), None).ended(ENDED, None, None)

    def broken() -> tuple[str, str]:
        raise RuntimeError

    monkeypatch.setattr(livereports, "here", broken)
    live.Reporter(request(id=RUN, live=True), Settings(), None).ended(ENDED, None, None)
    assert capfd.readouterr() == ("", "")


def test_who_wants_no_reports_pays_nothing_for_them() -> None:
    ours = "{'sifprov.livereports', 'sifprov.capture.live', 'sifprov.model.report'}"
    script = f"import sys, sifprov.helper; print({ours} & sys.modules.keys())"
    path = Path(helper.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-S", "-c", script], env={"PYTHONPATH": str(path)}, capture_output=True
    )
    assert done.stdout == b"set()\n", done.stderr


def test_a_kept_request_is_delivered_under_the_name_that_was_reported() -> None:
    made = parse_request(dump_request(request(id=RUN, live=True)))
    assert (made.id, made.live) == (RUN, True)
    assert b"live" not in dump_request(request())
