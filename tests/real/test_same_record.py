"""The same job gives the same record whichever way it is started: by either runtime, by the plugin
or the wrapper, as root or as an ordinary user."""

from __future__ import annotations

import os
import pwd
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sifprov.content import Deadline, scan_folder
from tests.real.conftest import LACKS_CAPABILITY, installed_plugin, tool
from tests.real.harness import Runner
from tests.real.job import BINDS, INPUT_TEXT, Job

USERS = ("root", "user")
RUNTIMES = ("singularity", "apptainer")
BY = ("plugin", "wrapper")
WORK = "cat /Inputs/data.txt > /Outputs/copy.txt; mkdir /Outputs/d; ln -s copy.txt /Outputs/d/l; "
# What each job runs, and what a record says of its end.
JOBS: dict[str, tuple[list[str], tuple[str, int | None, int | None]]] = {
    "fails": (["sh", "-c", WORK + "exit 3"], ("exited", 3, None)),
    "is killed": (["sh", "-c", WORK + "kill -9 $$"], ("signaled", None, 9)),
    "ends with 255": (["sh", "-c", WORK + "sleep 0.3; exit 255"], ("exited", 255, None)),
    "is not there": (["no-such-command"], ("not-started", None, None)),
}
# Of the run, what belongs to the way and not to the job.
OF_THE_WAY = {"ended", "facts", "runtime", "started"}


@dataclass(frozen=True)
class Way:
    """How a job is started: `flags` are what the runtime wants for this user here."""

    user: str
    runtime: str
    by: str
    program: str
    flags: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.user}, {self.runtime}, {self.by}"


@pytest.fixture(scope="module")
def runtimes(singularity: str) -> Iterator[dict[str, str]]:
    """Both runtimes, with the plugin."""
    found = {
        "singularity": singularity,
        "apptainer": tool("build-apptainer", "--find") + "/apptainer",
    }
    with installed_plugin(found["singularity"]), installed_plugin(found["apptainer"]):
        yield found


@pytest.fixture(scope="module")
def users() -> dict[str, str]:
    """The accounts to act as."""
    if os.getuid() != 0:
        pytest.skip("acting as two users needs root")
    return {"root": "root", "user": tool("test-user")}


@pytest.fixture(scope="module")
def place(users: dict[str, str], shared_folder: Path) -> Path:
    """A folder of the ordinary user, which both act in, so that their records name one path."""
    folder = Path(tempfile.mkdtemp(prefix="a job ", dir=shared_folder))
    folder.chmod(0o755)
    account = pwd.getpwnam(users["user"])
    os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


@pytest.fixture(scope="module")
def program(shared_folder: Path) -> str:
    """A `sifprov` that every user can run."""
    from tests.real.conftest import copy_program

    copy = shared_folder / "program"
    if not copy.exists():
        copy_program(copy)
    return str(copy / "sifprov")


@pytest.fixture(scope="module")
def ways(
    runtimes: dict[str, str],
    users: dict[str, str],
    busybox_sif: str,
    open_fuse: None,
) -> list[Way]:
    found = []
    for user in USERS:
        for runtime in RUNTIMES:
            path = runtimes[runtime]
            flags: tuple[str, ...] = ()
            if user == "root":
                bare = Runner("root", Path("/"))([path, "exec", busybox_sif, "true"])
                flags = ("--no-privs",) if LACKS_CAPABILITY in bare.stderr else ()
            elif runtime == "apptainer":
                flags = ("--userns",)
            found += [Way(user, runtime, by, path, flags) for by in BY]
    return found


def start(
    way: Way, users: dict[str, str], place: Path, program: str, app: str, command: list[str]
) -> dict[str, Any]:
    """Runs a job on the same input and a fresh copy of the same output; returns its record, which
    stands behind that of the output's making."""
    owner = Runner(users["user"], place)
    maker = Job(owner, way.program, program, app, [])
    if not (place / "template.sif").exists():
        maker.create("4M")
        # Both users are to write into it, and a root without privileges may not write everywhere.
        owner(["mkdir", "-m", "777", "empty"]).expect()
        output = ["template.sif", "--from", "empty", "--role", "output", "--mount", "/Outputs"]
        maker.cli("data", "create", *output, "--free", "4M").expect()
    owner(["rm", "-f", "output.sif"]).expect()
    owner(["cp", "--sparse=always", "template.sif", "output.sif"]).expect()
    first = [way.program] if way.by == "plugin" else [program]
    words = [] if way.by == "plugin" else ["--runtime", way.program]
    binds = [word for bind in BINDS for word in ("-B", bind)]
    run = Runner(users[way.user], place)
    env = {"HOME": str(place), "OMP_NUM_THREADS": "3", "MY_OWN": "x"}
    done = run([*first, "exec", *words, *way.flags, *binds, app, *command], env=env, timeout=60)
    assert "sifprov" not in done.stderr, f"{way.name}: {done.stderr}"
    records = maker.records()
    assert len(records) == 2, f"{way.name}: {done}"
    maker.check_file_system("output.sif")
    return records[1]


