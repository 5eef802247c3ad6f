"""`sifprov ps`, `sifprov log` without a container, and who else takes reports in."""

from __future__ import annotations

import csv
import io
import json
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner, Result
from tests.unit.livequeue import RUN, end, own_home, start
from tests.unit.sifs import OUT, make_sif, run_record
from tests.unit.test_facts import request

from sifprov import livereports, spool
from sifprov.catalog import live
from sifprov.catalog.ended import outcome_of
from sifprov.catalog.running import (
    ENDING,
    PATIENCE_US,
    RUNNING,
    SILENT,
    UNWATCHED,
    Machine,
    me,
    standing,
)
from sifprov.catalog.store import open_catalog
from sifprov.catalog.toldtexts import command_of, job_of, names_of
from sifprov.cli import main
from sifprov.errors import FileError
from sifprov.frozen import replace
from sifprov.livereports import count, leave
from sifprov.model.fact import Fact
from sifprov.model.report import NOT_RECORDED, UNCHANGED, Process, Report
from sifprov.model.request import dump_request
from sifprov.model.run import NOT_STARTED, SIGNALED
from sifprov.placement import CONTAINER, Place, append_to

GONE = Process(2**22 + 1, 1)


@pytest.fixture(autouse=True)
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_home(tmp_path / "home", monkeypatch)


def cli(*argv: str) -> Result:
    return CliRunner().invoke(main, argv, standalone_mode=False, terminal_width=200)


def rows(*argv: str) -> list[dict[str, Any]]:
    done = cli(*argv, "--json")
    assert done.exception is None, done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return found


def of_me(report: Report, **value: Any) -> Report:
    """The report as a run of this very user leaves it."""
    facts: tuple[Fact, ...] = (Fact("user", {"name": me(), "uid": os.getuid()}, source="passwd"),)
    facts += tuple(Fact(name, each, source="x") for name, each in value.items())
    return replace(report, run=replace(report.run, facts=facts))


def elsewhere(report: Report) -> Report:
    return replace(report, where=replace(report.where, host="node7"))


def lost(report: Report) -> Report:
    return replace(report, where=replace(report.where, runtime=GONE, recorder=GONE))


def test_what_goes_on_is_shown_and_what_has_ended_is_not() -> None:
    batch = {"system": "slurm", "job": "7", "array_job": "6", "task": "1"}
    flow = {"name": "sweep", "id": str(UUID(int=5)), "activity": "fit"}
    leave(of_me(start(), batch=batch, workflow=flow))
    leave(of_me(end(UUID(int=2))))
    (row,) = rows("ps")
    assert (row["id"], row["state"], row["job"]) == (str(RUN), RUNNING, "6_1")
    assert (row["workflow"], row["activity"]) == ("sweep", "fit")
    assert (row["command"], row["containers"]) == ("true", ["in.sif", "out.sif"])
    assert row["elapsed_s"] > 0 and row["user"] == me()
    assert count() == 0
    shown = cli("ps").stdout
    assert "running" in shown and str(RUN)[:8] in shown and "out.sif" in shown
    (read,) = csv.DictReader(io.StringIO(cli("ps", "--csv").stdout))
    assert read["id"] == str(RUN)


def test_runs_of_others_are_shown_on_request() -> None:
    leave(start())  # of the user `me`, who is nobody here
    other = "me" if me() != "me" else "you"
    assert [r["id"] for r in rows("ps", "--all")] == [str(RUN)]
    assert [r["id"] for r in rows("ps", "--user", "me")] == [str(RUN)]
    assert [r["id"] for r in rows("ps", "--user", "1000")] == [str(RUN)]
    assert rows("ps", "--user", other + "x") == []


