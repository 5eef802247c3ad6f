"""The spool and its delivery, without a runtime."""

from __future__ import annotations

import json
import os
import pwd
import threading
import time
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from tests.unit.schemas import problems
from tests.unit.sifs import OUT, make_sif, run_record

from sifprov import spool
from sifprov.capture.deliver import deliver
from sifprov.cli import main
from sifprov.errors import FileError, MissingError
from sifprov.flush import drop, flush, listing
from sifprov.frozen import replace
from sifprov.model.record import Record
from sifprov.placement import CONTAINER, METADATA, SIDECAR, Place, read_place
from sifprov.trail import read_carrier


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of our own; the password database's is not for tests."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    entry = pwd.getpwuid(os.getuid())
    changed = pwd.struct_passwd((*entry[:5], str(folder), entry[6]))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: changed)
    return folder


def run_of(number: int, of: UUID = OUT) -> Record:
    record = run_record(of)
    assert record.run
    started = f"2026-05-28T20:26:{number:02}Z"
    return replace(record, id=UUID(int=number), run=replace(record.run, started=started))


def ids(path: Path) -> list[int]:
    return [r.id.int for _, r in read_carrier(str(path)).good]


def cli(*argv: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["flush", *argv], standalone_mode=False)
    return done.return_value if done.exception is None else -1, done.stdout, done.stderr


def test_what_waits_is_delivered_in_the_order_of_its_waiting(tmp_path: Path) -> None:
    path = tmp_path / "out.sif"
    for number in (1, 2, 3):
        written = deliver(Place(CONTAINER, str(path)), run_of(number))
        assert written.kept and written.warning and "No such file" in written.warning
        assert "'sifprov flush' delivers it" in written.warning
        os.utime(written.kept, ns=(0, number))
    assert [one.error is None for one in flush()] == [False] * 3
    make_sif(path)
    assert [one.targets for one in flush()] == [(str(path),)] * 3
    assert ids(path) == [1, 2, 3]
    assert list(flush()) == []


@pytest.mark.parametrize("kind", [METADATA, SIDECAR])
def test_a_place_is_made_at_delivery(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "later"
    place = Place(kind, str(folder / ("m.sif" if kind == METADATA else "m.jsonl")))
    assert deliver(place, run_of(1)).kept
    folder.mkdir()
    assert [one.targets for one in flush()] == [(place.path,)]
    assert len(read_place(place)) == 1


def test_a_crash_between_append_and_removal_brings_nothing_twice(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "out.sif")
    kept = spool.save(str(path), run_of(1))
    copy = Path(kept).read_bytes()
    assert len(list(flush())) == 1
    Path(kept).write_bytes(copy)
    assert [one.error for one in flush()] == [None]
    assert ids(path) == [1]


def test_a_helper_that_was_killed_after_it_kept_a_record_keeps_one(tmp_path: Path) -> None:
    path = str(tmp_path / "out.sif")
    first = spool.save(path, run_of(1))
    again = replace(run_of(1), id=UUID(int=99))
    assert spool.save(path, again) == first
    assert spool.save(path, run_of(2)) != first
    assert spool.save(str(tmp_path / "other.sif"), again) != first


def test_deliveries_at_once(tmp_path: Path) -> None:
    """As two hosts that share a home and whose file system knows no locks."""
    path = make_sif(tmp_path / "out.sif", descriptors=40)
    for number in range(20):
        spool.save(str(path), run_of(number))
    lock = Path(spool.folder(), ".lock")
    lock.mkdir()  # nobody can lock it
    errors: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: errors.extend(one.error for one in flush()))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(ids(path)) == list(range(20))
    assert not any(errors), errors
    assert list(spool.waiting()) == []


