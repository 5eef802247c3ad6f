"""What a record says of a run besides the run itself, by both plugins and both wrappers; and that
no secret is in a byte that is written."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.real.job import BINDS, COPY, Job
from tests.real.wrapjob import WrapJob

FACTS = {"application", "batch", "binds", "isolation", "platform", "resources", "user"}
CANARY = "cANaRy"
# Long enough for the wrapper to see the container, and for some work to be counted.
WORK = f"{COPY}; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.4"


def facts_of(job: Job) -> dict[str, Any]:
    facts: dict[str, Any] = job.records()[-1]["run"]["facts"]
    for name in FACTS:
        assert name in facts
    for name, fact in facts.items():
        assert set(fact) == (
            {"reason", "value"} if fact["value"] is None else {"source", "value"}
        ), name
    return facts


def a_record_tells_of_the_run(job: Job) -> None:
    env = {
        "SLURM_JOB_ID": "42", "SLURM_ARRAY_TASK_ID": "7", "MY_OWN": "not recorded",
        "SIFPROV_NOTE": "by the environment", "SIFPROV_TAGS": "a=1", "SIFPROV_METRICS": "r2=0.93",
    }  # fmt: skip
    job.exec("sh", "-c", WORK, env=env, options=("--no-mount", "tmp")).expect()
    facts = facts_of(job)
    record = job.records()[-1]
    assert record["annotation"] == {
        "notes": ["by the environment"], "tags": {"a": "1"}, "metrics": {"r2": "0.93"},
    }  # fmt: skip
    assert facts["batch"]["value"] == {"system": "slurm", "job": "42", "task": "7"}
    assert facts["user"]["value"]["name"] == job.run.user
    assert facts["platform"]["value"]["architecture"] == os.uname().machine
    assert facts["application"]["value"]["bases"] == [{"bootstrap": "scratch"}]
    used = facts["resources"]["value"]
    assert 400_000 <= used["wall_us"] < 60_000_000
    assert 0 < used["user_us"] < 60_000_000
    assert used["peak_memory_bytes"] > 100_000
    isolation = facts["isolation"]["value"]
    assert isolation["not_mounted"] == ["tmp"]
    assert isolation["contain"] is isolation["cleanenv"] is False
    assert {"MY_OWN", "PATH"} <= set(isolation["environment"])
    assert "not recorded" not in json.dumps(record)
    binds = {b["destination"]: b for b in facts["binds"]["value"]}
    kind = "fuse." if "--userns" in job.flags else "ext3"
    assert binds["/Inputs"]["image"] == str(job.path("input.sif"))
    assert (binds["/Inputs"]["read_only"], binds["/Outputs"]["read_only"]) == (True, False)
    assert binds["/Outputs"]["type"].startswith(kind)
    assert binds["/Inputs"]["type"].startswith(kind)
    assert "/tmp" not in binds
    assert binds["/etc/hosts"]["source"] == "/etc/hosts"


def a_record_tells_of_the_workflow(job: Job) -> None:
    part = {"name": "maps", "activity": "plot \u00e4", "composition": "hybrid"}
    env = {
        "SIFPROV_WORKFLOW": "maps", "SIFPROV_WORKFLOW_ID": "7",
        "SIFPROV_ACTIVITY": "plot \u00e4", "SIFPROV_COMPOSITION": "hybrid",
    }  # fmt: skip
    done = job.exec("sh", "-c", COPY, env=env).expect()
    fact = job.records()[-1]["run"]["facts"]["workflow"]
    assert fact == {"source": "environment", "value": part}
    assert "$SIFPROV_WORKFLOW_ID: not a UUID" in done.stderr
    id_ = "0f1ce4a2-6a0b-4a3f-9c2d-5b7f0e6a1c3d"
    job.exec("sh", "-c", COPY, env={**env, "SIFPROV_WORKFLOW_ID": id_}).expect()
    assert job.records()[-1]["run"]["facts"]["workflow"]["value"] == {**part, "id": id_}
    assert "workflow maps, activity plot" in job.cli("trail", "output.sif").expect().stdout
    job.exec("sh", "-c", COPY).expect()
    assert "workflow" not in job.records()[-1]["run"]["facts"]


def a_contained_run_says_so(job: Job) -> None:
    env = {"MY_OWN": "x", "SINGULARITYENV_IN": "1", "APPTAINERENV_IN": "1"}
    job.exec("sh", "-c", WORK, env=env, options=("--containall",)).expect()
    isolation = facts_of(job)["isolation"]["value"]
    assert isolation["contain"] is isolation["cleanenv"] is True
    assert {"pid", "ipc"} <= set(isolation["namespaces"])
    assert "MY_OWN" not in isolation["environment"]
    assert "IN" in isolation["environment"]
    environment = job.records()[-1]["run"]["environment"]
    assert environment["SINGULARITYENV_IN"] == environment["APPTAINERENV_IN"] == "1"


def the_user_extends_the_environment(job: Job) -> None:
    config = job.path(".config/sifprov/config.ini")
    text = "[capture]\nenvironment = MY_OWN, LAB_*\n"
    job.run(["mkdir", "-p", config.parent]).expect()
    job.run(["sh", "-c", f'cat > "{config}"; chmod 600 "{config}"'], stdin=text).expect()
    job.exec("sh", "-c", COPY, env={"MY_OWN": "1", "LAB_A": "2", "LAB_TOKEN": CANARY}).expect()
    environment = job.records()[-1]["run"]["environment"]
    assert {n: environment.get(n) for n in ("MY_OWN", "LAB_A", "LAB_TOKEN")} == {
        "MY_OWN": "1", "LAB_A": "2", "LAB_TOKEN": None,
    }  # fmt: skip


SECRET_ENV = {
    "SINGULARITYENV_API_KEY": f"{CANARY}1",
    "APPTAINERENV_DB_PASSWORD": f"{CANARY}2",
    "AWS_SECRET_ACCESS_KEY": f"{CANARY}3",
    "SINGULARITY_DOCKER_PASSWORD": f"{CANARY}4",
    "APPTAINER_DOCKER_PASSWORD": f"{CANARY}4",
    "SINGULARITYENV_LINK": f"https://me:{CANARY}5@host/",
    "LC_TOKEN": f"{CANARY}6",
}
SECRET_OPTIONS = ("--env", f"DB_TOKEN={CANARY}7", "--env", f"A=1,API_SECRET={CANARY}8")
SECRET_ARGS = (
    "--password", f"{CANARY}9", f"--api-key={CANARY}10", f"https://u:{CANARY}11@host/x",
    f"Authorization: Bearer {CANARY}12", f"TOKEN={CANARY}13", f"ghp_{CANARY}14abcdefghijklmnopqrs",
)  # fmt: skip


def leaks(job: Job) -> list[str]:
    """The files below the user's home (containers, spool, caches) that hold a canary."""
    found = []
    for folder, _, files in os.walk(job.path(".")):
        for name in files:
            path = Path(folder, name)
            if path.is_file() and CANARY.encode() in path.read_bytes():
                found.append(str(path))
    return found