@pytest.mark.parametrize(
    ("runtime", "recorder", "boot", "wanted"),
    [
        (True, True, "b", RUNNING),
        (True, False, "b", UNWATCHED),
        (False, True, "b", ENDING),
        (False, False, "b", "lost"),
        (True, True, "c", "lost"),  # the machine was started anew
    ],
)
def test_the_machine_knows_of_its_own_runs(
    runtime: bool, recorder: bool, boot: str, wanted: str
) -> None:
    there = {1: Process(1, 10), 2: Process(2, 20)}
    machine = Machine("here", boot, 0, there.get)
    # A number that another process has by now is not this one.
    told = SimpleNamespace(
        host="here", boot_id="b", seen_us=0, pid=1, pid_started=10 if runtime else 9,
        recorder_pid=2 if recorder else None, recorder_started=20,
    )  # fmt: skip
    assert standing(told, machine) == wanted


@pytest.mark.parametrize(("host", "boot"), [("node7", "b"), ("here", "b pid:[4026532000]")])
def test_of_runs_elsewhere_only_their_age_is_known(host: str, boot: str) -> None:
    told = SimpleNamespace(
        host=host, boot_id=boot, seen_us=0, pid=1, pid_started=1, recorder_pid=1, recorder_started=1
    )
    for now, wanted in ((PATIENCE_US, RUNNING), (PATIENCE_US + 1, SILENT)):
        assert standing(told, Machine("here", "b", now, lambda pid: None)) == wanted


def test_a_run_that_nobody_will_tell_of_is_lost() -> None:
    leave(of_me(lost(start())))
    done = cli("ps")
    assert "lost, for nobody was left to tell how they ended: 1 run (0b2f3c1e)" in done.stderr
    assert "flush" not in done.stderr
    (row,) = rows("log", "--failed")
    assert (row["outcome"], row["exit"], row["elapsed_s"]) == ("lost", None, None)
    # Only once; and whoever tells all the same is heard.
    assert cli("ps").stderr == cli("ps").stderr and "lost" not in cli("ps").stderr
    leave(of_me(end()))
    assert [r["outcome"] for r in rows("log")] == ["good"]


def test_of_a_lost_run_whose_request_waits_a_record_can_be_made() -> None:
    leave(of_me(lost(start())))
    spool.save_request(dump_request(request(id=RUN, live=True)))
    assert "1 record of them can be made: 'sifprov flush'" in cli("log").stderr


def test_ended_runs_newest_first_with_how_they_ended() -> None:
    def ran(number: int, minute: int, **changes: Any) -> None:
        run = replace(end().run, started=f"2026-05-28T20:{minute:02}:00Z", **changes)
        leave(of_me(end(UUID(int=number), run=run, became=UNCHANGED, records=())))

    ran(1, 1)
    ran(2, 2, exit_code=7)
    ran(3, 3, outcome=SIGNALED, exit_code=None, signal=9)
    ran(4, 4, outcome=NOT_STARTED, exit_code=None)
    leave(of_me(start(UUID(int=5))))
    found = rows("log")
    assert [r["outcome"] for r in found] == ["not started", "signal 9", "exit code 7", "good"]
    assert [r["exit"] for r in found] == [255, 137, 7, 0]
    assert [r["outcome"] for r in rows("log", "--failed")] == [
        "not started", "signal 9", "exit code 7",
    ]  # fmt: skip
    assert len(rows("log", "--since", "2026-05-28T20:03:00Z")) == 2
    assert len(rows("log", "-n", "1")) == len(rows("log", "--limit", "1")) == 1
    assert rows("log", "--user", "nobody-else") == []
    assert "exit code 7" in cli("log").stdout
    assert cli("log", "-n", "1").stderr.count("there are more") == 1


def test_what_was_recorded_is_told_by_its_record(tmp_path: Path) -> None:
    leave(of_me(end()))
    (row,) = rows("log")
    assert (row["record"], row["outputs"]) == ("recorded", ["out.sif"])
    path = tmp_path / "out.sif"
    make_sif(path, uuid=OUT)
    append_to(Place(CONTAINER, str(path)), replace(run_record(), id=RUN))
    assert cli("index", str(path)).exception is None
    (row,) = rows("log")
    assert (row["id"], row["record"], row["outputs"]) == (str(RUN), "recorded", ["out.sif"])
    leave(of_me(end(UUID(int=8), became=NOT_RECORDED, records=(), reason="no room")))
    assert [r["reason"] for r in rows("log")] == ["no room", None]


