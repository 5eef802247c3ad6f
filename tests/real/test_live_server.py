"""Runs that report to a catalog on a server: it sees them at once, and costs them nothing when it
is not there, does not answer or refuses."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from sifprov import livereports
from sifprov.catalog.store import open_catalog
from sifprov.pluginadmin.delivery import deliver_command
from tests import postgresql
from tests.postgresql import Server
from tests.real.job import COPY, Job
from tests.real.test_live import LIVE, going_on, reports
from tests.real.wrapjob import WrapJob

# One runtime is enough for what is about a server.
pytestmark = [
    pytest.mark.usefixtures("nothing_reported"),
    pytest.mark.program,
    pytest.mark.not_for(wrap_job="apptainer"),
]
# The program, its catalog and the network take so long at most, seconds.
# What delivers has a low priority, and here other tests take the processors.
PATIENCE = 60.0


@pytest.fixture
def place(wrap_job: WrapJob, postgresql_server: Server) -> str:
    """A new database."""
    return postgresql_server.new_database()


def outcomes(place: str) -> list[str]:
    """The outcomes of all runs, as anybody else sees them."""
    with open_catalog(place, create=True) as catalog, catalog.reading() as connection:
        found = connection.execute(text("SELECT outcome FROM execution ORDER BY started_us"))
        return [str(outcome) for (outcome,) in found]


def becomes(read: Callable[[], Any], wanted: Any) -> None:
    """Waits until what is read is what is wanted."""
    end = time.monotonic() + PATIENCE
    while (found := read()) != wanted and time.monotonic() < end:
        time.sleep(0.1)
    assert found == wanted


def postmaster(server: Server) -> int:
    return int((server.folder / "data" / "postmaster.pid").read_text().splitlines()[0])


@contextmanager
def stopped(server: Server) -> Iterator[None]:
    """It takes connections, and does not answer."""
    pid = postmaster(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def stop(server: Server) -> list[str]:
    """Stops it; returns the command line by which it is started again."""
    pid = postmaster(server)
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]
    os.kill(pid, signal.SIGINT)
    # Who started it reaps it at the very end.
    becomes(lambda: livereports.process(pid), None)
    return [os.fsdecode(word) for word in words]


@contextmanager
def started(server: Server, argv: list[str]) -> Iterator[None]:
    """It runs again, until the end."""
    owner = (server.folder / "data").stat()
    process = subprocess.Popen(
        argv, cwd=server.folder, user=owner.st_uid, group=owner.st_gid, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        postgresql._wait(server, process)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


def timed(job: WrapJob, env: dict[str, str]) -> float:
    """Runs what prints a line and exits with 7; returns how long that took."""
    began = time.monotonic()
    done = job.exec("sh", "-c", f"{COPY}; echo out; exit 7", env=env).expect(7)
    assert (done.stdout, done.stderr) == ("out\n", "")
    return time.monotonic() - began


def test_others_see_a_run_at_once_and_its_end(wrap_job: WrapJob, place: str) -> None:
    job = wrap_job
    with going_on(job, f"{COPY}; read word; exit 7", {"SIFPROV_CATALOG": place}) as process:
        becomes(lambda: outcomes(place), ["running"])
        assert process.poll() is None
        process.communicate(timeout=60)
        assert process.returncode == 7
    becomes(lambda: outcomes(place), ["exited"])
    becomes(lambda: reports(job), [])


def test_the_plugin_delivers_by_a_program_that_only_root_can_change(
    job: Job, postgresql_server: Server
) -> None:
    place = postgresql_server.new_database()
    (config,) = Path(job.runtime).parents[1].glob("libexec/*/plugin/sifprov/sifprov.json")
    deliver = json.loads(config.read_bytes()).get("deliver")
    assert deliver == (list(deliver_command()) or None)
    # The helper goes by the home that the password database names.
    own = Path(pwd.getpwnam(job.run.user).pw_dir) / ".config" / "sifprov" / "config.ini"
    assert not own.exists()
    text = f"[capture]\nlive = yes\ncatalog = {place}\n"
    job.run(["sh", "-c", 'mkdir -p "${0%/*}" && cat > "$0"', own], stdin=text).expect()
    try:
        job.exec("sh", "-c", "exit 7", binds=(), env=LIVE).expect(7)
        if not deliver:
            job.run([job.sifprov, "flush"], env={"HOME": str(own.parents[2])}).expect()
        becomes(lambda: outcomes(place), ["exited"])
    finally:
        job.run(["rm", own]).expect()


def test_a_server_that_is_away_costs_a_run_nothing(
    wrap_job: WrapJob, place: str, postgresql_server: Server, tmp_path: Path
) -> None:
    job, server = wrap_job, {**LIVE, "SIFPROV_CATALOG": place}
    plain = min(timed(job, {}) for _ in range(3))
    away = {**server, "SIFPROV_CATALOG": f"postgresql:///x?host={tmp_path}"}
    refused = {**server, "SIFPROV_CATALOG": place.replace("user=sifprov", "user=nobody")}
    assert min(timed(job, away) for _ in range(2)) < plain + 1
    assert min(timed(job, refused) for _ in range(2)) < plain + 1
    with stopped(postgresql_server):
        assert min(timed(job, server) for _ in range(2)) < plain + 1
        assert [r["captured_by"]["kind"] for r in reports(job)] == ["wrapper"] * 6
    # Who waited may deliver by itself now; a flush does in any case.
    job.run([job.sifprov, "flush"], env=job.env(server)).expect()
    becomes(lambda: reports(job), [])
    assert outcomes(place) == ["exited"] * 6


def test_what_a_server_missed_arrives_when_it_is_there_again(wrap_job: WrapJob) -> None:
    job = wrap_job
    with postgresql.server() as own:
        env = {**LIVE, "SIFPROV_CATALOG": own.url()}
        argv = stop(own)
        timed(job, env)
        assert len(reports(job)) == 1
        with started(own, argv):
            # The next run brings both.
            timed(job, env)
            becomes(lambda: outcomes(own.url()), ["exited"] * 2)
    assert reports(job) == []
