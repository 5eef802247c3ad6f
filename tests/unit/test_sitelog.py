"""The site log: what a line holds, where it goes, and that nothing of it disturbs a run."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.unit.schemas import problems
from tests.unit.sifs import OUT, make_sif

from sifprov import helper, sitelog
from sifprov.cli import main
from sifprov.errors import RecordError
from sifprov.frozen import replace
from sifprov.model.request import LOST, CaptureRequest, parse_end, parse_request
from sifprov.sitelog import MAX_LINE, SiteLog, log_run, to_line, wanted

SECRET = "ghp_0123456789abcdefghijABCDEFGHIJ012345"  # noqa: S105
END = b'{"event":"end","ended":"2026-05-28T20:26:41Z","started_process":true,"exit_code":3,"signal":null}\n'  # noqa: E501


def encoded(text: str) -> str:
    return base64.b64encode(text.encode("utf-8", "surrogateescape")).decode()


def first_line(image: str = "/apps/app.sif", **more: object) -> bytes:
    """A request as the plugin writes it for a run that is only logged."""
    return (
        json.dumps(
            {
                "schema": "sifprov.capture-request/1",
                "event": "start",
                "captured_by": {"kind": "plugin", "version": "0.1.0"},
                "runtime": {"name": "singularity-ce", "version": "4.3.3"},
                "argv": [encoded(w) for w in ("singularity", "exec", image, "fetch", SECRET)],
                "command": [encoded("fetch"), encoded(SECRET)],
                "cwd": encoded("/home/user"),
                "started": "2026-05-28T20:26:40Z",
                "environment": {},
                "variables": {"SLURM_JOB_ID": "77"},
                "image": encoded(image),
                "binds": [],
                "images": [],
                "instance": False,
                "fakeroot": False,
                "timeout_seconds": 300,
                **more,
            }
        ).encode()
        + b"\n"
    )


def request(image: str = "/apps/app.sif") -> CaptureRequest:
    return parse_request(first_line(image))


def line(image: str = "/a.sif", *, argv: bool = False) -> dict[str, Any]:
    raw = to_line(SiteLog("/dev/log", argv), request(image), parse_end(END))
    assert raw.isascii() and b"\n" not in raw and len(raw) <= MAX_LINE
    found: dict[str, Any] = json.loads(raw)
    assert problems("sifprov.site-log/1", found) == []
    return found


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[socket.socket]:
    """A log daemon's socket, in the place of /dev/log."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "log"))
        listener.settimeout(10)
        yield listener


def test_what_a_line_holds(tmp_path: Path) -> None:
    app = make_sif(tmp_path / "app.sif")
    found = line(image=str(app))
    assert found["image"] == str(app) and found["image_uuid"] == str(OUT)
    assert found["uid"] == os.getuid() and found["host"] == os.uname().nodename
    assert (found["runtime"], found["started"]) == ("singularity-ce 4.3.3", "2026-05-28T20:26:40Z")
    assert (found["ended"], found["exit_code"], found["outcome"]) == (
        "2026-05-28T20:26:41Z", 3, "exited",
    )  # fmt: skip
    assert found["batch"] == {"system": "slurm", "job": "77"}
    assert found["argv"] is None


def test_the_command_line_only_when_asked_and_without_secrets() -> None:
    assert "fetch" not in json.dumps(line())
    words = line(argv=True)["argv"]
    assert words[:4] == ["singularity", "exec", "/a.sif", "fetch"]
    assert SECRET not in json.dumps(words)


def test_odd_names_and_what_is_no_sif(tmp_path: Path) -> None:
    found = line(image="/a\x1b[31m\n\u202e\udcff.sif")
    assert base64.b64decode(found["image"]["base64"]) == b"/a\x1b[31m\n\xe2\x80\xae\xff.sif"
    assert line(image="/a\x9b\n.sif")["image"] == "/a\x9b\n.sif"  # escaped, as `line` checks
    for other in (tmp_path, tmp_path / "none", "/dev/zero"):
        assert line(image=str(other))["image_uuid"] is None


def test_a_line_has_a_limit() -> None:
    long = replace(request(), argv=("x" * 100_000,), image="/" + "\x01" * 5000)
    for argv in (False, True):
        raw = to_line(SiteLog("/dev/log", argv), long, parse_end(END))
        assert len(raw) <= MAX_LINE and json.loads(raw)["argv"] is None


def test_an_outcome_that_nobody_saw() -> None:
    found = json.loads(to_line(SiteLog("/x", False), request(), LOST))
    assert problems("sifprov.site-log/1", found) == []
    assert (found["outcome"], found["ended"], found["exit_code"]) == ("unknown", None, None)