def core(record: dict[str, Any], way: Way) -> dict[str, Any]:
    """What must be the same: everything but what names the way, and what is said by facts."""
    run = dict(record["run"])
    for name in OF_THE_WAY:
        del run[name]
    argv = run["argv"]
    assert argv[0] == way.program, way.name
    assert tuple(argv[2 : 2 + len(way.flags)]) == way.flags, way.name
    run["argv"] = [argv[1], *argv[2 + len(way.flags) :]]
    kept = {"containers", "container", "previous", "replays", "origin"}
    return {"run": run, **{name: record[name] for name in kept}}


@pytest.fixture(scope="module", params=JOBS)
def table(
    request: pytest.FixtureRequest,
    ways: list[Way],
    users: dict[str, str],
    place: Path,
    program: str,
    busybox_sif: str,
) -> tuple[str, dict[Way, dict[str, Any]]]:
    """The name of a job, and its record by the way that it was started."""
    command, _ = JOBS[request.param]
    return request.param, {
        way: start(way, users, place, program, busybox_sif, command) for way in ways
    }


def test_there_are_all_ways(table: tuple[str, dict[Way, dict[str, Any]]]) -> None:
    assert len(table[1]) == len(USERS) * len(RUNTIMES) * len(BY) == 8


def test_each_says_how_it_was_recorded(table: tuple[str, dict[Way, dict[str, Any]]]) -> None:
    for way, record in table[1].items():
        assert record["captured_by"]["kind"] == way.by, way.name
        name = "singularity-ce" if way.runtime == "singularity" else "apptainer"
        assert record["run"]["runtime"]["name"] == name, way.name
        assert record["run"]["started"] < record["run"]["ended"] < record["recorded"], way.name


def test_the_core_is_what_was_run(
    table: tuple[str, dict[Way, dict[str, Any]]], busybox_sif: str, place: Path
) -> None:
    job, records = table
    command, (outcome, code, signal) = JOBS[job]
    for way, record in records.items():
        run = core(record, way)["run"]
        binds = [word for bind in BINDS for word in ("-B", bind)]
        assert run["argv"] == ["exec", *binds, busybox_sif, *command], way.name
        assert run["cwd"] == str(place), way.name
        ended = (run["outcome"], run["exit_code"], run["signal"])
        assert ended == (outcome, code, signal), way.name
        assert run["environment"]["OMP_NUM_THREADS"] == "3", way.name
        assert "MY_OWN" not in run["environment"], way.name
        app, source, output = record["containers"]
        assert (app["role"], app["path"]) == ("application", busybox_sif), way.name
        assert (source["role"], source["path"]) == ("input", f"{place}/input.sif"), way.name
        assert (output["role"], output["path"]) == ("output", f"{place}/output.sif"), way.name
        assert (source["writable"], source["read_only_added"]) == (False, True), way.name
        assert output["writable"] and not output["read_only_added"], way.name
        assert all(c["digest"] for c in record["containers"]), way.name
        assert record["container"] == output["uuid"], way.name


def test_the_content_is_what_was_written(
    table: tuple[str, dict[Way, dict[str, Any]]], tmp_path: Path
) -> None:
    job, records = table
    output = tmp_path / "Outputs"
    output.mkdir()
    if job != "is not there":
        (output / "copy.txt").write_text(INPUT_TEXT)
        (output / "d").mkdir()
        (output / "d" / "l").symlink_to("copy.txt")
    expected = scan_folder(str(tmp_path), Deadline()).digest
    for way, record in records.items():
        assert record["containers"][2]["digest"] == expected, way.name


def test_the_core_is_the_same_every_way(table: tuple[str, dict[Way, dict[str, Any]]]) -> None:
    _, records = table
    cores = {way: core(record, way) for way, record in records.items()}
    first = next(iter(cores.values()))
    for way, found in cores.items():
        assert found == first, way.name


def test_every_other_field_names_its_source_or_says_why_not(
    table: tuple[str, dict[Way, dict[str, Any]]],
) -> None:
    for way, record in table[1].items():
        facts = record["run"]["facts"]
        assert facts, way.name
        for name, fact in facts.items():
            known = fact["value"] is not None
            assert fact.get("source" if known else "reason"), f"{way.name}: {name}"


def test_the_same_is_asked_every_way(table: tuple[str, dict[Way, dict[str, Any]]]) -> None:
    """What one way knows, another may not: but it says so."""
    names = {way.name: set(record["run"]["facts"]) for way, record in table[1].items()}
    everything = set().union(*names.values())
    missing = {
        way: sorted(everything - found) for way, found in names.items() if everything - found
    }
    assert missing == {}
