"""`sifprov exec|run|shell`, on both runtimes, as root and as an ordinary user, without a plugin's
help."""

from __future__ import annotations

import os
import shlex
import sys

import pytest

from tests.real.job import COPY
from tests.real.wrapjob import WrapJob


def test_a_run_leaves_exactly_one_record_in_its_output(wrap_job: WrapJob) -> None:
    done = wrap_job.shell(COPY).expect()
    assert (done.stdout, "sifprov" in done.stderr) == ("", False)

    record = wrap_job.last()
    run = record["run"]
    assert record["captured_by"]["kind"] == "wrapper"
    assert run["runtime"]["name"] == ("apptainer" if wrap_job.is_apptainer else "singularity-ce")
    assert run["argv"][:2] == [wrap_job.runtime, "exec"]
    assert run["argv"][-4:] == [wrap_job.app, "sh", "-c", COPY]
    assert "input.sif:/Inputs:image-src=/Inputs" in run["argv"]
    assert run["cwd"] == str(wrap_job.run.folder)
    assert run["started"] < run["ended"] < record["recorded"]
    roles = {c["role"]: c for c in record["containers"]}
    assert roles["input"]["read_only_added"] is True
    assert roles["input"]["digest"] == wrap_job.content_now("input.sif")
    assert roles["output"]["digest"] == wrap_job.content_now()
    assert roles["application"]["path"] == wrap_job.app
    assert len(wrap_job.objects("input.sif")) == 2
    if not wrap_job.is_apptainer:  # fuse2fs leaves wrong free counts, with or without us
        wrap_job.check_file_system("output.sif")


@pytest.mark.parametrize("code", [0, 1, 7, 255])
def test_exit_codes_pass_through_and_are_recorded(wrap_job: WrapJob, code: int) -> None:
    wrap_job.shell(f"{COPY}; exit {code}").expect(code)
    run = wrap_job.last()["run"]
    assert (run["outcome"], run["exit_code"]) == ("exited", code)
    # Whoever does not know says nothing.
    assert run["facts"]["started"]["value"] in (True, None)
    if code in (0, 7):
        assert run["facts"]["started"]["value"] is True


def test_an_application_that_is_killed_is_recorded_as_such(wrap_job: WrapJob) -> None:
    bare = wrap_job.bare(wrap_job.app, "sh", "-c", "kill -9 $$")
    done = wrap_job.shell(f"{COPY}; sleep 1; kill -9 $$")
    assert done.code == bare.code
    run = wrap_job.last()["run"]
    assert (run["outcome"], run["signal"], run["exit_code"]) == ("signaled", 9, None)


def test_a_command_that_is_not_there_is_told_apart(wrap_job: WrapJob) -> None:
    bare = wrap_job.bare(wrap_job.app, "no-such-command")
    done = wrap_job.exec("no-such-command")
    assert (done.code, done.stdout, done.stderr) == (255, bare.stdout, bare.stderr)
    run = wrap_job.last()["run"]
    told = run["facts"]["started"]
    if told["value"] is None:
        assert "may have ended so" in told["reason"]
    else:
        assert (told["value"], run["outcome"]) == (False, "not-started")


@pytest.mark.parametrize(
    "words",
    [
        ["--no-such-option", "app.sif", "true"],
        ["no-such.sif", "true"],
        ["data/data.txt", "true"],
        [],
        ["--bind"],
    ],
)
def test_what_fails_bare_fails_with_the_same_words(wrap_job: WrapJob, words: list[str]) -> None:
    binds = ["-B", "output.sif:/Outputs:image-src=/Outputs"] if words else []
    bare = wrap_job.bare(*binds, *words)
    done = wrap_job.run(wrap_job.wrapped("exec", *binds, *words), env=wrap_job.env())
    assert bare.code != 0
    assert (done.code, done.stdout, done.stderr) == (bare.code, bare.stdout, bare.stderr)
    # As by the plugin, which is not even called.
    assert wrap_job.records() == []


