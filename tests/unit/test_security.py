"""Threats that no other test looks at: see docs/security.md."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.sifs import run_record
from tests.unit.test_sitelog import END, first_line

from sifprov.capture.run import describe_run
from sifprov.create import create_data
from sifprov.errors import MissingError
from sifprov.extract import _open_below, extract
from sifprov.filesystem import CorruptImageError
from sifprov.filesystem.squashfs import Squashfs
from sifprov.model.redact import redact_environment
from sifprov.model.request import dump_request, parse_end, parse_request
from sifprov.pluginadmin import payload
from sifprov.pluginadmin.payload import copy_helper, helper_command
from sifprov.pluginadmin.place import Place
from sifprov.runtime.find import Runtime
from sifprov.sif import FsType, Partition

EVIL = "import os\nopen(os.environ.get('EVIL') or {path!r}, 'a').write(__name__)\n"


def test_no_variable_and_no_folder_of_the_user_reaches_the_helper(tmp_path: Path) -> None:
    """Modules of the user's, wherever Python might look for them, are not imported."""
    place = Place(Runtime("/x", "singularity-ce", "4.3.3"), tmp_path / "root", tmp_path)
    script = copy_helper(place, sys.executable)
    evil, mark = tmp_path / "evil", tmp_path / "mark"
    site = evil / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    for folder in (evil, evil / "sifprov", site):
        folder.mkdir(parents=True, exist_ok=True)
    text = EVIL.format(path=str(mark))
    for module in (
        "json.py", "base64.py", "struct.py", "usercustomize.py", "sitecustomize.py",
        "sifprov/__init__.py",
    ):  # fmt: skip
        (evil / module).write_text(text)
    (site / "usercustomize.py").write_text(text)
    environment = {
        **os.environ, "PYTHONPATH": str(evil), "PYTHONSTARTUP": str(evil / "json.py"),
        "PYTHONUSERBASE": str(evil), "PYTHONHOME": "", "EVIL": str(mark), "HOME": str(evil),
    }  # fmt: skip
    done = subprocess.run(
        helper_command(sys.executable, script), input=first_line() + END, env=environment,
        cwd=evil, capture_output=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")
    assert not mark.exists(), mark.read_text()


def test_an_interpreter_that_others_could_change_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where everybody may go, nothing else speaks against it.
    monkeypatch.setattr(payload, "unreachable", lambda path: iter(()))
    python = tmp_path / "python3"
    python.write_text("#!/bin/sh\necho True\n")
    python.chmod(0o777)
    with pytest.raises(MissingError, match=r"can be written by others|belongs to user"):
        payload.find_interpreter(str(python))


@pytest.mark.parametrize("name", [b"..", b"z/", b"z\0", b"/x"])
def test_a_sealed_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: bytes) -> None:
    """In ext3 the folder's own reader refuses it; in squashfs nobody else would."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "zq").write_text("x")
    image = tmp_path / "image"
    argv = ["mksquashfs", str(source), str(image), "-noI", "-noappend", "-no-progress", "-quiet"]
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, timeout=60)
    data = image.read_bytes()
    assert data.count(b"\x01\x00zq") == 1
    image.write_bytes(data.replace(b"\x01\x00zq", b"\x01\x00" + name))
    with (
        Squashfs(str(image), Partition(1, 0, len(data), FsType.SQUASHFS)) as fs,
        pytest.raises(CorruptImageError, match="holds the name"),
    ):
        list(fs.walk())


def test_links_are_made_when_all_else_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    (source / "z").mkdir(parents=True)
    (source / "a").symlink_to("z")
    (source / "z" / "file").write_text("x")
    create_data(str(tmp_path / "c.sif"), mount="/I", source=str(source))
    real = os.symlink
    seen: list[list[str]] = []

    def late(target: bytes, name: bytes, *, dir_fd: int) -> None:
        seen.append([p.name for p in tmp_path.rglob("file") if "source" not in p.parts])
        real(target, name, dir_fd=dir_fd)

    monkeypatch.setattr(os, "symlink", late)
    extract(str(tmp_path / "c.sif"), str(out))
    assert seen == [["file"]]


def test_no_folder_is_entered_through_a_link(tmp_path: Path) -> None:
    """Should a link ever stand in the way all the same."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "top").mkdir()
    (tmp_path / "top" / "a").symlink_to("../outside")
    top = os.open(tmp_path / "top", os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
            _open_below(top, b"a")
    finally:
        os.close(top)


def test_a_secret_variable_is_left_out_and_never_written() -> None:
    given = (
        ("LANG", "C"), ("OMP_API_TOKEN", "canary-1"), ("SINGULARITYENV_DB_PASSWORD", "canary-2"),
        ("APPTAINERENV_URL", "https://user:canary-3@host/"), ("LC_NOTE", "Bearer canary-4canary-4"),
    )  # fmt: skip
    kept = dict(redact_environment(given))
    assert kept["LANG"] == "C" and "canary" not in str(kept)
    assert not {"OMP_API_TOKEN", "SINGULARITYENV_DB_PASSWORD"} & kept.keys()
    request = replace(parse_request(first_line()), environment=given)
    assert b"canary" not in dump_request(request)


def test_no_secret_of_a_run_is_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))  # no settings of whoever runs the tests
    request = replace(
        parse_request(first_line()),
        argv=(
            "singularity",
            "exec",
            "--env",
            "DB_TOKEN=canary-1",
            "app.sif",
            "--password=canary-2",
        ),
        command=("sh", "-c", "curl https://user:canary-3@host/"),
        environment=(("SINGULARITYENV_API_KEY", "canary-4"),),
    )
    run = describe_run(request, parse_end(END))
    record = replace(run_record(), run=run)
    assert b"canary" not in record.to_bytes()
    assert len(run.redacted) == 2
