"""A replay carried out, with a program that stands for the runtime on real containers: what is done
in which order, what is left when it is interrupted, and what a second start does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.unit import fakeruntime
from tests.unit.verified import make_app

from sifprov.carrier import read_carrier
from sifprov.create import create_data
from sifprov.errors import FileError, MissingError, ReplayError
from sifprov.model.record import INPUT, Record
from sifprov.replay.plan import Options, plan
from sifprov.replay.schedule import Execution, execute
from sifprov.replay.steps import Outcome, Plan, Rebuilt
from sifprov.replay.work import work_folder

# What each run of the diamond reads, and the place of its output in the chain.
RUNS = {"prep": ("input",), "a": ("prep",), "b": ("prep",), "plot": ("a", "b")}
MOUNTS = {"input": "/In", "prep": "/Prep", "a": "/A", "b": "/B", "plot": "/Plot", "chain": "/Chain"}


@dataclass(frozen=True)
class Site:
    """`plot.sif` came from a and b, both of prep, which came from the input; `chain.sif` went
    through three runs."""

    folder: Path
    env: dict[str, str]

    def path(self, name: str) -> Path:
        return self.folder / name

    def touch(self, name: str) -> Path:
        made = self.path(name)
        made.touch()
        return made

    def run(self, *inputs: str, output: str, name: str) -> None:
        """A run by `sifprov exec`."""
        binds = [f"{self.path(i)}.sif:{MOUNTS[i]}:image-src={MOUNTS[i]},ro" for i in inputs]
        binds.append(f"{self.path(output)}.sif:{MOUNTS[output]}:image-src={MOUNTS[output]}")
        argv = [word for bind in binds for word in ("--bind", bind)]
        argv = ["exec", "--runtime", str(self.path("singularity")), *argv]
        done = self.cli(*argv, str(self.path("app.sif")), "join", name)
        assert done.returncode == 0, done.stderr

    def cli(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sifprov", *argv], env=self.env, cwd=self.folder, text=True,
            capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=60,
        )  # fmt: skip

    def begin(self, *argv: str) -> subprocess.Popen[str]:
        """Starts `sifprov rerun`, in a group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "sifprov", "rerun", *argv], env=self.env, cwd=self.folder,
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def started(self) -> list[str]:
        return fakeruntime.starts(self.folder)

    def wait_for(self, *names: str) -> None:
        """Waits until all these runs go on."""
        end = time.monotonic() + 20
        while set(names) - set(self.started()):
            assert time.monotonic() < end, self.started()
            time.sleep(0.01)

    def text(self, path: str, name: str = "f") -> str:
        """A file that a container holds."""
        mount = next(m for n, m in MOUNTS.items() if Path(path).name.startswith(n))
        argv = [
            "/sbin/debugfs",
            "-R",
            f"cat {mount}/{name}",
            f"{path}?offset={fakeruntime.offset_of(path)}",
        ]
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def left(self) -> set[str]:
        """What a replay has left in the folder."""
        return {
            p.name
            for p in self.folder.iterdir()
            if "rerun" in p.name or p.name.endswith((".parts", ".part", "-part"))
        }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("site")
    env = {**os.environ, "HOME": str(folder / "home"), "PYTHONPATH": ""}
    env["PYTHONPATH"] = str(Path(__file__).resolve().parents[2] / "pytools")
    site = Site(folder, {k: v for k, v in env.items() if not k.startswith("SIFPROV")})
    fakeruntime.install(folder)
    make_app(folder / "app.sif")
    (folder / "data").mkdir()
    (folder / "data" / "f").write_text("data\n")
    create_data(str(folder / "input.sif"), mount="/In", source=str(folder / "data"))
    for name, inputs in RUNS.items():
        create_data(str(folder / f"{name}.sif"), mount=MOUNTS[name], free=100_000)
        site.run(*inputs, output=name, name=name)
    create_data(str(folder / "chain.sif"), mount="/Chain", free=100_000)
    for name in ("one", "two", "three"):
        site.run("input", output="chain", name=name)
    return site


