"""Policies about paths: the spool, the runtime, and never overwriting. On a fake file system."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest
from pyfakefs.fake_filesystem import FakeFilesystem
from tests.unit.sifs import run_record

from sifprov import spool, waiting
from sifprov.create import create_data
from sifprov.errors import FileError, MissingError
from sifprov.runtime import find
from sifprov.spool import Waiting

HOME = "/home/user"
WHERE = f"{HOME}/.local/state/sifprov/spool"


@pytest.fixture(autouse=True)
def only_the_home_given_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """The spool below the real home folder is not for tests."""

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)


@pytest.fixture
def home(fs: FakeFilesystem, monkeypatch: pytest.MonkeyPatch) -> FakeFilesystem:
    """A home folder of the user who runs this."""
    monkeypatch.setenv("HOME", HOME)
    fs.create_dir(HOME)
    return fs


def mode(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def test_a_record_is_kept_for_its_owner_alone(home: FakeFilesystem) -> None:
    path = spool.save("/data/out.sif", run_record())
    assert os.path.dirname(path) == WHERE
    assert (mode(WHERE), mode(path)) == (0o700, 0o600)
    assert os.listdir(WHERE) == [os.path.basename(path)]
    (found,) = spool.waiting()
    since = os.lstat(path).st_mtime_ns
    assert found == Waiting(path, "/data/out.sif", run_record(), since_ns=since)


def test_an_empty_spool(home: FakeFilesystem) -> None:
    assert list(spool.waiting()) == []


@pytest.mark.parametrize("bits", [0o770, 0o720, 0o702, 0o777])
def test_a_folder_that_others_can_write_to_is_refused(home: FakeFilesystem, bits: int) -> None:
    home.create_dir(WHERE)
    os.chmod(WHERE, bits)
    with pytest.raises(FileError, match="only you can write to"):
        spool.save("/out.sif", run_record())
    with pytest.raises(FileError, match="only you can write to"):
        list(spool.waiting())
    assert os.listdir(WHERE) == []


def test_a_folder_of_somebody_else_is_refused(
    home: FakeFilesystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool.save("/out.sif", run_record())
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(FileError, match="only you can write to"):
        spool.save("/out.sif", run_record())
    with pytest.raises(FileError, match="only you can write to"):
        list(spool.waiting())


def test_a_link_in_place_of_the_folder_is_refused(home: FakeFilesystem) -> None:
    home.create_dir("/elsewhere", perm_bits=0o700)
    home.create_symlink(WHERE, "/elsewhere")
    with pytest.raises(FileError, match="only you can write to"):
        spool.save("/out.sif", run_record())
    assert os.listdir("/elsewhere") == []


def test_the_oldest_comes_first_and_broken_ones_are_told(home: FakeFilesystem) -> None:
    paths = [spool.save(f"/{n}.sif", run_record()) for n in range(3)]
    for path, age in zip(paths, (20, 30, 10), strict=True):
        os.utime(path, (age, age))
    home.create_file(f"{WHERE}/x.record.json", contents="{")
    os.utime(f"{WHERE}/x.record.json", (15, 15))
    home.create_file(f"{WHERE}/x.request.jsonl", contents="first\nsecond\n")
    os.utime(f"{WHERE}/x.request.jsonl", (5, 5))
    home.create_file(f"{WHERE}/other.txt")
    home.create_file(f"{WHERE}/half.record.json.tmp")
    found = list(spool.waiting())
    assert isinstance(found[0], Waiting) and found[0].request == (b"first", b"second\n")
    targets = [f.target for f in found[1:] if isinstance(f, Waiting)]
    assert targets == ["/2.sif", "/0.sif", "/1.sif"]
    assert isinstance(found[2], FileError)
    assert str(found[2]).startswith(f"{WHERE}/x.record.json: not JSON")
    assert found[2].hint is not None


def test_a_request_without_a_second_line(home: FakeFilesystem) -> None:
    home.create_file(f"{WHERE}/x.request.jsonl", contents="first")
    os.chmod(WHERE, 0o700)
    (found,) = spool.waiting()
    assert isinstance(found, Waiting) and found.request == (b"first", b"")


def test_a_file_that_is_too_large(home: FakeFilesystem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_FILE", 10)
    spool.save("/out.sif", run_record())
    (found,) = spool.waiting()
    assert isinstance(found, FileError) and "more than 10 bytes" in str(found)


def test_a_full_disk_leaves_nothing_behind(home: FakeFilesystem) -> None:
    home.create_dir(WHERE, perm_bits=0o700)
    home.set_disk_usage(home.get_disk_usage()[1] + 100)
    with pytest.raises(FileError, match=r"cannot be kept either: .*[Ss]pace"):
        spool.save("/out.sif", run_record())
    assert os.listdir(WHERE) == []


@pytest.mark.timeout(10)
@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_plain_file_is_told_and_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """On the real file system: the fake one has no FIFOs."""
    monkeypatch.setenv("HOME", str(tmp_path))
    good = Path(spool.save("/out.sif", run_record()))
    path = good.with_name("x.record.json")
    if kind == "link":
        path.symlink_to(good)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
    found = list(spool.waiting())
    assert [type(f) for f in found] == [Waiting, FileError]
    assert str(found[1]).startswith(f"{path}: ")


def test_a_file_that_another_flush_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for n in range(2):
        spool.save(f"/{n}.sif", run_record())
    waiting = spool.waiting()
    next(waiting)
    for path in Path(spool.folder()).iterdir():
        path.unlink()
    assert list(waiting) == []


# The runtime.


def program(folder: Path, name: str, says: str, code: int = 0) -> str:
    """A program that prints `says`."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty PATH folder."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv(find.ENVIRONMENT, raising=False)
    return tmp_path / "bin"