def secret_run(job: Job, script: str = COPY) -> Any:
    env_file = job.path("variables.env")
    job.run(["sh", "-c", f'cat > "{env_file}"'], stdin=f"FILE_TOKEN={CANARY}15\n").expect()
    options = (*SECRET_OPTIONS, "--env-file", str(env_file))
    done = job.exec("sh", "-c", script, "x", *SECRET_ARGS, env=SECRET_ENV, options=options)
    env_file.unlink()
    assert CANARY not in done.stdout + done.stderr
    return done


def no_secret_is_in_a_byte_that_is_written(job: Job) -> None:
    secret_run(job).expect()
    run = job.records()[-1]["run"]
    assert "[redacted]" in json.dumps(run["argv"])
    assert run["redacted"]
    assert run["environment"]["SINGULARITYENV_LINK"] == "https://me:[redacted]@host/"
    assert leaks(job) == []


CHECKS = (
    a_record_tells_of_the_run,
    a_record_tells_of_the_workflow,
    a_contained_run_says_so,
    the_user_extends_the_environment,
    no_secret_is_in_a_byte_that_is_written,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_plugin(either: Job, check: Callable[[Job], None]) -> None:
    check(either)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_wrapper(wrap_job: WrapJob, check: Callable[[Job], None]) -> None:
    check(wrap_job)


def test_the_helper_shows_no_secret_in_the_process_table(either: Job) -> None:
    job = either
    env = {**SECRET_ENV, "HOME": str(job.path("."))}
    argv = [job.runtime, "exec", *job.flags, *SECRET_OPTIONS]
    for bind in BINDS:
        argv += ["-B", bind]
    argv += [job.app, "sh", "-c", f"{COPY}; sleep 1", "x", *SECRET_ARGS]
    seen: list[bytes] = []
    script = [*(f"{n}={v}" for n, v in env.items()), *argv]
    watcher = subprocess.Popen(
        ["setpriv", "--reuid", job.run.user, "--clear-groups", "env", *script]
        if not job.run.is_root
        else ["env", *script],
        cwd=job.path("."),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        deadline = time.monotonic() + 5
        while watcher.poll() is None and time.monotonic() < deadline:
            for folder in Path("/proc").glob("[0-9]*"):
                try:
                    line = (folder / "cmdline").read_bytes()
                    if b"sifprov-helper.py" in line and str(job.path(".")).encode() not in line:
                        seen.append(line + (folder / "environ").read_bytes())
                except OSError:
                    continue
            time.sleep(0.05)
        _, errors = watcher.communicate(timeout=30)
    finally:
        watcher.kill()
    assert watcher.returncode == 0, errors
    assert seen
    assert not any(CANARY.encode() in data for data in seen)
    assert leaks(job) == []


def test_a_request_that_waits_holds_no_secret(either: Job) -> None:
    job = either
    if os.getuid() != 0:
        pytest.skip("taking the helper away needs root")
    status = job.cli("plugin", "status", "--json", "--runtime", job.runtime)
    script = Path(json.loads(status.stdout)["runtimes"][0]["helper"][-1])
    away = script.with_name("away")
    script.rename(away)
    try:
        done = secret_run(job).expect()
    finally:
        away.rename(script)
    assert "flush" in done.stderr
    assert list(job.path(".local/state/sifprov/spool").glob("*.request.jsonl"))
    assert leaks(job) == []
    job.cli("flush").expect()
    run = job.records()[-1]["run"]
    assert run["redacted"]
    assert leaks(job) == []


def test_notes_of_the_wrapper(wrap_job: WrapJob) -> None:
    words = ("--note", "one, two", "--tag", "paper=2", "--metric", "r2=0.93")
    job = wrap_job
    job.exec("sh", "-c", COPY, options=words, env={"SIFPROV_TAGS": "paper=1,b=2"}).expect()
    record = job.records()[-1]
    assert record["annotation"] == {
        "notes": ["one, two"], "tags": {"b": "2", "paper": "2"}, "metrics": {"r2": "0.93"},
    }  # fmt: skip
    assert "--note" not in record["run"]["argv"]
    done = job.exec("sh", "-c", COPY, options=("--metric", "r2=nan"))
    assert done.code == 255
    assert "finite" in done.stderr
    assert len(job.records()) == 1


def test_words_added_later_stay_with_their_run(wrap_job: WrapJob) -> None:
    job = wrap_job
    job.shell(COPY).expect()
    job.cli("annotate", "output.sif", "--note", "good", "--metric", "r2=0.5").expect()
    first, second = job.records()
    assert second["annotates"]["id"] == first["id"]
    assert "metric (" in job.cli("trail", "output.sif").stdout
    assert job.cli("rerun", "output.sif").expect().stdout.splitlines()[-1] == "same"
    job.check_file_system("output.sif")


def test_the_runtimes_variables_isolate_as_its_options_do(wrap_job: WrapJob) -> None:
    prefix = "APPTAINER" if wrap_job.is_apptainer else "SINGULARITY"
    show = "echo $$ > /Outputs/pid; echo ${MY_OWN-none} > /Outputs/own"
    env = {f"{prefix}_CONTAINALL": "1", f"{prefix}_NO_MOUNT": "tmp", "MY_OWN": "x"}
    wrap_job.exec("sh", "-c", show, env=env).expect()
    run = wrap_job.last()["run"]
    fact = run["facts"]["isolation"]
    seen = {n: wrap_job.cli("data", "cat", "output.sif", f"/Outputs/{n}") for n in ("pid", "own")}
    assert seen["own"].expect().stdout == "none\n"
    assert int(seen["pid"].expect().stdout) < 20, "a process namespace of its own"
    assert fact["value"]["contain"] is fact["value"]["cleanenv"] is True
    assert {"pid", "ipc"} <= set(fact["value"]["namespaces"])
    assert "tmp" in fact["value"]["not_mounted"]
    assert "MY_OWN" not in fact["value"]["environment"]
    assert fact["source"].startswith("command line, environment, /")
    assert fact["source"].endswith(".conf")


@pytest.mark.not_for(user="user")  # without systemd the runtimes make no groups for users
def test_the_containers_own_control_group(job: Job) -> None:
    plain = Path(job.runtime).parents[1] / "etc" / "singularity" / "singularity.conf"
    conf = job.path("own.conf")
    text = plain.read_text().replace("systemd cgroups = yes", "systemd cgroups = no")
    conf.write_text(text)
    fill = "dd if=/dev/zero bs=30000000 count=1 | wc -c > /Outputs/n"
    for limit, has in (["--memory", "200M"], True), ([], False):
        argv = [job.runtime, "-c", str(conf), "exec", *job.flags, *limit, "-B", BINDS[1], job.app]
        job.run([*argv, "sh", "-c", fill], timeout=60).expect()
        fact = job.records()[-1]["run"]["facts"]["resources"]
        assert ("cgroup" in fact["value"]) is has
        if has:
            used = fact["value"]["cgroup"]
            assert 25_000_000 < used["peak_memory_bytes"] <= 200 << 20
            assert used["storage_read_bytes"] >= 0 <= used["storage_write_bytes"]
            assert fact["source"].endswith(", cgroup, clock")
