"""What is opened as a SIF, and what is refused without waiting on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.sifs import add_object, make_sif

from sifprov.errors import FileError
from sifprov.sif import open_image
from sifprov.sif.image import read_object


def fifo(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    path.symlink_to("/dev/null")


def missing(path: Path) -> None:
    pass


def empty(path: Path) -> None:
    path.touch()


def dangling(path: Path) -> None:
    path.symlink_to("nowhere")


@pytest.mark.timeout(10)
@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize("kind", [fifo, folder, device, missing, empty, dangling])
def test_what_is_no_sif(tmp_path: Path, kind: Callable[[Path], None], write: bool) -> None:
    path = tmp_path / "x.sif"
    kind(path)
    with pytest.raises(FileError) as error, open_image(str(path), write=write):
        pass
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


def test_a_path_that_no_file_can_have() -> None:
    with pytest.raises(FileError), open_image("a\0b"):
        pass


def test_a_text_file_gets_a_hint(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello" * 100)
    with pytest.raises(FileError) as error, open_image(str(tmp_path / "x")):
        pass
    assert error.value.hint is not None and "data create" in error.value.hint


@pytest.mark.skipif(os.getuid() != 0, reason="becoming another user needs root")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    path.chmod(0o600)
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[2]); from sifprov.sif import open_image\n"
        "from sifprov.errors import FileError; os.setgid(65534); os.setuid(65534)\n"
        "try:\n  open_image(sys.argv[1]).__enter__()\nexcept FileError as e: print(e)"
    )
    for part in (tmp_path, *list(tmp_path.parents)[:3]):
        if part.stat().st_uid == os.getuid() and part != Path("/tmp"):
            part.chmod(part.stat().st_mode | 0o111)
    library = str(Path(__file__).parents[2] / "pytools")
    argv = [sys.executable, "-c", code, str(path), library]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"{path}: Permission denied\n", done.stderr


def test_an_object_that_is_larger_than_the_limit(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    item = add_object(path, b"x" * 100)
    with path.open("rb") as file, pytest.raises(Exception, match="100 bytes are more than 99"):
        read_object(file, item, limit=99)


def test_an_object_that_the_file_no_longer_holds(tmp_path: Path) -> None:
    path = make_sif(tmp_path / "x.sif")
    item = add_object(path, b"x" * 100)
    os.truncate(path, item.end - 1)
    with path.open("rb") as file, pytest.raises(Exception, match="the file ends inside it"):
        read_object(file, item)
