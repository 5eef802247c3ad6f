"""The site log of a real runtime: a line for every run, and none where it is off."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.real.job import COPY, Job
from tests.unit.schemas import problems


@pytest.fixture
def daemon(job: Job) -> Iterator[socket.socket]:
    """A log daemon that everybody may write to."""
    path = job.path("log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        path.chmod(0o666)
        listener.settimeout(1)
        yield listener


@contextmanager
def configured(runtime: str, **fields: object) -> Iterator[None]:
    """Adds fields to the plugin's configuration, as its administrator may."""
    if os.getuid() != 0:
        pytest.skip("changing the plugin's configuration needs root")
    (path,) = Path(runtime).parents[1].glob("libexec/*/plugin/sifprov/sifprov.json")
    before = path.read_bytes()
    path.write_text(json.dumps({**json.loads(before), **fields}))
    try:
        yield
    finally:
        path.write_bytes(before)


def lines(listener: socket.socket) -> list[dict[str, Any]]:
    """What the daemon has got so far."""
    found = []
    while True:
        try:
            found.append(json.loads(listener.recv(65536).partition(b"]: ")[2]))
        except TimeoutError:
            return found


def test_every_run_gives_a_line(job: Job, daemon: socket.socket) -> None:
    job.exec("true", binds=()).expect()
    job.exec("true").expect()
    assert lines(daemon) == []
    with configured(job.runtime, site_log={"to": str(job.path("log")), "argv": False}):
        job.exec("sh", "-c", "exit 7", binds=()).expect(7)
        job.exec("sh", "-c", f"{COPY}; exit 8").expect(8)
        # A run that `sifprov exec` records is one of the runtime's all the same.
        wrapper = [job.sifprov, "exec", "--runtime", job.runtime, *job.flags]
        binds = ["-B", "input.sif:/Inputs:image-src=/Inputs"]
        home = {"HOME": str(job.path("."))}
        job.run([*wrapper, *binds, job.app, "sh", "-c", "exit 9"], env=home).expect(9)
        (job.path("log")).unlink()
        # Nobody listens any more.
        done = job.exec("sh", "-c", "exit 10", binds=()).expect(10)
        assert done.stderr == ""
    found = lines(daemon)
    assert [problems("sifprov.site-log/1", line) for line in found] == [[]] * 3
    assert [line["exit_code"] for line in found] == [7, 8, 9]
    assert {line["user"] for line in found} == {job.run.user}
    assert {line["image"] for line in found} == {job.app}
    assert all(line["image_uuid"] and line["argv"] is None for line in found)
    assert len(job.records()) == 2


def test_the_kernel_tells_the_daemon_who_it_was(
    job: Job, daemon: socket.socket, account: Callable[[str], int]
) -> None:
    daemon.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    log = {"to": str(job.path("log")), "argv": True}
    with configured(job.runtime, site_log=log):
        job.exec("true", "--password=hunter2-canary", binds=()).expect()
    data, control, _, _ = daemon.recvmsg(65536, socket.CMSG_SPACE(12))
    uid = int.from_bytes(control[0][2][4:8], "little")
    line = json.loads(data.partition(b"]: ")[2])
    assert uid == line["uid"] == account(job.run.user)
    assert line["argv"][1] == "exec" and b"hunter2" not in data


@pytest.fixture
def account() -> Callable[[str], int]:
    """A user's number."""
    import pwd

    return lambda name: pwd.getpwnam(name).pw_uid


def test_a_file_of_roots(job: Job) -> None:
    path = job.path("runs.jsonl")
    path.touch()
    os.chown(path, 0, 0)
    path.chmod(0o622)
    with configured(job.runtime, site_log={"to": str(path), "argv": False}):
        for code in (0, 3):
            job.exec("sh", "-c", f"exit {code}", binds=()).expect(code)
    found = [json.loads(text) for text in path.read_text().splitlines()]
    assert [line["exit_code"] for line in found] == [0, 3]
