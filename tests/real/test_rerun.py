"""`sifprov rerun`: the same again, wherever the containers are now."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.real.job import COPY, INPUT_TEXT, Job


@pytest.fixture
def done(job: Job) -> Job:
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
    (replay,) = done.records("output.rerun-1.sif")
    assert replay["replays"]["id"] == original["id"]
    assert replay["captured_by"]["kind"] == "wrapper"
    assert replay["containers"][-1]["digest"] == original["containers"][-1]["digest"]
    assert (
        len(done.objects("output.rerun-1.sif")) == 3
    )  # its files, what the original and its input said, the record
    done.check_file_system("output.rerun-1.sif")


def test_a_second_replay_takes_the_next_name(done: Job) -> None:
    done.cli("rerun", "output.sif").expect(0)
    done.cli("rerun", "output.sif").expect(0)
    assert done.path("output.rerun-2.sif").exists()


def test_containers_may_have_moved(done: Job) -> None:
    copy, store = done.path("copy"), done.path("store")
    done.run(["mkdir", copy, store]).expect()
    done.run(["cp", "output.sif", copy]).expect()
    done.run(["mv", "input.sif", store]).expect()
    done.run(["cp", done.app, store / "app.sif"]).expect()

    missing = done.cli("rerun", "output.sif", cwd=copy).expect(3)
    assert "input.sif" in missing.stderr
    assert "--search" in missing.stderr
    assert not list(copy.glob("*rerun*"))

    shown = done.cli("rerun", "output.sif", "--search", store, cwd=copy).expect(0)
    assert shown.stdout.splitlines()[-1] == "same"


def test_a_changed_byte_of_the_input_is_found(done: Job) -> None:
    change_a_byte(done.path("input.sif"))

    refused = done.cli("rerun", "output.sif").expect(3)
    assert "not the recorded" in refused.stderr
    assert "input.sif" in refused.stderr
    assert not list(done.run.folder.glob("*rerun*"))

    forced = done.cli("rerun", "--force", "output.sif").expect(1)
    assert forced.stdout.splitlines()[-1] == "differs"
    assert "differs" in forced.stdout.splitlines()[0]


def test_an_output_that_was_changed_afterwards_is_told(done: Job) -> None:
    change_a_byte(done.path("output.sif"))
    shown = done.cli("rerun", "output.sif").expect(1)
    assert "not the recorded" in shown.stdout
    assert shown.stdout.splitlines()[-1] == "differs"


def test_another_container_of_the_same_name_is_not_taken(done: Job) -> None:
    done.run(["rm", "input.sif"]).expect()
    done.run(["sh", "-c", "echo other > data/data.txt"]).expect()
    done.cli("data", "create", "-q", "input.sif", "--from", "data", "--mount", "/Inputs").expect()
    done.cli("rerun", "output.sif").expect(3)


def test_an_application_that_fails_now_is_told(job: Job) -> None:
    # It works while `flag` is there, which stands outside of every container.
    flag = job.path("flag")
    flag.touch()
    job.exec("sh", "-c", f"{COPY}; test -e {flag}", options=("-B", str(job.run.folder))).expect(0)
    flag.unlink()
    failed = job.cli("rerun", "output.sif").expect(4)
    assert "ended with 1" in failed.stderr


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
    assert verdict["into"] == "again.sif"
    assert Path(done.path("again.sif")).exists()


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