def test_a_log_daemon_gets_a_line_of_syslog(daemon: socket.socket, tmp_path: Path) -> None:
    log = SiteLog(str(tmp_path / "log"), argv=False)
    assert log_run(log, request(), parse_end(END))
    message = daemon.recv(65536)
    head, _, rest = message.partition(b" sifprov[")
    # Facility user, severity info; the time as syslog(3) writes it.
    assert head.startswith(b"<14>")
    time.strptime(head[4:].decode(), "%b %d %H:%M:%S")
    pid, _, text = rest.partition(b"]: ")
    assert int(pid) == os.getpid() and json.loads(text)["schema"] == sitelog.SCHEMA


def test_a_file_of_roots_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text("first\n")
    taken = [log_run(SiteLog(str(path), False), request(), parse_end(END)) for _ in range(2)]
    if os.getuid() == 0:
        lines = path.read_text().splitlines()
        assert taken == [True, True] and lines[0] == "first" and len(lines) == 3
        assert all(problems("sifprov.site-log/1", json.loads(text)) == [] for text in lines[1:])
    else:
        assert taken == [False, False] and path.read_text() == "first\n"


@pytest.mark.skipif(os.getuid() != 0, reason="gives files away")
def test_no_other_file_is_ever_written(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.touch()
    link, hard, theirs, fifo = (tmp_path / name for name in ("link", "hard", "theirs", "fifo"))
    link.symlink_to(target)
    theirs.touch()
    os.chown(theirs, 12345, 12345)
    os.mkfifo(fifo)
    for path in (link, theirs, fifo, tmp_path, tmp_path / "none", Path("/dev/null")):
        assert not log_run(SiteLog(str(path), False), request(), parse_end(END)), path
    os.link(target, hard)
    assert not log_run(SiteLog(str(hard), False), request(), parse_end(END))
    assert target.stat().st_size == theirs.stat().st_size == 0


def test_a_daemon_that_takes_nothing_is_given_up(
    daemon: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sitelog, "_PATIENCE", 0.2)
    log = SiteLog(str(tmp_path / "log"), argv=False)
    for _ in range(5000):
        began = time.monotonic()
        if not log_run(log, request(), parse_end(END)):
            break
    else:
        pytest.fail("its queue never became full")
    assert time.monotonic() - began < 5


def serve(first: bytes, *rest: bytes) -> int:
    return helper._serve(first, io.BytesIO(b"".join(rest)))


def test_the_helper_logs_a_run_that_it_does_not_record(
    daemon: socket.socket, tmp_path: Path
) -> None:
    log = {"to": str(tmp_path / "log"), "argv": False}
    assert serve(first_line(site_log=log), b'{"event":"running"}\n', END) == 0
    assert json.loads(daemon.recv(65536).partition(b"]: ")[2])["exit_code"] == 3
    # The runtime was killed: nobody saw the end.
    assert serve(first_line(site_log=log), b'{"event":"running"}\n') == 0
    assert json.loads(daemon.recv(65536).partition(b"]: ")[2])["outcome"] == "unknown"
    # It gave up before anything ran.
    assert serve(first_line(site_log=log)) == 0
    daemon.settimeout(0.1)
    with pytest.raises(TimeoutError):
        daemon.recv(65536)


def test_without_the_setting_nothing_is_imported_for_it() -> None:
    code = (
        "import sys, io; from sifprov import helper;"
        f"helper._serve({first_line()!r}, io.BytesIO({END!r}));"
        "assert 'sifprov.sitelog' not in sys.modules and 'socket' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_where_there_is_no_log_the_run_ends_as_ever(tmp_path: Path) -> None:
    for to in ("/none/of/these", str(tmp_path), "/dev/null"):
        assert serve(first_line(site_log={"to": to, "argv": True}), END) == 0


@pytest.mark.parametrize(
    "bad",
    [
        {}, [], {"to": "/a", "argv": 1}, {"to": "/a", "argv": True, "x": 1},
        {"to": "dev/log", "argv": False}, {"to": "/a/../b", "argv": True},
    ],
)  # fmt: skip
def test_what_is_no_setting_is_refused(bad: object) -> None:
    with pytest.raises(RecordError):
        wanted(first_line(site_log=bad))


def test_the_setting_is_read_as_it_is_written() -> None:
    log = SiteLog("/dev/log", argv=True)
    assert wanted(first_line(site_log=log.to_json())) == log
    assert wanted(first_line(site_log=None)) is None and wanted(first_line()) is None
    assert SiteLog("", argv=False).to_json() is None


@pytest.mark.parametrize("argv", [["--site-log", "log"], ["--site-log", "/a/.."],
                                  ["--site-log-argv"]])  # fmt: skip
def test_install_refuses_what_is_no_place(argv: list[str]) -> None:
    done = CliRunner().invoke(main, ["plugin", "install", *argv])
    assert done.exit_code == 2 and "--site-log" in done.output
