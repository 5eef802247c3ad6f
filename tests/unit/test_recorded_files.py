"""`sifprov data ls --record`: the files of a container as a record lists them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import CliRunner
from tests.unit.schemas import problems
from tests.unit.sifs import OUT, add, make_sif, origin_record, run_record

from sifprov.carrier import read_carrier
from sifprov.commands.data.ls import command
from sifprov.content import Deadline, scan_folder
from sifprov.errors import FileError, NoRecordError, SifprovError
from sifprov.filelist import recorded_files
from sifprov.frozen import replace
from sifprov.model.files import describe
from sifprov.model.record import Origin

ODD = "a\x1b[2J\nb\udcff"


@pytest.fixture
def container(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A container whose origin record and whose run list different files."""
    monkeypatch.setenv("HOME", str(tmp_path))
    source = tmp_path / "d"
    (source / "Outputs").mkdir(parents=True, mode=0o755)
    (source / "Outputs" / ODD).write_text("x")
    (source / "Outputs" / "link").symlink_to("nowhere")
    path = make_sif(tmp_path / "out.sif")
    tree = scan_folder(str(source), Deadline())
    record = origin_record(OUT)
    add(path, replace(record, origin=Origin("/d", tree.digest, describe(tree)[0])))
    (source / "Outputs" / "more").write_text("more")
    (source / "Outputs" / "more").chmod(0o4711)
    tree = scan_folder(str(source), Deadline())
    run = run_record()
    it = replace(run.containers[-1], digest=tree.digest, files=describe(tree)[0])
    add(path, replace(run, id=OUT, containers=(*run.containers[:-1], it)))
    return path


def ls(*argv: str | Path) -> str:
    done = CliRunner().invoke(command, [os.fsdecode(a) for a in argv], standalone_mode=False)
    assert done.exception is None, done.exception
    return done.output


def test_the_files_of_each_record(container: Path) -> None:
    first, second = (str(r.id) for _, r in read_carrier(str(container)).good)
    odd = "/Outputs/a\\x1b[2J\\x0ab\\xff"
    assert ls(container, "-R", "--record", first).splitlines() == ["/Outputs", odd, "/Outputs/link"]
    assert ls(container, "--record", first).splitlines() == ["/Outputs"]
    long = ls(container, "Outputs", "-l", "--record", second).splitlines()
    assert [line.split()[-1] for line in long] == [odd, "/Outputs/link", "/Outputs/more"]
    assert [line.split()[0] for line in long] == ["-rw-r--r--", "lrwxrwxrwx", "-rws--x--x"]
    assert long[2].split()[3] == "187897ce0afc"
    assert ls(container, "/Outputs/more", "--record", second) == "/Outputs/more\n"


def test_json(container: Path) -> None:
    ((stored, record), _) = read_carrier(str(container)).good
    document: Any = json.loads(ls(container, "-R", "--json", "--record", stored.digest))
    assert problems("sifprov.data-files/1", document) == []
    assert (document["id"], document["record"]) == (str(record.id), stored.digest)
    assert document["entries"][1]["path"] == {"base64": "L091dHB1dHMvYRtbMkoKYv8="}
    assert document["entries"][2] | {"value": None} == {
        "mode": None, "path": "/Outputs/link", "size": 7, "type": "l", "value": None,
    }  # fmt: skip


@pytest.mark.parametrize("cut", [8, 20, 36])
def test_how_an_id_or_a_digest_begins(container: Path, cut: int) -> None:
    stored, record = read_carrier(str(container)).good[1]
    for which in (stored.digest[: 7 + cut], stored.digest[7 : 7 + cut].upper()):
        assert recorded_files(str(container), which).record == record


def test_what_cannot_be_listed_is_said(container: Path, tmp_path: Path) -> None:
    path = str(container)
    with pytest.raises(NoRecordError, match="no record nothing"):
        recorded_files(path, "nothing")
    with pytest.raises(SifprovError, match="2 records begin with 00000000-"):
        recorded_files(path, "00000000-")
    with pytest.raises(FileError, match="/nowhere: not in the list"):
        recorded_files(path, str(OUT)).below(b"nowhere", recursive=True)
    add(container, replace(origin_record(OUT), id=UUID(int=7)))
    with pytest.raises(NoRecordError, match="lists no files: its record lists no files"):
        recorded_files(path, "00000000-0000-0000-0000-000000000007")
