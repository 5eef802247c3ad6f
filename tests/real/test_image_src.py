"""An image-src that leads through a symbolic link: a record says what the application saw."""

from __future__ import annotations

from typing import Any

import pytest

from tests.real.job import BINDS, Job

OUTPUT_BIND = BINDS[1]


def make_linked(job: Job, *arguments: str) -> None:
    """`linked.sif`: below /Inputs a file, and links to a folder beside it and to the host's."""
    host = job.path("host")
    script = (
        f"mkdir -p linked/data {host} && echo container > linked/data/where && "
        f"echo host > {host}/where && ln -s data linked/near && ln -s {host} linked/away && "
        "ln -s ../../.. linked/up"
    )
    job.run(["sh", "-c", script]).expect()
    create = ("data", "create", "-q", "linked.sif", "--from", "linked", "--mount", "/Inputs")
    job.cli(*create, *arguments).expect()


def run_on(job: Job, source: str, *command: str) -> dict[str, Any]:
    """Runs with `linked.sif` bound at /Inputs; returns its entry in the record."""
    binds = (f"linked.sif:/Inputs:image-src={source}", OUTPUT_BIND)
    done = job.exec(*command, binds=binds).expect()
    assert "sifprov: " not in done.stderr
    (entry,) = [c for c in job.records()[-1]["containers"] if c["name"] == "linked.sif"]
    return dict(entry)


def content(job: Job) -> str:
    return job.cli("data", "cat", "output.sif", "/Outputs/seen").expect().stdout


@pytest.mark.parametrize("kind", ["ext3", "squashfs"])
def test_a_link_out_of_the_container_is_marked(either: Job, kind: str) -> None:
    make_linked(either, "--fs", kind)
    copy = ("sh", "-c", "cat /Inputs/where > /Outputs/seen")

    entry = run_on(either, "/Inputs/away", *copy)

    # Without the mark the record would lie: it would name the container and its content.
    assert content(either) == "host\n"
    assert entry["marks"] == ["image-src-outside"]
    assert entry["digest"] is None
    assert str(either.path("host")) in entry["reason"]
    assert "saw files of the host" in either.cli("trail", "output.sif").expect().stdout
    assert "did not read this container" in either.cli("rerun", "output.sif").expect(3).stderr

    entry = run_on(either, "/Inputs/near", *copy)
    assert content(either) == "container\n"
    assert entry["marks"] == ["image-src-link"]
    assert entry["digest"].startswith("tree-v1:")
    assert "through a symbolic link" in either.cli("trail", "output.sif").expect().stdout

    entry = run_on(either, "/Inputs/data", *copy)
    assert content(either) == "container\n"
    assert "marks" not in entry


def test_what_climbs_above_the_root_is_marked(either: Job) -> None:
    make_linked(either)
    ls = ("sh", "-c", "ls -a /Inputs > /Outputs/seen")
    assert run_on(either, "/Inputs/up", *ls)["marks"] == ["image-src-outside"]
    assert "linked" not in content(either)
    assert "data-images" in content(either) or "0" in content(either).split()


def test_dots_in_image_src_itself_are_marked(either: Job) -> None:
    entry = run_on_input(either, "/Inputs/../..")
    assert entry["marks"] == ["image-src-outside"]


def run_on_input(job: Job, source: str) -> dict[str, Any]:
    make_linked(job)
    return run_on(job, source, "sh", "-c", "ls -a /Inputs > /Outputs/seen")


def test_a_single_file_may_be_bound(either: Job) -> None:
    make_linked(either)
    binds = ("linked.sif:/etc/passwd:image-src=/Inputs/data/where", OUTPUT_BIND)
    either.exec("sh", "-c", "cat /etc/passwd > /Outputs/seen", binds=binds).expect()
    assert content(either) == "container\n"
    (entry,) = [c for c in either.records()[-1]["containers"] if c["name"] == "linked.sif"]
    assert "marks" not in entry


def test_an_output_that_is_a_link_to_the_host(either: Job) -> None:
    make_linked(either, "--role", "output", "--free", "1M")
    binds = ("linked.sif:/Outputs:image-src=/Inputs/away",)
    either.exec("sh", "-c", "echo lost > /Outputs/result", binds=binds).expect()
    assert (either.path("host") / "result").read_text() == "lost\n"
    (entry,) = [c for c in either.records("linked.sif")[-1]["containers"] if c["uuid"]][1:]
    assert (entry["role"], entry["marks"]) == ("output", ["image-src-outside"])
    assert entry["digest"] is None


def test_a_missing_folder_is_the_runtimes_own_error(either: Job) -> None:
    binds = ("input.sif:/Inputs:image-src=/None", OUTPUT_BIND)
    done = either.exec("true", binds=binds)
    assert done.code == 255
    assert "sifprov: " not in done.stderr
    assert either.records() == []