@pytest.fixture
def site(made: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """The same for every test, which leaves nothing behind."""
    monkeypatch.setenv("HOME", str(made.folder / "home"))
    before = {p: p.read_bytes() for p in made.folder.iterdir() if p.is_file() and p.name != "log"}
    made.path("log").unlink(missing_ok=True)
    yield made
    for path in made.folder.iterdir():
        if path.is_dir() and path.name.endswith(".parts"):
            for below in path.iterdir():
                below.unlink()
            path.rmdir()
        elif path.is_file() and path not in before:
            path.unlink()
    assert {p: p.read_bytes() for p in before} == before, "an original was written to"


def replay(
    site: Site,
    name: str,
    jobs: int = 1,
    *,
    into: str | None = None,
    keep: bool = False,
    **how: object,
) -> tuple[Plan, Outcome]:
    planned = plan(str(site.path(name)), Options(**how))  # type: ignore[arg-type]
    with work_folder(planned, into, keep=keep) as work:
        outcome = execute(planned, work, Execution(jobs))
        work.publish()
    return planned, outcome


def last(path: str) -> Record:
    return read_carrier(path).good[-1][1]


def test_the_last_run_alone(site: Site) -> None:
    planned, outcome = replay(site, "plot.sif")
    assert site.started() == ["plot"]
    assert site.left() == {"plot.rerun-1.sif"}
    assert outcome.into == str(site.path("plot.rerun-1.sif"))
    record, original = last(outcome.into), planned.record
    assert record.replays
    assert (record.replays.record, record.replays.id) == (planned.wanted, original.id)
    itself, then = record.itself(), original.itself()
    assert itself and then
    assert (itself.name, itself.path) == ("plot.rerun-1.sif", outcome.into)
    assert itself.digest == then.digest
    assert itself.uuid != then.uuid
    assert record.run
    assert ".part" not in " ".join(record.run.argv)
    facts = {fact.name: fact.value for fact in record.run.facts}
    assert facts["started"] is True
    # All that the wrapper knew of the run, the replay knows too.
    assert original.run
    assert set(facts) == {fact.name for fact in original.run.facts}


def test_all_runs_from_the_origin_with_nothing_between(site: Site, tmp_path: Path) -> None:
    away = [site.path(f"{name}.sif") for name in ("prep", "a", "b")]
    for path in away:
        path.rename(tmp_path / path.name)
    try:
        _, outcome = replay(site, "plot.sif", from_origin=True)
    finally:
        for path in away:
            (tmp_path / path.name).rename(path)
    assert site.started() in (["prep", "a", "b", "plot"], ["prep", "b", "a", "plot"])
    assert site.left() == {"plot.rerun-1.sif"}
    assert site.text(outcome.into) == site.text(str(site.path("plot.sif")))
    assert [done.code for done in outcome.done] == [0] * 4


def test_a_lost_input_is_made_of_its_folder_again(site: Site, tmp_path: Path) -> None:
    """For as long as the step goes on."""
    away = site.path("input.sif").rename(tmp_path / "input.sif")
    try:
        with pytest.raises(MissingError, match=r"input\.sif") as caught:
            plan(str(site.path("prep.sif")), Options())
        assert "--from-origin makes input.sif again" in (caught.value.hint or "")
        planned, outcome = replay(site, "prep.sif", from_origin=True)
        site.path("data/f").write_text("other\n")
        with pytest.raises(MissingError, match=r"input\.sif"):
            plan(str(site.path("prep.sif")), Options(from_origin=True))
    finally:
        away.rename(site.path("input.sif"))
        site.path("data/f").write_text("data\n")
    assert isinstance(planned.last.inputs[0], Rebuilt)
    assert site.left() == {"prep.rerun-1.sif"}
    assert site.text(outcome.into) == site.text(str(site.path("prep.sif")))
    (read,) = last(outcome.into).with_role(INPUT)
    (then,) = planned.record.with_role(INPUT)
    assert (read.name, read.digest) == ("input.sif", then.digest)
    assert read.uuid != then.uuid
    assert read.record  # it says of which folder it was made


def test_steps_that_do_not_need_each_other_go_side_by_side(
    site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    holds = [site.touch("hold-a"), site.touch("hold-b")]
    process = site.begin("plot.sif", "--from-origin", "--jobs", "2", "--into", "rerun.sif", "-q")
    site.wait_for("a", "b")  # neither has ended
    for hold in holds:
        hold.unlink()
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert site.started()[0] == "prep"
    assert site.started()[-1] == "plot"
    assert site.left() == {"rerun.sif"}
    # What each has printed comes at once, and each stream stays itself.
    assert {line for line in out.splitlines() if line.startswith("out")} == {
        f"out {name}" for name in RUNS
    }
    assert {line for line in err.splitlines() if line.startswith("err")} == {
        f"err {name}" for name in RUNS
    }


def test_an_output_that_went_through_several_runs(site: Site) -> None:
    """Each replay starts where its run did: from what still stands, or by what came before."""
    planned, outcome = replay(site, "chain.sif", from_origin=True)
    assert site.started() == ["one", "two", "three"]
    assert [site.text(outcome.into, name) for name in ("f", "two", "three")] == [
        f"data\n{name}\n" for name in ("one", "two", "three")
    ]
    # It is one container that went on: its records are those of three replays.
    records = [r for _, r in read_carrier(outcome.into).good if r.run]
    assert [r.replays.record for r in records if r.replays] == [
        t.state for s in planned.steps for t in s.outputs
    ]
    assert len({r.container for r in records}) == 1


def test_kept_containers_have_names_of_their_own(site: Site) -> None:
    into = str(site.path("rerun.sif"))
    replay(site, "chain.sif", into=into, keep=True, from_origin=True)
    kept = site.path("rerun.parts")
    assert sorted(p.name for p in kept.iterdir()) == ["chain-2.sif", "chain.sif"]
    first = last(str(kept / "chain.sif")).itself()
    assert first and first.path == str(kept / "chain.sif")
    assert site.left() == {"rerun.sif", "rerun.parts"}
    with pytest.raises(FileError, match="exists already"):
        replay(site, "chain.sif", into=into)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_second_start_does_what_is_missing(site: Site, number: signal.Signals) -> None:
    hold = site.touch("hold-b")
    process = site.begin("plot.sif", "--from-origin", "-q")
    site.wait_for("b")
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    expected = {signal.SIGINT: 130, signal.SIGKILL: -9}
    assert process.returncode == expected[number], err
    _no_runtimes(site)
    parts = site.path(".plot.rerun-1.sif.parts")
    assert site.left() == {parts.name}
    finished = {p.name for p in parts.iterdir()} - {"plan.json"}
    if number != signal.SIGKILL:
        assert not [name for name in finished if ".part" in name]
    assert "prep.sif" in finished
    hold.unlink()
    before = site.started()
    _, outcome = replay(site, "plot.sif", from_origin=True)
    assert site.left() == {"plot.rerun-1.sif"}
    again = {"prep", "a"} & {name.removesuffix(".sif") for name in finished}
    assert set(site.started()[len(before) :]) == set(RUNS) - again
    assert sum(done.again for done in outcome.done) == len(again)
    assert site.text(outcome.into) == site.text(str(site.path("plot.sif")))


def _no_runtimes(site: Site) -> None:
    end = time.monotonic() + 10
    while subprocess.run(
        ["pgrep", "-f", f"{site.folder} exec"], check=False, capture_output=True
    ).stdout:
        assert time.monotonic() < end, "a runtime lives on"
        time.sleep(0.05)


def interrupted(site: Site) -> Path:
    """A replay of which `prep`, `a` and `b` are done."""
    site.touch("fail-plot")
    with pytest.raises(ReplayError):
        replay(site, "plot.sif", from_origin=True)
    for name in ("fail-plot", "log", "plot.rerun-1.failed.sif"):
        site.path(name).unlink()
    return site.path(".plot.rerun-1.sif.parts")


def test_finished_states_are_not_believed_for_their_names(site: Site) -> None:
    parts = interrupted(site)
    a, b, prep = (parts / f"{name}.sif" for name in ("a", "b", "prep"))

    def changed() -> None:
        data = a.read_bytes()
        assert b"data\nprep\na\n" in data
        a.write_bytes(data.replace(b"data\nprep\na\n", b"data\nprep\nX\n"))

    def another_one() -> None:
        a.write_bytes(b.read_bytes())

    def what_others_build_on() -> None:
        prep.unlink()

    def broken() -> None:
        b.write_bytes(b.read_bytes()[:5000])

    again = {changed: "a", another_one: "a", what_others_build_on: "prep a b", broken: "b"}
    for harm, names in again.items():
        harm()
        site.touch("fail-plot")
        with pytest.raises(ReplayError):
            replay(site, "plot.sif", from_origin=True)
        assert set(site.started()) == {*names.split(), "plot"}, harm
        site.path("log").unlink()
    site.path("fail-plot").unlink()
    _, outcome = replay(site, "plot.sif", from_origin=True)
    assert site.started() == ["plot"]
    assert site.text(outcome.into) == site.text(str(site.path("plot.sif")))


def test_another_plan_takes_another_folder(site: Site) -> None:
    parts = interrupted(site)
    before = {p.name: p.read_bytes() for p in parts.iterdir()}
    other = plan(str(site.path("plot.sif")), Options(arguments=("plot=other",)))
    into = str(site.path("plot.rerun-1.sif"))
    with (
        pytest.raises(FileError, match="holds what another replay has left"),
        work_folder(other, into),
    ):
        pass
    with work_folder(other) as work:
        outcome = execute(other, work, Execution())
        work.publish()
    assert outcome.into == str(site.path("plot.rerun-2.sif"))
    assert site.text(outcome.into).endswith("other\n")
    assert {p.name: p.read_bytes() for p in parts.iterdir()} == before


def test_records_that_go_elsewhere(site: Site) -> None:
    place = str(site.path("rerun.jsonl"))
    site.touch("fail-plot")
    with pytest.raises(ReplayError):
        replay(site, "plot.sif", from_origin=True, metadata=place)
    site.path("fail-plot").unlink()
    site.path("log").unlink()
    _, outcome = replay(site, "plot.sif", from_origin=True, metadata=place)
    assert site.started() == ["plot"]
    assert {r.place for done in outcome.done for r in done.outputs} == {place}
    assert read_carrier(outcome.into).good == ()
    lines = Path(place).read_text().splitlines()
    assert sum('"replays":{' in line for line in lines) == len(RUNS) + 1  # one failed


def test_two_at_the_same_time_take_different_numbers(site: Site) -> None:
    hold = site.touch("hold-plot")
    first = site.begin("plot.sif", "-q")
    second = site.begin("plot.sif", "-q")
    end = time.monotonic() + 20
    while len(site.started()) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    hold.unlink()
    ends = [process.communicate(timeout=30) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], ends
    assert site.left() == {"plot.rerun-1.sif", "plot.rerun-2.sif"}


def test_an_application_that_fails_now(site: Site) -> None:
    site.touch("fail-b")
    with pytest.raises(ReplayError, match="ended with 3, the recorded one ended with 0") as raised:
        replay(site, "plot.sif", from_origin=True)
    failed = site.path("plot.rerun-1.failed.sif")
    assert raised.value.hint
    assert raised.value.hint.startswith(f"what it wrote is in {failed}; ")
    assert "goes on behind them" in raised.value.hint
    record = last(str(failed))
    itself = record.itself()
    assert record.run and record.run.exit_code == 3
    assert itself and itself.path == str(failed)
    assert not site.path("plot.rerun-1.sif").exists()
    done = set(site.started())
    # Put right, it goes on where it was.
    site.path("fail-b").unlink()
    site.path("log").unlink()
    replay(site, "plot.sif", from_origin=True)
    assert set(site.started()) == {"b", "plot"} | (set(RUNS) - done)
    assert site.left() == {"plot.rerun-1.sif", failed.name}


def test_a_runtime_that_refuses(site: Site) -> None:
    site.touch("refuse-plot")
    with pytest.raises(MissingError, match="did not start the command; it ended with 255"):
        replay(site, "plot.sif")
    assert site.left() == set()


def test_a_full_disk(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(start: object, target: object, path: str, *_: object) -> None:
        Path(path).write_text("half")
        raise OSError(28, "No space left on device", path)

    interrupted(site)
    with monkeypatch.context() as patched:
        patched.setattr("sifprov.replay.start.build", full)
        with pytest.raises(FileError, match="No space left on device"):
            replay(site, "plot.sif", from_origin=True)
    assert {p.name for p in site.path(".plot.rerun-1.sif.parts").iterdir()} == {
        "plan.json", "prep.sif", "a.sif", "b.sif",
    }  # fmt: skip
    replay(site, "plot.sif", from_origin=True)
    assert site.started() == ["plot"]


def test_the_input_is_read_once(site: Site) -> None:
    """What the plan has read is not read again for the record."""
    from sifprov import content

    planned = plan(str(site.path("plot.sif")), Options())
    read: list[str] = []
    real = content.image_digest

    def counted(*args: object) -> str:
        read.append("image")
        return real(*args)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patched, work_folder(planned) as work:
        patched.setattr("sifprov.digestcache.image_digest", counted)
        execute(planned, work, Execution())
    assert read == []
