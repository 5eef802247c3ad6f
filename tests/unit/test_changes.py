"""A change outside of any recorded run is noticed, and nothing that we do ourselves is taken for
one."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest
from tests.unit.sifs import add, run_record

from pyext2fs import Ext2fsError
from pyext2fs.changes import last_change
from pyext2fs.fsck import fsck
from sifprov import spool, whereabouts
from sifprov.capture.deliver import deliver
from sifprov.changes import (
    AS_RECORDED,
    CHANGED,
    IN_USE,
    UNTOLD,
    WAS_PROVISIONAL,
    Standing,
    changed_outside,
    newest_change,
    standing,
    stated_in,
)
from sifprov.create import create_data
from sifprov.grow import grow
from sifprov.identity import Identity, identify
from sifprov.model.record import INPUT, PROVISIONAL, Record
from sifprov.model.timestamp import from_ns, to_ns
from sifprov.placement import CONTAINER, METADATA, Place
from sifprov.records import read_records
from sifprov.render.standing import standing_lines
from sifprov.replay.contents import digest_now
from sifprov.seal import seal
from sifprov.sif import open_image
from sifprov.whereabouts import remember, remembered

SECOND = 10**9
# debugfs and dtimes know whole seconds only: it works in the future, and runs begin behind that.
LATER = 10


def debugfs(path: Path, *commands: str, write: bool = True) -> None:
    program = shutil.which("debugfs", path="/usr/sbin:/sbin:/usr/bin:/bin")
    assert program
    partition = identify(str(path)).partition
    assert partition
    for command in commands:
        subprocess.run(
            [
                program,
                *(["-w"] if write else []),
                "-R",
                command,
                f"{path}?offset={partition.offset}",
            ],
            check=True,
            capture_output=True,
            timeout=60,
            env={"E2FSPROGS_FAKE_TIME": str(int(time.time()) + LATER)},
        )


@pytest.fixture
def container(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "one").write_text("1\n")
    (tmp_path / "data" / "two").write_text("2\n")
    path = tmp_path / "a.sif"
    create_data(str(path), mount="/in", source=str(tmp_path / "data"), free=1 << 20)
    return path


def outside(path: Path, *, exact: bool = False, metadata: str = "") -> bool:
    """Judges as a run that begins later."""
    identity = identify(str(path))
    digest = digest_now(identity, INPUT)[1] if exact else None
    return changed_outside(identity, digest, time.time_ns() + 3 * LATER * SECOND, metadata)


CHANGES: dict[str, Callable[[Path], list[str]]] = {
    "a new file": lambda tmp: [f"write {tmp / 'new'} in/new"],
    "a file deleted": lambda tmp: ["rm in/one"],
    "a folder made": lambda tmp: ["mkdir in/sub"],
    "a time set": lambda tmp: [f"set_inode_field in/one ctime @{int(time.time()) + LATER}"],
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_by_somebody_else_is_seen(container: Path, tmp_path: Path, what: str) -> None:
    (tmp_path / "new").write_text("new")
    assert not outside(container)
    debugfs(container, *CHANGES[what](tmp_path))
    assert outside(container)
    if "time" not in what:
        assert outside(container, exact=True)


def test_content_alone_is_told_by_its_digest(container: Path) -> None:
    data = container.read_bytes()
    at = data.rindex(b"1\n" + bytes(100))
    container.write_bytes(data[:at] + b"9" + data[at + 1 :])
    assert outside(container, exact=True)
    # No inode tells of it.
    assert not outside(container)


def same_after(container: Path, work: Callable[[], object]) -> None:
    work()
    assert not outside(container)
    assert not outside(container, exact=True)


def test_what_we_do_ourselves_is_none(container: Path, tmp_path: Path) -> None:
    path = str(container)
    same_after(container, lambda: None)
    same_after(container, lambda: grow(path, 8 << 20, now=int(time.time())))
    same_after(container, lambda: debugfs(container, "stats", "ls -l in", write=False))
    partition = identify(path).partition
    assert partition
    same_after(container, lambda: fsck(path, partition.offset, "preen"))
    same_after(container, lambda: seal(path, str(tmp_path / "s.sif")))
    assert not outside(tmp_path / "s.sif")
    assert not outside(tmp_path / "s.sif", exact=True)


@pytest.mark.parametrize("reproducible", [False, True])
@pytest.mark.parametrize("fs", ["ext3", "squashfs"])
def test_a_new_container_is_as_it_was_made(tmp_path: Path, fs: str, reproducible: bool) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "file").write_text("x")
    path = tmp_path / "a.sif"
    create_data(
        str(path), mount="/in", source=str(tmp_path / "data"), fs=fs, reproducible=reproducible
    )
    assert not outside(path)
    assert not outside(path, exact=True)


def test_without_a_record_there_is_nothing_to_judge_by(tmp_path: Path) -> None:
    path = tmp_path / "a.sif"
    create_data(str(path), mount="/out", free=1 << 20)
    debugfs(path, "mkdir out/sub")
    assert stated_in(identify(str(path))) is None
    assert not outside(path)
    assert not changed_outside(Identity(str(path)), None, time.time_ns())


def record_of(path: Path, *, marks: tuple[str, ...] = ()) -> Record:
    """The record of a run that has just written the container, as `debugfs` here does."""
    identity = identify(str(path))
    assert identity.uuid
    base = run_record(identity.uuid)
    digest = digest_now(identity, INPUT)[1]
    mine = replace(base.containers[-1], digest=digest, marks=marks)
    recorded = from_ns(time.time_ns() + (LATER + 1) * SECOND)
    return replace(base, recorded=recorded, containers=(*base.containers[:-1], mine))


def changed_by_a_run(container: Path) -> None:
    debugfs(container, "mkdir in/sub")


def test_a_run_that_is_recorded_is_none(container: Path) -> None:
    changed_by_a_run(container)
    add(container, record_of(container))
    assert not outside(container)
    assert not outside(container, exact=True)


def test_the_run_itself_is_none(container: Path) -> None:
    started = time.time_ns() + LATER * SECOND // 2
    debugfs(container, "mkdir in/sub", "rm in/one")
    assert not changed_outside(identify(str(container)), None, started)


def test_after_a_provisional_record_nothing_is_judged(container: Path) -> None:
    add(container, record_of(container, marks=(PROVISIONAL,)))
    changed_by_a_run(container)
    assert not outside(container)
    assert not outside(container, exact=True)


def test_a_record_that_waits_in_the_spool_counts(
    container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    changed_by_a_run(container)
    assert outside(container)
    spool.save(str(container), record_of(container))
    assert not outside(container)
    assert not outside(container, exact=True)


def test_a_run_that_waits_for_its_record_counts(
    container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    changed_by_a_run(container)
    where = Path(spool.folder())
    where.mkdir(parents=True, mode=0o700)

    def b64(text: str) -> str:
        return base64.b64encode(text.encode()).decode()

    bind = {
        "source": b64("a.sif"), "destination": b64("/in"), "image_src": b64("/in"),
        "id": None, "ro": False, "ro_added": False,
    }  # fmt: skip
    start = {
        "schema": "sifprov.capture-request/1", "event": "start",
        "captured_by": {"kind": "plugin", "version": "0.1.0"},
        "runtime": {"name": "singularity-ce", "version": "4.3.3"},
        "argv": None, "command": None, "cwd": b64(str(tmp_path)),
        "started": from_ns(time.time_ns()), "environment": {}, "image": b64("/app.sif"),
        "binds": [bind], "images": [], "instance": False, "fakeroot": False,
        "timeout_seconds": 300,
    }  # fmt: skip
    name = "11111111-1111-4111-8111-111111111111.request.jsonl"
    (where / name).write_text(json.dumps(start) + "\n\n")
    (where / name).chmod(0o600)
    assert not outside(container)


def test_a_dtime_of_the_second_in_which_the_run_began_is_the_runs(container: Path) -> None:
    debugfs(container, "rm in/one")
    with container.open("rb") as file:
        partition = identify(str(container)).partition
        assert partition
        deleted = last_change(file.fileno(), partition.offset)
        assert deleted % SECOND == 0
        within = deleted + SECOND // 2
        assert last_change(file.fileno(), partition.offset, before_ns=within) < deleted
        behind = deleted + SECOND
        assert last_change(file.fileno(), partition.offset, before_ns=behind) == deleted


def test_what_is_no_ext3_is_not_told(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(5000))
    with (tmp_path / "x").open("rb") as file, pytest.raises(Ext2fsError):
        last_change(file.fileno(), 0)
    assert newest_change(identify(str(tmp_path / "x"))) is None


def test_a_large_new_container_is_read_by_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "big.sif"
    create_data(str(path), mount="/out", free=4 << 30)
    began = time.perf_counter()
    assert newest_change(identify(str(path)))
    assert time.perf_counter() - began < 1
    os.unlink(path)


def stands(path: Path) -> Standing | None:
    with open_image(str(path)) as (file, image):
        found = reversed(read_records(file, image))
        return standing(identify(str(path)), [s.record for s in found if s.record])


def test_how_a_container_stands(container: Path) -> None:
    now = stands(container)
    assert now and now.state == AS_RECORDED
    assert list(standing_lines(now, None)) == []
    debugfs(container, "mkdir in/sub")
    now = stands(container)
    assert now and now.state == CHANGED
    assert now.changed_at
    assert to_ns(now.changed_at) > time.time_ns()
    assert "by no recorded run" in " ".join(standing_lines(now, None))


def test_a_provisional_record_is_read_again(container: Path) -> None:
    record = record_of(container, marks=(PROVISIONAL,))
    then = record.containers[-1].digest
    add(container, record)
    now = stands(container)
    assert now and (now.state, now.digest) == (WAS_PROVISIONAL, then)
    assert "nothing more was written" in " ".join(standing_lines(now, then))
    debugfs(container, "mkdir in/sub")
    now = stands(container)
    assert now and now.state == WAS_PROVISIONAL
    assert now.digest not in (None, then)
    assert "more was written after" in " ".join(standing_lines(now, then))


def test_a_container_in_use_is_not_judged(container: Path) -> None:
    partition = identify(str(container)).partition
    assert partition
    debugfs(container, "mkdir in/sub")
    with container.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX, partition.size, partition.offset)
        # A POSIX lock does not stand against its own process.
        asked = "from tests.unit.test_changes import stands; import pathlib, sys"
        code = f"{asked}; print(stands(pathlib.Path(sys.argv[1])).state)"
        done = subprocess.run(
            [sys.executable, "-c", code, container],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    assert done.stdout.strip() == IN_USE


def test_what_was_not_unmounted_cannot_be_told(container: Path) -> None:
    debugfs(container, "feature needs_recovery")
    now = stands(container)
    assert now and now.state == UNTOLD
    assert list(standing_lines(now, None)) == []


def test_a_container_without_a_record_does_not_stand(tmp_path: Path) -> None:
    path = tmp_path / "a.sif"
    create_data(str(path), mount="/out", free=1 << 20)
    assert stands(path) is None
    assert list(standing_lines(None, None)) == []


def recorded_elsewhere(container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A change by a run whose record stands in a metadata container."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    uuid = identify(str(container)).uuid
    assert uuid
    debugfs(container, f"write {tmp_path / 'data' / 'one'} in/three")
    assert outside(container), "nothing is known of it yet"
    now = from_ns(time.time_ns() + 2 * LATER * SECOND)
    record = run_record(uuid)
    (it,) = record.with_role("output")
    place = Place(METADATA, str(tmp_path / "meta.sif"))
    there = replace(record, recorded=now, containers=(replace(it, digest=None),))
    assert not deliver(place, there).warning
    return place


def test_a_run_recorded_elsewhere_is_none(
    container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = recorded_elsewhere(container, tmp_path, monkeypatch)
    uuid = identify(str(container)).uuid
    assert uuid
    assert remembered(uuid) == (place.path,)
    folder = tmp_path / "state" / "sifprov" / "elsewhere"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / str(uuid)).stat().st_mode & 0o777 == 0o600
    assert not outside(container)
    # Where it stood is nothing now: then nothing is known, and nothing claimed.
    os.rename(place.path, place.path + ".away")
    assert not outside(container)
    os.rename(place.path + ".away", place.path)
    # And what comes after it is seen.
    monkeypatch.setattr(sys.modules[__name__], "LATER", 40)
    debugfs(container, "rm in/three")
    assert outside(container)
    (folder / str(uuid)).unlink()
    assert outside(container)


def test_what_somebody_else_put_there_is_not_believed(
    container: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = recorded_elsewhere(container, tmp_path, monkeypatch)
    uuid = identify(str(container)).uuid
    assert uuid
    file = tmp_path / "state" / "sifprov" / "elsewhere" / str(uuid)
    for text in ("", "relative\n", "\0\n/\0\n", "/nowhere"):
        file.write_text(text)
        outside(container)
    file.write_text(place.path + "\n")
    assert remembered(uuid) == (place.path,)
    with monkeypatch.context() as other:
        other.setattr(os, "getuid", lambda: 12_345)
        assert remembered(uuid) == ()
    file.unlink()
    file.symlink_to(tmp_path / "other")
    (tmp_path / "other").write_text(place.path + "\n")
    assert remembered(uuid) == ()
    file.unlink()
    os.mkfifo(file)
    assert remembered(uuid) == ()


def test_of_many_containers_the_oldest_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(whereabouts, "_MOST", 8)
    uuids = [UUID(int=n) for n in range(1, 20)]
    for n, uuid in enumerate(uuids):
        remember(Place(METADATA, f"/m{n}.sif"), run_record(uuid))
        remember(Place(METADATA, "/again.sif"), run_record(uuid))
    assert remembered(uuids[-1]) == ("/again.sif", "/m18.sif")
    assert remembered(uuids[0]) == ()
    assert len(os.listdir(tmp_path / "state" / "sifprov" / "elsewhere")) <= 8
    # In the container itself its records need no memory.
    remember(Place(CONTAINER, "/out.sif"), run_record(UUID(int=99)))
    assert remembered(UUID(int=99)) == ()
