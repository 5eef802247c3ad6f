"""`--telemetry` on real runtimes: what is measured is what the application used."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.real.job import COPY, Job
from tests.real.wrapjob import WrapJob

MEBIBYTE = 1 << 20
# One core for a second or two, with a text of 32 MiB at hand; then what `time` has to say of it.
BURN = 'BEGIN { x = "0123456789abcdef"; for (i = 0; i < 21; i++) x = x x; while (n < 8000000) n++ }'
WORK = f"{COPY}; time -p awk '{BURN}' 2> /Outputs/used; head -c 3000000 /dev/zero > /Outputs/zero"


def measured(job: Job) -> dict[str, Any]:
    """The columns of the newest run."""
    done = job.cli("log", "output.sif", "--telemetry", "--json").expect()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def the_numbers_are_the_applications(job: Job, **how: Any) -> None:
    job.exec("sh", "-c", WORK, **how).expect()
    fact = job.records()[-1]["run"]["facts"]["telemetry"]
    columns = measured(job)["columns"]
    # real 2.00\nuser 1.90\nsys 0.05\n
    words = job.cli("data", "cat", "output.sif", "/Outputs/used").expect().stdout.split()
    used = round((float(words[3]) + float(words[5])) * 1e6)
    assert used > 400_000, "that was no work for this machine"
    counted = columns["user_us"][-1] + columns["system_us"][-1]
    # The shell beside it, and ticks of 10 ms.
    assert used - 60_000 <= counted <= used * 1.05 + 150_000
    assert max(columns["memory_bytes"]) >= 32 * MEBIBYTE
    assert fact["value"]["peak_memory_bytes"] == max(columns["memory_bytes"])
    assert fact["value"]["samples"] == len(columns["time_us"]) >= 6
    assert columns["time_us"][-1] >= used / 1.1
    assert 5 <= fact["value"]["peak_cpu_percent"] <= 130
    # Few of these are the helper's: it costs next to nothing.
    assert 0 < fact["value"]["cost_us"] < 100_000
    assert fact["value"]["network"] == "host"
    # Whether what it wrote at the end is in it, depends on what the kernel shows us.
    assert columns["write_bytes"] == sorted(columns["write_bytes"])
    assert "measured" in job.cli("trail", "output.sif").expect().stdout
    assert "processor all" in job.cli("log", "output.sif", "--telemetry").expect().stdout
    job.cli("verify", "output.sif").expect()
    job.check_file_system("output.sif")


def test_by_the_plugin(either: Job) -> None:
    the_numbers_are_the_applications(either, env={"SIFPROV_TELEMETRY": "0.5s"})
    facts = either.records()[-1]["run"]["facts"]
    assert facts["telemetry"]["value"]["interval_us"] == 500_000
    if "write_bytes" in facts["resources"]["value"]:  # the plugin could read it at the very end
        assert measured(either)["columns"]["write_bytes"][-1] >= 3_000_000


def test_by_the_wrapper(wrap_job: WrapJob) -> None:
    the_numbers_are_the_applications(wrap_job, options=("--telemetry",))
    fact = wrap_job.last()["run"]["facts"]["telemetry"]
    assert fact["value"]["interval_us"] == 1_000_000


def test_a_run_is_measured_only_where_it_is_wanted(wrap_job: WrapJob) -> None:
    job = wrap_job
    config = job.path(".config/sifprov/config.ini")
    job.run(["mkdir", "-p", config.parent]).expect()
    text = "[capture]\ntelemetry = 200ms\n"
    job.run(["sh", "-c", f'cat > "{config}"; chmod 600 "{config}"'], stdin=text).expect()
    job.exec("sh", "-c", f"{COPY}; sleep 0.5").expect()
    assert job.last()["run"]["facts"]["telemetry"]["value"]["interval_us"] == 200_000
    job.exec("sh", "-c", COPY, env={"SIFPROV_TELEMETRY": "no"}).expect()
    assert "telemetry" not in job.records()[-1]["run"]["facts"]
    done = job.exec("sh", "-c", COPY, options=("--telemetry=never",))
    assert done.code == 255
    assert "--telemetry=never: neither yes, no nor a time from 100ms to 1h" in done.stderr


@pytest.mark.parametrize("option", [(), ("--pid",)], ids=["plain", "pid"])
def test_children_that_come_and_go_are_counted(wrap_job: WrapJob, option: tuple[str, ...]) -> None:
    job = wrap_job
    busy = 'awk "BEGIN { while (n < 100000) n++ }"'
    script = f"{COPY}; time -p sh -c 'for n in $(seq 60); do {busy}; done'"
    job.exec("sh", "-c", f"{script} 2> /Outputs/used", options=("--telemetry", *option)).expect()
    words = job.cli("data", "cat", "output.sif", "/Outputs/used").expect().stdout.split()
    used = round((float(words[3]) + float(words[5])) * 1e6)
    columns = measured(job)["columns"]
    counted = columns["user_us"][-1] + columns["system_us"][-1]
    assert used - 60_000 <= counted <= used + 150_000
