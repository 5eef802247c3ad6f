"""Plugin and wrapper together: one record of a run, none of one that is not to be recorded."""

from __future__ import annotations

from tests.real.exactly.bench import BARE, Site, run
from tests.real.exactly.case import COPY, Case
from tests.real.harness import plugin_state

ENVIRONMENT = ("sh", "-c", f"{COPY}; env | sort")


def test_the_wrapper_beside_the_plugin_records_once(site: Site) -> None:
    with plugin_state(site.runtime, present=False):
        bare = run(site, BARE, Case("once", ENVIRONMENT))
    here = run(site, "wrapper", Case("once", ENVIRONMENT))
    assert not bare.differences(here)
    assert {name: len(runs) for name, runs in here.records.items()} == {
        "input.sif": 0,
        "output.sif": 1,
    }


def test_a_plugin_that_is_told_to_skip_a_run_is_as_none(site: Site) -> None:
    # The runtimes hand no variable of such a name into the container.
    case = Case("skip", ENVIRONMENT, env=(("SINGULARITY_SIFPROV_CAPTURED", "1"),))
    with plugin_state(site.runtime, present=False):
        bare = run(site, BARE, case)
    here = run(site, BARE, case)
    assert not bare.differences(here)
    assert not any(here.records.values())
    assert b"SIFPROV_CAPTURED" not in here.stdout
