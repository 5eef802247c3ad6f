"""Both runtimes with the plugin, both users, and the containers that every case copies."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.real.conftest import copy_program, installed_plugin, tool
from tests.real.exactly.bench import BARE, WAYS, Outcome, Site, run_all
from tests.real.exactly.case import SITES, Case

Compare = Callable[[Case, Sequence[Case]], Outcome]


@pytest.fixture(scope="session", params=SITES)
def site(request: pytest.FixtureRequest, busybox_sif: str, shared_folder: Path) -> Iterator[Site]:
    """A runtime, with the plugin, and a user."""
    kind, _, who = request.param.partition("-")
    if who == "root" and os.getuid() != 0:
        pytest.skip("acting as root needs root")
    runtime = tool("build-apptainer", "--find") + "/apptainer"
    if kind == "singularity":
        runtime = request.getfixturevalue("singularity")
    user = "root" if who == "root" else pwd.getpwuid(os.getuid()).pw_name
    if who == "user" and os.getuid() == 0:
        user = tool("test-user")
    flags = ("--no-privs",) if who == "root" else ("--userns",) if kind == "apptainer" else ()
    request.getfixturevalue(f"{kind}_installed")
    if not (shared_folder / "exactly").exists():
        # Every user can reach it, wherever the checkout is.
        copy_program(shared_folder / "exactly")
    program = str(shared_folder / "exactly/sifprov")
    folder = Path(tempfile.mkdtemp(prefix=f"{request.param}-", dir=shared_folder))
    folder.chmod(0o755)
    made = Site(runtime, user, flags, busybox_sif, program, folder)
    made.own(folder)
    _fill(made)
    if kind == "apptainer" and who == "user":
        request.getfixturevalue("open_fuse")
    yield made


@pytest.fixture(scope="session")
def singularity_installed(singularity: str) -> Iterator[None]:
    with installed_plugin(singularity):
        yield


@pytest.fixture(scope="session")
def apptainer_installed() -> Iterator[None]:
    with installed_plugin(tool("build-apptainer", "--find") + "/apptainer"):
        yield


def _fill(site: Site) -> None:
    """Makes the containers as the user: an input, an output, a sealed one, raw images."""
    script = r"""
        mkdir -p home data/sub && printf 'one\ntwo\nthree\n' > data/data.txt
        printf '#!/bin/sh\necho "script $*"\n' > data/sub/run.sh && chmod +x data/sub/run.sh
        "$0" data create -q input.sif --from data --mount /Inputs
        "$0" data create -q sealed.sif --from data --mount /Inputs --fs squashfs
        "$0" data create -q output.sif --free 1M --mount /Outputs
        mksquashfs data raw.sqfs -quiet -no-progress -all-root >/dev/null
        mke2fs -q -F -t ext3 -b 1024 -J size=1 -O ^resize_inode -E root_owner -d data raw.ext3 4M
        at=$("$1" sif list "$2" | awk -F'|' '/System/ { sub("-.*", "", $4); print $4 + 0 }')
        unsquashfs -q -n -o "$at" -d sandbox "$2" >/dev/null
    """
    env = site.environment(site.folder)
    process = site.popen(
        ["bash", "-euc", script, site.sifprov, site.runtime, site.app], site.folder, env
    )
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, (output, errors)


@pytest.fixture(scope="session")
def done() -> dict[tuple[str, str, str], Outcome]:
    """What was run so far, by site, way and case."""
    return {}


@pytest.fixture
def compare(site: Site, way: str, done: dict[tuple[str, str, str], Outcome]) -> Compare:
    """Runs all cases of a table, each bare and captured, when the first is asked for; then tells
    in what this one differs, and that its record is right."""

    def check(case: Case, table: Sequence[Case]) -> Outcome:
        for kind in (BARE, way):
            todo = [
                c
                for c in table
                if site.name in c.sites
                and (kind == BARE or kind in c.ways)
                and (site.name, kind, c.name) not in done
            ]
            for name, outcome in run_all(site, kind, todo).items():
                done[site.name, kind, name] = outcome
        bare, here = (done[site.name, kind, case.name] for kind in (BARE, way))
        if bare.trouble or here.trouble:
            pytest.fail(bare.trouble or here.trouble, pytrace=False)
        _check_bare(case, bare)
        if found := bare.differences(here):
            pytest.fail(f"{case.name}, {way} on {site.name}\n" + "\n".join(found), pytrace=False)
        _check_records(case, here)
        other = done.get((site.name, "plugin" if way == "wrapper" else "wrapper", case.name))
        # Where a driver's end is taken for the command's, the wrapper records more.
        if other and (case.refused or case.code is not None):
            assert _recorded(here) == _recorded(other), case.name
        return here

    return check


def _check_bare(case: Case, bare: Outcome) -> None:
    assert case.code is None or bare.code == case.code, bare
    assert case.says in bare.stdout + bare.stderr, bare
    assert not any(bare.records.values()), bare


def _recorded(outcome: Outcome) -> dict[str, list[tuple[str, int | None]]]:
    """What both ways of capture have to say alike."""
    return {
        name: [(run.outcome, run.exit_code) for run in runs]
        for name, runs in outcome.records.items()
    }


def _check_records(case: Case, here: Outcome) -> None:
    assert here.spooled == 0
    if case.refused or (case.code is None and here.code > 0):
        ends = (
            {("not-started", None)}
            if case.refused
            else {("not-started", None), ("exited", here.code)}
        )
        found = {(run.outcome, run.exit_code) for runs in here.records.values() for run in runs}
        assert found <= ends, here
        return
    counts = {name: len(records) for name, records in here.records.items() if records}
    assert counts == ({case.output: case.records} if case.records else {}), here
    if not case.records:
        return
    run = here.records[case.output][-1]
    if case.outcome:
        assert run.outcome == case.outcome, run
    elif here.code < 0:
        assert (run.outcome, run.signal) == ("signaled", -here.code), run
    else:
        assert (run.outcome, run.exit_code) == ("exited", here.code), run


@pytest.fixture(scope="session", params=WAYS)
def way(request: pytest.FixtureRequest) -> str:
    """How the run is captured."""
    return str(request.param)
