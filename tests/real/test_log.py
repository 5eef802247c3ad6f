"""`--log` on real runtimes: what the application prints is kept, and reaches who it is for."""

from __future__ import annotations

import os
import select
import subprocess
import time

from tests.real.harness import kill_tree
from tests.real.job import BINDS, COPY
from tests.real.wrapjob import WrapJob

LOG = ("--log",)


def test_the_output_is_kept_beside_the_record(wrap_job: WrapJob) -> None:
    job = wrap_job
    script = f"{COPY}; echo out; echo err >&2; exit 3"
    plain = job.bare(*(w for b in BINDS for w in ("-B", b)), job.app, "sh", "-c", script)
    done = job.exec("sh", "-c", script, options=LOG)
    assert (done.code, done.stdout) == (plain.code, plain.stdout) == (3, "out\n")
    assert done.stderr.endswith("err\n")
    fact = job.last()["run"]["facts"]["log"]
    assert fact["value"]["cut"] == 0
    shown = job.cli("log", "output.sif").expect()
    assert "out\n" in shown.stdout
    assert "err\n" in shown.stdout
    only = job.cli("log", "output.sif", "--stream", "stdout").expect()
    assert only.stdout == "out\n"
    assert "printed" in job.cli("trail", "output.sif").expect().stdout
    job.check_file_system("output.sif")


def test_the_environment_and_a_setting_bound_it(wrap_job: WrapJob) -> None:
    job = wrap_job
    config = job.path(".config/sifprov/config.ini")
    job.run(["mkdir", "-p", config.parent]).expect()
    text = "[capture]\nlog_bytes = 2K\n"
    job.run(["sh", "-c", f'cat > "{config}"; chmod 600 "{config}"'], stdin=text).expect()
    done = job.exec("sh", "-c", f"{COPY}; seq 1 20000", env={"SIFPROV_LOG": "1"}).expect()
    assert done.stdout == "".join(f"{n}\n" for n in range(1, 20001))
    value = job.last()["run"]["facts"]["log"]["value"]
    assert value["bytes"] - value["cut"] <= 2048
    # What the runtime itself has to say stands in the other stream.
    shown = job.cli("log", "output.sif", "--stream", "stdout").expect()
    assert shown.stdout.startswith("1\n2\n")
    assert shown.stdout.endswith("\n20000\n")
    assert "were not kept here" in shown.stderr


def test_a_terminal_stays_a_terminal(wrap_job: WrapJob) -> None:
    job = wrap_job
    words = [w for b in BINDS for w in ("-B", b)]
    script = f"{COPY}; test -t 0 && test -t 1 && test -t 2 && echo terminal"
    argv = job.wrapped("exec", "--log", *words, job.app, "sh", "-c", script)
    master, slave = os.openpty()
    user = [] if job.run.is_root else ["setpriv", "--reuid", job.run.user, "--clear-groups"]
    environment = [f"{name}={value}" for name, value in job.env().items()]
    process = subprocess.Popen(
        [*user, "env", *environment, *argv],
        cwd=job.path("."), stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    shown, deadline = b"", time.monotonic() + 40
    try:
        while time.monotonic() < deadline and select.select([master], [], [], 10)[0]:
            try:
                shown += os.read(master, 4096)
            except OSError:
                break
        assert process.wait(timeout=10) == 0
    finally:
        if process.poll() is None:
            kill_tree(process.pid)
            process.wait()
        os.close(master)
    assert b"terminal\r\n" in shown
    assert "terminal\n" in job.cli("log", "output.sif", "--stream", "both").expect().stdout
