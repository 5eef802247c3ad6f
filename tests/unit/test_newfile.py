"""What makers leave behind when they are killed: removed, when it is provably nobody's any more."""

from __future__ import annotations

import ast
import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sifprov import newfile
from sifprov.errors import FileError
from sifprov.newfile import new_file, remove_leftovers, scratch_beside

MAKER = """\
import sys, time
from sifprov.newfile import new_file
with new_file(sys.argv[1]) as temporary:
    open(temporary, "w").write("half")
    print(ascii(temporary), flush=True)
    input()
"""


def maker(path: Path) -> tuple[subprocess.Popen[str], Path]:
    """A process that is making the file `path`, and what it is making."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout is not None
    return process, Path(ast.literal_eval(process.stdout.readline()))


def leftover(path: Path) -> Path:
    process, made = maker(path)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=30)
    assert made.read_text() == "half"
    return made


@pytest.mark.parametrize("name", ["x.sif", "new\nline", "ä" * 127, ".hidden", "a.b.c"])
def test_the_next_one_removes_what_a_killed_one_left(tmp_path: Path, name: str) -> None:
    made = leftover(tmp_path / name)
    assert made.name.startswith(".") and made.name.endswith(".sifprov-part")
    with new_file(str(tmp_path / "other.sif")) as temporary:
        assert not made.exists()
        Path(temporary).write_text("whole")
    assert [p.name for p in tmp_path.iterdir()] == ["other.sif"]


def test_what_is_being_made_stays(tmp_path: Path) -> None:
    process, made = maker(tmp_path / "x.sif")
    with new_file(str(tmp_path / "y.sif")):
        remove_leftovers(str(tmp_path))
        assert made.exists()
    process.communicate("\n", timeout=30)
    assert process.returncode == 0
    assert (tmp_path / "x.sif").read_text() == "half"
    assert {p.name for p in tmp_path.iterdir()} == {"x.sif", "y.sif"}


def test_two_in_one_process(tmp_path: Path) -> None:
    with new_file(str(tmp_path / "a")) as one, scratch_beside(str(tmp_path / "b")) as two:
        # Closing the same file elsewhere in the process does not drop the lock.
        Path(one).read_bytes()
        remove_leftovers(str(tmp_path))
        assert Path(one).exists() and Path(two).exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize(
    "name", ["notes.part", ".x.sif.0123abcd.part", ".sifprov-part", ".a.12345678.sifprov-part"]
)
def test_what_is_not_ours_by_name_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    remove_leftovers(str(tmp_path))
    assert (tmp_path / name).exists()


def test_what_is_no_plain_file_of_ours_stays(tmp_path: Path) -> None:
    made = leftover(tmp_path / "x.sif")
    precious = tmp_path / "precious"
    precious.write_text("precious")
    made.unlink()
    made.symlink_to(precious)
    folder = made.with_name(made.name.replace("x.sif", "y.sif"))
    folder.mkdir()
    fifo = made.with_name(made.name.replace("x.sif", "z.sif"))
    os.mkfifo(fifo)
    remove_leftovers(str(tmp_path))
    assert made.is_symlink() and folder.is_dir() and fifo.exists() and precious.exists()
    if os.geteuid() == 0:
        theirs = made.with_name(made.name.replace("x.sif", "t.sif"))
        theirs.touch()
        os.chown(theirs, 12345, 12345)
        remove_leftovers(str(tmp_path))
        assert theirs.exists()


def test_another_host_is_given_a_week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = leftover(tmp_path / "x.sif")
    monkeypatch.setattr(newfile, "_host", lambda: "ffffffff")
    remove_leftovers(str(tmp_path))
    assert made.exists()
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 8 * 24 * 3600)
    remove_leftovers(str(tmp_path))
    assert not made.exists()


def test_without_locks_nothing_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = leftover(tmp_path / "x.sif")

    def no_locks(*args: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "fcntl", no_locks)
    with new_file(str(tmp_path / "y.sif")) as temporary:
        Path(temporary).write_text("y")
    assert made.exists() and (tmp_path / "y.sif").read_text() == "y"


def test_one_that_was_taken_for_a_leftover_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between its making and its lock somebody else may have looked."""
    real = newfile._lock
    seen: list[str] = []

    def late(descriptor: int) -> bool | None:
        if not seen:
            seen.append(os.readlink(f"/proc/self/fd/{descriptor}"))
            os.unlink(seen[0])
        return real(descriptor)

    monkeypatch.setattr(newfile, "_lock", late)
    with new_file(str(tmp_path / "x.sif")) as temporary:
        assert temporary != seen[0]
        Path(temporary).write_text("whole")
    assert (tmp_path / "x.sif").read_text() == "whole"


def test_the_name_says_whose_it_is(tmp_path: Path) -> None:
    with scratch_beside(str(tmp_path / ("n" * 255))) as temporary:
        assert re.fullmatch(r"\.n{200}\.[0-9a-f]{8}\.[0-9a-f]{8}\.sifprov-part",
                            os.path.basename(temporary))  # fmt: skip
    with pytest.raises(FileError), scratch_beside(str(tmp_path / "none" / "x")):
        pass