def test_a_run_without_data_containers_is_left_alone(wrap_job: WrapJob) -> None:
    # The wrapper has become the runtime: no process of ours is left.
    script = 'test "$(cat /proc/$PPID/comm)" != python3 && echo fine'
    done = wrap_job.exec("sh", "-c", script, binds=()).expect()
    assert (done.stdout, "sifprov" in done.stderr) == ("fine\n", False)
    done = wrap_job.exec("sh", "-c", "echo fine", binds=(f"{wrap_job.path('data')}:/mnt",))
    assert (done.code, done.stdout, "sifprov" in done.stderr) == (0, "fine\n", False)
    assert wrap_job.records() == []


def test_the_application_sees_the_same_environment(wrap_job: WrapJob) -> None:
    binds = ["-B", "output.sif:/Outputs:image-src=/Outputs"]
    bare = wrap_job.run(
        [wrap_job.runtime, "exec", *wrap_job.flags, *binds, wrap_job.app, "env"],
        env=wrap_job.env({"SIFPROV_RUNTIME": wrap_job.runtime}),
    ).expect()
    done = wrap_job.run(
        [wrap_job.sifprov, "exec", *wrap_job.flags, *binds, wrap_job.app, "env"],
        env=wrap_job.env({"SIFPROV_RUNTIME": wrap_job.runtime}),
    ).expect()
    assert sorted(done.stdout.splitlines()) == sorted(bare.stdout.splitlines())


def test_streams_folder_umask_and_descriptors_pass_through(wrap_job: WrapJob) -> None:
    line = shlex.join(
        wrap_job.wrapped(
            "exec", "-B", "output.sif:/Outputs:image-src=/Outputs", wrap_job.app, "sh", "-c",
            "cat > /Outputs/in; pwd; umask; echo three >&3; echo two >&2",
        )
    )  # fmt: skip
    script = f"umask 027; printf 'a\\nb\\n' | {line} 3>three 2>two | cat"
    done = wrap_job.run(["sh", "-c", script], env=wrap_job.env()).expect()
    assert done.stdout == f"{wrap_job.run.folder}\n0027\n"
    assert wrap_job.path("three").read_text() == "three\n"
    assert wrap_job.path("two").read_text().endswith("two\n")
    assert wrap_job.cli("data", "cat", "output.sif", "/Outputs/in").expect().stdout == "a\nb\n"
    assert wrap_job.last()["run"]["exit_code"] == 0


def test_run_and_shell(wrap_job: WrapJob) -> None:
    bind = ("-B", "output.sif:/Outputs:image-src=/Outputs")
    shell = wrap_job.run(
        wrap_job.wrapped("shell", "-s", "/bin/sh", *bind, wrap_job.app),
        env=wrap_job.env(),
        stdin="echo here > /Outputs/shell; exit 3\n",
    )
    assert shell.code == 3, shell
    wrap_job.run(wrap_job.wrapped("run", *bind, wrap_job.app), env=wrap_job.env())
    first, second = wrap_job.records()
    assert (first["run"]["action"], first["run"]["exit_code"]) == ("shell", 3)
    assert second["run"]["action"] == "run"


def test_binds_of_the_environment(wrap_job: WrapJob) -> None:
    prefix = "APPTAINER" if wrap_job.is_apptainer else "SINGULARITY"
    env = {
        f"{prefix}_BIND": "input.sif:/Inputs:image-src=/Inputs",
        f"{prefix}_BINDPATH": f"output.sif:/Outputs:image-src=/Outputs,{wrap_job.path('data')}:/d",
    }
    wrap_job.exec("sh", "-c", f"{COPY}; cp /d/data.txt /Outputs/d.txt", binds=(), env=env).expect()
    roles = {c["role"]: c for c in wrap_job.last()["containers"]}
    assert roles["input"]["read_only_added"] is True
    assert roles["output"]["name"] == "output.sif"


def test_mounts_lists_and_ids(wrap_job: WrapJob) -> None:
    wrap_job.exec(
        "sh", "-c", COPY,
        binds=(f"output.sif:/Outputs:image-src=/Outputs,id=1,{wrap_job.path('data')}:/d",),
        options=("--mount", "type=bind,source=input.sif,destination=/Inputs,image-src=/Inputs"),
    ).expect()  # fmt: skip
    containers = wrap_job.last()["containers"][1:]
    assert {(c["role"], c["name"], c["read_only_added"]) for c in containers} == {
        ("input", "input.sif", True),
        ("output", "output.sif", False),
    }