def test_a_moved_container_is_found_by_its_uuid(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    make_sif(archive / "a.sif", uuid=UUID(int=4))
    moved = make_sif(archive / "b.sif")
    (archive / "junk").write_bytes(b"x" * 100)
    spool.save(str(tmp_path / "out.sif"), run_of(1))
    assert [one.error is None for one in flush()] == [False]
    assert [one.targets for one in flush([str(archive)])] == [(str(moved),)]
    assert ids(moved) == [1]


def test_a_full_disk_everywhere_but_beside_the_output(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = tmp_path / "results"
    near.mkdir()
    target = Place(CONTAINER, str(near / "out.sif"))
    (home / ".local").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/1")
    written = deliver(target, run_of(1), near=str(near))
    assert written.kept and written.warning
    assert os.path.dirname(written.kept) == str(near)
    assert f"'sifprov flush --search {near}' delivers it" in written.warning
    make_sif(near / "out.sif")
    (home / ".local").unlink()
    monkeypatch.delenv("XDG_STATE_HOME")
    assert list(flush()) == []
    assert [one.targets for one in flush([str(near)])] == [(target.path,)]
    assert os.listdir(near) == ["out.sif"]


def test_nowhere_at_all(tmp_path: Path, home: Path) -> None:
    (home / ".local").write_text("no folder")
    written = deliver(Place(CONTAINER, "/nowhere/out.sif"), run_of(1), near="/nowhere")
    assert written.kept is None
    assert written.warning and written.warning.startswith("this run was not recorded: ")
    assert "cannot be kept either" in written.warning
    assert "\n" not in written.warning


def test_the_state_folder_of_the_environment_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.save("/nowhere/a.sif", run_of(1))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    path = spool.save("/nowhere/b.sif", run_of(2))
    assert path.startswith(str(tmp_path / "state" / "sifprov" / "spool"))
    assert len(list(spool.waiting())) == spool.count() == 2
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert spool.count() == 1


def test_files_of_others_are_not_taken_from_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where everybody may write, somebody could plant one."""
    make_sif(tmp_path / "out.sif")
    kept = Path(spool.save(str(tmp_path / "out.sif"), run_of(1)))
    planted = tmp_path / f"{spool.PREFIX}{kept.name}"
    kept.rename(planted)
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    monkeypatch.setattr(spool, "folders", lambda: ())
    assert list(spool.waiting([str(tmp_path)])) == []
    monkeypatch.undo()
    assert len(list(spool.waiting([str(tmp_path)]))) == 1


def test_what_a_crash_left_half_written_goes_after_a_day(tmp_path: Path) -> None:
    where = Path(spool.save(str(tmp_path / "out.sif"), run_of(1))).parent
    old, young = where / "x.record.json.tmp", where / "y.request.jsonl.part"
    old.touch()
    young.touch()
    days = time.time() - 2 * 24 * 3600
    os.utime(old, (days, days))
    list(flush())
    assert (old.exists(), young.exists()) == (False, True)


def test_drop(tmp_path: Path) -> None:
    one, two = (spool.save("/nowhere/out.sif", run_of(n)) for n in (1, 2))
    ident = os.path.basename(one).removesuffix(".record.json")
    with pytest.raises(MissingError, match="nothing waits under this id"):
        drop([ident, "other"])
    assert os.path.exists(one)
    assert [d.id for d in drop([ident])] == [ident]
    assert [item.path for item in listing()] == [two]


def test_what_is_printed(tmp_path: Path) -> None:
    path = tmp_path / "out\x1b.sif"
    spool.save(str(path), run_of(1), reason="it is full")
    Path(spool.folder(), "broken.record.json").write_text("{")
    Path(spool.folder(), "half.request.jsonl").write_text("{}\n")
    code, text, _ = cli("--list")
    assert code == 0
    assert "out\\x1b.sif" in text and "it is full" in text and "$ singularity exec" in text
    code, text, _ = cli("--list", "--json")
    document = json.loads(text)
    assert problems("sifprov.flush/1", document) == []
    assert len(document["waiting"]) == 3
    code, text, error = cli("--json")
    assert code == 3
    document = json.loads(text)
    assert problems("sifprov.flush/1", document) == []
    assert (len(document["waiting"]), document["delivered"]) == (3, [])
    code, text, error = cli("-q")
    assert (code, text) == (3, "")
    assert error.count("sifprov: kept: ") == 3
    make_sif(path)
    code, text, error = cli()
    assert "recorded in " in text and "\x1b" not in text
    assert error.count("kept: ") == 2


def test_an_empty_spool(home: Path) -> None:
    code, text, _ = cli()
    assert (code, text) == (0, f"nothing waits in {spool.folder()}\n")
    assert json.loads(cli("--list", "--json")[1])["waiting"] == []


def test_a_request_that_is_no_request_stays(home: Path) -> None:
    spool.save("/nowhere/out.sif", run_of(1))
    path = Path(spool.folder(), "x.request.jsonl")
    path.write_bytes(b"\xff\xfe\n")
    found = [one for one in flush() if one.path == str(path)]
    assert found[0].error and path.exists()


def test_a_spool_that_others_can_write_to_is_not_read(home: Path) -> None:
    where = Path(spool.save("/nowhere/out.sif", run_of(1))).parent
    where.chmod(0o777)
    with pytest.raises(FileError, match="only you can write to"):
        list(flush())


def test_a_run_that_goes_on_is_left_alone(tmp_path: Path) -> None:
    with spool.journaled(b"{}\n"):
        (path,) = Path(spool.folder()).iterdir()
        assert path.name.endswith(".started.jsonl")
        assert path.read_bytes() == b"{}\n"
        assert spool.count() == 0
        assert list(flush()) == []
        assert path.exists()
    assert not path.exists()


def test_a_run_whose_recorder_is_gone_waits(tmp_path: Path) -> None:
    with spool.journaled(b"{}\n"):
        (path,) = Path(spool.folder()).iterdir()
        data = path.read_bytes()
    path.write_bytes(data)
    os.utime(path, (1, 1))
    (item,) = spool.waiting()
    assert not isinstance(item, FileError) and item.request == (b"{}", b"")
    # One that is known better comes first, however young.
    better = spool.save_request(b"{}\n{}\n")
    paths = [one.path for one in spool.waiting() if not isinstance(one, FileError)]
    assert paths == [better, str(path)]


def test_where_nothing_can_be_written_a_run_goes_on(home: Path) -> None:
    (home / ".local").write_text("no folder")
    with spool.journaled(b"{}\n"):
        pass
    (home / ".local").unlink()
    where = Path(spool.folder())
    where.mkdir(parents=True, mode=0o755)
    where.chmod(0o777)
    with spool.journaled(b"{}\n"):
        assert list(where.iterdir()) == []
