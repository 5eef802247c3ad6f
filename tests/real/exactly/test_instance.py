"""Instances: one record when it stops; `exec instance://` is the wrapper's to record."""

from __future__ import annotations

import os
import re
import time

import pytest

from tests.real.exactly.bench import (
    BARE,
    LIMIT,
    Site,
    fresh_folder,
    records_of,
    wait_for_record,
)
from tests.real.exactly.case import INPUT, OUTPUT
from tests.real.harness import kill_tree, plugin_state

WRITES = ("sh", "-c", "cat /Inputs/data.txt >> /Outputs/copy; env | sort; exit 5")


def call(site: Site, cwd: str, *argv: str) -> tuple[int, bytes, bytes]:
    folder = site.folder / cwd
    process = site.popen(argv, folder, site.environment(folder))
    try:
        stdout, stderr = process.communicate(timeout=LIMIT)
    except BaseException:
        kill_tree(process.pid)
        process.communicate(timeout=10)
        raise
    return process.returncode, stdout, re.sub(rb"\d+", b"N", stderr)


def life(site: Site, kind: str, name: str) -> tuple[list[tuple[int, bytes, bytes]], list[int]]:
    """Starts an instance, runs in it, stops it. Returns what was printed, and how many records
    there were after each step."""
    fresh_folder(site, name, ("input.sif", "output.sif"))
    output = site.folder / name / "output.sif"
    shown, counts = [], []
    flags = [*site.flags, "-B", INPUT, "-B", OUTPUT]
    joins = [flag for flag in site.flags if flag == "--no-privs"]
    program = site.program(kind)
    with plugin_state(site.runtime, present=kind == "plugin"):
        try:
            shown.append(
                call(site, name, site.runtime, "instance", "start", *flags, site.app, name)
            )
            counts.append(len(records_of(output)))
            shown.append(call(site, name, program, "exec", *joins, f"instance://{name}", *WRITES))
            counts.append(len(records_of(output)))
        finally:
            shown.append(call(site, name, site.runtime, "instance", "stop", name))
    if kind == "plugin":
        wait_for_record(output)
    counts.append(len(records_of(output)))
    return shown, counts


# Instances are started by the runtime, and the plugin records them.
@pytest.mark.not_for(way="wrapper")
def test_an_instance_is_recorded_at_its_stop(site: Site, way: str) -> None:
    name = f"exactly{os.getpid()}"
    bare, none = life(site, BARE, name)
    here, counts = life(site, way, name)
    assert [step[0] for step in bare] == [0, 5, 0], bare
    assert here == bare
    assert (none, counts) == ([0, 0, 0], [0, 0, 1])
    time.sleep(0.5)
    (record,) = records_of(site.folder / name / "output.sif")
    assert record.action == "instance"


# The plugin is not called for it; the test above runs one.
@pytest.mark.not_for(way="plugin")
def test_what_runs_in_an_instance_is_the_wrappers_to_record(site: Site, way: str) -> None:
    name = f"within{os.getpid()}"
    bare, _ = life(site, BARE, name)
    here, counts = life(site, way, name)
    assert here == bare
    assert counts == [0, 1, 1]
    (record,) = records_of(site.folder / name / "output.sif")
    assert (record.action, record.exit_code) == ("exec", 5)
