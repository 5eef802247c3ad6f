"""`sifprov rerun`: the same again, wherever the containers are now."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.real.harness import SYSTEM_PATH
from tests.real.job import COPY, INPUT_TEXT, Job
from tests.real.wrapjob import WrapJob


@pytest.fixture
def done(job: Job) -> Job:
    job.shell(COPY).expect()
    return job


@pytest.fixture
def alone(job: Job) -> Job:
    """As `done`, but nothing is left of the folder that the input was made from."""
    job.run(["rm", "-r", "data", "input.sif", "output.sif"]).expect()
    job.make("1M")
    job.run(["mv", "data", "kept"]).expect()
    job.shell(COPY).expect()
    return job


def change_a_byte(image: Path) -> None:
    """Changes the first byte of the text that stands in a data container."""
    data = image.read_bytes()
    place = data.index(INPUT_TEXT.encode())
    image.write_bytes(data[:place] + b"O" + data[place + 1 :])


def test_a_replay_is_the_same_and_says_whose_it_is(done: Job) -> None:
    before = done.path("output.sif").read_bytes()
    shown = done.cli("rerun", "output.sif").expect(0)
    assert shown.stdout.splitlines()[-1] == "same"
    assert "Outputs/copy.txt" in shown.stdout
    assert done.path("output.sif").read_bytes() == before

    (original,) = done.records()
    replay, verdict = done.records("output.rerun-1.sif")
    assert replay["replays"]["id"] == original["id"]
    assert replay["captured_by"]["kind"] == "wrapper"
    assert verdict["replays"] == replay["replays"]
    assert verdict["verdict"]["result"] == "same"
    itself, then = replay["containers"][-1], original["containers"][-1]
    assert itself["digest"] == then["digest"]
    assert itself["path"] == str(done.path("output.rerun-1.sif"))
    assert itself["uuid"] != then["uuid"]
    # The plugin told more of the original than the replay can know of itself, but nothing else.
    known, knew = (
        {name for name, fact in r["run"]["facts"].items() if fact["value"] is not None}
        for r in (replay, original)
    )
    assert known == knew
    # Its files, what the original and its input said, the record, the verdict.
    assert len(done.objects("output.rerun-1.sif")) == 4
    done.check_file_system("output.rerun-1.sif")


def test_a_second_replay_takes_the_next_name(done: Job) -> None:
    done.cli("rerun", "output.sif").expect(0)
    done.cli("rerun", "output.sif").expect(0)
    assert done.path("output.rerun-2.sif").exists()


def test_containers_may_have_moved(alone: Job) -> None:
    copy, store = alone.path("copy"), alone.path("store")
    alone.run(["mkdir", copy, store]).expect()
    alone.run(["cp", "output.sif", copy]).expect()
    alone.run(["mv", "input.sif", store]).expect()
    alone.run(["cp", alone.app, store / "app.sif"]).expect()

    missing = alone.cli("rerun", "output.sif", cwd=copy).expect(3)
    assert "input.sif" in missing.stderr
    assert "--search" in missing.stderr
    assert not list(copy.glob("*rerun*"))

    shown = alone.cli("rerun", "output.sif", "--search", store, cwd=copy).expect(0)
    assert shown.stdout.splitlines()[-1] == "same"


def test_a_changed_byte_of_the_input_is_found(alone: Job) -> None:
    change_a_byte(alone.path("input.sif"))

    refused = alone.cli("rerun", "output.sif").expect(3)
    assert "not the recorded" in refused.stderr
    assert "input.sif" in refused.stderr
    assert not list(alone.run.folder.glob("*rerun*"))

    forced = alone.cli("rerun", "--force", "output.sif").expect(1)
    assert forced.stdout.splitlines()[-1] == "differs"
    told = next(row for row in forced.stdout.splitlines() if "Outputs/copy.txt" in row)
    assert "differs" in told
    assert "changed: input input.sif" in forced.stdout


def test_an_output_that_was_changed_afterwards_is_told(done: Job) -> None:
    change_a_byte(done.path("output.sif"))
    shown = done.cli("rerun", "output.sif").expect(1)
    assert "not the recorded" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "differs"


def test_another_container_of_the_same_name_is_not_taken(alone: Job) -> None:
    alone.run(["rm", "input.sif"]).expect()
    alone.run(["sh", "-c", "mkdir other; echo other > other/data.txt"]).expect()
    alone.cli("data", "create", "-q", "input.sif", "--from", "other", "--mount", "/Inputs").expect()
    alone.cli("rerun", "output.sif").expect(3)
    # But where the folder is as it was, it can be made again.
    alone.run(["mv", "kept", "data"]).expect()
    assert "--from-origin" in alone.cli("rerun", "output.sif").expect(3).stderr
    shown = alone.cli("rerun", "output.sif", "--from-origin").expect(0)
    assert "made again" in shown.stderr


def test_an_application_that_fails_now_is_told(job: Job) -> None:
    # It works while `flag` is there, which stands outside of every container.
    flag = job.path("flag")
    flag.touch()
    job.exec("sh", "-c", f"{COPY}; test -e {flag}", options=("-B", str(job.run.folder))).expect(0)
    flag.unlink()
    failed = job.cli("rerun", "output.sif").expect(4)
    assert "ended with 1" in failed.stderr
    assert "output.rerun-1.failed.sif" in failed.stderr
    (record,) = job.records("output.rerun-1.failed.sif")
    assert record["run"]["exit_code"] == 1
    assert [p.name for p in job.run.folder.glob("*rerun*")] == ["output.rerun-1.failed.sif"]


def test_a_failure_that_repeats_is_the_same(job: Job) -> None:
    job.shell(f"{COPY}; exit 7").expect(7)
    job.cli("rerun", "output.sif").expect(0)


def test_dry_run_runs_nothing(done: Job) -> None:
    shown = done.cli("rerun", "--dry-run", "output.sif").expect(0)
    assert "$ " in shown.stdout
    assert not list(done.run.folder.glob("*rerun*"))


def test_json_holds_the_verdict_and_nothing_else(done: Job) -> None:
    shown = done.cli("rerun", "--json", "--into", "again.sif", "output.sif").expect(0)
    verdict = json.loads(shown.stdout)
    assert verdict["verdict"] == "same"
    assert verdict["into"] == str(done.path("again.sif"))
    assert done.path("again.sif").exists()


def test_a_hidden_argument_cannot_be_replayed(job: Job) -> None:
    job.exec("sh", "-c", COPY, "--token", "abc").expect()
    refused = job.cli("rerun", "output.sif").expect(3)
    assert "secret" in refused.stderr


def test_into_never_overwrites(done: Job) -> None:
    before = done.path("input.sif").read_bytes()
    refused = done.cli("rerun", "--into", "input.sif", "output.sif").expect(2)
    assert "exists already" in refused.stderr
    assert done.path("input.sif").read_bytes() == before


def test_nothing_to_replay(job: Job) -> None:
    assert "no record of a run" in job.cli("rerun", "input.sif").expect(1).stderr
    assert "carries no record" in job.cli("rerun", "output.sif").stderr
    job.cli("rerun", "data/data.txt").expect(2)


# Beside every run of the chain: a line in `log`, and while `hold-NAME` is there it waits.
STEP = "echo {name} >> {folder}/log; while test -e {folder}/hold-{name}; do sleep 0.05; done"
MOUNTS = {"input": "/Inputs", "prep": "/Prep", "a": "/A", "b": "/B", "plot": "/Plot"}


class Chain:
    """`plot.sif` came from `a.sif` and `b.sif`, both of `prep.sif`, and that of the input."""

    def __init__(self, job: WrapJob) -> None:
        self.job, self.folder = job, job.run.folder
        for name, inputs in {"prep": ("input",), "a": ("prep",), "b": ("prep",)}.items():
            self.run(name, *inputs)
        self.run("plot", "a", "b")

    def run(self, name: str, *inputs: str) -> None:
        job, mount = self.job, MOUNTS[name]
        job.cli("data", "create", "-q", f"{name}.sif", "--free", "1M", "--mount", mount).expect()
        bind = "{0}.sif:{1}:image-src={1}"
        binds = tuple(bind.format(n, MOUNTS[n]) + ",ro" for n in inputs)
        binds += (bind.format(name, mount),)
        files = " ".join(f"{MOUNTS[n]}/*.txt" for n in inputs)
        step = STEP.format(name=name, folder=self.folder)
        script = f"{step}; (cat {files}; echo {name}) > {mount}/{name}.txt"
        job.exec("sh", "-c", script, binds=binds, options=("-B", str(self.folder))).expect()

    def path(self, name: str) -> Path:
        return self.folder / name

    def log(self) -> list[str]:
        """The runs that were begun."""
        return self.path("log").read_text().split()

    def begin(self, *held: str, jobs: int = 1) -> subprocess.Popen[str]:
        """Starts a replay from the origin, and returns when all `held` runs go on, and wait."""
        self.path("log").write_text("")
        self.job.run(["touch", *(f"hold-{name}" for name in held)]).expect()
        account = pwd.getpwnam(self.job.run.user)
        process = subprocess.Popen(
            [self.job.sifprov, "rerun", "plot.sif", "--from-origin", f"--jobs={jobs}", "-q"],
            cwd=self.folder, env={"PATH": SYSTEM_PATH, **self.job.env()}, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True, **as_account(account),
        )  # fmt: skip
        end = time.monotonic() + 60
        while set(held) - set(self.log()):
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError((self.log(), process.communicate()))
            time.sleep(0.05)
        return process

    def let_go(self, process: subprocess.Popen[str], code: int) -> None:
        """Waits for its end, and that of all that it started; then nothing is held any more."""
        _, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        end = time.monotonic() + 20
        while self.job.run(["pgrep", "-f", f"test -e {self.folder}/hold"]).code == 0:
            assert time.monotonic() < end, "an application lives on"
            time.sleep(0.1)
        for path in self.folder.glob("hold-*"):
            path.unlink()


def as_account(account: pwd.struct_passwd) -> dict[str, Any]:
    if account.pw_uid == os.getuid():
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def test_a_result_is_made_again_from_the_original_data_alone(wrap_job: WrapJob) -> None:
    chain, job = Chain(wrap_job), wrap_job
    job.run(["mkdir", "lost"]).expect()
    job.run(["mv", "prep.sif", "a.sif", "b.sif", "lost"]).expect()
    originals = {p: p.read_bytes() for p in chain.folder.glob("**/*.sif")}
    assert "--from-origin" in job.cli("rerun", "plot.sif").expect(3).stderr
    parts = chain.path(".plot.rerun-1.sif.parts")

    # Both at the same time, for each is there before the other ends; killed together with us.
    process = chain.begin("a", "b", jobs=2)
    process.kill()
    chain.let_go(process, -signal.SIGKILL)
    assert chain.log()[0] == "prep"

    process = chain.begin("b")
    assert "prep" not in chain.log()
    process.send_signal(signal.SIGINT)
    chain.let_go(process, 130)
    left = sorted(p.name for p in parts.iterdir())
    assert left in (["a.sif", "plan.json", "prep.sif"], ["plan.json", "prep.sif"])
    assert not list(chain.folder.glob("plot.rerun*"))

    chain.path("log").write_text("")
    shown = job.cli("rerun", "plot.sif", "--from-origin", "--keep").expect(0)
    assert shown.stdout.splitlines()[-1] == "same"
    assert sorted(chain.log()) == sorted(
        {"a", "b", "plot"} - {n.removesuffix(".sif") for n in left}
    )
    kept = chain.path("plot.rerun-1.parts")
    assert sorted(p.name for p in kept.iterdir()) == ["a.sif", "b.sif", "prep.sif"]
    assert not parts.exists()
    for path in ("plot.rerun-1.sif", str(kept / "prep.sif")):
        job.cli("verify", path).expect(0)
    if not job.is_apptainer:
        job.check_file_system("plot.rerun-1.sif")  # fuse2fs leaves wrong counts
    assert {p: p.read_bytes() for p in originals} == originals


@pytest.mark.not_for(wrap_job="apptainer")
def test_runs_that_built_on_each_other(wrap_job: WrapJob) -> None:
    """Any of them, from what its output held then; and each otherwise than it was."""
    job = wrap_job
    for script in (COPY, "echo 2 > /Outputs/two.txt", "sort /Outputs/*.txt > /Outputs/copy.txt"):
        job.shell(script).expect()
    original = job.path("output.sif").read_bytes()
    first, second, third = (r["id"] for r in job.records())

    def replayed(*argv: str | Path, code: int = 0) -> tuple[str, list[str]]:
        """What a replay says in the end, and the files of its container."""
        job.path("new.sif").unlink(missing_ok=True)
        shown = job.cli("rerun", "output.sif", "--into", "new.sif", *argv).expect(code)
        files = job.cli("data", "ls", "new.sif", "/Outputs").expect().stdout.split()
        return shown.stdout.splitlines()[-1], sorted(files)

    both = ["copy.txt", "two.txt"]
    # The first began empty. What the second found was overwritten by the third, so it is made
    # again; so is what the third found.
    assert replayed("--record", first) == ("same", both[:1])
    assert replayed("--record", second) == ("same", both)
    assert replayed("--record", third) == ("same", both)
    assert replayed() == ("same", both)

    job.run(["sh", "-c", "mkdir other; printf 'x\ny\n' > other/data.txt"]).expect()
    job.cli("data", "create", "-q", "o.sif", "--from", "other", "--mount", "/Inputs").expect()
    job.run(["cp", job.app, "app.sif"]).expect()
    otherwise = ("--with", "/Inputs=o.sif", "--app", "app.sif")
    assert replayed("--record", first, *otherwise, code=1) == ("differs", both[:1])
    changed = ("--set-arg", f"{COPY}=echo 9 > /Outputs/copy.txt")
    assert replayed("--record", first, *changed, code=1) == ("differs", both[:1])

    # A sealed original, and records that stand elsewhere.
    job.cli("data", "seal", "-q", "output.sif", "sealed.sif").expect()
    job.cli("rerun", "-q", "sealed.sif", "--into", "again.sif").expect(0)
    job.cli("rerun", "-q", "output.sif", "--metadata", "meta.jsonl").expect(0)
    assert len(job.records("output.rerun-1.sif")) == 0
    assert '"verdict":' in job.path("meta.jsonl").read_text()
    assert job.path("output.sif").read_bytes() == original


def test_a_replay_that_is_ended_leaves_nothing_behind(job: Job) -> None:
    # Quick the first time; the replay finds `slow` and waits.
    slow = job.path("slow")
    bind = ("-B", str(job.run.folder))
    job.exec("sh", "-c", f"{COPY}; ! test -e {slow} || sleep 97", options=bind).expect(0)
    slow.touch()
    script = (
        f'"{job.sifprov}" rerun output.sif & p=$!; sleep 4; kill -TERM $p; wait $p; echo "code $?"'
    )
    done = job.run(["bash", "-c", script], env={"HOME": str(job.run.folder)}, timeout=60)
    assert "code 143" in done.stdout, done
    assert not list(job.run.folder.glob("*rerun*"))
    assert job.run(["pgrep", "-f", "sleep 97"]).code == 1