def test_names_with_spaces_commas_and_colons(wrap_job: WrapJob) -> None:
    names = ["out put.sif"]
    binds = ["out put.sif:/Outputs:image-src=/Outputs"]
    options = []
    wrap_job.run(["mv", "input.sif", "in,p:ut.sif"]).expect()
    wrap_job.run(["mv", "output.sif", names[0]]).expect()
    if wrap_job.is_apptainer:
        wrap_job.run(["mv", "in,p:ut.sif", "in,put.sif"]).expect()
        binds.append("in\\,put.sif:/Inputs:image-src=/Inputs")
    else:
        fields = 'type=bind,"source=in,p:ut.sif",destination=/Inputs,image-src=/Inputs'
        options = ["--mount", fields]
    wrap_job.exec("sh", "-c", COPY, binds=tuple(binds), options=tuple(options)).expect()
    roles = {c["role"]: c for c in wrap_job.last(names[0])["containers"]}
    assert roles["input"]["name"] in ("in,p:ut.sif", "in,put.sif")
    assert roles["input"]["read_only_added"] is True


def test_rw_keeps_an_input_writable_and_so_does_the_setting(wrap_job: WrapJob) -> None:
    output = "output.sif:/Outputs:image-src=/Outputs"
    free = "input.sif:/Inputs:image-src=/Inputs,rw"
    write = f"{COPY} && touch /Inputs/data.txt"
    wrap_job.exec("sh", "-c", write, binds=(free, output)).expect()
    plain = ("input.sif:/Inputs:image-src=/Inputs", output)
    wrap_job.exec("sh", "-c", write, binds=plain, env={"SIFPROV_RO_INPUTS": "no"}).expect()
    refused = wrap_job.exec("sh", "-c", write, binds=plain)
    assert refused.code != 0
    assert "ead-only" in refused.stderr


def test_a_link_in_a_container_is_refused_before_the_start(wrap_job: WrapJob) -> None:
    wrap_job.run(["ln", "-s", "/etc", "data/hosts"]).expect()
    wrap_job.cli("data", "create", "-q", "bad.sif", "--from", "data", "--mount", "/Inputs").expect()
    done = wrap_job.exec("true", binds=("bad.sif:/Inputs:image-src=/Inputs/hosts",))
    assert done.code == 255
    assert done.stderr.startswith("sifprov: error: bad.sif: image-src=/Inputs/hosts: ")
    assert "sifprov: hint: " in done.stderr


# It takes long, and locks are root's as everybody's.
@pytest.mark.not_for(user="root")
def test_32_runs_at_once_share_an_input(wrap_job: WrapJob) -> None:
    count = 32
    for number in range(count):
        wrap_job.run(["cp", "output.sif", f"out{number}.sif"]).expect()
    lines = []
    for number in range(count):
        words = wrap_job.wrapped(
            "exec", "--in", "input.sif", "-B", f"out{number}.sif:/Outputs:image-src=/Outputs",
            wrap_job.app, "sh", "-c", f"{COPY}; echo {number} > /Outputs/number",
        )  # fmt: skip
        lines.append(f"{{ {shlex.join(words)} || echo failed {number}; }} &")
    done = wrap_job.run(["sh", "-c", " ".join(lines) + " wait"], env=wrap_job.env(), timeout=240)
    assert (done.code, done.stdout, "sifprov" in done.stderr) == (0, "", False)
    for number in range(count):
        record = wrap_job.last(f"out{number}.sif")
        assert record["run"]["exit_code"] == 0
        assert record["containers"][-1]["digest"] == wrap_job.content_now(f"out{number}.sif")
    assert len(wrap_job.objects("input.sif")) == 2


def test_without_a_runtime_it_ends_with_255(wrap_job: WrapJob) -> None:
    for name, words in (("/no/where", "no such program"), ("", "is on PATH")):
        env = wrap_job.env({"PATH": "/nowhere", "SIFPROV_RUNTIME": name})
        python = os.path.realpath(sys.executable)
        done = wrap_job.run([python, wrap_job.sifprov, "exec", wrap_job.app, "true"], env=env)
        done = done if done.code != 1 else wrap_job.run([wrap_job.sifprov, "exec", "a"], env=env)
        assert done.code == 255, done
        assert words in done.stderr
