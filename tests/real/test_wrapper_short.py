"""The short forms `--in` and `--out`, instances, and the functions of `shell-init`."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.real.harness import SYSTEM_PATH
from tests.real.job import COPY
from tests.real.wrapjob import WrapJob


def short(job: WrapJob, *words: str) -> list[str]:
    return job.wrapped("exec", "--in", "input.sif", "--out", "new.sif", *words)


def test_a_missing_result_is_made_and_trimmed(wrap_job: WrapJob) -> None:
    done = wrap_job.run(
        short(wrap_job, "--verbose", wrap_job.app, "sh", "-c", COPY), env=wrap_job.env()
    ).expect()
    shown = next(line for line in done.stderr.splitlines() if line.startswith("$ "))
    assert "input.sif:/Inputs:image-src=/Inputs,ro" in shown
    assert "new.sif:/Outputs:image-src=/Outputs" in shown
    record = wrap_job.last("new.sif")
    output = record["containers"][-1]
    assert output["digest"] == wrap_job.content_now("new.sif")
    assert wrap_job.path("new.sif").stat().st_size < 2 << 20
    copied = wrap_job.cli("data", "cat", "new.sif", "/Outputs/copy.txt").expect().stdout
    assert copied == "one\ntwo\nthree\n"
    assert not [p for p in wrap_job.run.folder.iterdir() if p.name.endswith(".part")]
    # It can be replayed, and written again once it has grown.
    wrap_job.cli("rerun", "new.sif").expect()
    wrap_job.cli("data", "grow", "new.sif", "--to", "4M").expect()
    wrap_job.run(short(wrap_job, wrap_job.app, "sh", "-c", COPY), env=wrap_job.env()).expect()
    assert len(wrap_job.records("new.sif")) == 2


# It takes long, and is no matter of rights.
@pytest.mark.not_for(user="root")
def test_there_is_room_for_the_run_and_size_says_how_much(wrap_job: WrapJob) -> None:
    write = "head -c 50000000 /dev/urandom > /Outputs/noise"
    small = wrap_job.run(
        short(wrap_job, "--size", "8M", wrap_job.app, "sh", "-c", write), env=wrap_job.env()
    )
    assert small.code == 1  # it is full
    assert wrap_job.last("new.sif")["run"]["exit_code"] == 1
    wrap_job.path("new.sif").unlink()
    wrap_job.run(short(wrap_job, wrap_job.app, "sh", "-c", write), env=wrap_job.env()).expect()
    size = wrap_job.path("new.sif").stat().st_size
    assert 50_000_000 < size < 60_000_000
    output = wrap_job.last("new.sif")["containers"][-1]
    assert output["digest"] == wrap_job.content_now("new.sif")


def test_nothing_new_is_left_where_nothing_ran(wrap_job: WrapJob) -> None:
    for words in (
        (wrap_job.app, "no-such-command"),
        ("no-such.sif", "true"),
        ("--no-such-option", wrap_job.app, "true"),
    ):
        done = wrap_job.run(short(wrap_job, *words), env=wrap_job.env())
        assert done.code != 0
        if wrap_job.path("new.sif").exists():
            # Only where nobody knows.
            assert wrap_job.last("new.sif")["run"]["facts"]["started"]["value"] is None
            wrap_job.path("new.sif").unlink()


def test_a_failing_run_keeps_its_result(wrap_job: WrapJob) -> None:
    script = f"{COPY}; exit 9"
    wrap_job.run(short(wrap_job, wrap_job.app, "sh", "-c", script), env=wrap_job.env()).expect(9)
    assert wrap_job.last("new.sif")["run"]["exit_code"] == 9


def test_a_run_in_an_instance_is_recorded_where_it_writes(wrap_job: WrapJob) -> None:
    name = f"sifprov-test-{wrap_job.run.user}"
    start = [wrap_job.runtime, "instance", "start", *wrap_job.flags, "-B"]
    start += ["input.sif:/Inputs:image-src=/Inputs,ro", "-B"]
    start += ["output.sif:/Outputs:image-src=/Outputs", wrap_job.app, name]
    env = {**wrap_job.env(), "SIFPROV_CAPTURED": "1"}
    wrap_job.run(start, env=env).expect()
    try:
        words = (f"instance://{name}", "sh", "-c", f"{COPY}; exit 4")
        wrap_job.run(wrap_job.wrapped("exec", *words), env=wrap_job.env()).expect(4)
        record = wrap_job.last()
    finally:
        wrap_job.run([wrap_job.runtime, "instance", "stop", name], env=env)
    roles = {c["role"]: c for c in record["containers"]}
    assert roles["application"]["path"] == wrap_job.app
    assert roles["input"]["digest"] == wrap_job.content_now("input.sif")
    assert roles["output"]["digest"] is None
    assert "mounted" in roles["output"]["reason"]
    assert record["run"]["exit_code"] == 4


def test_plain_runs_are_recorded_in_a_shell_with_the_functions(wrap_job: WrapJob) -> None:
    name = Path(wrap_job.runtime).name
    words = [*wrap_job.flags, "-B", "output.sif:/Outputs:image-src=/Outputs", wrap_job.app]
    line = shlex.join([name, "-q", "exec", *words, "sh", "-c", "echo x > /Outputs/x; exit 8"])
    path = f"{Path(wrap_job.sifprov).parent}:{Path(wrap_job.runtime).parent}:{SYSTEM_PATH}"
    script = f'eval "$(sifprov shell-init bash)"; {name} --version; {line}; echo "code $?"'
    env = {**wrap_job.env(), "PATH": path}
    done = wrap_job.run(["bash", "-c", script], env=env).expect()
    assert "code 8" in done.stdout
    assert "version" in done.stdout
    record = wrap_job.last()
    assert record["captured_by"]["kind"] == "wrapper"
    assert record["run"]["argv"][:3] == [wrap_job.runtime, "-q", "exec"]


# The plugin of this test is SingularityCE's.
@pytest.mark.not_for(wrap_job="apptainer")
def test_a_run_is_recorded_once_beside_the_plugin(wrap_job: WrapJob, plugin: str) -> None:
    wrap_job.shell(COPY).expect()
    assert wrap_job.last()["captured_by"]["kind"] == "wrapper"
