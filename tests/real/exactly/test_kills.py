"""What nobody can prepare for: KILL of the runtime, of the wrapper, of the helper."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from tests.real.exactly.bench import (
    BARE,
    Outcome,
    Site,
    records_of,
    run,
    wait_for_record,
)
from tests.real.exactly.case import Case
from tests.real.exactly.live import Live
from tests.real.harness import kill_all, leads_session, plugin_state, words_of

SLEEPER = ("sh", "-c", "echo x > /Outputs/a; echo ready $$; exec sleep 60")
ENDS = ("sh", "-c", "echo x > /Outputs/a; echo ready $$; cat; echo end; exit 3")


def first_process(live: Live) -> None:
    app = live.asleep()
    os.kill(live.pid, signal.SIGKILL)
    live.note(f"application ends: {live.wait(lambda: live.state(app) in 'XZ')}")


def whole_group(live: Live) -> None:
    app = live.asleep()
    os.killpg(live.pid, signal.SIGKILL)
    live.note(f"application ends: {live.wait(lambda: live.state(app) in 'XZ')}")


def helper(live: Live) -> None:
    """Kills the process of ours that runs beside the application, where there is one."""
    live.ready()
    for pid in live.below():
        if leads_session(pid) and any(b"sifprov" in word for word in words_of(pid)):
            kill_all([pid])


def both(site: Site, way: str, case: Case) -> tuple[Outcome, Outcome]:
    outcomes = []
    for kind in (BARE, way):
        with plugin_state(site.runtime, present=kind == "plugin"):
            outcomes.append(run(site, kind, case))
    return outcomes[0], outcomes[1]


@pytest.mark.parametrize("how", [first_process, whole_group])
def test_a_kill_ends_what_it_ends_without_us(
    site: Site, way: str, how: Callable[[Live], None]
) -> None:
    case = Case(f"kill-{how.__name__}", SLEEPER, during=how)
    bare, here = both(site, way, case)
    assert bare.code == here.code == -signal.SIGKILL
    assert (bare.stdout, bare.stderr) == (here.stdout, here.stderr)
    assert bare.notes == here.notes
    assert wait_for_record(site.folder / case.name / "output.sif").outcome == "unknown"


def test_without_the_helper_the_run_goes_on_and_its_record_waits(site: Site, way: str) -> None:
    case = Case("kill-helper", ENDS, during=helper, stdin=b"typed\n")
    bare, here = both(site, way, case)
    assert bare.code == here.code == 3
    assert here.stdout == bare.stdout == b"typed\nend\n"
    ours = here.stderr.removeprefix(bare.stderr)
    assert ours.startswith(b"sifprov: this run was not recorded")
    assert ours.count(b"\n") == 1
    assert (here.records["output.sif"], here.spooled) == ([], 1)
    folder = site.folder / case.name
    flush = site.popen([site.sifprov, "flush"], folder, site.environment(folder))
    flush.communicate(timeout=60)
    (record,) = records_of(folder / "output.sif")
    assert record.exit_code == 3


def test_a_run_without_data_containers_is_left_alone(site: Site, way: str) -> None:
    """No process of ours is started, and the wrapper has become the runtime."""

    def look(live: Live) -> None:
        live.ready()
        for pid in (live.pid, *live.below()):
            words = words_of(pid)
            line = b" ".join(words)
            assert b"sifprov-helper" not in line and b"python" not in line, line
            live.note(words[0].decode())

    case = Case(
        "alone",
        ("sh", "-c", "echo ready $$; while :; do read x || exit 7; done"),
        binds=(),
        during=look,
    )
    bare, here = both(site, way, case)
    assert bare.code == here.code == 7
    assert not bare.differences(here)
    assert (here.records, here.spooled) == ({"input.sif": [], "output.sif": []}, 0)
