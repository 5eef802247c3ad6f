"""The folder in which a replay builds its containers."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from uuid import UUID

import pytest
from tests.unit.sifs import container, run, run_record

from sifprov.errors import FileError
from sifprov.frozen import replace
from sifprov.model.canonical import record_digest
from sifprov.model.container import APPLICATION, OUTPUT
from sifprov.replay.claim import PLAN, TakenError, claim
from sifprov.replay.steps import BY_DIGEST, RECORDED_PATH, Change, Found, Fresh, Plan, Step, Target
from sifprov.replay.work import Work, file_names, work_folder
from sifprov.runtime.find import Runtime

APP = container(APPLICATION, UUID(int=9), "app.sif")
RUNTIME = Runtime("/bin/false", "singularity-ce", "4.3.3")


def plan_of(original: Path, *names: str) -> Plan:
    """A plan of which each step makes a container of one of these names."""
    steps, records = [], {}
    for number, name in enumerate(names or ("out.sif",)):
        uuid = UUID(int=100 + number)
        record = replace(run_record(uuid), id=UUID(int=200 + number))
        digest = record_digest(record.to_bytes())
        records[digest] = record
        target = Target(container(OUTPUT, uuid, name), digest, record, Fresh(None))
        app = Found(APP, "/app.sif", BY_DIGEST, RECORDED_PATH)
        steps.append(Step(str(record.id), run(), RUNTIME, app, (), (target,), (), "/"))
    return Plan(str(original), digest, tuple(steps), records)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return plan_of(tmp_path / "out.sif", "prep.sif", "out.sif")


def make(work: Work, *states: str) -> None:
    for state in states:
        work.begin([state])
        Path(work.part(state)).write_text(state)
        work.finish([state])


def names_in(folder: Path) -> set[str]:
    return {p.name for p in folder.iterdir()}


def test_the_wanted_state_gets_its_name_and_the_rest_is_gone(tmp_path: Path, plan: Plan) -> None:
    with work_folder(plan) as work:
        folder = Path(work.folder)
        assert folder == tmp_path / ".out.rerun-1.sif.parts"
        assert folder.stat().st_mode & 0o777 == 0o700
        make(work, *work.states)
        assert names_in(folder) == {PLAN, "prep.sif", "out.rerun-1.sif"}
        assert names_in(tmp_path) == {folder.name}
        work.publish()
    assert names_in(tmp_path) == {"out.rerun-1.sif"}
    assert (tmp_path / "out.rerun-1.sif").read_text() == plan.wanted


def test_what_is_not_finished_goes_and_what_is_stays(tmp_path: Path, plan: Plan) -> None:
    first, _ = plan.steps[0].outputs[0].state, plan.wanted
    with pytest.raises(RuntimeError), work_folder(plan) as work:
        make(work, first)
        part = Path(work.part(plan.wanted))
        part.write_text("half")
        # What making one leaves beside it, when it is killed.
        (part.parent / f".{part.name}.12345678.12345678.sifprov-part").write_text("")
        (part.parent / f"{part.name}.files" / "sub").mkdir(parents=True)
        raise RuntimeError
    folder = tmp_path / ".out.rerun-1.sif.parts"
    assert names_in(folder) == {PLAN, "prep.sif"}
    with work_folder(plan) as work:
        assert not work.fresh
        assert Path(work.path(first)).read_text() == first


def test_a_replay_that_made_nothing_leaves_nothing(tmp_path: Path, plan: Plan) -> None:
    with pytest.raises(RuntimeError), work_folder(plan):
        raise RuntimeError
    assert names_in(tmp_path) == set()


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path: Path, plan: Plan) -> None:
    with pytest.raises(FileError, match="exists already"), work_folder(plan) as work:
        make(work, *work.states)
        (tmp_path / "out.rerun-1.sif").write_text("mine")
        work.publish()
    assert (tmp_path / "out.rerun-1.sif").read_text() == "mine"
    # Nothing that was made is lost.
    assert (tmp_path / ".out.rerun-1.sif.parts" / "out.rerun-1.sif").exists()


def test_numbers_that_are_taken(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / "out.rerun-1.sif").symlink_to("nowhere")
    (tmp_path / ".out.rerun-2.sif.parts").symlink_to(tmp_path)
    (tmp_path / ".out.rerun-3.sif.parts").mkdir(mode=0o700)
    (tmp_path / ".out.rerun-3.sif.parts" / "thing").touch()
    (tmp_path / ".out.rerun-4.sif.parts").mkdir()
    (tmp_path / ".out.rerun-4.sif.parts").chmod(0o770)
    with work_folder(plan) as first, work_folder(plan) as second:
        assert Path(first.into).name == "out.rerun-5.sif"
        assert Path(second.into).name == "out.rerun-6.sif"
    for number in (2, 3, 4):
        assert (tmp_path / f".out.rerun-{number}.sif.parts").exists()


def test_an_interrupted_one_is_found_behind_free_numbers(tmp_path: Path, plan: Plan) -> None:
    with work_folder(plan), work_folder(plan) as second:
        make(second, plan.wanted)
    assert names_in(tmp_path) == {".out.rerun-2.sif.parts"}
    with work_folder(plan) as work:
        assert Path(work.into).name == "out.rerun-2.sif"
    changed = replace(plan, changes=(Change("argument 3", "1", "2"),))
    with work_folder(changed) as work:
        assert Path(work.into).name == "out.rerun-1.sif"


def test_a_folder_that_is_not_ours(tmp_path: Path, plan: Plan) -> None:
    into, folder = str(tmp_path / "new.sif"), tmp_path / ".new.sif.parts"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    folder.symlink_to(elsewhere)
    with pytest.raises(TakenError, match="no folder"), work_folder(plan, into):
        pass
    folder.unlink()
    folder.touch()
    with pytest.raises(TakenError, match="no folder"), work_folder(plan, into):
        pass
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o707)
    with pytest.raises(TakenError, match="others may look"), work_folder(plan, into):
        pass
    folder.chmod(0o700)
    (folder / PLAN).symlink_to("/dev/null")
    with pytest.raises(TakenError, match=PLAN), work_folder(plan, into):
        pass
    (folder / PLAN).unlink()
    os.mkfifo(folder / PLAN)
    with pytest.raises(TakenError, match="at work"), work_folder(plan, into):
        pass
    assert names_in(elsewhere) == set()


def test_a_folder_of_another_user(tmp_path: Path, plan: Plan) -> None:
    if os.getuid() != 0:
        pytest.skip("giving a folder to another user needs root")
    folder = tmp_path / ".new.sif.parts"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)
    with (
        pytest.raises(TakenError, match="another user"),
        work_folder(plan, str(tmp_path / "new.sif")),
    ):
        pass
    assert names_in(folder) == set()


def test_the_same_into_twice_at_a_time(tmp_path: Path, plan: Plan) -> None:
    into = str(tmp_path / "new.sif")
    with (
        work_folder(plan, into),
        pytest.raises(TakenError, match="at work"),
        work_folder(plan, into),
    ):
        pass


def test_a_folder_made_by_a_start_that_was_killed_at_once(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / ".out.rerun-1.sif.parts").mkdir(mode=0o700)
    (tmp_path / ".out.rerun-1.sif.parts" / PLAN).touch()
    with work_folder(plan) as work:
        assert Path(work.into).name == "out.rerun-1.sif"
        assert work.fresh


def test_many_at_once_take_different_numbers(tmp_path: Path, plan: Plan) -> None:
    taken: list[str] = []
    together = threading.Barrier(8)

    def one() -> None:
        together.wait()
        with work_folder(plan) as work:
            taken.append(work.into)
            together.wait()

    threads = [threading.Thread(target=one) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 8
    assert names_in(tmp_path) == set()


def test_names_that_records_give() -> None:
    hostile = ("../../etc/passwd", "", ".hidden", "a:b,c.sif", "x" * 300, "a\nb.sif", PLAN, "-n",
               "out.sif", "out.sif", "\udcff.sif", "out.sif")  # fmt: skip
    found = file_names(plan_of(Path("/d/out.sif"), *hostile), "/d/out.sif")
    names = list(found.values())
    assert len(set(names)) == len(hostile)
    assert names[0] == "out.sif"
    for name in names:
        assert "/" not in name and not name.startswith((".", "-")) and name != PLAN
        assert len(os.fsencode(name)) < 200
        assert not set(name) & set(":,\n\\\"'")
    # No part of one state is another state, or a part of it.
    into = file_names(plan_of(Path("/d/out.sif"), "a.sif", "out.sif"), "/d/a.sif.part")
    assert sorted(into.values()) == ["a-2.sif", "a.sif.part"]


def test_kept_states_get_a_folder_that_was_not_there(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / "out.rerun-1.parts").mkdir()
    (tmp_path / "out.rerun-1.parts" / "prep.sif").write_text("mine")
    with work_folder(plan, keep=True) as work:
        first = plan.steps[0].outputs[0].state
        kept = tmp_path / "out.rerun-1.parts-2" / "prep.sif"
        assert work.name_for_good(first) == str(kept)
        make(work, *work.states)
        work.publish()
    assert names_in(tmp_path) == {"out.rerun-1.sif", "out.rerun-1.parts", "out.rerun-1.parts-2"}
    assert kept.read_text() == first
    assert (tmp_path / "out.rerun-1.parts" / "prep.sif").read_text() == "mine"


def test_what_failed_has_names_of_its_own(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / "out.rerun-1.failed.sif").touch()
    with work_folder(plan) as work:
        states = work.states
        names = [Path(work.failed_name(s, states)).name for s in states]
        assert names == ["out.rerun-1.failed-2.sif", "out.rerun-1.failed-3.sif"]


def test_a_folder_that_cannot_be_made(plan: Plan) -> None:
    gone = replace(plan, original="/nowhere/out.sif")
    with pytest.raises(FileError, match="No such file"), work_folder(gone):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSPC])
def test_a_file_system_without_locks_or_room(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(*{
        errno.ENOLCK: ("sifprov.replay.claim.fcntl.flock", refuse),
        errno.ENOSPC: ("sifprov.replay.claim.os.fsync", refuse),
    }[number])  # fmt: skip
    with pytest.raises(FileError, match=os.strerror(number)) as raised, work_folder(plan):
        pass
    # No other number is tried for ever.
    assert not isinstance(raised.value, TakenError)


def test_a_file_system_that_keeps_no_modes(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = os.mkdir

    def as_everybody(path: str, mode: int) -> None:
        make(path, mode)
        os.chmod(path, mode | 0o040)

    monkeypatch.setattr("sifprov.replay.claim.os.mkdir", as_everybody)
    with pytest.raises(FileError, match="others may look"), work_folder(plan):
        pass
    assert names_in(tmp_path) == set()


def test_claim_makes_nothing_when_it_is_not_to(tmp_path: Path) -> None:
    assert claim(str(tmp_path / "x"), {}, make=False) is None
    assert names_in(tmp_path) == set()
