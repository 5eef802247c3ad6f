"""Plain `singularity exec`, recorded by the plugin: as root and as an ordinary user."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sifprov.content import Deadline
from sifprov.identity import identify
from sifprov.partition import scan_partition
from tests.real.harness import parent_of
from tests.real.job import BINDS, COPY, Job


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_run_leaves_exactly_one_record_in_its_output(job: Job) -> None:
    before = {name: job.objects(name) for name in ("input.sif", "output.sif")}
    app = sha256(Path(job.app))

    done = job.shell(COPY).expect()

    assert done.stderr == ""
    assert job.objects("input.sif") == before["input.sif"]
    assert sha256(Path(job.app)) == app
    after = job.objects("output.sif")
    count = len(before["output.sif"])
    assert after[:count] == before["output.sif"]
    # The record, and what it embeds of its ancestors.
    assert len(after) == count + 2
    for line in after[count:]:
        assert line.endswith("|JSON.Generic")
        assert line.split("|")[1].strip() == "2"  # a group of their own
    job.check_file_system("output.sif")
    job.check_file_system("input.sif")

    (record,) = job.records()
    run = record["run"]
    assert run["argv"][0] == job.runtime
    assert run["argv"][-4:] == [job.app, "sh", "-c", COPY]
    assert run["cwd"] == str(job.run.folder)
    assert (run["action"], run["outcome"], run["exit_code"]) == ("exec", "exited", 0)
    assert run["started"] < run["ended"] < record["recorded"]
    assert record["captured_by"]["kind"] == "plugin"
    assert run["runtime"] == {"name": "singularity-ce", "version": "4.3.3"}
    roles = {c["role"]: c for c in record["containers"]}
    assert roles["input"]["name"] == "input.sif"
    assert roles["input"]["mount"] == roles["input"]["source"] == "/Inputs"
    assert roles["input"]["read_only_added"] is True
    assert roles["output"]["name"] == "output.sif"
    assert roles["output"]["uuid"] == record["container"]
    assert roles["application"]["path"] == job.app
    assert len(record["containers"]) == 3


def test_the_digests_are_those_of_the_containers_now(job: Job) -> None:
    job.shell(COPY).expect()
    roles = {c["role"]: c for c in job.records()[0]["containers"]}

    system = next(line for line in job.objects(job.app) if "System" in line)
    dump = job.run([job.runtime, "sif", "dump", system.split()[0].strip("|"), job.app])
    assert dump.code == 0
    raw = subprocess.run(
        [job.runtime, "sif", "dump", system.split()[0].strip("|"), job.app],
        capture_output=True,
        timeout=60,
        check=True,
    ).stdout
    assert roles["application"]["digest"] == "image-v1:" + hashlib.sha256(raw).hexdigest()
    for role, name in (("input", "input.sif"), ("output", "output.sif")):
        identity = identify(str(job.path(name)))
        assert identity.partition
        now = scan_partition(identity.path, identity.partition, Deadline())
        assert roles[role]["digest"] == now.digest


def test_a_second_run_adds_a_second_record(job: Job) -> None:
    job.shell(COPY).expect()
    job.shell("echo more >> /Outputs/copy.txt").expect()

    trail = json.loads(job.cli("trail", "--json", "output.sif").expect().stdout)
    first, second = trail["container"]["records"]
    assert first["record"]["previous"] is None
    assert second["record"]["previous"] == first["digest"]
    # The data, both records, and what they embed of their ancestors.
    assert len(job.objects("output.sif")) == 4
    job.check_file_system("output.sif")


@pytest.mark.parametrize("code", [1, 7, 255])
def test_exit_codes_pass_through_and_are_recorded(job: Job, code: int) -> None:
    job.shell(f"{COPY}; exit {code}").expect(code)
    run = job.records()[0]["run"]
    assert (run["outcome"], run["exit_code"]) == ("exited", code)


def test_an_application_that_is_killed_is_recorded_as_such(job: Job) -> None:
    done = job.shell(f"{COPY}; kill -9 $$")
    bare = job.exec("sh", "-c", "kill -9 $$", binds=())
    assert done.code == bare.code
    run = job.records()[0]["run"]
    assert (run["outcome"], run["signal"], run["exit_code"]) == ("signaled", 9, None)


def test_a_command_that_is_not_there_is_told_apart_from_one_that_failed(job: Job) -> None:
    bare = job.exec("no-such-command", binds=())
    done = job.exec("no-such-command")
    assert done.code == bare.code == 255
    assert "no-such-command" in done.stderr
    assert job.records()[0]["run"]["outcome"] == "not-started"


def test_a_run_without_data_containers_is_left_alone(job: Job) -> None:
    done = job.exec("sh", "-c", "echo fine", binds=())
    assert (done.code, done.stdout, done.stderr) == (0, "fine\n", "")
    assert not list(job.run.folder.rglob("spool/*"))


def test_a_run_that_only_reads_records_nothing(job: Job) -> None:
    binds = ("input.sif:/Inputs:image-src=/Inputs", "output.sif:/Outputs:image-src=/Outputs,ro")
    job.exec("cat", "/Inputs/data.txt", binds=binds).expect()
    assert job.records() == []
    assert len(job.objects("output.sif")) == 1


def test_parallel_runs_share_an_input(job: Job) -> None:
    names = [f"out{i}.sif" for i in range(6)]
    for name in names:
        job.cli("data", "create", "-q", name, "--free", "1M", "--mount", "/Outputs").expect()
    script = " & ".join(
        f'"{job.runtime}" exec {" ".join(job.flags)} -B input.sif:/Inputs:image-src=/Inputs '
        f'-B {name}:/Outputs:image-src=/Outputs "{job.app}" sh -c "{COPY}"'
        for name in names
    )
    done = job.run(["sh", "-c", script + " & wait"], timeout=120).expect()
    assert done.stderr == ""
    for name in names:
        (record,) = job.records(name)
        assert record["run"]["exit_code"] == 0


def test_secrets_of_the_command_line_are_in_no_byte_of_the_container(job: Job) -> None:
    canary = "c4n4ry-53cr3t"
    job.exec(
        "sh", "-c", COPY, "--password", canary, f"--api-key={canary}", f"https://u:{canary}@h/"
    ).expect()
    assert canary.encode() not in job.path("output.sif").read_bytes()
    assert job.records()[0]["run"]["redacted"]


def test_the_environment_is_recorded_by_its_list_only(job: Job) -> None:
    job.exec("sh", "-c", COPY, env={"OMP_NUM_THREADS": "3", "MY_SECRET": "hidden-value"}).expect()
    environment = job.records()[0]["run"]["environment"]
    assert environment["OMP_NUM_THREADS"] == "3"
    assert "MY_SECRET" not in environment
    assert b"hidden-value" not in job.path("output.sif").read_bytes()


def test_a_very_long_command_line_runs_as_ever(job: Job) -> None:
    arguments = ["x" * 1000] * 100
    job.exec("sh", "-c", COPY, *arguments).expect()
    assert len(job.records()) == 1


def test_a_full_table_keeps_the_result_and_the_record_waits(job: Job) -> None:
    for _ in range(83):
        job.run(
            [job.runtime, "sif", "add", "--datatype", "6", "output.sif", "data/data.txt"]
        ).expect()
    done = job.shell(COPY).expect(0)
    assert "sifprov: " in done.stderr
    assert len(done.stderr.splitlines()) == 1
    spooled = list((job.run.folder / ".local/state/sifprov/spool").glob("*.record.json"))
    home = Path(os.path.expanduser(f"~{job.run.user}"))
    spooled += list((home / ".local/state/sifprov/spool").glob("*.record.json"))
    mine = [p for p in spooled if str(job.run.folder).encode() in p.read_bytes()]
    assert len(mine) == 1
    # With room again, flush delivers it.
    job.run([job.runtime, "sif", "del", "5", "output.sif"]).expect()
    done = job.cli("flush", home=mine[0].parents[4]).expect()
    assert "recorded in" in done.stdout
    (record,) = job.records()
    assert record["run"]["exit_code"] == 0
    assert not mine[0].exists()


def test_without_its_helper_the_plugin_only_waits_and_says_so(job: Job) -> None:
    if os.getuid() != 0:
        pytest.skip("taking the helper away needs root")
    status = job.cli("plugin", "status", "--json", "--runtime", job.runtime).expect()
    script = Path(json.loads(status.stdout)["runtimes"][0]["helper"][-1])
    away = script.with_name("away")
    script.rename(away)
    try:
        done = job.shell(f"{COPY}; exit 3").expect(3)
    finally:
        away.rename(script)
    assert done.stderr.startswith("sifprov: ")
    assert len(done.stderr.splitlines()) == 1
    assert job.records() == []
    job.cli("flush").expect()
    run = job.records()[0]["run"]
    assert (run["outcome"], run["exit_code"]) == ("exited", 3)


def test_a_runtime_that_is_killed_leaves_an_unknown_outcome(job: Job) -> None:
    line = [job.runtime, "exec", *job.flags, "-B", BINDS[1], job.app]
    line += ["sh", "-c", "echo begun > /Outputs/a; exec sleep 53"]
    job.run(["sh", "-c", f"{shlex.join(line)} > out 2>&1 &"]).expect()
    find = ["pgrep", "-u", job.run.user, "-f", "^sleep 53$"]
    wait_for(lambda: job.run(find).code == 0)
    application = int(job.run(find).expect().stdout)
    try:
        # The starter is the application's parent, outside of the container.
        os.kill(parent_of(application), signal.SIGKILL)
        wait_for(lambda: job.records() != [])
    finally:
        os.kill(application, signal.SIGKILL)
    run = job.records()[0]["run"]
    assert (run["outcome"], run["exit_code"], run["ended"]) == ("unknown", None, None)
    output = job.records()[0]["containers"][-1]
    assert output["digest"] is None
    assert "killed" in output["reason"]


def test_a_container_that_cannot_be_set_up_is_no_run(job: Job) -> None:
    missing = "input.sif:/Inputs:image-src=/NoSuchFolder"
    binds = (missing, "output.sif:/Outputs:image-src=/Outputs")
    done = job.exec("true", binds=binds)
    assert done.code == 255
    assert "NoSuchFolder" in done.stderr
    assert job.records() == []


def test_a_run_is_never_recorded_twice_by_a_flush(job: Job) -> None:
    job.shell(COPY).expect()
    (record,) = job.records()
    spool = job.run.folder / ".local/state/sifprov/spool"
    job.run(["mkdir", "-p", "-m", "700", spool]).expect()
    encode = "import base64, sys; print(base64.b64encode(sys.argv[1].encode()).decode())"

    def b64(text: str) -> str:
        return job.run(["python3", "-c", encode, text]).expect().stdout.strip()

    bind = {
        "source": b64("output.sif"),
        "destination": b64("/Outputs"),
        "image_src": b64("/Outputs"),
        "id": None,
        "ro": False,
        "ro_added": False,
    }
    start = {
        "schema": "sifprov.capture-request/1",
        "event": "start",
        "captured_by": {"kind": "plugin", "version": "0.1.0"},
        "runtime": {"name": "singularity-ce", "version": "4.3.3"},
        "argv": None,
        "command": None,
        "cwd": b64(str(job.run.folder)),
        "started": record["run"]["started"],
        "environment": {},
        "image": b64(job.app),
        "binds": [bind],
        "images": [],
        "instance": False,
        "fakeroot": False,
        "timeout_seconds": 300,
    }
    end = {
        "event": "end",
        "ended": record["run"]["ended"],
        "started_process": True,
        "exit_code": 0,
        "signal": None,
    }
    lines = f"{json.dumps(start)}\n{json.dumps(end)}\n"
    waiting = spool / "11111111-1111-4111-8111-111111111111.request.jsonl"
    job.run(["sh", "-c", f'cat > "{waiting}"'], stdin=lines).expect()

    job.cli("flush").expect()
    assert not waiting.exists()
    assert len(job.records()) == 1