def test_the_first_on_path(bare: Path) -> None:
    with pytest.raises(MissingError, match="neither singularity nor apptainer") as error:
        find.find_runtime()
    assert error.value.hint is not None
    apptainer = program(bare, "apptainer", "apptainer version 1.4.5")
    assert find.find_runtime() == find.Runtime(apptainer, "apptainer", "1.4.5")
    singularity = program(bare, "singularity", "singularity-ce version 4.3.3-1")
    assert find.find_runtime() == find.Runtime(singularity, "singularity-ce", "4.3.3-1")


def test_option_before_environment_before_path(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bare, "singularity", "singularity-ce version 1.0")
    two = program(tmp_path / "two", "s", "singularity-ce version 2.0")
    three = program(tmp_path / "three", "s", "apptainer version 3.0")
    monkeypatch.setenv(find.ENVIRONMENT, two)
    assert find.find_runtime().version == "2.0"
    assert find.find_runtime(three).version == "3.0"
    assert find.find_runtime("singularity").version == "1.0"
    monkeypatch.setenv(find.ENVIRONMENT, "")
    assert find.find_runtime().version == "1.0"


def test_a_choice_that_is_not_there_is_not_replaced(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(bare, "singularity", "singularity-ce version 1.0")
    with pytest.raises(MissingError, match=r"/no/where: no such program \(--runtime\)"):
        find.find_runtime("/no/where")
    monkeypatch.setenv(find.ENVIRONMENT, "/no/where")
    with pytest.raises(MissingError, match=r"\(\$SIFPROV_RUNTIME\)"):
        find.find_runtime()


@pytest.mark.parametrize(("says", "code"), [("hello 1.0", 0), ("singularity-ce version 4", 1)])
def test_a_program_that_is_no_runtime(bare: Path, says: str, code: int) -> None:
    program(bare, "singularity", says, code)
    with pytest.raises(MissingError, match="neither singularity nor apptainer"):
        find.find_runtime()


def test_a_program_that_does_not_run(bare: Path) -> None:
    (bare / "singularity").write_bytes(b"\x7fELFnonsense")
    (bare / "singularity").chmod(0o755)
    with pytest.raises(MissingError, match="does not run"):
        find.find_runtime()


# Making a container.


@pytest.mark.parametrize("kind", ["file", "folder", "dangling link"])
def test_nothing_is_overwritten(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "x.sif"
    if kind == "file":
        path.write_bytes(b"precious")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to("nowhere")
    with pytest.raises(FileError, match="exists already") as error:
        create_data(str(path), mount="/O", free=1 << 20)
    assert error.value.hint is not None
    assert os.listdir(tmp_path) == ["x.sif"]
    assert kind != "file" or path.read_bytes() == b"precious"


def test_a_name_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "x.sif"

    def step(text: str) -> None:
        if text == "reading it back":
            path.write_bytes(b"precious")

    with pytest.raises(FileError, match="exists already"):
        create_data(str(path), mount="/O", free=1 << 20, on_step=step)
    assert path.read_bytes() == b"precious"
    assert os.listdir(tmp_path) == ["x.sif"]


def test_no_folder_to_make_it_in(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        create_data(str(tmp_path / "no" / "x.sif"), mount="/O")
