"""The runtime takes every kind of container that `data create` makes, the smallest too."""

from __future__ import annotations

import pytest

from tests.real.harness import Runner
from tests.real.job import INPUT_TEXT, Job

READ = "cat /Inputs/data.txt && stat -c %u:%g /Inputs/data.txt /Inputs"


@pytest.mark.parametrize("options", [["--fs", "squashfs"], [], ["--reproducible"]])
def test_an_input_is_read(job: Job, run_as: Runner, options: list[str]) -> None:
    job.cli("data", "create", "in.sif", "--from", "data", "--mount", "/Inputs", *options).expect()
    bind = ("in.sif:/Inputs:image-src=/Inputs",)
    shown = job.exec("sh", "-c", READ, binds=bind).expect().stdout
    owner = run_as(["stat", "-c", "%u:%g", "data"]).expect().stdout.strip()
    assert shown == f"{INPUT_TEXT}{owner}\n{owner}\n"


def test_a_sealed_input_is_recorded(job: Job) -> None:
    create = ["data", "create", "in.sif", "--from", "data", "--layout", "archive"]
    job.cli(*create).expect()
    binds = ("in.sif:/Inputs:image-src=/Inputs", "output.sif:/Outputs:image-src=/Outputs")
    script = "cat /Inputs/data.txt > /Outputs/copy.txt"
    job.exec("sh", "-c", script, binds=binds).expect()
    (record,) = job.records()
    inputs = [c for c in record["containers"] if c["role"] == "input"]
    assert [c["name"] for c in inputs] == ["in.sif"]
    (origin,) = job.records("in.sif")
    assert inputs[0]["digest"] == origin["origin"]["digest"]


@pytest.mark.parametrize("free", ["100K", "700K", "300M"])
def test_an_output_takes_what_was_promised(job: Job, free: str) -> None:
    job.cli("data", "create", "out.sif", "--free", free, "--mount", "/Outputs").expect()
    bind = ("out.sif:/Outputs:image-src=/Outputs",)
    count = min(int(free[:-1]) * (1 if free[-1] == "K" else 1024), 20 * 1024)
    script = f"dd if=/dev/zero of=/Outputs/x bs=1024 count={count}"
    job.exec("sh", "-c", script, binds=bind).expect()
    job.check_file_system("out.sif")
    assert len(job.records("out.sif")) == 1