def test_every_reader_takes_in_what_waits(tmp_path: Path) -> None:
    for number, argv in enumerate(
        (("find", "--json"), ("query", "q1", "--json"), ("flush", "-q"), ("index", str(tmp_path)),
         ("catalog", "deliver", "-q")), 1
    ):  # fmt: skip
        leave(end(UUID(int=number)))
        cli(*argv)
        assert count() == 0, argv
    assert len(rows("log")) == 5
    assert len(rows("find")) == 5


def test_a_catalog_that_was_named_is_only_read(tmp_path: Path) -> None:
    place = str(tmp_path / "other.db")
    open_catalog(place, create=True).close()
    leave(end())
    assert rows("log", "--catalog", place) == rows("ps", "--catalog", place) == []
    assert count() == 1
    assert "1 report delivered" in cli("catalog", "deliver", "--catalog", place).stdout
    assert len(rows("log", "--catalog", place)) == 1


def test_a_broken_report_is_one_line(queue: Path) -> None:
    leave(end())
    (queue / f"{UUID(int=1)}.end.json").write_bytes(b"{}")
    done = cli("log")
    assert done.stderr.count("\n") == 1 and "no report" in done.stderr
    assert "good" in done.stdout
    assert cli("log").stderr == ""


def test_a_catalog_that_cannot_be_written_is_read_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    leave(of_me(end()))
    assert len(rows("log")) == 1
    leave(of_me(end(UUID(int=2))))

    def refuse(catalog: object) -> None:
        raise FileError("catalog: permission denied")

    monkeypatch.setattr(live, "take_in", refuse)
    for verb in ("ps", "log", "find"):
        done = cli(verb)
        assert done.exception is None and "permission denied" in done.stderr
    assert count() == 1


def test_one_delivers_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    leave(end())
    monkeypatch.setattr(livereports, "_lock", lambda descriptor: False)
    assert cli("catalog", "deliver").stdout == "0 reports delivered\n"
    assert count() == 1


def test_nothing_goes_on_says_how_runs_report() -> None:
    done = cli("ps")
    assert done.exception is None and "live = yes" in done.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ("ps", "--all", "--user", "x"), ("ps", "--watch", "--json"), ("log", "--stream", "stdout"),
        ("log", "--record", "x"), ("log", "x.sif", "--failed"), ("log", "x.sif", "--json"),
        ("log", "--since", "nonsense"), ("catalog", "deliver", "--nonsense"),
    ],
)  # fmt: skip
def test_options_that_do_not_fit(argv: tuple[str, ...]) -> None:
    done = cli(*argv)
    assert type(done.exception).__name__ in ("UsageError", "NoSuchOption"), done.output


def test_watching_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    leave(of_me(start()))
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    done = cli("ps", "--watch")
    assert done.stdout.count("running") == 2
    assert looks == [2.0, 2.0]


def test_texts() -> None:
    assert job_of("7", "6", "1") == "6_1"
    assert job_of("7", None, None) == "7"
    assert job_of(None, None, "1") is None
    assert outcome_of("exited", 0, None) == "good"
    assert outcome_of(None, None, None) == "unknown"
    command = json.dumps(["/.singularity.d/actions/exec", "sh", "-c", "a b\x1b"])
    assert command_of(command, None) == "sh -c 'a b\\x1b'"
    assert command_of("no json", '["x"]') == "x"
    assert command_of(None, None) is None
    assert names_of('[1, {"role": "input"}, {"role": "application", "name": "a"}]') == ("None",)
    assert names_of('{"a": 1}') == ()
